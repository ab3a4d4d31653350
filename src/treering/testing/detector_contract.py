"""What every detector must do, as checks that run on any of them: subclass `DetectorContract` and give it `make`.

Examples hold; the same records give the same findings; a state saved in the middle goes on; order, repetition and
hostile records never raise; state and evidence stay bounded.
"""

# ruff: noqa: D102  the names of the checks say what they check
from __future__ import annotations

import random
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from treering.model.batch import batch
from treering.model.finding import MAX_ENTITIES, MAX_EVIDENCE, MAX_EXCERPT, Finding
from treering.model.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import ModuleType

    from treering.stage.detector import Ask, Detector, Example

    Record = Mapping[str, Any]

MAX_STATE = 4 << 20
NOW_NS = 1_772_000_000_000_000_000
_SECOND = 1_000_000_000


def detector(module: ModuleType, settings: Mapping[str, Any] | None = None) -> Detector:
    """Return the detector of a module, built with `settings`."""
    from treering.core.config import decode

    built: Detector = module.build(decode(dict(settings or {}), module.Config))
    return built


def rows(stream: str, records: Sequence[Record], first_seq: int = 0) -> Rows:
    """Return records as a detector is given them."""
    return Rows(batch(stream, records, received_ns=NOW_NS), first_seq)


def last_ns(stream: str, records: Sequence[Record]) -> int:
    """Return the instant of the newest record."""
    return int(rows(stream, records).times.max())


def feed(found: Detector, stream: str, records: Sequence[Record], size: int, first_seq: int = 0) -> list[Finding]:
    """Give records in batches of `size`, with a tick after each at its newest record; return what is found."""
    out: list[Finding] = []
    now_ns = 0
    for start in range(0, len(records), size):
        given = rows(stream, records[start : start + size], first_seq + start)
        out += found.observe(given)
        now_ns = max(now_ns, int(given.times.max()))
        if found.every_s:
            out += found.tick(now_ns, None)
    return out


def keys(found: Iterable[Finding]) -> set[tuple[str, ...]]:
    """Return what makes each finding itself."""
    return {(finding.rule, *finding.key) for finding in found}


class DetectorContract:
    """The checks; `make` returns the module of the detector."""

    def make(self) -> ModuleType:
        raise NotImplementedError

    def asking(self, stream: str, records: Sequence[Record]) -> AbstractContextManager[Ask | None]:  # noqa: ARG002
        """Give what answers PPL over `records`, for a detector that says nothing without a store."""
        return nullcontext(None)

    def run(self, module: ModuleType, example: Example) -> list[Finding]:
        """Return what a detector finds in an example."""
        with self.asking(example.stream, example.records) as ask:
            return run(module, example, ask)

    def test_it_carries_examples_of_both_kinds(self) -> None:
        examples: Sequence[Example] = self.make().EXAMPLES
        assert any(example.finds for example in examples)
        assert any(not example.finds for example in examples)

    def test_its_examples_hold(self) -> None:
        module = self.make()
        for example in module.EXAMPLES:
            found = self.run(module, example)
            rules = sorted({finding.rule for finding in found})
            assert rules == sorted(example.finds), (example.title, rules)

    def test_the_same_records_give_the_same_findings(self) -> None:
        module = self.make()
        for example in module.EXAMPLES:
            assert self.run(module, example) == self.run(module, example), example.title

    def test_findings_show_bounded_evidence(self) -> None:
        module = self.make()
        for example in module.EXAMPLES:
            for finding in self.run(module, example):
                assert finding.detector == module.NAME
                assert 0 < len(finding.evidence) <= MAX_EVIDENCE, example.title
                assert len(finding.entities) <= MAX_ENTITIES
                assert finding.start_ns <= finding.end_ns
                assert finding.start_ns <= finding.noticed_ns
                assert 0 <= finding.score <= 1
                for shown in finding.evidence:
                    assert shown.stream == example.stream
                    assert 0 <= shown.seq < len(example.records)
                    assert len(shown.excerpt) <= MAX_EXCERPT
                    assert all(0 <= low < high <= len(shown.excerpt) for low, high in shown.spans)

    def test_a_saved_state_goes_on(self) -> None:
        module = self.make()
        for example in module.EXAMPLES:
            records, half = example.records, len(example.records) // 2
            whole = detector(module, example.settings)
            first = feed(whole, example.stream, records[:half], 50)
            saved = whole.save()
            rest = feed(whole, example.stream, records[half:], 50, half)
            heir = detector(module, example.settings)
            heir.restore(saved)
            assert feed(heir, example.stream, records[half:], 50, half) == rest, example.title
            assert heir.save() == whole.save()
            assert isinstance(first, list)

    def test_a_state_it_cannot_read_is_refused(self) -> None:
        for state in (b"", b"\xff\x00nonsense", b"[]{}"):
            found = detector(self.make())
            try:
                found.restore(state)
            except ValueError:
                continue  # that is how to refuse
            assert found.save(), "a state that was not refused must be usable"

    def test_order_and_repetition_do_no_harm(self) -> None:
        module = self.make()
        for example in module.EXAMPLES:
            shuffled = [*example.records, *example.records[: len(example.records) // 3]]
            random.Random(7).shuffle(shuffled)  # noqa: S311  a test has to be repeatable
            found = detector(module, example.settings)
            mixed = feed(found, example.stream, shuffled, 40)
            with self.asking(example.stream, shuffled) as ask:
                mixed += found.tick(last_ns(example.stream, shuffled) + int(example.after_s * _SECOND), ask)
            if module.ORDER_FREE:
                assert keys(mixed) == keys(self.run(module, example)), example.title

    def test_hostile_records_never_raise(self, records: Sequence[Record], stream: str) -> None:
        found = detector(self.make())
        out = feed(found, stream, records, 7)
        out += found.tick(NOW_NS + 10**13, None)
        heir = detector(self.make())
        heir.restore(found.save())
        for finding in out:
            assert len(finding.evidence) <= MAX_EVIDENCE

    def test_state_is_bounded(self) -> None:
        module = self.make()
        for stream in sorted(detector(module).streams):
            found = detector(module)
            for start in range(0, 24_000, 2_000):
                given = rows(stream, [_many(number) for number in range(start, start + 2_000)], start)
                found.observe(given)
                if found.every_s:
                    found.tick(int(given.times.max()), None)
            assert len(found.save()) <= MAX_STATE, stream


def run(module: ModuleType, example: Example, ask: Ask | None = None) -> list[Finding]:
    """Return what a detector finds in an example."""
    found = detector(module, example.settings)
    out = list(found.observe(rows(example.stream, example.records)))
    out += found.tick(last_ns(example.stream, example.records) + int(example.after_s * _SECOND), ask)
    return out


def _many(number: int) -> dict[str, Any]:
    """Return a record of which every text is another one's."""
    return {
        "@timestamp": NOW_NS + number * 10**9,
        "serviceName": f"service-{number}",
        "traceId": f"{number:032x}",
        "name": f"POST /{number}",
        "kind": "SPAN_KIND_SERVER",
        "durationInNanos": number * 10**6,
        "severityNumber": 17,
        "status": {"code": 2 if number % 2 else 0},
        "body": f"word{number} killed process {number} (p{number}) loss nan rank {number} " + "x" * (number % 300),
        "template": {"id": f"{number:012x}"},
        "resource": {"attributes": {"host.name": f"host-{number}"}},
        "attributes": {
            "http.route": f"/{number}",
            "gen_ai.operation.name": ("chat", "execute_tool", "retrieval", "")[number % 4],
            "gen_ai.request.model": f"model-{number}",
            "gen_ai.tool.name": f"tool-{number}",
            "gen_ai.tool.call.arguments": f"{{{number}}}",
            "gen_ai.usage.input_tokens": number,
            "gen_ai.usage.output_tokens": 1,
            "gen_ai.conversation.id": f"conversation-{number}",
            "gen_ai.data_source.id": f"source-{number}",
            "gen_ai.retrieval.documents": f'[{{"id": "{number}", "score": 0.5}}]',
            "gen_ai.output.messages": f'[{{"role": "user", "parts": [{{"type": "text", "content": "n{number}"}}]}}]',
            "user.id": f"user-{number}",
            "treering.cost.usd": 0.01,
        },
    }

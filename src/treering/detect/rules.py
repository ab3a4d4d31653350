"""Rules in YAML with PPL conditions, asked of the store: the shipped ones and those of `[rules] paths`.

As records arrive, each is looked through for the texts that rules need; only a rule whose texts came is asked of the
store, for the windows they came in. A group of records that reaches the threshold within a window is a finding, and so
is one that goes through all steps of a rule; windows that follow each other are one.

Misses: what the condition does not say; records of which `needs` holds no text; counts that a full minute, hour … cuts
in two; without a store (a scanned file that is not kept) nothing is asked. Costs 1 µs a record, and a query for each
rule whose texts came, at most one a minute.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.core.errors import UserError
from treering.detect._recent import remember
from treering.detect._rule_files import Rule, load
from treering.detect._rule_gate import Gate
from treering.detect._rule_watch import Found, Watch, different, text_of
from treering.detect._rule_windows import Answer, Window
from treering.detect._whom import Whom, proof, restored
from treering.model.finding import MAX_EVIDENCE, Entity, Evidence, Finding
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.rows import Rows
    from treering.stage.detector import Ask

_log = logging.getLogger(__name__)
NAME = "rules"
ORDER_FREE = True
_CANDIDATES, _MOST_CANDIDATES, _TOLD = 30, 6_000, 2_000
_KINDS = {
    "serviceName": "service", "user": "user", "user_to_assign_roles_to": "user", "user.id": "user", "host.name": "host",
    "document.id": "document", "key.id": "key", "gen_ai.conversation.id": "session", "gen_ai.tool.name": "tool",
    "gen_ai.provider.name": "provider", "gen_ai.data_source.id": "collection", "db.collection.name": "collection",
    "gen_ai.request.model": "model", "client.address": "address",
}  # fmt: skip


class Config(BaseConfig, frozen=True):
    """Which rules are asked, and how often."""

    paths: Annotated[tuple[str, ...], Meta(description="files of rules, or directories of them, of one's own")] = ()
    off: Annotated[tuple[str, ...], Meta(description="ids of rules that are not asked")] = ()
    every_s: Annotated[float, Meta(ge=1, description="seconds between two looks at the rules whose texts came")] = 60.0


class _Seen(msgspec.Struct):
    """A record that may count: where it is, and the values of the fields that its rule groups by."""

    proof: Evidence
    service: str
    group: list[str]


class _State(msgspec.Struct):
    waiting: dict[str, tuple[int, int]] = {}
    seen: dict[str, list[_Seen]] = {}
    heard: dict[str, list[tuple[int, int]]] = {}
    gate: Gate = msgspec.field(default_factory=Gate)
    told: dict[str, int] = {}
    episodes: dict[str, tuple[int, int]] = {}


class Rules:
    """Looks for what rules need, and asks those that something came for."""

    def __init__(self, config: Config, only: Sequence[Rule] | None = None) -> None:
        """Load the rules, or take `only` those. Raises `UserError` naming file and rule of a mistake."""
        rules = load(config.paths) if only is None else only
        known = {rule.id for rule in rules}
        for name in config.off:
            if name not in known:
                raise UserError(f"no rule is called {name!r}", hint="`treering rules list` names them")
        self.rules = [rule for rule in rules if rule.id not in config.off]
        self.streams = frozenset(rule.stream for rule in self.rules)
        self.every_s = config.every_s
        self._state = _State()
        self._watch = Watch(self.rules)
        self._kept = max(4, min(_CANDIDATES, _MOST_CANDIDATES // max(1, len(self.rules))))

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Remember the records that may count; what they mean is said by `tick`."""
        whom = Whom(rows)
        for found in self._watch.found(rows):
            self._remember(rows, whom, found)
        return ()

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:
        """Return what the rules say of the windows for which something came since the last time."""
        if ask is None:
            return ()
        waiting, self._state.waiting = self._state.waiting, {}
        rules = {rule.id: rule for rule in self.rules}
        findings: list[Finding] = []
        for name, (first, last) in waiting.items():
            if rule := rules.get(name):
                findings += self._asked(rule, first, last, now_ns, ask)
        return findings

    def save(self) -> bytes:
        """Return what waits, what was seen and what was told."""
        return msgspec.msgpack.encode(self._state)

    def restore(self, state: bytes) -> None:
        """Go on from `state`; raises `ValueError`."""
        self._state = restored(state, _State)

    def _remember(self, rows: Rows, whom: Whom, found: Found) -> None:
        rule, places = found.rule, found.places
        times = rows.times[places]
        low, high = int(times.min()), int(times.max())
        first, last = self._state.waiting.get(rule.id, (low, high))
        self._state.waiting[rule.id] = min(low, first), max(high, last)
        if rule.threshold > 1:
            self._state.gate.add(rule, times, different(rows, rule.distinct, places) if rule.distinct else None)
        if rule.steps:
            heard = self._state.heard.setdefault(rule.id, [(0, 0)] * len(rule.steps))
            before = heard[found.part]
            heard[found.part] = (
                min(low, before[0]) if before[1] >= low - rule.window_ns else low,
                max(high, before[1]),
            )
        seen = self._state.seen.setdefault(rule.id, [])
        enough = rule.threshold == 1 or self._state.gate.may(rule, low, high)
        # While a rule has too little to be told, a sample is enough: making evidence is what costs here.
        last_ones = places[-(self._kept if enough else 1 + min(rows.count // 1000, 2)) :]
        columns = [_column(rows, (name, *rule.computed.get(name, ())), last_ones) for name in rule.by]
        shown = rows.at(found.field, last_ones)
        for number, row in enumerate(last_ones):
            group = [column[number] for column in columns]
            seen.append(_Seen(proof(rows, row, found.field, text_of(shown[number])), whom.service(row), group))
        del seen[: -self._kept]

    def _asked(self, rule: Rule, first: int, last: int, now_ns: int, ask: Ask) -> Iterator[Finding]:
        if rule.steps and not self._all_heard(rule, first, last):
            return
        if rule.threshold > 1 and not self._state.gate.may(rule, first, last):
            return
        window = rule.window_ns
        start, end = first // window * window, (last // window + 1) * window
        if rule.at_most and end > now_ns:
            # How many there are at most is known when the window is over.
            self._state.waiting[rule.id] = max(first, now_ns // window * window), last
            end = now_ns // window * window
        answer = Answer(rule, ask)
        for found in answer.windows(start, end):
            if finding := self._told(rule, found, now_ns):
                yield finding
        if answer.problem:
            # Mostly a field that no record has yet; what else hinders the rule (a limit) is for whoever looks.
            _log.debug("the rule %s could not be asked: %s", rule.id, answer.problem)

    def _all_heard(self, rule: Rule, first: int, last: int) -> bool:
        """Whether something that may be each of the steps came within a window of the records that are new."""
        heard = self._state.heard.get(rule.id, [])
        return all(high and low - rule.window_ns <= last and high + rule.window_ns >= first for low, high in heard)

    def _told(self, rule: Rule, found: Window, now_ns: int) -> Finding | None:
        bucket, group, hits, low, high = found
        name = "\0".join((rule.id, *group))
        before = self._state.told.get(f"{name}\0{bucket}", 0)
        if hits <= before:
            return None
        remember(self._state.told, f"{name}\0{bucket}", hits, _TOLD)
        begun, ended = self._state.episodes.get(name, (bucket, bucket))
        begun = begun if bucket - ended <= rule.window_ns and bucket >= begun else bucket
        remember(self._state.episodes, name, (begun, max(bucket + rule.window_ns, ended)), _TOLD)
        seen = self._state.seen.get(rule.id, [])
        proofs = [item for item in seen if low <= item.proof.time_ns <= high and _same(item.group, group)]
        proofs = proofs or [item for item in seen if low <= item.proof.time_ns <= high]
        if not proofs:
            return None
        whom = [Entity(_kind(field), value) for field, value in zip(rule.by, group, strict=True) if value]
        whom += [Entity("service", item.service) for item in proofs if item.service]
        return Finding(
            NAME,
            rule.id,
            rule.title,
            rule.severity,
            (*group, str(begun)),
            low,
            high,
            max(now_ns, high),
            1.0,
            tuple(dict.fromkeys(whom)),
            tuple(item.proof for item in proofs[-MAX_EVIDENCE:]),
            rule.techniques,
            rule.tactic,
            {"hits": hits, "threshold": rule.threshold, "window": rule.window},
            hits - before,
        )


def _column(rows: Rows, names: Sequence[str], places: Sequence[int]) -> list[str]:
    """Return for each record the first text that it has in one of the fields; empty for none."""
    held = [rows.at(name, places) for name in names if rows.has(name)]
    return [next((text for column in held if (text := text_of(column[n]))), "") for n in range(len(places))]


def _same(own: Sequence[str], group: Sequence[str]) -> bool:
    return all(not asked or asked == value for value, asked in zip(own, group, strict=True))


def _kind(field: str) -> str:
    name = field.removeprefix("resource.").removeprefix("attributes.")
    return _KINDS.get(name, name.rpartition(".")[2])


def build(config: Config) -> Rules:
    """Return the detector. Raises `UserError` naming file and rule of a mistake."""
    return Rules(config)


def _call(number: int, status: int) -> dict[str, Any]:
    attributes = {"gen_ai.provider.name": "anthropic", "http.response.status_code": status}
    return {
        "@timestamp": 1_795_000_000_000_000_000 + number * 10**9,
        "serviceName": "rag",
        "traceId": f"{number:032x}",
        "attributes": attributes,
    }


EXAMPLES = (
    Example("a provider throttles", "spans", [_call(n, 429) for n in range(25)], ["provider-throttled"]),
    Example("a single refusal among answers", "spans", [_call(n, 429 if n == 9 else 200) for n in range(40)]),
)

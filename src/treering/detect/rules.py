"""Rules in YAML with PPL conditions, asked of the store: the shipped ones and those of `[rules] paths`.

As records arrive, each is looked through for the texts that rules need; only a rule whose texts came is asked of the
store, for the windows they came in. A group of records that reaches the threshold within a window is a finding; windows
that follow each other are one.

Misses: what the condition does not say; records of which `needs` holds no text; without a store (a scanned file that is
not kept) nothing is asked. Costs 1 µs a record, and a query for each rule whose texts came, at most one a minute.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.core.errors import UserError
from treering.detect._derived import derived
from treering.detect._lines import Words, spoken
from treering.detect._rule_files import Rule, counting, groupings, load
from treering.detect._whom import Whom, proof, restored
from treering.model.columns import Kind
from treering.model.finding import MAX_EVIDENCE, Entity, Evidence, Finding
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from treering.model.rows import Rows
    from treering.stage.detector import Ask

_log = logging.getLogger(__name__)
NAME = "rules"
ORDER_FREE = True
_CANDIDATES, _TOLD = 30, 2_000
_LOOKED_AT = 2000
_EXACT = 2.0**53
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
        self._bodies = [text for text in dict.fromkeys(_wanted(self.rules, "body")) if text]
        self._search = Words(self._bodies)

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Remember the records that may count; what they mean is said by `tick`."""
        held: dict[tuple[str, ...], NDArray[np.bool_]] = {}
        whom = Whom(rows)
        for rule in self.rules:
            for clause in rule.needs if rule.stream == rows.stream else ():
                if all(rows.has(field) for field in clause):
                    both = np.ones(rows.count, dtype=bool)
                    for field, wanted in clause.items():
                        name = (field, *wanted)
                        if name not in held:
                            held[name] = self._holding(rows, field, wanted)
                        both &= held[name]
                    if both.any():
                        self._remember(rows, whom, rule, next(iter(clause)), np.flatnonzero(both).tolist())
        return ()

    def _holding(self, rows: Rows, field: str, wanted: Sequence[str]) -> NDArray[np.bool_]:
        if field == "body":
            found = np.zeros(rows.count, dtype=bool)
            held = derived(rows, self._in_bodies)
            for text in wanted:
                found[held.get(text, [])] = True
            return found
        return _in_field(rows, field, wanted)

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

    def _in_bodies(self, rows: Rows) -> dict[str, list[int]]:
        """Return the records whose body holds it for each text that some rule needs there."""
        found: dict[str, list[int]] = {}
        for number, row in spoken(rows, self._search):
            found.setdefault(self._bodies[number], []).append(row)
        return found

    def _remember(self, rows: Rows, whom: Whom, rule: Rule, field: str, places: Sequence[int]) -> None:
        times = [int(rows.times[row]) for row in places]
        low, high = self._state.waiting.get(rule.id, (times[0], times[0]))
        self._state.waiting[rule.id] = min(low, *times), max(high, *times)
        seen = self._state.seen.setdefault(rule.id, [])
        columns = [rows.values(name) if rows.has(name) else None for name in rule.by]
        for row in places[-_CANDIDATES:]:
            group = [_text(column[row]) if column is not None else "" for column in columns]
            shown = _text(rows.values(field)[row])
            seen.append(_Seen(proof(rows, row, field, shown), whom.service(row), group))
        del seen[:-_CANDIDATES]

    def _asked(self, rule: Rule, first: int, last: int, now_ns: int, ask: Ask) -> Iterator[Finding]:
        window = rule.window_ns
        start, end = first // window * window, (last // window + 1) * window
        counts: dict[tuple[int, tuple[str, ...]], tuple[int, int, int]] = {}
        for condition in rule.condition:
            for bucket, group, hits, low, high in _counted(rule, condition, start, end, ask):
                if hits > counts.get((bucket, group), (0, 0, 0))[0]:
                    counts[bucket, group] = hits, low, high
        for (bucket, group), (hits, low, high) in sorted(counts.items()):
            if hits >= rule.threshold and (finding := self._told(rule, bucket, group, (hits, low, high), now_ns)):
                yield finding

    def _told(
        self, rule: Rule, bucket: int, group: tuple[str, ...], counted: tuple[int, int, int], now_ns: int
    ) -> Finding | None:
        hits, low, high = counted
        name = "\0".join((rule.id, *group))
        before = self._state.told.get(f"{name}\0{bucket}", 0)
        if hits <= before:
            return None
        _keep(self._state.told, f"{name}\0{bucket}", hits)
        begun, ended = self._state.episodes.get(name, (bucket, bucket))
        begun = begun if bucket - ended <= rule.window_ns and bucket >= begun else bucket
        _keep(self._state.episodes, name, (begun, max(bucket + rule.window_ns, ended)))
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


def _wanted(rules: Iterable[Rule], field: str) -> Iterator[str]:
    for rule in rules:
        for clause in rule.needs:
            yield from clause.get(field, ())


def _in_field(rows: Rows, field: str, wanted: Sequence[str]) -> NDArray[np.bool_]:
    """Return which records have a value of `field` that holds one of the texts; equal values are looked at once."""
    kinds = [kind for kind, _ in rows.columns(field)]
    if len(kinds) == 1 and kinds[0] in (Kind.LONG, Kind.DOUBLE) and all(part[0] == ">" for part in wanted):
        return np.asarray(rows.numbers(field) > min(map(_limit, wanted)))
    codes, texts = _distinct(rows, field)
    holding = np.array([any(_holds(text[:_LOOKED_AT], part) for part in wanted) for text in texts] + [False])
    found: NDArray[np.bool_] = holding[codes]
    return found


def _distinct(rows: Rows, field: str) -> tuple[NDArray[Any], list[str]]:
    """Return for each record the number of its value, -1 for none, and the values as texts."""
    kinds = [kind for kind, _ in rows.columns(field)]
    if kinds == [Kind.STRING]:
        return rows.codes(field)
    numbers = rows.numbers(field)
    if kinds == [Kind.LONG] and not (np.abs(numbers) >= _EXACT).any():
        values, codes = np.unique(numbers, return_inverse=True)
        codes[np.isnan(numbers)] = -1
        return codes, [str(int(value)) for value in values if value == value]
    known: dict[str, int] = {}
    found = (-1 if value is None else known.setdefault(_text(value), len(known)) for value in rows.values(field))
    return np.fromiter(found, dtype=np.int32, count=rows.count), list(known)


def _holds(text: str, part: str) -> bool:
    if part[0] != ">":
        return part in text
    try:
        return float(text) > _limit(part)
    except ValueError:
        return False


def _limit(part: str) -> float:
    try:
        return float(part[1:])
    except ValueError:
        return float("inf")


def _counted(
    rule: Rule, condition: str, start: int, end: int, ask: Ask
) -> Iterator[tuple[int, tuple[str, ...], int, int, int]]:
    """Yield window, group, hits, first and last instant; nothing where no record has the fields."""
    window = rule.window_ns
    for by in groupings(rule):
        try:
            answer = ask(counting(condition, rule.window, by), start, end)
        except UserError as error:
            # Mostly a field that no record has yet; what else hinders the rule (a limit) is for whoever looks.
            _log.debug("the rule %s could not be asked: %s", rule.id, error.message)
            continue
        for row in answer:
            group = tuple(_text(row.get(field)) if field in by else "" for field in rule.by)
            first, last = row.get("first"), row.get("last")
            if isinstance(first, int) and isinstance(last, int):
                yield first // window * window, group, int(row["hits"]), first, last
        return


def _text(value: Any) -> str:
    if value is None:
        return ""
    return value[:_LOOKED_AT] if isinstance(value, str) else str(value)[:_LOOKED_AT]


def _same(own: Sequence[str], group: Sequence[str]) -> bool:
    return all(not asked or asked == value for value, asked in zip(own, group, strict=True))


def _kind(field: str) -> str:
    name = field.removeprefix("resource.").removeprefix("attributes.")
    return _KINDS.get(name, name.rpartition(".")[2])


def _keep(known: dict[str, Any], key: str, value: object) -> None:
    known.pop(key, None)
    known[key] = value
    while len(known) > _TOLD:
        del known[next(iter(known))]


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

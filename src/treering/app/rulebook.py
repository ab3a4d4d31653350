"""Rules under test: their own cases, and their history.

Cases run in a store of their own that goes away afterwards, through the detector itself, so what passes here is what
happens in the field. A back-test asks the condition over the days of a store and counts what would have been told.
"""

from __future__ import annotations

import tempfile
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import UserError
from treering.detect import rules as detector
from treering.detect._rule_files import Case, Rule, counting, groupings
from treering.model.batch import batch
from treering.model.rows import Rows
from treering.model.times import format_ns, rfc3339_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from treering.stage.detector import Ask

_START_NS = 1_790_000_000_000_000_000
_DAY_NS = 86_400 * 10**9
_MOST_TIMES = 10_000
_SHOWN = 5


class Failed(msgspec.Struct, frozen=True):
    """A case of a rule that does not hold: `kind` is match or no_match, `number` counts from one."""

    rule: str
    kind: str
    number: int
    records: int


class Backtest(msgspec.Struct):
    """What a rule would have told: windows over the threshold, hits by day, groups, and some records."""

    rule: str
    hits: int = 0
    told: int = 0
    days: dict[str, int] = {}
    entities: dict[str, int] = {}
    evidence: list[dict[str, Any]] = []
    problem: str = ""


def records(case: Case) -> list[dict[str, Any]]:
    """Return the records of a case, dated a second apart; `_times` repeats one."""
    found: list[dict[str, Any]] = []
    for item in case:
        times = item.get("_times", 1)
        if not isinstance(times, int) or not 1 <= times <= _MOST_TIMES:
            raise UserError(f"`_times` is {times!r}", hint=f"a number from 1 to {_MOST_TIMES}")
        bare = {name: value for name, value in item.items() if name != "_times"}
        for _ in range(times):
            found.append({"@timestamp": _START_NS + len(found) * 10**9, **bare})
    return found


def check(rules: Sequence[Rule], told: Callable[[int], None] = lambda _: None) -> list[Failed]:
    """Run the cases of `rules`; `told` is called with how many rules are done. Returns the cases that do not hold."""
    failed = []
    for number, rule in enumerate(rules, 1):
        cases = [("match", n, case) for n, case in enumerate(rule.tests.match, 1)]
        cases += [("no_match", n, case) for n, case in enumerate(rule.tests.no_match, 1)]
        for kind, position, case in cases:
            found = records(case)
            if _fires(rule, found) != (kind == "match"):
                failed.append(Failed(rule.id, kind, position, len(found)))
        told(number)
    return failed


def _fires(rule: Rule, found: Sequence[dict[str, Any]]) -> bool:
    from treering.app.asking import asker
    from treering.app.config import Settings
    from treering.app.pipeline import open_store

    with tempfile.TemporaryDirectory(prefix="treering-rules-") as folder:
        store = open_store(Settings(data=folder))
        try:
            given = batch(rule.stream, found, received_ns=_START_NS)
            first = store.append([given])
            watched = detector.Rules(detector.Config(), [rule])
            watched.observe(Rows(given, first))
            now_ns = _START_NS + (len(found) + 1) * 10**9
            return bool(watched.tick(now_ns, asker(store, lambda: now_ns)))
        finally:
            store.close()


def backtest(rules: Sequence[Rule], ask: Ask, start_ns: int, end_ns: int) -> Iterator[Backtest]:
    """Yield what each rule would have told between two instants, a day of records at a time."""
    for rule in rules:
        result = Backtest(rule.id)
        for day_ns in range(start_ns // _DAY_NS * _DAY_NS, end_ns, _DAY_NS):
            _day(rule, ask, max(day_ns, start_ns), min(day_ns + _DAY_NS, end_ns), result)
        yield result


def _day(rule: Rule, ask: Ask, start_ns: int, end_ns: int, result: Backtest) -> None:
    best: dict[tuple[int, str], int] = {}
    for condition in rule.condition:
        answer = _counted(rule, condition, ask, (start_ns, end_ns), result)
        shown = ask(f"{condition} | head {_SHOWN}", start_ns, end_ns) if answer else []
        for row in answer:
            group = " ".join(str(row.get(field) or "-") for field in rule.by)
            key = _instant(row["first"]) // rule.window_ns, group
            best[key] = max(best.get(key, 0), int(row["hits"]))
        result.evidence = (result.evidence + shown)[:_SHOWN]
    for (_, group), hits in best.items():
        result.hits += hits
        if hits >= rule.threshold:
            result.told += 1
            name = format_ns(start_ns)[:10]
            result.days[name] = result.days.get(name, 0) + 1
            result.entities[group] = result.entities.get(group, 0) + 1


def _counted(
    rule: Rule, condition: str, ask: Ask, between_ns: tuple[int, int], result: Backtest
) -> list[dict[str, Any]]:
    """Return what the condition counts; nothing, and the reason in `result`, where the store cannot answer it."""
    for by in groupings(rule):
        try:
            answer = ask(counting(condition, rule.window, by), *between_ns)
        except UserError as error:
            result.problem = error.message
            continue
        result.problem = ""
        return answer
    return []


def _instant(value: Any) -> int:
    """Return an instant of an answer, which is a number of nanoseconds or, over the API, a text."""
    if isinstance(value, int):
        return value
    return rfc3339_ns(f"{str(value).replace(' ', 'T').removesuffix('Z')}Z") or 0

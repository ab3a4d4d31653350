"""Rules under test: their own cases, and their history.

Cases run in a store of their own that goes away afterwards, through the detector itself, so what passes here is what
happens in the field. A back-test asks the condition over the days of a store and counts what would have been told.
"""

from __future__ import annotations

import contextlib
import itertools
import tempfile
import time
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import UserError
from treering.detect import rules as detector
from treering.detect._rule_files import Case, Rule
from treering.detect._rule_windows import Answer, Window, instant
from treering.model.batch import batch
from treering.model.rows import Rows
from treering.model.times import format_ns
from treering.query import lexer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from treering.stage.detector import Ask

_START_NS = 1_790_000_000_000_000_000
DAY_NS = 86_400 * 10**9
_MOST_TIMES = 10_000
_SHOWN = 5


class Failed(msgspec.Struct, frozen=True):
    """A case of a rule that does not hold: `kind` is match or no_match, `number` counts from one."""

    rule: str
    kind: str
    number: int
    records: int


class Extent(msgspec.Struct, frozen=True):
    """From when to when there are records; `end_ns` is after the last of them."""

    start_ns: int
    end_ns: int


class Backtest(msgspec.Struct):
    """What a rule would have told: windows, hits by day, groups, some records, and CPU seconds of asking.

    Over the API the seconds are those of the client; the server's are not in them.
    """

    rule: str
    hits: int = 0
    told: int = 0
    days: dict[str, int] = {}
    entities: dict[str, int] = {}
    evidence: list[dict[str, Any]] = []
    cpu_s: float = 0.0
    problem: str = ""


def records(case: Case) -> list[dict[str, Any]]:
    """Return the records of a case, dated a second apart; `_times` repeats one, with `{n}` in its texts counted up."""
    found: list[dict[str, Any]] = []
    for item in case:
        times = item.get("_times", 1)
        if not isinstance(times, int) or not 1 <= times <= _MOST_TIMES:
            raise UserError(f"`_times` is {times!r}", hint=f"a number from 1 to {_MOST_TIMES}")
        bare = {name: value for name, value in item.items() if name != "_times"}
        for number in range(times):
            found.append({"@timestamp": _START_NS + len(found) * 10**9, **_numbered(bare, number)})
    return found


def _numbered(value: Any, number: int) -> Any:
    if isinstance(value, dict):
        return {name: _numbered(part, number) for name, part in value.items()}
    return value.replace("{n}", str(number)) if isinstance(value, str) else value


def check(rules: Sequence[Rule], told: Callable[[int], None] = lambda _: None) -> list[Failed]:
    """Run the cases of `rules`; `told` is called with how many rules are done. Returns the cases that do not hold."""
    failed = []
    for number, rule in enumerate(rules, 1):
        for kind, position, case in cases_of(rule):
            found = records(case)
            if _fires(rule, found) != (kind == "match"):
                failed.append(Failed(rule.id, kind, position, len(found)))
        told(number)
    return failed


def cases_of(rule: Rule) -> Iterator[tuple[str, int, Case]]:
    """Yield kind, number and records of the cases that a rule carries."""
    if rule.tests is not None:
        yield from (("match", n, case) for n, case in enumerate(rule.tests.match, 1))
        yield from (("no_match", n, case) for n, case in enumerate(rule.tests.no_match, 1))


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
            now_ns = int(Rows(given).times.max()) + 10**9 + (rule.window_ns if rule.at_most else 0)
            return bool(watched.tick(now_ns, asker(store, lambda: now_ns)))
        finally:
            store.close()


def extent(rules: Sequence[Rule], ask: Ask) -> Extent | None:
    """Return from when to when the streams of `rules` have records; None where none has any."""
    found: list[tuple[int, int]] = []
    for stream in sorted({rule.stream for rule in rules}):
        with contextlib.suppress(UserError):  # a stream that is not there
            (row,) = ask(f"source={stream} | stats min(@timestamp) as first, max(@timestamp) as last")
            if (first := instant(row["first"])) is not None and (last := instant(row["last"])) is not None:
                found.append((first, last))
    return Extent(min(low for low, _ in found), max(high for _, high in found) + 1) if found else None


def days(start_ns: int, end_ns: int) -> range:
    """Return when the days begin that a back-test goes through, one after the other."""
    return range(start_ns // DAY_NS * DAY_NS, end_ns, DAY_NS)


def backtest(
    rules: Sequence[Rule], ask: Ask, start_ns: int, end_ns: int, told: Callable[[int], None] = lambda _: None
) -> Iterator[Backtest]:
    """Yield what each rule would have told between two instants, a day of records at a time.

    `told` is called with how many days of rules are done.
    """
    every = days(start_ns, end_ns)
    for number, rule in enumerate(rules):
        result = Backtest(rule.id)
        before = time.process_time()
        for place, day_ns in enumerate(every, 1):
            _day(rule, ask, max(day_ns, start_ns), min(day_ns + DAY_NS, end_ns), result)
            told(number * len(every) + place)
        result.cpu_s = time.process_time() - before
        yield result


def _day(rule: Rule, ask: Ask, start_ns: int, end_ns: int, result: Backtest) -> None:
    answer = Answer(rule, ask)
    windows = [found for found in answer.windows(start_ns, end_ns) if start_ns <= found.last < end_ns]
    result.hits += answer.records
    result.problem = answer.problem
    for found in windows:
        result.told += 1
        name, group = format_ns(start_ns)[:10], " ".join(value or "-" for value in found.group)
        result.days[name] = result.days.get(name, 0) + 1
        result.entities[group] = result.entities.get(group, 0) + 1
    if windows and len(result.evidence) < _SHOWN:
        each = max(1, _SHOWN // len(windows))
        shown = itertools.chain.from_iterable(_shown(rule, ask, found, each) for found in windows[:_SHOWN])
        result.evidence = [*result.evidence, *shown][:_SHOWN]


def _shown(rule: Rule, ask: Ask, found: Window, most: int) -> Iterator[dict[str, Any]]:
    """Yield at most `most` records of what a window of a group holds for each of the rule's conditions."""
    group = "".join(
        f" | where cast({lexer.name(name)} as string) = {lexer.quote(value)}"
        for name, value in zip(rule.by, found.group, strict=True)
        if value
    )
    for condition in (condition for part in rule.parts for condition in part.condition):
        with contextlib.suppress(UserError):  # a field that no record has
            yield from ask(f"{condition}{group} | head {most}", found.first, found.last + 1)

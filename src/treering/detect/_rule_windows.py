"""In which windows a rule is fulfilled: what the detector and the back-test ask of a store."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING, Any, NamedTuple

from treering.core.errors import UserError
from treering.detect._rule_files import counting, groupings, timing
from treering.detect._rule_sequences import chains
from treering.detect._rule_watch import text_of
from treering.model.times import rfc3339_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from treering.detect._rule_files import Rule
    from treering.stage.detector import Ask

    Group = tuple[str, ...]
_MOST_TIMES, _MOST_PAGES = 10_000, 10


class Window(NamedTuple):
    """A group in a window: how much counts, and the first and last instant of it."""

    bucket: int
    group: Group
    hits: int
    first: int
    last: int


class Answer:
    """What a store says of a rule between two instants."""

    def __init__(self, rule: Rule, ask: Ask) -> None:
        """Ask nothing yet; `problem` is why the last question had no answer, mostly a field that no record has."""
        self._rule = rule
        self._ask = ask
        self.problem = ""
        self.records = 0

    def windows(self, start: int, end: int) -> list[Window]:
        """Return the windows that fulfil the rule, of records from `start` to before `end` and around it."""
        if self._rule.steps:
            return self._sequences(start, end)
        rule, window = self._rule, self._rule.window_ns
        # A burst that a full minute cuts in two is seen when the windows beside are counted too.
        around = window if rule.threshold > 1 and not rule.at_most else 0
        counted: dict[tuple[int, Group], Window] = {}
        for condition in rule.condition:
            for found in self._counted(condition, start - around, end + around):
                key = found.bucket, found.group
                if found.hits > (counted[key].hits if key in counted else 0):
                    counted[key] = found
        self.records = sum(found.hits for found in counted.values() if start <= found.first < end)
        told = {key: found for key, found in counted.items() if self._enough(found.hits)}
        cut = {key for key in counted if around and self._may_be_cut(counted, told, *key)}
        across = dict(self._cut(cut, told)) if cut else {}
        return sorted((told | across).values())

    def _enough(self, hits: int) -> bool:
        return hits >= self._rule.threshold and not (self._rule.at_most and hits > self._rule.at_most)

    def _may_be_cut(self, counted: dict[Any, Window], told: dict[Any, Window], bucket: int, group: Group) -> bool:
        after = counted.get((bucket + self._rule.window_ns, group))
        if after is None or (bucket, group) in told or (after.bucket, group) in told:
            return False
        return counted[bucket, group].hits + after.hits >= self._rule.threshold

    def _cut(self, cut: set[tuple[int, Group]], told: dict[Any, Window]) -> Iterator[tuple[tuple[int, Group], Window]]:
        """Yield the windows that lie across two of the counted ones."""
        window, groups = self._rule.window_ns, {group for _, group in cut}
        low, high = min(bucket for bucket, _ in cut), max(bucket for bucket, _ in cut) + 2 * window
        for condition in self._rule.condition:
            per_group: dict[Group, list[tuple[int, str]]] = {}
            for at, group, value in self._timed(condition, low, high):
                if group in groups:
                    per_group.setdefault(group, []).append((at, value))
            for group, moments in per_group.items():
                for hits, first, last in _slide(
                    moments, window, self._rule.threshold, distinct=bool(self._rule.distinct)
                ):
                    key = last // window * window, group
                    if key not in told:
                        yield key, Window(*key, hits, first, last)

    def _sequences(self, start: int, end: int) -> list[Window]:
        rule, window = self._rule, self._rule.window_ns
        steps = []
        for step in rule.steps:
            found = [self._timed(condition, start - window, end + window) for condition in step.condition]
            steps.append(sorted({(at, group) for times in found for at, group, _ in times if any(group) or not group}))
        self.records = sum(map(len, steps))
        done: dict[tuple[int, Group], Window] = {}
        for group, first, last in chains(steps, window, ordered=rule.ordered):
            key = last // window * window, group
            before = done.get(key, Window(*key, 0, first, last))
            done[key] = Window(*key, before.hits + 1, min(before.first, first), max(before.last, last))
        return sorted(done.values())

    def _counted(self, condition: str, start: int, end: int) -> Iterator[Window]:
        window = self._rule.window_ns
        for by in groupings(self._rule):
            answer = self._rows(counting(self._rule, condition, by), start, end)
            if answer is None:
                continue
            for row in answer:
                first, last = instant(row.get("first")), instant(row.get("last"))
                if row["hits"] and first is not None and last is not None:
                    group = tuple(text_of(row.get(field)) if field in by else "" for field in self._rule.by)
                    yield Window(first // window * window, group, int(row["hits"]), first, last)
            return

    def _timed(self, condition: str, start: int, end: int) -> list[tuple[int, Group, str]]:
        """Return instant, group and counted value of the records that a condition keeps, oldest first."""
        rule = self._rule
        names = dict.fromkeys((*rule.by, *filter(None, [rule.distinct])))
        found: list[tuple[int, Group, str]] = []
        for _ in range(_MOST_PAGES):
            answer = self._rows(timing(condition, names, _MOST_TIMES), start, end) or ()
            for row in answer:
                if (at := instant(row.get("@timestamp"))) is not None:
                    group = tuple(text_of(row.get(field)) for field in rule.by)
                    found.append((at, group, text_of(row.get(rule.distinct))))
            if len(answer) < _MOST_TIMES or not found:
                break
            start = found[-1][0] + 1
        return found

    def _rows(self, ppl: str, start: int, end: int) -> Sequence[dict[str, Any]] | None:
        """Return the answer; None, with the reason in `problem`, where the store has none."""
        try:
            answer = self._ask(ppl, start, end)
        except UserError as error:
            self.problem = error.message
            return None
        self.problem = ""
        return answer


def _slide(
    moments: Iterable[tuple[int, str]], window: int, threshold: int, *, distinct: bool
) -> Iterator[tuple[int, int, int]]:
    """Yield count, first and last instant whenever the last `window` holds enough; then begin anew."""
    held: deque[tuple[int, str]] = deque()
    values: Counter[str] = Counter()
    for at, value in moments:
        held.append((at, value))
        values[value] += 1
        while held[0][0] <= at - window:
            _, old = held.popleft()
            values[old] -= 1
            if not values[old]:
                del values[old]
        hits = len(values) if distinct else len(held)
        if hits >= threshold:
            yield hits, held[0][0], at
            held.clear()
            values.clear()


def instant(value: Any) -> int | None:
    """Return an instant of an answer, which is a number of nanoseconds or, over the API, a text."""
    if isinstance(value, int):
        return value
    return rfc3339_ns(f"{str(value).replace(' ', 'T').removesuffix('Z')}Z") if value is not None else None

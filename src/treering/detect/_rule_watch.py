"""Which records of a batch hold the texts that rules need: every field of a batch is read once for all rules.

A rule whose fields a batch lacks costs nothing, and one more text costs next to nothing: the texts of a field are one
automaton (Aho and Corasick 1975), which reads the bytes of a column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from treering.detect._grouped import split
from treering.detect._lines import Texts, Words, bodies, joined, texts_of
from treering.model.columns import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from treering.detect._rule_files import Rule
    from treering.model.rows import Rows

    Mask = NDArray[np.bool_]
_LOOKED_AT, _SHOWN = 1 << 16, 2000
_EXACT = 2.0**53
ANY, TIME = "*", "@timestamp"


class Found(NamedTuple):
    """Records of a batch that hold what the part number `part` of `rule` needs; `field` is where."""

    rule: Rule
    part: int
    field: str
    places: list[int]


class _Clause(NamedTuple):
    rule: Rule
    part: int
    needs: dict[str, tuple[str, ...]]


class _Field:
    """The texts that rules need in one field, in lower case where case does not count."""

    def __init__(self) -> None:
        self.texts: dict[bool, dict[str, None]] = {False: {}, True: {}}
        self._built: dict[bool, tuple[list[str], Words]] = {}

    def add(self, texts: Iterable[str], *, any_case: bool) -> None:
        self.texts[any_case].update((text, None) for text in texts if text[0] != ">" and text != ANY)

    def holding(self, values: Texts, *, any_case: bool) -> dict[str, NDArray[np.int64]]:
        """Return the numbers of the values that hold it, maybe more than once, for each text that one does."""
        if any_case not in self._built:
            texts = list(self.texts[any_case])
            self._built[any_case] = texts, Words(texts)
        texts, words = self._built[any_case]
        numbers, held, _ = words.matches(values)
        return {texts[numbers[part[0]]]: held[part] for part in split(numbers)}


class _Read:
    """One field of one batch: which values hold which texts, and which value each record has."""

    def __init__(self, rows: Rows, field: str, known: _Field) -> None:
        self._rows, self._field = rows, field
        self._codes: NDArray[Any] | None = None
        self._size = rows.count
        values: Texts | None = None
        if [kind for kind, _ in rows.columns(field)] != [Kind.STRING]:
            self._codes, texts = _distinct(rows, field)
            self._size, values = len(texts), joined(texts)
        elif field != "body":
            values = texts_of(rows, field)
        self._hits: dict[bool, dict[str, NDArray[np.int64]]] = {}
        for lower in (kind for kind, wanted in known.texts.items() if wanted):
            if values is None:
                found = bodies(rows, lower=lower)
            else:
                found = values._replace(data=values.data.lower()) if lower else values
            self._hits[lower] = known.holding(found, any_case=lower)

    def mask(self, texts: Sequence[str], *, any_case: bool) -> Mask | None:
        """Return the records whose value holds one of `texts`; None for none."""
        hits = self._hits.get(any_case, {})
        values = [hits[text] for text in texts if text in hits]
        found: Mask | None = None
        if values:
            chosen = np.zeros(self._size + 1, dtype=bool)
            chosen[np.concatenate(values)] = True
            found = chosen[:-1] if self._codes is None else chosen[self._codes]
        limits = [_limit(text) for text in texts if text[0] == ">"]
        if limits:
            above: Mask = np.asarray(_numbers(self._rows, self._field) > min(limits))
            found = above if found is None else found | above
        if ANY in texts:
            found = self._rows.present(self._field)
        return found


class Watch:
    """Knows what rules need, and finds it in batches."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        """Index what `rules` need, by stream and field."""
        self._fields: dict[str, dict[str, _Field]] = {}
        self._clauses: dict[str, dict[str, list[_Clause]]] = {}
        for rule in rules:
            fields = self._fields.setdefault(rule.stream, {})
            clauses = self._clauses.setdefault(rule.stream, {})
            for number, part in enumerate(rule.parts):
                for needs in part.needs:
                    clause = _Clause(rule, number, {name: _spelled(rule, texts) for name, texts in needs.items()})
                    clauses.setdefault(next(iter(needs)), []).append(clause)
                    for name, texts in clause.needs.items():
                        fields.setdefault(name, _Field()).add(texts, any_case=rule.any_case)

    def found(self, rows: Rows) -> Iterator[Found]:
        """Yield the parts of rules for which the batch has records, with those."""
        fields = self._fields.get(rows.stream, {})
        clauses = self._clauses.get(rows.stream, {})
        read: dict[str, _Read] = {}
        held: dict[tuple[str, tuple[str, ...], bool], Mask | None] = {}
        for name in (TIME, *rows.names):
            for clause in clauses.get(name, ()):
                both: Mask | None = None
                for field, texts in clause.needs.items():
                    key = field, texts, clause.rule.any_case
                    if key not in held:
                        held[key] = _held(rows, field, texts, read, fields[field], any_case=clause.rule.any_case)
                    mask = held[key]
                    both = None if mask is None else mask if both is None else both & mask
                    if both is None:
                        break
                if both is not None and both.any():
                    yield Found(clause.rule, clause.part, name, np.flatnonzero(both).tolist())


def _spelled(rule: Rule, texts: Sequence[str]) -> tuple[str, ...]:
    return tuple(text.lower() if rule.any_case else text for text in texts)


def _held(
    rows: Rows, field: str, texts: tuple[str, ...], read: dict[str, _Read], known: _Field, *, any_case: bool
) -> Mask | None:
    if field == TIME:
        return np.ones(rows.count, dtype=bool)
    if not rows.has(field):
        return None
    if all(text == ANY for text in texts):
        return rows.present(field)
    if all(text[0] == ">" for text in texts):
        return np.asarray(_numbers(rows, field) > min(map(_limit, texts)))
    if field not in read:
        read[field] = _Read(rows, field, known)
    return read[field].mask(texts, any_case=any_case)


def _numbers(rows: Rows, field: str) -> NDArray[np.float64]:
    kinds = [kind for kind, _ in rows.columns(field)]
    if all(kind in (Kind.LONG, Kind.DOUBLE) for kind in kinds):
        return rows.numbers(field)
    return np.array([_number(value) for value in rows.values(field)])


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


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
    found = (
        -1 if value is None else known.setdefault(str(value)[:_LOOKED_AT], len(known)) for value in rows.values(field)
    )
    return np.fromiter(found, dtype=np.int32, count=rows.count), list(known)


def different(rows: Rows, field: str, places: Sequence[int]) -> list[str] | None:
    """Return the different values of a field among the records at `places`; None where no record has it as such."""
    if not rows.has(field):
        return None
    codes, texts = _distinct(rows, field)
    return [texts[code] for code in np.unique(codes[places]).tolist() if code >= 0]


def text_of(value: Any) -> str:
    """Return a value as people and groups see it; empty for none, cut where it is very long."""
    if value is None:
        return ""
    return value[:_SHOWN] if isinstance(value, str) else str(value)[:_SHOWN]


def _limit(part: str) -> float:
    try:
        return float(part[1:])
    except ValueError:
        return float("inf")

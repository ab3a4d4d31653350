"""Buckets: which of them a record falls into, as SQL, and how a bucket's key is told.

A record falls into one bucket of a histogram, into several of overlapping ranges or filters, and into one of `terms`
for each of its values. So a key is either a scalar or a list that is unnested.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, regexes
from treering.query import instants as words
from treering.query.coerce import sql_cast
from treering.query.dsl.instants import MILLISECOND, formatted
from treering.query.dsl.leaves import constant, items
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.query.dsl.aggregations import Aggregation
    from treering.query.dsl.relations import Matching

MAX_BUCKETS = 65_535


@dataclass(slots=True)
class Key:
    """How records find their buckets: an expression, a list if `many`; NULL is no bucket."""

    sql: exp.Expression
    many: bool = False


class Buckets(ABC):
    """One bucket aggregation over matching records."""

    ranked = False  # whether only the first `size` buckets of each parent are kept
    keyed = False  # whether the answer is an object from key to bucket

    def __init__(self, about: Aggregation) -> None:
        """Answer as `about` asks."""
        self.about = about

    @abstractmethod
    def key(self, found: Matching) -> Key:
        """Return the key over the records `found`. Raises `UserError` for a field it cannot work on."""

    @abstractmethod
    def told(self, value: Any) -> dict[str, Any]:
        """Return the members `key`, `key_as_string`, `from` … of the bucket with this key."""

    def whole(self, present: Sequence[Any]) -> Sequence[Any]:
        """Return the keys of all buckets of one parent, empty ones included, in the order of the answer."""
        return present

    def name(self, value: Any) -> str:
        """Return the name of a bucket in a keyed answer."""
        told = self.told(value)
        return str(told.get("key_as_string", told.get("key", "")))


def field_of(about: Aggregation) -> str:
    """Return the field of an aggregation. Raises `UserError` when it names none."""
    name = about.params.get("field")
    if not isinstance(name, str) or not name:
        raise UserError(f"aggregation [{about.name[:80]}] needs a field")
    return name


class Terms(Buckets):
    """A bucket for each value of a field."""

    ranked = True

    def __init__(self, about: Aggregation) -> None:
        """Read size and order."""
        super().__init__(about)
        size = about.params.get("size", 10)
        if not isinstance(size, int) or not 0 < size <= MAX_BUCKETS:
            raise UserError(f"[size] of terms is a number from 1 to {MAX_BUCKETS}")
        self.size = size
        self.least = max(1, int(about.params.get("min_doc_count", 1)))
        self.orders = _orders(about.params.get("order"))
        self._type = Type.STRING

    def key(self, found: Matching) -> Key:
        """The value, instants in nanoseconds; each item of a list."""
        name, params = field_of(self.about), self.about.params
        column, value = found.column(name), found.value(name)
        if column is None or value is None:
            return Key(sql_cast(exp.Null(), "VARCHAR"))
        if value.type in coerce.DOCUMENTS and not column.many:
            raise UserError(f"Field [{name[:80]}] holds objects, which terms cannot count")
        self._type = value.type
        if column.many:
            self._type = Type.STRING
            return Key(exp.Anonymous(this="list_distinct", expressions=[items(column)]), many=True)
        sql = coerce.instant_ns(value) if value.type in coerce.INSTANTS else value.sql
        if (missing := params.get("missing")) is not None:
            sql = exp.Coalesce(this=sql, expressions=[constant(missing)])
        return Key(self._chosen(sql))

    def _chosen(self, sql: exp.Expression) -> exp.Expression:
        """Return the key where `include` and `exclude` let it through."""
        for name, kept in (("include", True), ("exclude", False)):
            wanted = self.about.params.get(name)
            if wanted is None:
                continue
            if isinstance(wanted, list):
                test: exp.Expression = exp.In(this=sql.copy(), expressions=[constant(one) for one in wanted])
            elif isinstance(wanted, str):
                form = exp.Literal.string(regexes.check(wanted))
                test = exp.Anonymous(this="regexp_full_match", expressions=[sql_cast(sql.copy(), "VARCHAR"), form])
            else:
                raise UserError(f"[{name}] of terms is a regular expression or a list of values")
            sql = exp.Case(ifs=[exp.If(this=test if kept else exp.Not(this=exp.Paren(this=test)), true=sql)])
        return sql

    def told(self, value: Any) -> dict[str, Any]:
        """A boolean is 1 or 0 with its name, a date milliseconds with its text."""
        if self._type in coerce.INSTANTS:
            form = str(self.about.params.get("format", ""))
            return {"key": value // MILLISECOND, "key_as_string": formatted(value, form)}
        if isinstance(value, bool):
            return {"key": int(value), "key_as_string": "true" if value else "false"}
        return {"key": value}


def _orders(body: Any) -> tuple[tuple[str, bool], ...]:
    """Return (what, descending) of each key of a terms `order`; ties go by key."""
    out: list[tuple[str, bool]] = []
    for one in body if isinstance(body, list) else [body or {"_count": "desc"}]:
        if not isinstance(one, dict) or len(one) != 1:
            raise UserError("[order] of terms is an object with one key")
        ((name, direction),) = one.items()
        out.append(("_key" if name == "_term" else str(name), str(direction).lower() == "desc"))
    return (*out, ("_key", False))


class Histogram(Buckets):
    """A bucket for each step of a number."""

    def __init__(self, about: Aggregation) -> None:
        """Read interval and offset."""
        super().__init__(about)
        interval = about.params.get("interval")
        if not isinstance(interval, int | float) or isinstance(interval, bool) or interval <= 0:
            raise UserError("[interval] of histogram is a number above 0")
        self.step, self.shift = float(interval), float(about.params.get("offset", 0))
        self.keyed = bool(about.params.get("keyed"))
        self.least = int(about.params.get("min_doc_count", 0))

    def key(self, found: Matching) -> Key:
        """Which step the record's number is in."""
        name = field_of(self.about)
        value = found.value(name)
        if value is None:
            return Key(sql_cast(exp.Null(), "BIGINT"))
        if value.type not in coerce.NUMBERS:
            raise UserError(f"Field [{name[:80]}] of type [{value.type}] is not supported for [histogram]")
        number: exp.Expression = sql_cast(value.sql, Type.DOUBLE)
        if self.shift:
            number = exp.Paren(this=exp.Sub(this=number, expression=constant(self.shift)))
        ratio = exp.Paren(this=exp.Div(this=number, expression=constant(self.step), typed=False))
        return Key(sql_cast(exp.Anonymous(this="floor", expressions=[ratio]), "BIGINT"))

    def told(self, value: Any) -> dict[str, Any]:
        """The number at which the bucket begins."""
        return {"key": value * self.step + self.shift}

    def whole(self, present: Sequence[Any]) -> Sequence[Any]:
        """All steps between the first and the last, and out to `extended_bounds`."""
        held = sorted(present)
        if self.least > 0:
            return held
        bounds = self.about.params.get("extended_bounds") or {}
        ends = [*held[:1], *held[-1:]]
        ends += [int((float(bounds[end]) - self.shift) // self.step) for end in ("min", "max") if end in bounds]
        if not ends:
            return []
        if max(ends) - min(ends) > MAX_BUCKETS:
            raise UserError(f"Trying to create too many buckets. Must be less than or equal to: [{MAX_BUCKETS}]")
        return range(min(ends), max(ends) + 1)


@dataclass(slots=True)
class _Choice:
    """One named condition of ranges and filters."""

    name: str
    told: dict[str, Any] = field(default_factory=dict)
    test: Any = None


class Choices(Buckets):
    """Ranges and filters: every record is asked each condition, and every bucket is answered."""

    def __init__(self, about: Aggregation, *, single: bool = False) -> None:
        """Answer one bucket as an object if `single`."""
        super().__init__(about)
        self.single = single
        self.choices: list[_Choice] = []
        self.keyed = False

    def tests(self, found: Matching) -> list[exp.Expression]:
        """Return the conditions in order and note their buckets."""
        about = self.about
        if about.kind in {"filter", "filters"}:
            named = isinstance(about.params.get("filters"), dict)
            self.keyed = named and about.kind == "filters"
            self.choices = [_Choice(name) for name, _ in about.queries]
            tests = [found.where(one) for _, one in about.queries]
            other = about.params.get("other_bucket_key") or ("_other_" if about.params.get("other_bucket") else None)
            if about.kind == "filters" and other:
                self.choices.append(_Choice(str(other)))
                tests.append(exp.Not(this=exp.Paren(this=_or([test.copy() for test in tests]))))
            return tests
        if about.kind == "missing":
            self.choices = [_Choice("")]
            value = found.value(field_of(about))
            return [exp.true() if value is None else exp.Is(this=exp.Paren(this=value.sql), expression=exp.Null())]
        self.choices = [_Choice("")]
        return [exp.true()]

    def key(self, found: Matching) -> Key:
        """The numbers of the conditions that hold."""
        cases = [
            exp.Case(ifs=[exp.If(this=test, true=exp.Literal.number(index))])
            for index, test in enumerate(self.tests(found))
        ]
        return Key(exp.Anonymous(this="list_value", expressions=cases), many=True)

    def told(self, value: Any) -> dict[str, Any]:
        """What the condition is called."""
        return dict(self.choices[value].told)

    def name(self, value: Any) -> str:
        """Return the name that the request gave."""
        choice: _Choice = self.choices[value]
        return choice.name

    def whole(self, present: Sequence[Any]) -> Sequence[Any]:  # noqa: ARG002  all of them
        """Every condition has its bucket."""
        return range(len(self.choices))


def _or(tests: Sequence[exp.Expression]) -> exp.Expression:
    from treering.query.logic import any_of, known

    return any_of([known(test) for test in tests])


class Ranges(Choices):
    """Ranges of numbers or dates; `from` is included, `to` is not."""

    def tests(self, found: Matching) -> list[exp.Expression]:
        """Return the conditions in order and note their buckets."""
        params = self.about.params
        self.keyed = bool(params.get("keyed"))
        value = found.value(field_of(self.about))
        ranges = params.get("ranges")
        if not isinstance(ranges, list) or not ranges:
            raise UserError("[ranges] is a list of ranges")
        self.choices = []
        out: list[exp.Expression] = []
        for one in ranges:
            if not isinstance(one, dict):
                raise UserError("a range is an object with from, to and key")
            low, high = (self._edge(one.get(end), found.compiler.now_ns) for end in ("from", "to"))
            self.choices.append(self._named(one, low, high))
            out.append(self._test(value, low, high))
        return out

    @property
    def _dates(self) -> bool:
        return self.about.kind == "date_range"

    def _edge(self, value: Any, now_ns: int) -> float | int | None:
        if value is None:
            return None
        if not self._dates:
            try:
                return float(value)
            except (TypeError, ValueError) as error:
                raise UserError("[from] and [to] of range are numbers") from error
        if isinstance(value, int | float) and not isinstance(value, bool):
            return round(value * MILLISECOND)
        instant = words.bound(str(value), now_ns, up=False)
        if instant is None:
            raise UserError(f"[{str(value)[:60]}] is no instant")
        return instant

    def _test(self, value: Any, low: float | None, high: float | None) -> exp.Expression:
        if value is None:
            return exp.false()
        sql = coerce.instant_ns(value) if value.type in coerce.INSTANTS else sql_cast(value.sql, Type.DOUBLE, safe=True)
        present: exp.Expression = exp.Not(this=exp.Paren(this=exp.Is(this=sql.copy(), expression=exp.Null())))
        for edge, compare in ((low, exp.GTE), (high, exp.LT)):
            if edge is not None:
                test: exp.Expression = compare(this=sql.copy(), expression=constant(edge))
                present = exp.And(this=present, expression=test)
        return present

    def _named(self, one: Mapping[str, Any], low: float | None, high: float | None) -> _Choice:
        told: dict[str, Any] = {}
        texts = []
        for name, edge in (("from", low), ("to", high)):
            if edge is None:
                texts.append("*")
            elif self._dates:
                told[name] = edge / MILLISECOND
                told[f"{name}_as_string"] = formatted(int(edge), str(self.about.params.get("format", "")))
                texts.append(told[f"{name}_as_string"])
            else:
                told[name] = edge
                texts.append(str(edge))
        key = str(one.get("key") or "-".join(texts))
        return _Choice(key, {"key": key, **told})

"""Buckets of time as OpenSearch's `auto_date_histogram` makes them: the finest that are no more than asked for.

A bucket is so many of one unit (1, 5, 10 or 30 seconds, …) as keeps within the number, counted from the unit that the
first value lies in. Within other keys of `stats`, every combination of those has buckets of its own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import aggregates, coerce
from treering.query.function import Typed
from treering.query.relation import Column, aliased
from treering.query.syntax import Name
from treering.query.template import literal, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.commands.stats import Group
    from treering.query.compiler import Compiler
    from treering.query.relation import Relation

_SECOND = 10**9
_MINUTE, _HOUR, _DAY = 60 * _SECOND, 3600 * _SECOND, 86_400 * _SECOND
_FIXED = ((_SECOND, (1, 5, 10, 30)), (_MINUTE, (1, 5, 10, 30)), (_HOUR, (1, 3, 12)), (_DAY, (1, 7)))
_CALENDAR = ((1, (1, 3)), (12, (1, 5, 10, 20, 50, 100)))  # in months
_FLOOR = ":x - ((:x % :u) + :u) % :u"


def bucket(value: Typed, bins: int, within: Sequence[exp.Expression] = ()) -> Typed:
    """Return the bucket of a time among all rows that agree in `within`."""
    stamp = coerce.instant_ns(value)
    low, high = (
        exp.Window(
            this=exp.Anonymous(this=edge, expressions=[stamp.copy()]), partition_by=[key.copy() for key in within]
        )
        for edge in ("min", "max")
    )
    fixed = coerce.from_ns(_begun(stamp, low, high, bins, _FIXED), value.type)
    if value.type is Type.TIME:
        return Typed(fixed, value.type)
    months = "year(make_timestamp_ns(:x)) * 12 + month(make_timestamp_ns(:x)) - 1"
    at, first, last = (sql(months, x=each) for each in (stamp, low, high))
    month = _begun(at, first, last, bins, _CALENDAR)
    start = sql("epoch_ns(make_timestamp(divide(:m, 12), :m % 12 + 1, 1, 0, 0, 0))", m=month)
    return Typed(exp.Coalesce(this=fixed, expressions=[coerce.from_ns(start, value.type)]), value.type)


def _begun(
    value: exp.Expression, low: exp.Expression, high: exp.Expression, bins: int,
    units: Sequence[tuple[int, Sequence[int]]],
) -> exp.Expression:  # fmt: skip
    """Return the start of a value's bucket, NULL when no unit makes few enough between `low` and `high`."""
    chosen, steps = [], []
    for unit, counts in units:
        for count in counts:
            first, last = (sql(_FLOOR, x=edge, u=literal(unit)) for edge in (low, high))
            few = sql(":b - :a < :n", a=first, b=last, n=literal(bins * count * unit))
            chosen.append(exp.If(this=few, true=literal(unit)))
            steps.append(exp.If(this=few.copy(), true=literal(unit * count)))
    base = sql(_FLOOR, x=low, u=exp.Case(ifs=chosen))
    return sql(":a + divide(:x - :a, :s) * :s", a=base, x=value, s=exp.Case(ifs=steps))


def apart(
    relation: Relation, groups: Sequence[Group], keys: Sequence[tuple[str, Typed]], ranges: Sequence[Column | None],
    compiler: Compiler,
) -> tuple[Relation, list[tuple[str, Typed]], list[bool]]:  # fmt: skip
    """Return rows and keys with buckets for each combination of the other keys but for `ranges`; and which they are.

    Rows without the time belong to no bucket.
    """
    columns = [compiler.column(relation, group.node.name) if isinstance(group.node, Name) else None for group in groups]
    found = [column.automatic if column is not None else None for column in columns]
    others = [
        key.sql for (_, key), own, ranged in zip(keys, found, ranges, strict=True) if own is None and ranged is None
    ]
    kept = list(keys)
    for place, own in enumerate(found):
        if own is None:
            continue
        made = bucket(own.value, own.bins, others)
        column = Column(compiler.fresh(), made.type)
        relation = relation.where(aggregates.present(own.value.sql))
        relation = replace(relation, sql=relation.wrapped(aliased(made.sql, column.ref)))
        kept[place] = (keys[place][0], Typed(column.raw, column.type))
    return relation, kept, [own is not None for own in found]

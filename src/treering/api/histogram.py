"""Counts over time, stacked by level or by another field."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.api import language
from treering.api.instants import span_ns
from treering.api.levels import LEVEL_FIELDS, LEVELS, level_sql
from treering.api.rendering import preview
from treering.api.selection import column, named, time_ns
from treering.model.columns import TIME
from treering.model.times import format_ns
from treering.query.types import MAPPING, Type
from treering.stage.store import Query, ResultColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.api.service import Service
    from treering.model.schema import FieldType

MS = 1_000_000
_SECOND, _MINUTE, _HOUR, _DAY = 1000, 60_000, 3_600_000, 86_400_000
STEPS_MS = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(_SECOND * n for n in (1, 2, 5, 10, 15, 30)),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 30, 90, 365, 3650)),
)
_NUMERIC = {Type.TINYINT, Type.SMALLINT, Type.INT, Type.BIGINT, Type.FLOAT, Type.DOUBLE}
_SERIES = 8
SHOWN = 6
_MOST_FIELDS = 4
_MOST_COMBINED = 20_000


def interval_ms(start_ns: int, end_ns: int, buckets: int) -> int:
    """Return the shortest round interval that needs no more than `buckets` of it."""
    span = max(1, (end_ns - start_ns) // MS)
    return next((step for step in STEPS_MS if span <= step * buckets), STEPS_MS[-1])


async def histogram(
    service: Service,
    text: str,
    span: tuple[str | None, str | None] = (None, None),
    buckets: int = 60,
    by: str | None = None,
    values: Sequence[str] = (),
) -> dict[str, Any]:
    """Return counts over time of the records that the `search` and `where` part of `text` selects (docs/api.md).

    Buckets begin at whole multiples of the interval since 1970; every bucket of the range is there, empty ones too.
    With `values`, the most frequent values of those fields of text are counted on the way, as long as there are few
    combinations; a field that is not in the answer has to be asked for by itself.
    """
    start, end = await _ends(service, text, span)
    step_ms = interval_ms(start, end, max(1, min(buckets, 1000)))
    step = step_ms * MS
    first = start // step
    fields = await _fields(service, text, values)
    rows = await _rows(service, text, (start, end), by, (first, step), fields)
    if len(rows) > _MOST_COMBINED and fields:
        fields = ()
        rows = await _rows(service, text, (start, end), by, (first, step), fields)
    series = _series(rows, fixed=by is None)
    places = {name: place for place, name in enumerate(series)}
    counts = [[0] * len(series) for _ in range(max(1, -(-end // step) - first))]
    for bucket, name, *_, count in rows:
        place = places.get(name if name is not None else "", len(series) - 1)
        if 0 <= bucket < len(counts):
            counts[bucket][place] += count
    return {
        "interval_ms": step_ms,
        "from": format_ns(start),
        "to": format_ns(end),
        "series": series,
        "buckets": [{"time": format_ns((first + n) * step), "counts": line} for n, line in enumerate(counts)],
        "total": sum(map(sum, counts)),
        "values": {name: _top(rows, 2 + place) for place, name in enumerate(fields)},
    }


async def _fields(service: Service, text: str, names: Sequence[str]) -> tuple[str, ...]:
    """Return those of `names` that are fields of text."""
    if not names:
        return ()
    schema = await language.schema(service, text)
    known = {name: field for name in names[:_MOST_FIELDS] if (field := schema.get(name)) is not None}
    return tuple(name for name, field in known.items() if _is_text(field))


def _is_text(field: FieldType) -> bool:
    return MAPPING.get(field.type) is Type.STRING and not field.holds_lists


async def _rows(
    service: Service,
    text: str,
    range_ns: tuple[int, int],
    by: str | None,
    steps: tuple[int, int],
    fields: Sequence[str],
) -> list[tuple[Any, ...]]:
    """Return the bucket, the series, the values of `fields` and the count of each combination that there is."""
    inner, names, group = await _grouped(service, text, range_ns, by, fields)
    most = 1_000_000 if not fields else _MOST_COMBINED + 1
    return (await service.run(_counted(inner, names, group, fields, steps, most), most)).rows


def _top(rows: Sequence[tuple[Any, ...]], place: int) -> dict[str, Any]:
    """Return the most frequent values at a place of the rows, as `values` does."""
    counts: Counter[str | None] = Counter()
    for row in rows:
        counts[row[place]] += row[-1]
    total, missing = counts.total(), counts.pop(None, 0)
    most = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:SHOWN]
    shown = [{"value": preview(value), "count": count} for value, count in most]
    return {"values": shown, "distinct": len(counts), "missing": missing, "total": total}


def _counted(
    inner: Query,
    names: Sequence[str],
    group: exp.Expression,
    fields: Sequence[str],
    steps: tuple[int, int],
    most: int,
) -> Query:
    """Return the counts of combinations: by the stored values first, which are few, and then by what they mean."""
    first, step = steps
    # A number since 1970, not since the range's start, so that what is counted of a segment serves other ranges too.
    origin = min(first, 0)  # division rounds towards zero
    since_origin = exp.Paren(this=time_ns() - origin * step)
    bucket = exp.IntDiv(this=since_origin, expression=exp.Literal.number(step))
    stored_by = dict.fromkeys((*names, *fields))
    places = [exp.Literal.number(place + 1) for place in range(1 + len(stored_by))]
    stored = exp.select(named(bucket, "bucket"), *map(column, stored_by), named(exp.Count(this=exp.Star()), "n"))
    counted = stored.from_(inner.sql.subquery("selected")).group_by(*places)
    since = named(column("bucket") - (first - origin), "place")
    total = named(exp.cast(exp.Sum(this=column("n")), "BIGINT"), "count")
    shown = [named(column(name), f"value {place}") for place, name in enumerate(fields)]
    select = exp.select(since, named(group, "series"), *shown, total).from_(counted.subquery("stored"))
    grouped = select.group_by(*(exp.Literal.number(place + 1) for place in range(2 + len(fields)))).limit(most)
    columns = [ResultColumn("place", "bigint"), ResultColumn("series", "string")]
    columns += [ResultColumn(name, "string") for name in fields]
    return Query(grouped, inner.scans, (*columns, ResultColumn("count", "bigint")), inner.text)


async def _ends(service: Service, text: str, span: tuple[str | None, str | None]) -> tuple[int, int]:
    start, end = span_ns(*span, service.clock.now_ns())
    if start is not None and end is not None:
        return start, max(end, start + 1)
    infos = [
        info
        for pattern in await language.sources(service, text)
        for info in await service.call(service.store.streams, pattern)
        if info.first_ns is not None and info.last_ns is not None
    ]
    now = service.clock.now_ns()
    known_first = min((info.first_ns or 0 for info in infos), default=now - 900 * 10**9)
    known_last = max((info.last_ns or 0 for info in infos), default=now - 1)
    start = known_first if start is None else start
    end = known_last + 1 if end is None else end
    return start, max(end, start + 1)


async def _grouped(
    service: Service, text: str, range_ns: tuple[int, int], by: str | None, fields: Sequence[str]
) -> tuple[Query, tuple[str, ...], exp.Expression]:
    """Return the records' instants and the fields that tell their series, the names of those, and the series."""
    schema = await language.schema(service, text)
    if by is not None:
        inner = await language.selected(service, text, tuple(dict.fromkeys((by, *fields, TIME))), range_ns)
        return (
            inner,
            (by,),
            exp.Substring(
                this=exp.cast(column(by), "VARCHAR"), start=exp.Literal.number(1), length=exp.Literal.number(200)
            ),
        )
    known = [(field.name, MAPPING.get(field.type) in _NUMERIC) for name in LEVEL_FIELDS if (field := schema.get(name))]
    names = tuple(name for name, _ in known)
    read = tuple(dict.fromkeys((*names, *fields, TIME)))
    return await language.selected(service, text, read, range_ns), names, level_sql(known)


def _series(rows: list[tuple[Any, ...]], *, fixed: bool) -> list[str]:
    """Return the names of the stacked parts; the last one takes what has no name of its own."""
    if fixed:
        seen = {row[1] for row in rows}
        named_levels = [level for level in LEVELS if level in seen]
        return [*named_levels, "other"] if None in seen or not named_levels else named_levels
    totals: Counter[str] = Counter()
    for _, name, *_, count in rows:
        totals[name if name is not None else ""] += count
    most = [name for name, _ in totals.most_common(_SERIES) if name]
    return [*most, "other"] if len(totals) > len(most) or not most else most

"""Single records: one by its reference, those around it, and lists of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.api.answers import NotFound
from treering.api.levels import lookup
from treering.api.rendering import row, whole
from treering.api.selection import PLACE, PLACE_COLUMNS, beyond, both, by_time, column, direct, equals, place
from treering.core.errors import UserError
from treering.model.columns import SEQUENCE
from treering.model.times import format_ns
from treering.stage.store import Scan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from treering.api.service import Service

Placed = tuple[tuple[str, int], int, "Mapping[str, Any]"]


async def fetch(service: Service, places: Iterable[Sequence[Any]]) -> list[Placed]:
    """Return the records at `places` (stream, number, nanoseconds), without those deleted meanwhile."""

    wanted = list(places)

    def read() -> list[Placed]:
        by_stream: dict[str, list[int]] = {}
        for stream, seq, _ in wanted:
            by_stream.setdefault(stream, []).append(seq)
        found = {stream: service.store.records(stream, seqs) for stream, seqs in by_stream.items()}
        return [((stream, seq), ns, found[stream][seq]) for stream, seq, ns in wanted if seq in found[stream]]

    return await service.call(read)


def listed(ref: tuple[str, int], instant: int, record: Mapping[str, Any]) -> dict[str, Any]:
    """Return one line of a record list (docs/api.md)."""
    return row(ref[0], ref[1], instant, record)


async def record(service: Service, stream: str, seq: int) -> dict[str, Any]:
    """Return a record as its sender wrote it. Raises `NotFound`."""
    instant, found = await _one(service, stream, seq)
    return {"ref": f"{stream}/{seq}", "stream": stream, "time": format_ns(instant), "record": whole(stream, found)}


async def context(service: Service, stream: str, seq: int, before: int, after: int) -> dict[str, Any]:
    """Return the record with up to `before` earlier and `after` later ones of the same service, oldest first."""
    instant, found = await _one(service, stream, seq)
    earlier = await _around(service, stream, (instant, seq), found, before, newest_first=True)
    later = await _around(service, stream, (instant, seq), found, after, newest_first=False)
    rows = [*reversed(earlier), ((stream, seq), instant, found), *later]
    return {"records": [listed(*item) for item in rows]}


async def _one(service: Service, stream: str, seq: int) -> tuple[int, Mapping[str, Any]]:
    if not await service.call(service.store.streams, stream) or "*" in stream:
        raise NotFound(f"no stream named {stream[:60]!r}")
    where = exp.EQ(this=column(SEQUENCE), expression=exp.Literal.number(seq))
    query = direct(Scan((stream,), PLACE, where=where), exp.select(*place()), PLACE_COLUMNS)
    rows = (await service.run(query, 1)).rows
    found = await fetch(service, rows)
    if not found:
        raise NotFound(f"no record {stream}/{seq}", hint="it may have passed its retention time")
    return found[0][1], found[0][2]


async def _around(
    service: Service, stream: str, at: tuple[int, int], near: Mapping[str, Any], count: int, *, newest_first: bool
) -> list[Placed]:
    if not count:
        return []
    fields: tuple[str, ...] = PLACE
    where: exp.Expression = beyond(at, newest_first=newest_first)
    if (await service.call(service.store.schema, (stream,))).get("serviceName") is not None:
        fields = ("serviceName", *PLACE)
        where = both(equals("serviceName", lookup(near, "serviceName")), where)
    if newest_first:
        scan = Scan((stream,), fields, end_ns=at[0] + 1, where=where, newest=count)
    else:
        scan = Scan((stream,), fields, start_ns=at[0], where=where)
    select = by_time(exp.select(*place()), newest_first=newest_first).limit(count)
    return await fetch(service, (await service.run(direct(scan, select, PLACE_COLUMNS), count)).rows)


def reference(text: str) -> tuple[str, int]:
    """Return stream and number of `logs/1234`. Raises `UserError`."""
    stream, _, number = text.rpartition("/")
    if not stream or not number.isdigit() or len(number) > 18:
        raise UserError(f"{text[:80]!r} is not a reference", hint="write stream/number, as logs/1234")
    return stream, int(number)

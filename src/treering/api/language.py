"""PPL as the operations use it: over the streams that are there, an empty store included."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from treering.api.service import DEFAULT_SOURCE, USUAL
from treering.core.errors import UserError
from treering.model.schema import StreamSchema
from treering.query import naming

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.api.service import Service
    from treering.stage.store import Query, Result

Range = tuple[int | None, int | None]
ALL = f"source={DEFAULT_SOURCE}"


def schema_of(service: Service, streams: Sequence[str]) -> StreamSchema:
    """Return the schema of streams and views; the usual ones have no fields before their first record arrives."""
    streams = naming.streams(streams)
    if USUAL.issuperset(streams) and not any(map(service.store.streams, streams)):
        return StreamSchema({})
    return service.store.schema(streams)


async def compiled(service: Service, text: str, range_ns: Range, rows: int, *, all_joins: bool = True) -> Query:
    """Return any PPL text ready to run. Raises `UserError` with a position, for kinds of joins not allowed too."""

    def work() -> Query:
        from treering import query

        found = query.compile(
            text.strip() or ALL,
            schema=lambda streams: schema_of(service, streams),
            now_ns=service.clock.now_ns(),
            default_source=DEFAULT_SOURCE,
            time_range=range_ns,
            rows=rows,
            all_joins=all_joins,
        )
        return replace(found, text=text)

    return await service.call(work)


def rendered(result: Result) -> dict[str, Any]:
    """Return an answer's schema and rows as PPL prints them."""
    from treering import query

    return query.render(result)


async def selected(
    service: Service,
    text: str,
    fields: Sequence[str],
    range_ns: Range,
    *,
    whole: bool = False,
    newest: int | None = None,
) -> Query:
    """Return a query for `fields` of the records that `text` selects; with `whole` it may do nothing else to them."""

    def work() -> Query:
        from treering.query import records

        if whole:
            _only_records(text)
        found = records.select(
            text.strip() or ALL,
            fields,
            schema=lambda streams: schema_of(service, streams),
            now_ns=service.clock.now_ns(),
            default_source=DEFAULT_SOURCE,
            time_range=range_ns,
            newest=newest,
        )
        return replace(found, text=text)

    return await service.call(work)


def _only_records(text: str) -> None:
    from treering.query import parse, records

    if not records.is_records(parse(text.strip() or ALL, DEFAULT_SOURCE)):
        raise UserError(
            "this query makes a table, not records", hint="only search and where can be listed; run it as a table"
        )


async def check_records(service: Service, text: str) -> None:
    """Raise `UserError` unless `text` selects records."""
    await service.call(_only_records, text)


async def sources(service: Service, text: str) -> tuple[str, ...]:
    """Return the streams that `text` reads."""

    def work() -> tuple[str, ...]:
        from treering.query import parse, records

        return records.sources(parse(text.strip() or ALL, DEFAULT_SOURCE), DEFAULT_SOURCE)

    return await service.call(work)


async def schema(service: Service, text: str) -> StreamSchema:
    """Return the schema of the streams that `text` reads."""
    streams = await sources(service, text)
    return await service.call(schema_of, service, streams)


async def described(service: Service, text: str) -> dict[str, Any]:
    """Return what kind of answer `text` gives and from which streams. Raises `UserError` with a position."""

    def work() -> dict[str, Any]:
        from treering.query import parse, records

        pipeline = parse(text.strip() or ALL, DEFAULT_SOURCE)
        kind = "records" if records.is_records(pipeline) else "table"
        return {"ok": True, "kind": kind, "sources": list(records.sources(pipeline, DEFAULT_SOURCE))}

    return await service.call(work)

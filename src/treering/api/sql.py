"""Read-only SQL: `POST /api/sql`, and `POST /_plugins/_sql` as OpenSearch's SQL plugin answers it (docs/sql.md)."""

from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING, Any

import msgspec

from treering.api import language
from treering.api.instants import span_ns
from treering.api.ppl import guarded
from treering.api.rendering import exact
from treering.core.errors import Bug, UserError
from treering.stage.source import Response, Route

if TYPE_CHECKING:
    from treering.api.service import Service
    from treering.query.sql import Statement
    from treering.stage.source import Request
    from treering.stage.store import Result

_PATHS = ("/_plugins/_sql", "/_opendistro/_sql")
_FORMATS = ("jdbc", "csv", "raw")
# The names of types in OpenSearch's JDBC format.
_JDBC = {
    "string": "keyword", "bigint": "long", "int": "integer", "smallint": "short", "tinyint": "byte", "struct": "object",
}  # fmt: skip


class _Body(msgspec.Struct):
    query: str | None = None
    parameters: list[Any] = []
    cursor: str | None = None


async def sql(
    service: Service, text: str, start: str | None = None, end: str | None = None, limit: int | None = None
) -> dict[str, Any]:
    """Return the answer of one SELECT, as `query` does for PPL. Raises `UserError` for any other statement."""
    began = time.monotonic()
    rows = service.limits.rows if limit is None else max(0, min(limit, service.limits.rows))
    result = await _run(service, text, span_ns(start, end, service.clock.now_ns()), rows)
    shown = language.rendered(result)
    return {
        **shown,
        "datarows": exact(shown["datarows"]),
        "took_ms": round((time.monotonic() - began) * 1000),
        "rows_scanned": result.rows_scanned,
        "bytes_scanned": result.bytes_scanned,
    }


async def _run(service: Service, text: str, range_ns: language.Range, rows: int) -> Result:
    statement = await _compiled(service, text, range_ns, rows)
    try:
        kinds = await service.run(statement.kinds(), 1)
        named = kinds.rows[0] if kinds.rows else [None] * len(statement.names)
        return await service.run(statement.query(named), rows)
    except Bug as error:  # types that do not fit are seen by the engine first, and are the caller's mistake
        raise UserError(error.message.partition(": ")[2] or error.message) from error


async def _compiled(service: Service, text: str, range_ns: language.Range, rows: int) -> Statement:
    def work() -> Statement:
        from treering.query import sql

        return sql.compile(
            text,
            schema=lambda streams: language.schema_of(service, streams),
            now_ns=service.clock.now_ns(),
            rows=rows,
            time_range=range_ns,
        )

    return await service.call(work)


def routes(service: Service) -> list[Route]:
    """Return the routes of SQL queries and of their plans, as OpenSearch has them."""
    post = frozenset({"POST"})
    found = [Route(post, path, guarded(_query, service), reads=True) for path in _PATHS]
    return [*found, *(Route(post, f"{path}/_explain", guarded(_explain, service), reads=True) for path in _PATHS)]


async def _query(service: Service, request: Request) -> Any:
    form = request.query.get("format", "jdbc")
    if form not in _FORMATS:
        raise UserError(f"the format {form[:40]!r} is not one of {', '.join(_FORMATS)}")
    result = await _run(service, _text(request), (None, None), service.limits.rows)
    shown = language.rendered(result)
    if form == "jdbc":
        schema = [{**column, "type": _JDBC.get(column["type"], column["type"])} for column in shown["schema"]]
        return {**shown, "schema": schema, "status": 200}
    return _lines(shown, form)


def _lines(shown: dict[str, Any], form: str) -> Response:
    out = io.StringIO()
    writer = csv.writer(out, delimiter="," if form == "csv" else "|", lineterminator="\n")
    writer.writerow([column["name"] for column in shown["schema"]])
    for row in shown["datarows"]:
        writer.writerow([msgspec.json.encode(cell).decode() if isinstance(cell, dict | list) else cell for cell in row])
    return Response(200, out.getvalue().encode(), {"content-type": "text/plain; charset=utf-8"})


async def _explain(service: Service, request: Request) -> Any:
    statement = await _compiled(service, _text(request), (None, None), service.limits.rows)
    scans = {name: {"streams": scan.streams, "fields": scan.fields} for name, scan in statement.scans.items()}
    described = {"sql": statement.tree.sql(dialect="duckdb"), "scans": scans}
    return {"root": {"name": "DuckDB", "description": described}}


def _text(request: Request) -> str:
    try:
        found = msgspec.json.decode(request.body or b"{}", type=_Body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the request body is not what SQL takes: {error}") from error
    if found.parameters or found.cursor:
        raise UserError("parameters and cursors are not supported", hint="write values out; an answer comes whole")
    if found.query is None:
        raise UserError("the request body has no query", hint='send {"query": "SELECT count(*) FROM logs"}')
    return found.query

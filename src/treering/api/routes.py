"""The route table of `/api/*`: what docs/api.md lists, each line a path and the operation behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.api import (
    alerts,
    completion,
    dashboards,
    drills,
    findings,
    histogram,
    incident_routes,
    language,
    lint,
    playbooks,
    postmortems,
    queries,
    query,
    records,
    rules,
    scan,
    search,
    sql,
    status,
    streams,
    tail,
    templates,
    trace,
    values,
)
from treering.api.answers import answer, body, failure, number
from treering.core.errors import TreeringError, UserError
from treering.stage.source import Response, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from treering.api.service import Service
    from treering.stage.source import Request

    Operation = Callable[[Service, Request], Awaitable[Any]]


class QueryBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """What every operation over a query takes."""

    query: str = ""
    start: str | None = msgspec.field(default=None, name="from")
    end: str | None = msgspec.field(default=None, name="to")

    @property
    def span(self) -> tuple[str | None, str | None]:
        """Both ends of the time range."""
        return self.start, self.end


class TableBody(QueryBody):
    """`POST /api/query`."""

    limit: int | None = None


class QueriesBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/queries`."""

    queries: dict[str, queries.Asked]
    start: str | None = msgspec.field(default=None, name="from")
    end: str | None = msgspec.field(default=None, name="to")
    limit: int | None = None


class DashboardBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/dashboards/{name}`."""

    start: str | None = msgspec.field(default=None, name="from")
    end: str | None = msgspec.field(default=None, name="to")
    variables: dict[str, str] = {}


class SearchBody(QueryBody):
    """`POST /api/search`."""

    size: int = 100
    after: str | None = None
    order: str = "desc"


class HistogramBody(QueryBody):
    """`POST /api/histogram`."""

    buckets: int = 60
    by: str | None = None
    values: tuple[str, ...] = ()


class ValuesBody(QueryBody):
    """`POST /api/values`."""

    field: str
    limit: int = 10


class CompleteBody(QueryBody):
    """`POST /api/complete`."""

    cursor: int | None = None


class TriageBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/findings/{id}`."""

    state: str
    comment: str = ""
    by: str = ""


async def _findings(service: Service, request: Request) -> Any:
    return await findings.findings(service, request.query, number(request, "limit", 100, 1000))


async def _finding(service: Service, request: Request) -> Any:
    return await findings.finding(service, request.params["id"])


async def _triage(service: Service, request: Request) -> Any:
    asked = body(request, TriageBody)
    by = asked.by or incident_routes.actor(service, request)
    return await findings.triage(service, request.params["id"], asked.state, asked.comment, by)


class ScanBody(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """`POST /api/scan`."""

    since: str


async def _scan(service: Service, request: Request) -> Any:
    return await scan.begin(service, body(request, ScanBody).since)


async def _scanned(service: Service, _request: Request) -> Any:
    return await scan.progress(service)


async def _streams(service: Service, _request: Request) -> Any:
    return await streams.streams(service)


async def _fields(service: Service, request: Request) -> Any:
    return await streams.fields(service, request.query.get("source") or "logs")


async def _query(service: Service, request: Request) -> Any:
    asked = body(request, TableBody)
    return await query.query(service, asked.query, asked.start, asked.end, asked.limit)


async def _sql(service: Service, request: Request) -> Any:
    asked = body(request, TableBody)
    return await sql.sql(service, asked.query, asked.start, asked.end, asked.limit)


async def _lint(service: Service, request: Request) -> Any:
    return await lint.lint(service, *body(request, QueryBody).span)


async def _queries(service: Service, request: Request) -> Any:
    asked = body(request, QueriesBody)
    return await queries.queries(service, asked.queries, (asked.start, asked.end), asked.limit)


async def _dashboards(service: Service, _request: Request) -> Any:
    return await dashboards.dashboards(service)


async def _dashboard(service: Service, request: Request) -> Any:
    asked = body(request, DashboardBody)
    return await dashboards.dashboard(service, request.params["name"], (asked.start, asked.end), asked.variables)


async def _search(service: Service, request: Request) -> Any:
    asked = body(request, SearchBody)
    return await search.search(service, asked.query, asked.span, asked.size, asked.after, asked.order)


async def _histogram(service: Service, request: Request) -> Any:
    asked = body(request, HistogramBody)
    return await histogram.histogram(service, asked.query, asked.span, asked.buckets, asked.by, asked.values)


async def _values(service: Service, request: Request) -> Any:
    asked = body(request, ValuesBody)
    return await values.values(service, asked.query, asked.field, asked.span, asked.limit)


async def _complete(service: Service, request: Request) -> Any:
    asked = body(request, CompleteBody)
    cursor = len(asked.query) if asked.cursor is None else asked.cursor
    return await completion.complete(service, asked.query, cursor)


async def _complete_read(service: Service, request: Request) -> Any:
    text = request.query.get("query", "")
    return await completion.complete(service, text, number(request, "cursor", len(text), 1 << 20))


async def _help(service: Service, request: Request) -> Any:
    return await completion.help_of(service, request.params.get("name"))


async def _parse(service: Service, request: Request) -> Any:
    return await language.described(service, body(request, QueryBody).query)


def _place(request: Request) -> tuple[str, int]:
    return records.reference(f"{request.params['stream']}/{request.params['seq']}")


async def _record(service: Service, request: Request) -> Any:
    return await records.record(service, *_place(request))


async def _context(service: Service, request: Request) -> Any:
    before, after = number(request, "before", 20, 200), number(request, "after", 20, 200)
    return await records.context(service, *_place(request), before, after)


async def _trace(service: Service, request: Request) -> Any:
    return await trace.trace(service, request.params["trace_id"])


async def _tail(service: Service, request: Request) -> Any:
    events = await tail.tail(service, request.query.get("query", ""))
    return Response(200, headers={"content-type": "text/event-stream", "cache-control": "no-store"}, stream=events)


async def _templates(service: Service, request: Request) -> Any:
    return await templates.templates(service, [one for one in request.query.get("id", "").split(",") if one])


async def _status(service: Service, _request: Request) -> Any:
    return await status.status(service)


async def _healthz(_service: Service, _request: Request) -> Any:
    return {"status": "ok"}


async def _readyz(service: Service, _request: Request) -> Any:
    ready = service.ready()
    return answer({"status": "ready" if ready else "starting or stopping"}, 200 if ready else 503)


async def _metrics(service: Service, _request: Request) -> Any:
    for info in await service.call(service.store.streams):
        service.telemetry.set("treering_stream_records", info.rows, stream=info.name)
        service.telemetry.set("treering_stream_bytes", info.bytes, stream=info.name)
    text = service.telemetry.exposition()
    return Response(200, text.encode(), {"content-type": "text/plain; version=0.0.4; charset=utf-8"})


OPERATIONS: tuple[tuple[str, str, Operation], ...] = (
    ("GET", "/api/streams", _streams),
    ("GET", "/api/fields", _fields),
    ("POST", "/api/query", _query),
    ("POST", "/api/sql", _sql),
    ("POST", "/api/queries", _queries),
    ("POST", "/api/lint", _lint),
    ("GET", "/api/dashboards", _dashboards),
    ("POST", "/api/dashboards/{name}", _dashboard),
    ("POST", "/api/search", _search),
    ("POST", "/api/histogram", _histogram),
    ("POST", "/api/values", _values),
    ("POST", "/api/complete", _complete),
    ("GET", "/api/complete", _complete_read),
    ("GET", "/api/help", _help),
    ("GET", "/api/help/{name}", _help),
    ("POST", "/api/parse", _parse),
    ("GET", "/api/record/{stream}/{seq}", _record),
    ("GET", "/api/context/{stream}/{seq}", _context),
    ("GET", "/api/trace/{trace_id}", _trace),
    ("GET", "/api/tail", _tail),
    ("GET", "/api/findings", _findings),
    ("GET", "/api/findings/{id}", _finding),
    ("POST", "/api/findings/{id}", _triage),
    ("GET", "/api/templates", _templates),
    ("POST", "/api/scan", _scan),
    ("GET", "/api/scan", _scanned),
    ("GET", "/api/status", _status),
    ("GET", "/healthz", _healthz),
    ("GET", "/readyz", _readyz),
    ("GET", "/metrics", _metrics),
    *incident_routes.OPERATIONS,
    *alerts.OPERATIONS,
    *playbooks.OPERATIONS,
    *drills.OPERATIONS,
    *rules.OPERATIONS,
    *postmortems.OPERATIONS,
)

# What a caller needs beyond `viewer`.
ROLES = {
    ("POST", "/api/findings/{id}"): "analyst",
    ("POST", "/api/scan"): "analyst",
    **dict.fromkeys(incident_routes.ANALYST | alerts.ANALYST | playbooks.ANALYST, "analyst"),
    **dict.fromkeys(drills.ANALYST | rules.ANALYST, "analyst"),
}


# What only reads although it is posted: nobody works on it any longer when its caller has left.
READS = frozenset(
    {
        *("/api/query", "/api/queries", "/api/dashboards/{name}", "/api/search", "/api/histogram", "/api/values"),
        *("/api/lint", "/api/complete", "/api/parse"),
    }
)


def routes(service: Service) -> list[Route]:
    """Return the routes of `/api/*` and of the probes over `service`."""
    return [
        Route(
            frozenset({method}),
            path,
            _handler(service, operation),
            ROLES.get((method, path), "viewer"),
            reads=method == "GET" or path in READS,
        )
        for method, path, operation in OPERATIONS
    ]


def _handler(service: Service, operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    async def handle(request: Request) -> Response:
        try:
            result = await operation(service, request)
        except TreeringError as error:
            return failure(error)
        except UnicodeError:
            return failure(UserError("the request holds text that is not UTF-8"))
        return result if isinstance(result, Response) else answer(result)

    return handle

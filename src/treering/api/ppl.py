"""`POST /_plugins/_ppl` as OpenSearch's SQL plugin answers it (opensearch-project/sql, docs/user/interfaces)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.api import language, plan
from treering.api.answers import answer
from treering.core.errors import Bug, Retryable, TreeringError, UserError
from treering.query.commands.explain import MODES
from treering.query.commands.join import SETTING
from treering.stage.source import Response, Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from treering.api.service import Service
    from treering.stage.source import Request

_PATHS = ("/_plugins/_ppl", "/_opendistro/_ppl")


class _Body(msgspec.Struct):
    query: str | None = None


def routes(service: Service) -> list[Route]:
    """Return the routes of PPL queries and of their plans."""
    post = frozenset({"POST"})
    found = [Route(post, path, guarded(_query, service), reads=True) for path in _PATHS]
    return [*found, *(Route(post, f"{path}/_explain", guarded(_explain, service), reads=True) for path in _PATHS)]


async def _query(service: Service, request: Request) -> Any:
    text = _text(request)
    if (wanted := await plan.asked(service, text)) is not None:
        return await plan.explained(service, *wanted)
    rows, joins = service.limits.rows, _all_joins(service)
    compiled = await language.compiled(service, text, (None, None), rows, all_joins=joins)
    return language.rendered(await service.run(compiled))


async def _explain(service: Service, request: Request) -> Any:
    text = _text(request)
    wanted = await plan.asked(service, text) or (text, request.query.get("mode", "extended"))
    if wanted[1] not in MODES:
        raise UserError(f"mode={wanted[1][:20]!r} is no way to explain", hint=f"known: {', '.join(MODES)}")
    return await plan.explained(service, *wanted)


def _all_joins(service: Service) -> bool:
    """Whether `PUT /_cluster/settings` has allowed all kinds of joins; a transient setting counts first."""
    settings = service.settings()
    values = [settings.get(scope, {}).get(SETTING) for scope in ("transient", "persistent")]
    return str(next((value for value in values if value is not None), False)).lower() == "true"


def _text(request: Request) -> str:
    try:
        text = msgspec.json.decode(request.body or b"{}", type=_Body).query
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"the request body is not what PPL takes: {error}") from error
    if text is None:
        raise UserError("the request body has no query", hint='send {"query": "source=logs | head 5"}')
    return text


def guarded(
    operation: Callable[[Service, Request], Awaitable[Any]], service: Service
) -> Callable[[Request], Awaitable[Response]]:
    """Return the operation as a route's handler whose errors are in OpenSearch's shape."""

    async def handle(request: Request) -> Response:
        try:
            found = await operation(service, request)
        except TreeringError as error:
            return _failure(error)
        return found if isinstance(found, Response) else answer(found)

    return handle


def _failure(error: TreeringError) -> Response:
    status = 400
    reason = "Invalid Query"
    if isinstance(error, Retryable):
        status, reason = 503, "Busy"
    elif isinstance(error, Bug):
        status, reason = 500, "There was internal problem at backend"
    kind = {400: "SemanticCheckException", 503: "EsRejectedExecutionException", 500: "IllegalStateException"}[status]
    details: dict[str, Any] = {"reason": reason, "details": str(error), "type": kind}
    if error.where is not None:
        details["position"] = {"offset": error.where.offset, "length": error.where.length}
    return answer({"error": details, "status": status}, status)

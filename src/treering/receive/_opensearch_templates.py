"""Templates, policies and aliases: what shippers set up before they send."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError
from treering.receive import _elastic

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.receive._indices import Indices
    from treering.stage.source import Request, Response

# Table of `State` and how a GET shows its entries: as a list under a name, or as an object.
_LISTED = {
    "index_templates": ("index_templates", "index_template"),
    "component_templates": ("component_templates", "component_template"),
}
_DATE = "2026-01-01T00:00:00.000Z"


def put(kind: str) -> Callable[[Indices, Request], Response]:
    """Return the handler that keeps a body under its name."""

    def handle(indices: Indices, request: Request) -> Response:
        body = _elastic.json_object(request)
        if kind == "index_templates" and not body.get("index_patterns"):
            raise UserError("index patterns are missing")
        indices.put(kind, request.params["name"], body)
        return _elastic.acknowledged(request)

    return handle


def get(kind: str) -> Callable[[Indices, Request], Response]:
    """Return the handler that shows bodies by name or pattern; 404 for a name that is not there."""

    def handle(indices: Indices, request: Request) -> Response:
        wanted = request.params.get("name", "*")
        table: dict[str, Any] = getattr(indices.state, kind)
        found = {name: body for name, body in table.items() if _selects(wanted, name)}
        if not found and "*" not in wanted:
            return not_found(request)
        return _elastic.answer(request, _shown(kind, found))

    return handle


def delete(kind: str) -> Callable[[Indices, Request], Response]:
    """Return the handler that forgets a name."""

    def handle(indices: Indices, request: Request) -> Response:
        if indices.remove(kind, request.params["name"]):
            return _elastic.acknowledged(request)
        return not_found(request)

    return handle


def aliases(indices: Indices, request: Request) -> Response:
    """`GET /_alias`: the write aliases that rollover indexes were created with."""
    wanted, index = request.params.get("name", "*"), request.params.get("index", "*")
    shown = {
        name: {"aliases": {alias: {"is_write_index": True}}}
        for name, alias in indices.state.names.items()
        if _selects(wanted, alias) and _selects(index, name)
    }
    if not shown and "*" not in wanted:
        return _elastic.answer(request, {"error": f"alias [{wanted[:255]}] missing", "status": 404}, 404)
    return _elastic.answer(request, shown)


def put_alias(_indices: Indices, request: Request) -> Response:
    """`PUT /{index}/_alias/{name}`: refused, with what to do instead."""
    reason = "aliases are given at the creation of an index only; a pattern such as logs-* reads several indexes"
    return _elastic.failure(request, 400, _elastic.ILLEGAL, reason)


def not_found(request: Request) -> Response:
    """Return the answer for a name that nobody has put."""
    return _elastic.failure(request, 404, "resource_not_found_exception", request.path[:255])


def _selects(pattern: str, name: str) -> bool:
    return any(fnmatchcase(name, part) for part in pattern.split(","))


def _shown(kind: str, found: dict[str, Any]) -> Any:
    if kind in _LISTED:
        outer, inner = _LISTED[kind]
        return {outer: [{"name": name, inner: body} for name, body in found.items()]}
    if kind == "policies":
        return {name: {"version": 1, "modified_date": _DATE, **body} for name, body in found.items()}
    return found

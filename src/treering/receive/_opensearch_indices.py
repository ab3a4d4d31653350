"""Indexes by name: create, look at, count, map, delete; and the `_cat` tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError
from treering.receive import _elastic, _mappings
from treering.stage.source import Response

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treering.model.schema import StreamSchema
    from treering.receive._indices import Indices
    from treering.stage.source import Request
    from treering.stage.store import StreamInfo

_CAT_COLUMNS = ("health", "status", "index", "uuid", "pri", "rep", "docs.count", "docs.deleted", "store.size")
_DERIVED = frozenset({"members", "lists"})  # what a schema adds to a mapping's own options
_UNITS = (("tb", 1 << 40), ("gb", 1 << 30), ("mb", 1 << 20), ("kb", 1 << 10))


def create(indices: Indices, request: Request) -> Response:
    """`PUT /{index}`: an empty index with its mapping."""
    body = _elastic.json_object(request)
    name = request.params["index"]
    if not name.startswith("<") and (name in indices.state.names or indices.matching(name)):
        reason = f"index [{name[:255]}] already exists"
        return _elastic.failure(request, 400, "resource_already_exists_exception", reason, index=name)
    try:
        index = indices.create(name, body)
    except UserError as error:
        kind = _elastic.BAD_NAME if error.message.startswith("Invalid index name") else _elastic.ILLEGAL
        return _elastic.failure(request, 400, kind, error.message)
    return _elastic.answer(request, {"acknowledged": True, "shards_acknowledged": True, "index": index})


def delete(indices: Indices, request: Request) -> Response:
    """`DELETE /{index}`: the index and all its records. Patterns are refused."""
    names = request.params["index"].split(",")
    if any("*" in name or name == "_all" for name in names):
        return _elastic.failure(request, 400, _elastic.ILLEGAL, "Wildcard expressions or all indices are not allowed")
    if missing := [name for name in names if not indices.exists(name)]:
        return no_index(request, missing[0])
    for name in names:
        indices.delete(name)
    return _elastic.acknowledged(request)


def describe(indices: Indices, request: Request) -> Response:
    """`GET /{index}`: aliases, mappings and settings; also the answer of HEAD."""
    infos = found(indices, request)
    if not infos:
        return no_index(request, request.params["index"])
    body = {
        info.name: {
            "aliases": {},
            "mappings": mapping(indices, info),
            "settings": {"index": {"number_of_shards": "1", "number_of_replicas": "0", "provided_name": info.name}},
        }
        for info in infos
    }
    return _elastic.answer(request, body)


def get_mapping(indices: Indices, request: Request) -> Response:
    """`GET /{index}/_mapping`: the declared fields and those that records brought."""
    infos = found(indices, request)
    if not infos and "*" not in request.params.get("index", "*"):
        return no_index(request, request.params["index"])
    return _elastic.answer(request, {info.name: {"mappings": mapping(indices, info)} for info in infos})


def put_mapping(indices: Indices, request: Request) -> Response:
    """`PUT /{index}/_mapping`: more fields."""
    mapping = _mappings.checked(_elastic.json_object(request))
    infos = found(indices, request)
    if not infos:
        return no_index(request, request.params["index"])
    for info in infos:
        indices.store.put_mapping(info.name, mapping)
    return _elastic.acknowledged(request)


def cat_indices(indices: Indices, request: Request) -> Response:
    """`GET /_cat/indices`: every stream with its count, as JSON or as an aligned table."""
    exact = request.query.get("bytes")
    rows = [_cat_row(info, exact) for info in sorted(found(indices, request), key=lambda info: info.name)]
    wanted = [name for name in request.query.get("h", "").split(",") if name] or list(rows[0] if rows else _CAT_COLUMNS)
    return _table(request, wanted, rows)


def cat_health(indices: Indices, request: Request) -> Response:
    """`GET /_cat/health`."""
    shards = str(len(indices.store.streams()))
    row = {"cluster": "treering", "status": "green", "node.total": "1", "node.data": "1", "shards": shards}
    return _table(request, list(row), [row])


def no_index(request: Request, name: str) -> Response:
    """Return the 404 for an index that is not there."""
    reason = f"no such index [{name[:255]}]"
    return _elastic.failure(request, 404, _elastic.NO_INDEX, reason, index=name[:255])


def mapping(indices: Indices, info: StreamInfo) -> dict[str, Any]:
    """Return a stream's mapping as OpenSearch nests it, dynamic fields included."""
    declared = {name: value for name, value in info.mapping.items() if name != "properties"}
    return {**declared, "properties": _nested(indices.store.schema([info.name]))}


def _nested(schema: StreamSchema) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for field in schema:
        place = root
        *parents, last = field.name.split(".")
        for parent in parents:
            place = place.setdefault(parent, {}).setdefault("properties", {})
        entry = place.setdefault(last, {})
        if field.type not in ("object", "nested") or "properties" not in entry:
            entry.update(_entry(field.type, field.format, field.path, field.options))
    return root


def _entry(kind: str, form: str | None, path: str | None, options: Mapping[str, Any]) -> dict[str, Any]:
    out: dict[str, Any] = {} if kind == "object" else {"type": kind}
    if form:
        out["format"] = form
    if path:
        out["path"] = path
    return {**out, **{name: value for name, value in options.items() if name not in _DERIVED}}


def found(indices: Indices, request: Request) -> list[StreamInfo]:
    """Return the streams that the request's path selects: names, patterns, several with commas, all without one."""
    out: dict[str, StreamInfo] = {}
    for part in request.params.get("index", "*").split(","):
        out.update((info.name, info) for info in indices.matching(part))
    return list(out.values())


def _cat_row(info: StreamInfo, exact: str | None) -> dict[str, str]:
    size = str(info.bytes) if exact == "b" else _human(info.bytes)
    values = ("green", "open", info.name, info.name, "1", "0", str(info.rows), "0", size)
    return {**dict(zip(_CAT_COLUMNS, values, strict=True)), "pri.store.size": size}


def _human(size: int) -> str:
    for unit, scale in _UNITS:
        if size >= scale:
            return f"{size / scale:.1f}{unit}"
    return f"{size}b"


def _table(request: Request, names: list[str], rows: Iterable[Mapping[str, str]]) -> Response:
    rows = [{name: row[name] for name in names if name in row} for row in rows]
    if request.query.get("format") == "json" or "json" in request.headers.get("accept", ""):
        return _elastic.answer(request, rows)
    lines = [list(row.values()) for row in rows]
    if request.query.get("v", "false") != "false":
        lines.insert(0, names)
    widths = [max(map(len, column)) for column in zip(*lines, strict=False)]
    text = "".join(
        " ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=False)).rstrip() + "\n" for line in lines
    )
    headers = {**_elastic.headers(request), "content-type": "text/plain; charset=UTF-8"}
    return Response(200, text.encode(), headers)

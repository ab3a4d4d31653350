"""`_search` and its kin: the query DSL asked of the store, answered as OpenSearch answers.

Every document that matches has the score 1: there is no ranking by relevance. Totals are exact.
"""

from __future__ import annotations

import base64
import time
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import UserError
from treering.model.schema import is_time_field
from treering.query.dsl import Aggregator, Hits, parse
from treering.query.dsl.instants import formatted
from treering.query.dsl.queries import query as parse_query
from treering.query.dsl.request import source_filter
from treering.receive import _elastic
from treering.receive._bulk_keyed import source
from treering.receive._opensearch_indices import found, no_index
from treering.stage.source import Request as HttpRequest

if TYPE_CHECKING:
    import threading
    from collections.abc import Mapping, Sequence

    from treering.query.dsl import Hit, Request
    from treering.query.dsl.aggregations import Aggregation
    from treering.query.dsl.request import SourceFilter
    from treering.receive._indices import Indices
    from treering.stage.source import Response
    from treering.stage.store import Query

MAX_SEARCHES = 100
# Set once the caller of the request at hand has left.
GONE: ContextVar[threading.Event | None] = ContextVar("gone", default=None)
_PHASE = "search_phase_execution_exception"
_SHARDS = {"skipped": 0, "failed": 0}


def search(indices: Indices, request: HttpRequest) -> Response:
    """Answer `_search`; with `scroll` the first page of all documents."""
    body = _body(request)
    scrolling = "scroll" in request.query
    streams = _streams(indices, request.params.get("index", "*"))
    if not streams and _named(request):
        return no_index(request, request.params["index"])
    if scrolling:
        given = body.get("sort") or []
        body = {**body, "sort": [*(given if isinstance(given, list) else [given]), "_doc"]}
    answer = _Search(indices, streams).answer(body)
    if scrolling:
        answer["_scroll_id"] = _scroll_id(request.params.get("index", "*"), body, answer, indices.store.newest_seq())
    return _elastic.answer(request, answer)


def _named(request: HttpRequest) -> bool:
    """Whether the request names an index that has to be there."""
    pattern = request.params.get("index", "*")
    ignored = request.query.get("ignore_unavailable") == "true"
    return "*" not in pattern and pattern != "_all" and not ignored


def _body(request: HttpRequest) -> dict[str, Any]:
    """Return the body with what may stand in the address instead."""
    body = _elastic.json_object(request)
    asked = request.query
    if text := asked.get("q"):
        body["query"] = {"query_string": {"query": text, "default_operator": asked.get("default_operator", "or")}}
    for name in ("size", "from"):
        if name in asked:
            body[name] = asked[name]
    if sort := asked.get("sort"):
        body["sort"] = sort.split(",")
    if (shown := asked.get("_source")) is not None:
        body["_source"] = {"true": True, "false": False}.get(shown, shown.split(","))
    if (includes := asked.get("_source_includes")) is not None:
        body["_source"] = includes.split(",")
    if (total := asked.get("track_total_hits")) is not None:
        body["track_total_hits"] = {"true": True, "false": False}.get(total, 10_000)
    return body


def _streams(indices: Indices, pattern: str) -> list[str]:
    names: dict[str, None] = {}
    for part in pattern.split(","):
        names.update((info.name, None) for info in indices.matching(part))
    return list(names)


class _Search:
    """One search over streams."""

    def __init__(self, indices: Indices, streams: Sequence[str]) -> None:
        self._indices = indices
        self._streams = streams
        self._now_ns = indices.clock.now_ns()

    def answer(self, body: Mapping[str, Any], until: int | None = None) -> dict[str, Any]:
        """Return the body of the answer; `until` leaves out documents stored after that `_seq`."""
        began = time.monotonic()
        request = replace(parse(body, self._now_ns), until=until)
        total = {"total": len(self._streams), "successful": len(self._streams), **_SHARDS}
        out: dict[str, Any] = {"took": 0, "timed_out": False, "_shards": total}
        if not self._streams:
            out["hits"] = _hits([], 0, request)
            if request.aggregations:
                out["aggregations"] = {}
            return out
        hits = Hits(self._streams, self._indices.store.schema, self._now_ns, self._run)
        page = hits.page(request)
        count = hits.count(request.query) if request.counted is not False else 0
        shown = [self._shown(hit, document, request) for hit, document in self._documents(page)]
        out["hits"] = _hits(shown, count, request)
        if request.aggregations:
            aggregator = Aggregator(
                self._streams, request.query, self._indices.store.schema, self._now_ns, self._run, self._top
            )
            out["aggregations"] = aggregator.answer(request.aggregations)
        out["took"] = round((time.monotonic() - began) * 1000)
        return out

    def count(self, body: Mapping[str, Any]) -> int:
        """Return how many documents a query matches."""
        if unknown := set(body) - {"query"}:
            raise UserError(f"request does not support [{min(unknown)[:80]}]")
        if not self._streams:
            return 0
        hits = Hits(self._streams, self._indices.store.schema, self._now_ns, self._run)
        return hits.count(parse_query(body.get("query"), self._now_ns))

    def _run(self, query: Query, rows: int) -> Sequence[tuple[Any, ...]]:
        limits = replace(self._indices.limits, rows=max(rows, 1) + 1)
        return self._indices.store.run(query, limits, GONE.get()).rows

    def _documents(self, page: Sequence[Hit]) -> list[tuple[Hit, dict[str, Any]]]:
        held = self._sources([(hit.stream, hit.seq) for hit in page])
        return [(hit, held[hit.stream, hit.seq]) for hit in page if (hit.stream, hit.seq) in held]

    def _sources(self, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], dict[str, Any]]:
        """Return the documents at places that have one."""
        by_stream: dict[str, list[int]] = {}
        for stream, seq in places:
            by_stream.setdefault(stream, []).append(seq)
        return {
            (stream, seq): source(stream, record)
            for stream, seqs in by_stream.items()
            for seq, record in self._indices.store.records(stream, seqs).items()
        }

    def _shown(self, hit: Hit, document: Mapping[str, Any], request: Request) -> dict[str, Any]:
        out: dict[str, Any] = {"_index": hit.stream, "_id": hit.id, "_score": None if request.sort else 1.0}
        if request.source.shown:
            out["_source"] = request.source.apply(document)
        if request.fields:
            out["fields"] = _fields(hit.stream, document, request.fields)
        if request.sort:
            out["sort"] = list(hit.sort)
        return out

    def _top(self, about: Aggregation, places: list[list[Any]], count: int) -> dict[str, Any]:
        """Return the documents of `top_hits`."""
        shown: SourceFilter = source_filter(about.params.get("_source"))
        held = self._sources([(stream, seq) for stream, seq, _ in places])
        found = []
        for stream, seq, identifier in places:
            if (document := held.get((stream, seq))) is None:
                continue
            hit: dict[str, Any] = {"_index": stream, "_id": identifier, "_score": 1.0}
            if shown.shown:
                hit["_source"] = shown.apply(document)
            found.append(hit)
        return {"hits": {"total": {"value": count, "relation": "eq"}, "max_score": 1.0, "hits": found}}


def _hits(shown: list[dict[str, Any]], count: int, request: Request) -> dict[str, Any]:
    out: dict[str, Any] = {"max_score": 1.0 if shown and not request.sort else None, "hits": shown}
    return out if request.counted is False else {"total": {"value": count, "relation": "eq"}, **out}


def _fields(stream: str, document: Mapping[str, Any], wanted: Sequence[tuple[str, str]]) -> dict[str, list[Any]]:
    """Return the values that `fields` and `docvalue_fields` name, always as lists."""
    flat: dict[str, list[Any]] = {}
    _flatten(document, "", flat)
    out: dict[str, list[Any]] = {}
    forms: dict[str, str] = {}
    for name, form in wanted:
        for field in flat if name == "*" else [name.removesuffix(".keyword") if name not in flat else name]:
            if field in flat:
                out[name if name != "*" else field] = flat[field]
                forms[name if name != "*" else field] = form
    for name, form in forms.items():
        if form and is_time_field(stream, name):
            out[name] = [_formatted(value, form) for value in out[name]]
    return out


def _formatted(value: Any, form: str) -> Any:
    from treering.model.times import rfc3339_ns

    instant = rfc3339_ns(value) if isinstance(value, str) else None
    return value if instant is None else formatted(instant, form)


def _flatten(value: Any, path: str, out: dict[str, list[Any]]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _flatten(inner, f"{path}.{name}" if path else name, out)
    elif isinstance(value, list):
        for inner in value:
            _flatten(inner, path, out)
    elif value is not None:
        out.setdefault(path, []).append(value)


def count(indices: Indices, request: HttpRequest) -> Response:
    """Answer `_count`: how many documents match."""
    body = _elastic.json_object(request)
    if text := request.query.get("q"):
        body["query"] = {"query_string": {"query": text}}
    infos = found(indices, request)
    if not infos and _named(request):
        return no_index(request, request.params["index"])
    total = len(infos)
    counted = _Search(indices, [info.name for info in infos]).count(body)
    return _elastic.answer(request, {"count": counted, "_shards": {"total": total, "successful": total, **_SHARDS}})


def several(indices: Indices, request: HttpRequest) -> Response:
    """Answer `_msearch`: searches in pairs of lines, each with its own answer or error."""
    lines = [line for line in request.body.split(b"\n") if line.strip()]
    if len(lines) % 2 or len(lines) > 2 * MAX_SEARCHES:
        raise UserError(f"_msearch takes up to {MAX_SEARCHES} pairs of lines, a header and a search")
    answers = [_one(indices, request, *pair) for pair in zip(lines[::2], lines[1::2], strict=True)]
    return _elastic.answer(request, {"took": sum(one.get("took", 0) for one in answers), "responses": answers})


def _one(indices: Indices, request: HttpRequest, header: bytes, body: bytes) -> dict[str, Any]:
    try:
        head = _elastic.json_object(HttpRequest("POST", "", body=header))
        index = head.get("index", request.params.get("index", "*"))
        pattern = ",".join(index) if isinstance(index, list) else str(index)
        streams = _streams(indices, pattern)
        if not streams and "*" not in pattern and not head.get("ignore_unavailable"):
            cause = _elastic.cause(_elastic.NO_INDEX, f"no such index [{pattern[:255]}]", index=pattern[:255])
            return {"error": {"root_cause": [cause], **cause}, "status": 404}
        asked = _elastic.json_object(HttpRequest("POST", "", body=body))
        return {**_Search(indices, streams).answer(asked), "status": 200}
    except UserError as error:
        cause = _elastic.cause(_elastic.ILLEGAL, error.message)
        return {"error": {"root_cause": [cause], **cause}, "status": 400}


class _Scroll(msgspec.Struct):
    """Where a scroll goes on: nothing of it is kept by the server."""

    pattern: str
    body: dict[str, Any]
    seen: int
    newest: int


def _scroll_id(pattern: str, body: dict[str, Any], answer: dict[str, Any], newest: int, seen: int = 0) -> str:
    state = _Scroll(pattern, body, seen + len(answer["hits"]["hits"]), newest)
    return base64.urlsafe_b64encode(msgspec.json.encode(state)).decode()


def scroll(indices: Indices, request: HttpRequest) -> Response:
    """Answer the next page of a scroll; documents that were stored after it began are left out."""
    body = _elastic.json_object(request)
    identifier = str(body.get("scroll_id", request.query.get("scroll_id", "")))
    try:
        state = msgspec.json.decode(base64.urlsafe_b64decode(identifier), type=_Scroll)
    except (ValueError, msgspec.DecodeError) as error:
        raise UserError("Cannot parse scroll id") from error
    pages = _Search(indices, _streams(indices, state.pattern))
    answer = pages.answer({**state.body, "from": 0, **_place(state)}, until=state.newest)
    hits = answer["hits"]["hits"]
    if hits:
        state.body["search_after"] = hits[-1]["sort"]
    answer["_scroll_id"] = _scroll_id(state.pattern, state.body, answer, state.newest, state.seen)
    return _elastic.answer(request, answer)


def _place(state: _Scroll) -> dict[str, Any]:
    return {} if "search_after" in state.body or not state.seen else {"from": state.seen}


def end_scroll(_indices: Indices, request: HttpRequest) -> Response:
    """Answer the end of scrolls: nothing was kept for them."""
    return _elastic.answer(request, {"succeeded": True, "num_freed": 1})


# Handlers that only read: nobody works on them any longer when their caller has left.
READING = frozenset((search, count, several, scroll))

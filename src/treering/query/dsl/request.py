"""The body of `_search`, decoded."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError
from treering.query.dsl import queries
from treering.query.dsl.aggregations import Aggregation
from treering.query.dsl.aggregations import parse as parse_aggregations

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.query.lucene import Query

MAX_WINDOW = 10_000
# What changes nothing about the rows here, and what clients send without needing it.
_IGNORED = frozenset(
    {
        "timeout", "version", "seq_no_primary_term", "track_scores", "explain", "profile", "stored_fields", "highlight",
        "script_fields", "preference", "request_cache", "batched_reduce_size", "min_score", "terminate_after",
        "ext", "stats", "indices_boost", "allow_partial_search_results", "runtime_mappings",
    }
)  # fmt: skip
_EMPTY_ONLY = frozenset({"script_fields", "runtime_mappings", "min_score"})


@dataclass(frozen=True, slots=True)
class SortKey:
    """A field to sort by; `missing_last` says where records without it go; `form` a date format for its values."""

    field: str
    descending: bool = False
    missing_last: bool = True
    form: str = ""


@dataclass(frozen=True, slots=True)
class SourceFilter:
    """Which members of a document are shown; patterns with `*`."""

    shown: bool = True
    includes: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()

    def apply(self, document: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
        """Return the document with only the members that are shown."""
        if not self.includes and not self.excludes:
            return dict(document)
        out: dict[str, Any] = {}
        for name, value in document.items():
            path = prefix + name
            if any(_covers(pattern, path) for pattern in self.excludes):
                continue
            if not self.includes or any(_covers(pattern, path) for pattern in self.includes):
                out[name] = SourceFilter(True, (), self.excludes).apply(value, f"{path}.") if _is(value) else value
            elif _is(value) and (inner := self.apply(value, f"{path}.")):
                out[name] = inner
        return out


def _is(value: Any) -> bool:
    return isinstance(value, dict)


def _covers(pattern: str, path: str) -> bool:
    return fnmatchcase(path, pattern) or path.startswith(f"{pattern}.")


@dataclass(frozen=True, slots=True)
class Request:
    """One search: what matches, which page of it in which order, and what is computed over all of it."""

    query: Query
    size: int = 10
    start: int = 0
    sort: tuple[SortKey, ...] = ()
    after: tuple[Any, ...] | None = None
    source: SourceFilter = SourceFilter()
    fields: tuple[tuple[str, str], ...] = ()
    aggregations: tuple[Aggregation, ...] = ()
    counted: bool | int = MAX_WINDOW
    post: Query | None = None
    until: int | None = None
    """The greatest `_seq` that is looked at; later documents are not there."""


def parse(body: Mapping[str, Any], now_ns: int) -> Request:
    """Return the request that a JSON body makes. Raises `UserError` naming what is not supported."""
    known = {
        "query", "size", "from", "sort", "search_after", "_source", "fields", "docvalue_fields", "aggs",
        "aggregations", "track_total_hits", "post_filter",
    }  # fmt: skip
    for name in body:
        if name not in known and name not in _IGNORED:
            raise UserError(f"unknown key [{name[:80]}] in a search", hint=f"known: {', '.join(sorted(known))}")
        if name in _EMPTY_ONLY and body[name]:
            raise UserError(f"[{name}] is not supported")
    size, start = _count(body, "size", 10), _count(body, "from", 0)
    if size + start > MAX_WINDOW:
        raise UserError(
            f"Result window is too large, from + size must be less than or equal to: [{MAX_WINDOW}]",
            hint="page with search_after",
        )
    sort = sort_keys(body.get("sort"))
    after = body.get("search_after")
    if after is not None and (not isinstance(after, list) or len(after) != len(sort)):
        raise UserError("search_after takes one value for each sort field")
    post = body.get("post_filter")
    return Request(
        query=queries.query(body.get("query"), now_ns),
        size=size,
        start=start,
        sort=sort,
        after=None if after is None else tuple(after),
        source=source_filter(body.get("_source")),
        fields=(*_fields(body.get("fields")), *_fields(body.get("docvalue_fields"))),
        aggregations=parse_aggregations(body.get("aggs", body.get("aggregations")), now_ns),
        counted=body.get("track_total_hits", MAX_WINDOW),
        post=None if post is None else queries.query(post, now_ns),
    )


def _count(body: Mapping[str, Any], name: str, default: int) -> int:
    value = body.get(name, default)
    if isinstance(value, str) and value.isdigit():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise UserError(f"[{name}] is a number from 0")
    return value


def sort_keys(body: Any) -> tuple[SortKey, ...]:
    """Return the keys of a `sort`; `_score` and `_doc` keep the order of storing."""
    found = [_sort_key(one) for one in (body if isinstance(body, list) else [] if body is None else [body])]
    return tuple(found)


def _sort_key(one: Any) -> SortKey:
    if isinstance(one, str):
        name, _, order = one.partition(":")
        return SortKey(name, order == "desc" or (not order and name == "_score"))
    if not isinstance(one, dict) or len(one) != 1:
        raise UserError("a sort key is a field's name, or an object with one")
    ((field, options),) = one.items()
    if isinstance(options, str):
        options = {"order": options}
    if not isinstance(options, dict) or "script" in options or field in {"_script", "_geo_distance"}:
        raise UserError(f"sorting by [{str(field)[:80]}] is not supported")
    missing = options.get("missing", "_last")
    if missing not in {"_first", "_last"}:
        raise UserError("[missing] of a sort is _first or _last")
    order = str(options.get("order", "desc" if field == "_score" else "asc")).lower()
    return SortKey(field, order == "desc", missing == "_last", str(options.get("format", "")))


def source_filter(body: Any) -> SourceFilter:
    """Return what `_source` asks for: true, false, a pattern, a list of them, or includes and excludes."""
    if body is None or isinstance(body, bool):
        return SourceFilter(body is not False)
    if isinstance(body, str | list):
        return SourceFilter(True, _names(body))
    if isinstance(body, dict):
        return SourceFilter(
            True, _names(body.get("includes", body.get("include"))), _names(body.get("excludes", body.get("exclude")))
        )
    raise UserError("[_source] is a boolean, a list of fields, or an object with includes and excludes")


def _names(value: Any) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(item) for item in (value if isinstance(value, list) else [value]))


def _fields(value: Any) -> tuple[tuple[str, str], ...]:
    out = []
    for one in value if isinstance(value, list) else []:
        if isinstance(one, dict):
            out.append((str(one.get("field", "")), str(one.get("format", ""))))
        else:
            out.append((str(one), ""))
    return tuple(out)

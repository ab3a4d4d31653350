"""JSON objects around an array of records, as APIs answer and clouds export: which they are, and what is in them.

Only objects that say nothing but what such lists say of themselves: pages, counts, kinds. One with anything else is a
record that holds an array, and stays one.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

DEEPEST = 2
_NAMES = (
    "items|Items|Records|records|events|Events|data|entries|value|rows|results|logs|runs|traces|spans|observations|hits"
)
_OUTER = "hits|log|response|result|data"
_TEXT = r'"(?:[^"\\]++|\\.)*+"'
_SCALAR = rf"(?:{_TEXT}|[-+\w.]++|\{{[^{{}}\[\]]*+\}}|\[[^{{}}\[\]]*+\])"
_MEMBERS = rf"(?:\s*+{_TEXT}\s*+:\s*+{_SCALAR}\s*+,)*+"
_OPENS = re.compile(
    rf'\{{{_MEMBERS}\s*+(?:"(?:{_OUTER})"\s*:\s*\{{{_MEMBERS}\s*+)?"(?:{_NAMES})"\s*:\s*\[\s*\{{'
    r'(?!\s*"object"\s*:\s*"embedding")'
)
ARRAY = re.compile(rf'\s*"(?:{_NAMES})"\s*:\s*\[\s*\{{?\s*$')
_KEY = re.compile(r'^\s*"((?:[^"\\]|\\.)*)"\s*:')
# What lists of Kubernetes, OpenSearch, CloudWatch, OData, HAR, OpenAI, Langfuse, Loki and others say of themselves.
_OF_LISTS = frozenset({
    "kind", "apiVersion", "metadata", "object", "has_more", "hasMore", "first_id", "last_id", "next", "previous",
    "prev", "next_page", "nextPage", "next_page_token", "nextPageToken", "nextToken", "next_token", "NextToken",
    "nextLink", "nextForwardToken", "nextBackwardToken", "cursor", "cursors", "next_cursor", "nextCursor", "page",
    "pages", "pageSize", "page_size", "per_page", "totalPages", "total_pages", "limit", "offset", "total", "totalCount",
    "total_count", "totalItems", "count", "size", "took", "timed_out", "_shards", "_scroll_id", "pit_id", "max_score",
    "status", "success", "errors", "warnings", "code", "version", "creator", "browser", "meta", "links", "_links",
    "paging", "pagination", "resultType", "stats", "searchStatistics", "searchedLogStreams", "ResponseMetadata",
    "$schema", "schemaVersion",
})  # fmt: skip
_HEAD = 65_536


def opens(line: str) -> bool:
    """Whether a stream whose first line is `line` holds such objects, each in one line."""
    return line.startswith("{") and _OPENS.match(line[:_HEAD]) is not None


def taken(line: str) -> list[str] | None:
    """Return the records of such an object as lines; None where it is none."""
    if not opens(line):
        return None
    try:
        whole = msgspec.json.decode(line.rstrip().rstrip(","))
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    found = _records(whole) if type(whole) is dict else None
    return None if found is None else [msgspec.json.encode(_unpacked(one)).decode() for one in found]


def _records(whole: dict[str, Any]) -> list[dict[str, Any]] | None:
    held = [whole, *(whole[name] for name in _OUTER.split("|") if type(whole.get(name)) is dict)]
    arrays = [one[name] for one in held for name in _NAMES.split("|") if type(one.get(name)) is list]
    found: list[Any] = max(arrays, key=len, default=[])
    if not found or not all(type(one) is dict for one in found):
        return None
    return found if all(is_of_lists(name) for one in held for name in one) else None


def is_around(lines: list[str]) -> bool:
    """Whether an object that begins with these lines says nothing of its own that a record would."""
    keys = [(len(line) - len(line.lstrip()), name) for line in lines if (name := key_of(line)) is not None]
    outermost = min(keys, default=(0, ""))[0]
    return len(lines) < 100 and all(is_of_lists(name) for indent, name in keys if indent == outermost)


def key_of(line: str) -> str | None:
    """Return the name of the member that a line of printed JSON begins."""
    found = _KEY.match(line)
    return found[1] if found else None


def is_of_lists(name: str) -> bool:
    """Whether a list says something of itself under this name, or holds its records there."""
    return name in _OF_LISTS or name.startswith("@odata.") or name in _OUTER.split("|") or name in _NAMES.split("|")


def inner(line: str) -> str:
    """Return the document of a search's hit as a line, any other record as it is."""
    if '"_source"' not in line:
        return line
    try:
        return msgspec.json.encode(_unpacked(msgspec.json.decode(line))).decode()
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return line


def _unpacked(one: Any) -> Any:
    source = one.get("_source") if type(one) is dict else None
    return {**source, **{name: one[name] for name in ("_index", "_id") if name in one}} if type(source) is dict else one

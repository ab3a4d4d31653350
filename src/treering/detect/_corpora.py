"""Documents of corpora as telemetry names them: what was retrieved for a question, what was written into a collection.

Retrieved ones are in `gen_ai.retrieval.documents`; written ones in a span or record whose `db.operation.name` is a
writing one, in `db.documents` (the same form) or as `document.content` with `document.id` and `document.source`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from treering.detect._whom import Whom

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treering.model.rows import Rows

RETRIEVED, WRITTEN = "attributes.gen_ai.retrieval.documents", "attributes.db.documents"
_CONTENT, _ID, _SOURCE = "attributes.document.content", "attributes.document.id", "attributes.document.source"
_OPERATION, _QUERY = "attributes.db.operation.name", "attributes.gen_ai.retrieval.query.text"
_COLLECTIONS = ("attributes.gen_ai.data_source.id", "attributes.db.collection.name")
_WRITES = ("insert", "upsert", "create", "add", "put", "write", "import", "upload", "update", "batch")
_SOURCES = ("source", "url", "uri", "author", "uploader", "created_by", "origin", "domain", "file_name", "path")
_TEXTS = ("content", "page_content", "text", "document")
MAX_TEXT = 20_000
_MOST = 100


class Shown(NamedTuple):
    """A document that record number `row` names; `source` is where it came from, as far as its metadata say."""

    row: int
    collection: str
    id: str
    text: str
    source: str
    query: str
    who: str
    field: str

    @property
    def written(self) -> bool:
        """Whether it was written rather than retrieved."""
        return self.field != RETRIEVED


def shown(rows: Rows) -> Iterator[Shown]:
    """Yield the documents of a batch in the order of its records, at most 100 of each. Never raises for odd content."""
    whom = Whom(rows)
    if rows.has(RETRIEVED):
        yield from _listed(rows, whom, RETRIEVED)
    if not rows.has(_OPERATION):
        return
    if rows.has(WRITTEN):
        yield from (item for item in _listed(rows, whom, WRITTEN) if _writes(rows, item.row))
    if rows.has(_CONTENT):
        for row, text in enumerate(rows.texts(_CONTENT)):
            if text and _writes(rows, row):
                name, source = (rows.text(field, row) or "" for field in (_ID, _SOURCE))
                yield Shown(row, _collection(rows, row), name, text[:MAX_TEXT], source, "", whom.actor(row), _CONTENT)


def _listed(rows: Rows, whom: Whom, field: str) -> Iterator[Shown]:
    for row, value in enumerate(rows.values(field)):
        items = _items(value) if value else ()
        if not items:
            continue
        collection, who = _collection(rows, row), whom.actor(row)
        query = (rows.texts(_QUERY)[row] or "") if field == RETRIEVED else ""
        for item in items[:_MOST]:
            if isinstance(item, dict):
                name, text = str(item.get("id") or "")[:200], _text(item)
                if name or text:
                    yield Shown(row, collection, name, text, _source(item), query[:2000], who, field)


def _items(value: object) -> list[Any]:
    if isinstance(value, str):
        try:
            value = msgspec.json.decode(value)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return []
    return value if isinstance(value, list) else []


def _collection(rows: Rows, row: int) -> str:
    return next((found for name in _COLLECTIONS if (found := rows.texts(name)[row])), "")[:200]


def _writes(rows: Rows, row: int) -> bool:
    operation = (rows.texts(_OPERATION)[row] or "").lower()
    return any(word in operation for word in _WRITES)


def _text(item: Mapping[str, Any]) -> str:
    found = next((item[name] for name in _TEXTS if isinstance(item.get(name), str)), "")
    return str(found)[:MAX_TEXT]


def _source(item: Mapping[str, Any]) -> str:
    metadata = item.get("metadata")
    for held in (metadata, item):
        if isinstance(held, dict):
            found = next((held[name] for name in _SOURCES if isinstance(held.get(name), str) and held[name]), "")
            if found:
                return _site(str(found))
    return ""


def _site(source: str) -> str:
    """Return the host of an address, else the source as it is: pages of one site are one source."""
    return source.split("/", 3)[2][:200].lower() if "://" in source and source.count("/") > 1 else source[:200]

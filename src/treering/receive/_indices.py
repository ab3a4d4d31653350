"""Streams as OpenSearch's clients know them: indexes with templates, policies and other names.

A stream is an index of the same name. Templates give new streams their mapping. A rollover index with a write alias
(`filebeat-7.17.29-2026.11.24-000001` behind `filebeat-7.17.29`) is kept under the alias: segments do what rollover is
for, and the alias is the name that queries use.
"""

from __future__ import annotations

import asyncio
import threading
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from treering.core.errors import UserError
from treering.core.files import replaced
from treering.receive import _index_names, _mappings
from treering.stage.store import Limits

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from treering.core.clock import Clock
    from treering.model.batch import Batch
    from treering.model.schema import StreamSchema
    from treering.stage.store import Query, Result, StreamInfo

MAX_ENTRIES = 2000
_DEFAULT_LIMITS = Limits()


class Documents(Protocol):
    """What the OpenSearch API needs of a store."""

    def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = ...) -> int:
        """Make all rows durable, delete those that `tombstones` names, return the `_seq` of the first new one."""
        ...

    def find_ids(self, stream: str, ids: Sequence[str]) -> Mapping[str, int]:
        """Return the `_seq` of each id that there is."""
        ...

    def record(self, stream: str, seq: int) -> Mapping[str, Any] | None:
        """Return one record as its sender wrote it, or None."""
        ...

    def records(self, stream: str, seqs: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """Return the records with these numbers as their senders wrote them."""
        ...

    def run(self, query: Query, limits: Limits, cancel: threading.Event | None = None) -> Result:
        """Answer a query. Raises `UserError` at a limit."""
        ...

    def newest_seq(self) -> int:
        """Return the `_seq` of the record appended last, -1 before the first."""
        ...

    def streams(self, pattern: str = "*") -> list[StreamInfo]:
        """Return the streams that match."""
        ...

    def schema(self, streams: Sequence[str]) -> StreamSchema:
        """Return the merged schema of streams. Raises `UserError` when none matches."""
        ...

    def create(self, stream: str, mapping: Mapping[str, Any]) -> None:
        """Create an empty stream. Raises `UserError` when it exists."""
        ...

    def put_mapping(self, stream: str, mapping: Mapping[str, Any]) -> None:
        """Add fields to a stream's mapping. Raises `UserError` on a change of type."""
        ...

    def delete(self, stream: str) -> bool:
        """Delete a stream; returns whether it existed."""
        ...


class State(msgspec.Struct):
    """What clients have set up, by name; `names` are rollover indexes and the alias each is kept under."""

    index_templates: dict[str, Any] = {}
    component_templates: dict[str, Any] = {}
    templates: dict[str, Any] = {}
    policies: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    names: dict[str, str] = {}


class Indices:
    """Names, templates and the store behind them; safe to use from any thread."""

    def __init__(
        self, store: Documents, clock: Clock, path: Path | None = None, limits: Limits = _DEFAULT_LIMITS
    ) -> None:
        """Work on `store`; remember templates and names in the file `path`, or only as long as the process runs.

        `limits` are those of one query of a search; the rows are bounded by what the search asks for.
        """
        self.store = store
        self.limits = limits
        self.clock = clock
        self._path = path
        self._lock = threading.Lock()
        self._known: set[str] = set()
        self.writing = asyncio.Lock()  # held from looking an id up until what follows from it is stored
        self.state = State()
        if path is not None and path.exists():
            self.state = _read(path)

    def resolve(self, name: str) -> str:
        """Return the stream that an index name, alias or date math expression means. Raises `UserError`."""
        resolved = _index_names.resolve(name, self.clock.now_ns())
        resolved = self.state.names.get(resolved, resolved)
        if problem := _index_names.problem(resolved):
            raise UserError(f"Invalid index name [{name[:255]}], {problem}")
        return resolved

    def ensure(self, stream: str) -> None:
        """Create `stream` with the mapping of its templates if it is not there yet and some template matches."""
        if stream in self._known:
            return
        mapping = self.template_mapping(stream)
        if mapping and not self.store.streams(stream):
            try:
                self.store.create(stream, mapping)
            except UserError:
                if not self.store.streams(stream):  # else another request was faster
                    raise
        self._known.add(stream)

    def create(self, name: str, body: Mapping[str, Any]) -> str:
        """Create an index as the body of `PUT /{index}` says; returns its resolved name. Raises `UserError`."""
        index = _index_names.resolve(name, self.clock.now_ns())
        if problem := _index_names.problem(index):
            raise UserError(f"Invalid index name [{index[:255]}], {problem}")
        alias = _write_alias(body.get("aliases"))
        stream = alias or index
        if index not in self.state.names:
            own = body.get("mappings") or {}
            if not isinstance(own, dict):
                raise UserError("Failed to parse mapping: an object is expected")
            mapping = _merged(self.template_mapping(index), _mappings.checked(own))
            if not alias or not self.store.streams(stream):
                self.store.create(stream, mapping)
        self._known.add(stream)
        if alias and alias != index:
            self.put("names", index, alias)
        return index

    def delete(self, name: str) -> bool:
        """Delete an index and its records; returns whether there was one."""
        stream = self.resolve(name)
        self._known.discard(stream)
        for other in [index for index, alias in self.state.names.items() if alias == stream]:
            self.remove("names", other)
        return self.store.delete(stream)

    def exists(self, pattern: str) -> bool:
        """Whether an index of this name, or matching one of these comma-separated patterns, is there."""
        return any(self.matching(part) for part in pattern.split(","))

    def matching(self, pattern: str) -> list[StreamInfo]:
        """Return the streams that a name or a pattern with `*` selects."""
        pattern = "*" if pattern == "_all" else pattern
        return self.store.streams(self.state.names.get(pattern, pattern))

    def put(self, kind: str, name: str, value: Any) -> None:
        """Keep `value` under `name` in one of the tables of `State`. Raises `UserError` when there are too many."""
        with self._lock:
            table = getattr(self.state, kind)
            if name not in table and len(table) >= MAX_ENTRIES:
                raise UserError(f"no more than {MAX_ENTRIES} {kind.replace('_', ' ')} are kept")
            table[name] = value
            self._save()

    def remove(self, kind: str, name: str) -> bool:
        """Forget `name`; returns whether it was known."""
        with self._lock:
            found = getattr(self.state, kind).pop(name, None) is not None
            if found:
                self._save()
            return found

    def _save(self) -> None:
        if self._path is not None:
            replaced(self._path, msgspec.json.encode(self.state))

    def template_mapping(self, stream: str) -> dict[str, Any]:
        """Return the mapping that the templates give a new stream: the index template of highest priority, else
        the legacy ones in their order."""
        state = self.state
        matching = [body for body in state.index_templates.values() if _applies(body, stream)]
        if matching:
            best = max(matching, key=lambda body: _number(body.get("priority")))
            parts = [state.component_templates.get(name, {}) for name in _strings(best.get("composed_of"))]
            mappings = [_mapping_in(part) for part in [*parts, best]]
        else:
            legacy = [body for body in state.templates.values() if _applies(body, stream)]
            legacy.sort(key=lambda body: _number(body.get("order")))
            mappings = [_mapping_in({"template": body}) for body in legacy]
        out: dict[str, Any] = {}
        for mapping in mappings:
            out = _merged(out, mapping)
        return _mappings.cleaned(out)


def _read(path: Path) -> State:
    try:
        return msgspec.json.decode(path.read_bytes(), type=State)
    except (OSError, msgspec.DecodeError) as error:
        raise UserError(f"cannot read {path}: {error}", hint="it holds only templates; move it away") from error


def _applies(body: Any, stream: str) -> bool:
    patterns = body.get("index_patterns", body.get("template")) if isinstance(body, dict) else None
    return any(fnmatchcase(stream, pattern) for pattern in _strings(patterns))


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str)]


def _number(value: Any) -> float:
    return value if isinstance(value, int | float) else 0


def _mapping_in(body: Any) -> dict[str, Any]:
    inner = body.get("template") if isinstance(body, dict) else None
    mapping = inner.get("mappings") if isinstance(inner, dict) else None
    return mapping if isinstance(mapping, dict) else {}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return `below` with `above` laid over it, objects joined member by member."""
    out = dict(below)
    for name, value in above.items():
        held = out.get(name)
        out[name] = _merged(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return out


def _write_alias(aliases: Any) -> str | None:
    if not isinstance(aliases, dict):
        return None
    for name, body in aliases.items():
        if isinstance(body, dict) and body.get("is_write_index") and not _index_names.problem(name):
            return str(name)
    return None

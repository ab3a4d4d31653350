"""Bulk items that name their document: create once, replace, update, delete (docs.opensearch.org, Bulk API).

Items act in order, also upon each other. A version is 1 for a new document and 2 for a replaced one: treering keeps
no count of versions. Scripts are refused.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.core.errors import Bug
from treering.core.ids import row_seq
from treering.model.schema import is_time_field
from treering.model.times import format_ns
from treering.receive import _elastic
from treering.receive._bulk_plan import Failure, Place, Plan

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.receive._bulk_lines import Action
    from treering.receive._bulk_plan import Group

Record = dict[str, Any]


def is_keyed(action: Action) -> bool:
    """Whether an action concerns a document that may be there already."""
    return action.id is not None


class KeyedPlan(Plan):
    """A plan that looks documents up by id before it changes anything."""

    def place_all(self) -> list[Place | Failure]:
        """Return what becomes of each item, items with an id seeing what those before them did."""
        self._held: dict[tuple[str, str], int | tuple[Group, int]] = {}
        self._look_up()
        return super().place_all()

    def place(self, action: Action, document: Record | None, problem: str | None) -> Place | Failure:
        """Return what becomes of one item."""
        group = self.group(action.target)
        if action.id is None or group.problem or problem:
            return super().place(action, document, problem)
        if action.operation == "delete":
            return self._delete(group, action.id)
        if document is None:
            return super().place(action, document, problem)
        if action.operation == "update":
            return self._update(group, action.id, document)
        held = (group.stream, action.id) in self._held
        if action.operation == "create" and held:
            reason = f"[{action.id}]: version conflict, document already exists (current version [1])"
            return Failure(409, _elastic.cause(_elastic.CONFLICT, reason, index=group.stream))
        return self._write(group, action.id, document)

    def _look_up(self) -> None:
        wanted: dict[str, set[str]] = {}
        for action, _, problem in self.items:
            if action.id is not None and problem is None and not self.group(action.target).problem:
                wanted.setdefault(self.group(action.target).stream, set()).add(action.id)
        for stream, ids in wanted.items():
            for identifier, seq in find(self._store, stream, sorted(ids)).items():
                self._held[stream, identifier] = seq

    @property
    def _store(self) -> Any:
        if self.indices is None:
            raise Bug("a keyed plan was made without a store")
        return self.indices.store

    def _write(self, group: Group, identifier: str, document: Record) -> Place:
        held = self._remove(group, identifier)
        row = group.add(document, identifier)
        self._held[group.stream, identifier] = (group, row)
        return Place(group, row, "updated", 200, 2) if held is not None else Place(group, row)

    def _remove(self, group: Group, identifier: str) -> int | tuple[Group, int] | None:
        held = self._held.pop((group.stream, identifier), None)
        if isinstance(held, int):
            self.tombstones.setdefault(group.stream, []).append(held)
        elif held is not None:
            held[0].replace(held[1])
        return held

    def _delete(self, group: Group, identifier: str) -> Place:
        held = self._remove(group, identifier)
        if held is None:
            return Place(None, 0, "not_found", 404)
        return Place(None, held if isinstance(held, int) else 0, "deleted", 200, 2)

    def _update(self, group: Group, identifier: str, body: Record) -> Place | Failure:
        change, upsert = body.get("doc"), body.get("upsert")
        if "script" in body or not (isinstance(change, dict) or isinstance(upsert, dict)):
            reason = "scripts are not supported, send a partial doc" if "script" in body else "doc is missing"
            return Failure(400, _elastic.cause(_elastic.ILLEGAL, reason))
        current = self._current(group, identifier)
        if current is None:
            fresh = change if body.get("doc_as_upsert") else upsert
            if not isinstance(fresh, dict):
                reason = f"[{identifier}]: document missing"
                return Failure(404, _elastic.cause("document_missing_exception", reason, index=group.stream))
            return self._write(group, identifier, fresh)
        merged = _merge(current, change) if isinstance(change, dict) else current
        if merged != current or body.get("detect_noop") is False:
            return self._write(group, identifier, merged)
        held = self._held[group.stream, identifier]
        return Place(None, held, "noop", 200) if isinstance(held, int) else Place(*held, "noop", 200)

    def _current(self, group: Group, identifier: str) -> Record | None:
        held = self._held.get((group.stream, identifier))
        if held is None:
            return None
        if isinstance(held, int):
            return source(group.stream, self._store.record(group.stream, held) or {})
        return dict(held[0].records[held[1]] or {})


def find(store: Any, stream: str, ids: list[str]) -> dict[str, int]:
    """Return the `_seq` of each id that there is, those included that treering made from a `_seq`."""
    found: dict[str, int] = dict(store.find_ids(stream, ids))
    for identifier in ids:
        seq = None if identifier in found else row_seq(identifier)
        if seq is not None and store.record(stream, seq) is not None:
            found[identifier] = seq
    return found


def source(stream: str, record: Mapping[str, Any], prefix: str = "") -> Record:
    """Return a stored record as `_source`: its instants, which are nanoseconds in the store, as RFC 3339."""
    out: Record = {}
    for name, value in record.items():
        if isinstance(value, dict):
            out[name] = source(stream, value, f"{prefix}{name}.")
        elif isinstance(value, int) and is_time_field(stream, prefix + name) and not isinstance(value, bool):
            out[name] = format_ns(value)
        else:
            out[name] = value
    return out


def _merge(below: Record, above: Mapping[str, Any]) -> Record:
    out = dict(below)
    for name, value in above.items():
        held = out.get(name)
        out[name] = _merge(held, value) if isinstance(held, dict) and isinstance(value, dict) else value
    return out

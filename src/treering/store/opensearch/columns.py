"""Which fields of a stream are indexed in OpenSearch, and as what; what it would refuse is kept without being indexed.

OpenSearch gives each path one type and refuses or silently skips values of another. So the first kind of value that a
path has in a stream decides its type; values of other kinds, and fields beyond the limit, are kept beside it and named
in `treering.left`, so that a condition on a field can always be stated exactly or with "or it was left out".
"""

from __future__ import annotations

import threading
from enum import Enum
from typing import TYPE_CHECKING, Any

from treering.model.columns import OWN, SYSTEM, Kind, logical, split, unescape

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = "treering"
_DEEPEST = 18
_LONGEST_NAME = 1000
# Longer texts are not in the index of whole values; Lucene takes no term beyond 32,766 bytes.
LONGEST_TEXT = 8191
TEXTS = frozenset({"body", "message"})


class Place(Enum):
    """Where a value goes: indexed under its path, under its path without index, or into `treering.rest`."""

    INDEXED = "indexed"
    PLAIN = "plain"
    REST = "rest"


def path_of(pointer: str) -> str:
    """Return where in a document the values of a pointer are; our own are apart from the sender's."""
    return f"{ROOT}.own.{logical(pointer)}" if pointer.startswith(OWN) else logical(pointer)


class Columns:
    """The columns that records of one stream brought, in order, and the kinds of its paths."""

    def __init__(self, most: int, known: Iterable[tuple[str, str]] = ()) -> None:
        """Index at most `most` fields; `known` are the columns so far with what they made of their paths, in order."""
        self.order: dict[str, str] = {}
        self.kinds: dict[str, Kind] = {}
        self.lock = threading.Lock()
        self._objects: set[str] = set()
        self._most = most
        self.know(known)

    def know(self, known: Iterable[tuple[str, str]]) -> bool:
        """Take in columns with what they made of their paths (empty: nothing); returns whether any is new."""
        fresh = [(name, kind) for name, kind in known if name not in self.order]
        for name, kind in fresh:
            self.order[name] = kind
            if kind:
                self._claim(path_of(split(name)[0]), Kind(kind))
        return bool(fresh)

    def _claim(self, path: str, kind: Kind) -> None:
        self.kinds[path] = kind
        self._objects.update(_above(path))

    def add(self, name: str, items: Kind | None = None) -> bool:
        """Take a physical column in; returns whether it is new. `items` is the kind of the items of its lists."""
        if name in self.order or name in SYSTEM:
            return False
        pointer, kind = split(name)
        path = path_of(pointer)
        self.order[name] = ""
        if path not in self.kinds and len(self.kinds) < self._most and self._is_free(pointer, path):
            self.order[name] = (items or kind).value
            self._claim(path, items or kind)
        return True

    def claimed(self, names: Iterable[str]) -> list[str]:
        """Return the paths whose kind these columns decided."""
        return [path_of(split(name)[0]) for name in names if self.order[name]]

    def forget(self, names: Iterable[str]) -> None:
        """Take back what was added and could not be made known."""
        for name in names:
            if self.order.pop(name):
                del self.kinds[path_of(split(name)[0])]
        self._objects = {above for path in self.kinds for above in _above(path)}

    def _is_free(self, pointer: str, path: str) -> bool:
        if not _can_be_named(pointer) or path in self._objects:
            return False
        return not any(above in self.kinds for above in _above(path))

    def place(self, pointer: str, kind: Kind) -> Place:
        """Return where values of `kind` go under `pointer`; the column must have been added."""
        path = path_of(pointer)
        held = self.kinds.get(path)
        if held is not None:
            return Place.INDEXED if held is kind else Place.REST
        return Place.PLAIN if self._is_free(pointer, path) else Place.REST

    def properties(self, paths: Iterable[str]) -> dict[str, Any]:
        """Return the `properties` of a mapping with these paths."""
        top: dict[str, Any] = {}
        for path in paths:
            *above, last = path.split(".")
            level = top
            for step in above:
                level = level.setdefault(step, {}).setdefault("properties", {})
            level[last] = mapping_of(path, self.kinds[path])
        return top


def mapping_of(path: str, kind: Kind) -> dict[str, Any]:
    """Return the mapping of a field that holds values of `kind`."""
    if kind is Kind.STRING:
        words: dict[str, Any] = {"copy_to": f"{ROOT}.words"}
        whole = {"type": "keyword", "ignore_above": LONGEST_TEXT}
        if path in TEXTS:
            return {"type": "text", "fields": {"keyword": whole}} | words
        return whole | words
    if kind is Kind.JSON:
        return {"type": "object", "enabled": False}
    return {"type": {Kind.LONG: "long", Kind.DOUBLE: "double", Kind.BOOLEAN: "boolean", Kind.TIME: "date_nanos"}[kind]}


def _can_be_named(pointer: str) -> bool:
    """Whether OpenSearch takes the names of a pointer, and no sender's record has our own place in documents."""
    steps = [unescape(token) for token in pointer.removeprefix(OWN).split("/")]
    dotted = ".".join(steps).split(".")
    # OpenSearch has names of its own that begin so, at the top of a document; ours is ROOT.
    if not pointer.startswith(OWN) and (dotted[0] == ROOT or dotted[0].startswith("_")):
        return False
    return (
        len(dotted) <= _DEEPEST
        and all(part and part.strip() == part for part in dotted)
        and not any("\0" in part or "*" in part or len(part) > _LONGEST_NAME for part in dotted)
    )


def _above(path: str) -> list[str]:
    steps = path.split(".")
    return [".".join(steps[:count]) for count in range(1, len(steps))]

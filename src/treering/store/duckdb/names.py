"""Sets of column names, each kept once: segments of one stream mostly have the same ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.model.columns import SYSTEM, logical, split

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_MOST = 4096
_known: dict[tuple[str, ...], Names] = {}


class Names:
    """Column names in order of first appearance; equal only to itself, so it is cheap as a key."""

    __slots__ = ("_fields", "members", "order")

    def __init__(self, order: tuple[str, ...]) -> None:
        """Keep `order`; use `interned` to share equal ones."""
        self.order = order
        self.members = frozenset(order)
        self._fields: tuple[frozenset[str], frozenset[str]] | None = None

    def has(self, field: str) -> bool:
        """Whether records with these columns can have something under the logical name, its parents or members."""
        if self._fields is None:
            leaves = frozenset(logical(split(name)[0]) for name in self.order if name not in SYSTEM)
            self._fields = leaves, frozenset(above for leaf in leaves for above in _above(leaf))
        leaves, parents = self._fields
        return field in leaves or field in parents or any(above in leaves for above in _above(field))


def _above(name: str) -> Iterator[str]:
    position = name.find(".")
    while position > 0:
        yield name[:position]
        position = name.find(".", position + 1)


def interned(order: Iterable[str]) -> Names:
    """Return the shared object of these names."""
    key = tuple(dict.fromkeys(order))
    found = _known.get(key)
    if found is None:
        if len(_known) >= _MOST:
            _known.clear()
        found = _known[key] = Names(key)
    return found


EMPTY = Names(())


def union(groups: Iterable[Names]) -> Names:
    """Return all names of `groups`."""
    distinct = list(dict.fromkeys(groups))
    return distinct[0] if len(distinct) == 1 else interned(name for group in distinct for name in group.order)

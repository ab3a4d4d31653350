"""Where a stream's records are in the cluster, and how they are read: our own indexes, and those that others write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treering.model.columns import SYSTEM, Kind, logical, split
from treering.model.schema import is_time_field
from treering.store.opensearch.columns import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.store.opensearch.columns import Columns


@dataclass(frozen=True)
class Target:
    """One stream as it is searched: an index expression, and what is known about its fields.

    `columns` is set where treering writes the indexes itself; `mapping` is what the stream was declared with, or what
    the index of somebody else has.
    """

    stream: str
    indexes: str
    mapping: Mapping[str, Any]
    columns: Columns | None = None
    physical: tuple[str, ...] = ()
    time: str = f"{ROOT}.ns"
    shard: int | None = None

    @property
    def own(self) -> bool:
        """Whether treering writes the indexes."""
        return self.columns is not None

    def is_time(self, name: str) -> bool:
        """Whether the values under the logical `name` are instants."""
        if self.columns is None:
            return name == "@timestamp"
        return is_time_field(self.stream, name) or name in self._instants

    @property
    def _instants(self) -> frozenset[str]:
        names = list(self.columns.order) if self.columns is not None else []
        return frozenset(logical(split(name)[0]) for name in names if name.endswith(f":{Kind.TIME.value}"))

    def names(self) -> list[str]:
        """Return the physical columns that records may have."""
        found = list(self.columns.order) if self.columns is not None else list(self.physical)
        return [name for name in found if name not in SYSTEM]

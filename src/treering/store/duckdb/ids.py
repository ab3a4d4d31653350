"""Records by `_id`: per segment a sorted array of 64-bit hashes beside the numbers of their rows.

Hashes only point at candidates; the `_id` itself is compared in the segment, so two ids with one hash do no harm.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlglot import exp

from treering.model.columns import ID, SEQUENCE
from treering.store.duckdb import arrow, relation
from treering.store.duckdb.manifest import side

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    import duckdb
    from arro3.core import Table

    from treering.store.duckdb.catalog import Catalog, StreamView

_ENTRY = np.dtype([("hash", "<u8"), ("seq", "<i8")])


def _hashes(names: Iterable[str]) -> Any:
    digests = b"".join(hashlib.blake2b(name.encode(), digest_size=8).digest() for name in names)
    return np.frombuffer(digests, dtype="<u8")


def write(path: Path, table: Table) -> None:
    """Write the index of the rows of `table` that have an `_id`."""
    names = table.column(ID).to_pylist()
    seqs = arrow.integers(table.column(SEQUENCE))
    held = np.array([name is not None for name in names])
    entries = np.empty(int(held.sum()), dtype=_ENTRY)
    entries["hash"] = _hashes(name for name in names if name is not None)
    entries["seq"] = seqs[held]
    entries.sort(order=("hash", "seq"))
    path.write_bytes(entries.tobytes())


def find(
    cursor: duckdb.DuckDBPyConnection,
    catalog: Catalog,
    view: StreamView,
    ids: Collection[str],
    trouble: dict[str, str],
) -> dict[str, int]:
    """Return the number of the live record of each of `ids` that has one; note unreadable indexes in `trouble`."""
    found = catalog.unflushed_ids(view.name, ids)
    for item in reversed(view.segments):
        left = [name for name in dict.fromkeys(ids) if name not in found]
        if not left:
            break
        if "ids" not in item.traits or item.damage or catalog.folder is None:
            continue
        try:
            condition = _candidates(catalog.folder / side(item.file, "ids"), view, left)
        except (OSError, ValueError) as error:
            trouble[side(item.file, "ids")] = f"cannot read {side(item.file, 'ids')}: {error}"
            condition = exp.In(this=relation.named(ID), expressions=[exp.Literal.string(name) for name in left])
        if condition is not None:
            found |= _in_segment(cursor, catalog.folder / item.file, view, condition, set(left))
    return found


def _candidates(path: Path, view: StreamView, ids: Sequence[str]) -> exp.Expr | None:
    """Return the condition on rows that may have one of `ids`, or None when there are none."""
    entries = np.memmap(path, dtype=_ENTRY, mode="r")
    wanted = _hashes(ids)
    low = np.searchsorted(entries["hash"], wanted, side="left")
    high = np.searchsorted(entries["hash"], wanted, side="right")
    seqs = [int(seq) for start, end in zip(low, high, strict=True) for seq in entries["seq"][start:end]]
    alive = [seq for seq in seqs if not len(view.dead_inside(seq, seq))]
    return relation.among(alive) if alive else None


def _in_segment(
    cursor: duckdb.DuckDBPyConnection, path: Path, view: StreamView, condition: exp.Expr, ids: Collection[str]
) -> dict[str, int]:
    query = exp.select(relation.named(ID), relation.named(SEQUENCE)).from_(relation.files([str(path)])).where(condition)
    rows = sorted(cursor.execute(query.sql(dialect="duckdb")).fetchall(), key=lambda row: int(row[1]))
    return {name: seq for name, seq in rows if name in ids and not len(view.dead_inside(seq, seq))}

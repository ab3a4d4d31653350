"""Arrow batches of unlike columns brought together: rows of one stream seldom all have the same fields."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from arro3.core import Array, DataType, Field, RecordBatch, Schema, Table

from treering.model.columns import ARROW, REST, SEQUENCE, SYSTEM, TIME, Kind, escape, of_sender, split
from treering.store.duckdb.names import EMPTY, Names, interned

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_nulls: dict[str, Array] = {}
_KINDS = {bool: Kind.BOOLEAN, float: Kind.DOUBLE, str: Kind.STRING, list: Kind.JSON}


def type_of(name: str) -> DataType:
    """Return the Arrow type of a physical column."""
    return SYSTEM.get(name) or ARROW[Kind(name[-1])]


def nulls(name: str, count: int) -> Array:
    """Return `count` nulls of the type of the physical column `name`."""
    key = name if name in SYSTEM else name[-1]
    held = _nulls.get(key)
    if held is None or len(held) < count:
        # Lists cannot be made into timestamps directly, integers can be cast to them.
        held = _nulls[key] = Array([None] * max(count, 4096), DataType.int64()).cast(type_of(name))
    return held.slice(0, count)


def integers(column: Any) -> Any:
    """Return a column of times or integers without nulls as a NumPy array of int64."""
    return column.cast(DataType.int64()).to_numpy()


def numbered(data: RecordBatch, first: int) -> RecordBatch:
    """Return `data` with its sequence numbers, counted from `first`."""
    return data.append_column(SEQUENCE, Array.from_numpy(np.arange(first, first + data.num_rows, dtype=np.int64)))


def union(batches: Sequence[RecordBatch]) -> list[str]:
    """Return the names of all columns, in order of first appearance."""
    return list(dict.fromkeys(name for data in batches for name in data.schema.names))


def aligned(batches: Sequence[RecordBatch], names: Sequence[str]) -> Table:
    """Return the rows of all batches with exactly the columns `names`, nulls where a batch lacks one."""
    schema = Schema([Field(name, type_of(name)) for name in names])
    return Table.from_batches([_align(data, names, schema) for data in batches], schema=schema)


def _align(data: RecordBatch, names: Sequence[str], schema: Schema) -> RecordBatch:
    own = set(data.schema.names)
    arrays = [data.column(name) if name in own else nulls(name, data.num_rows) for name in names]
    return RecordBatch.from_arrays(arrays, schema=schema)


def typed(table: Table) -> Table:
    """Return a table that another engine made with the types its columns' names promise."""
    names = table.schema.names
    return Table.from_arrays([table.column(name).cast(type_of(name)) for name in names], names=names)


def merged(batches: Sequence[RecordBatch], most: int) -> Table:
    """Return the rows of all batches with at most `most` field columns; the rarest go to `_rest`."""
    names = union(batches)
    fields = [name for name in names if of_sender(name)]
    if len(fields) <= most:
        return aligned(batches, names)
    filled: Counter[str] = Counter(dict.fromkeys(fields, 0))
    for data in batches:
        for name in data.schema.names:
            if name in filled:
                filled[name] += data.num_rows - data.column(name).null_count
    kept = {name for name, _ in filled.most_common(most)}
    slim = [_overflow(data, kept) for data in batches]
    return aligned(slim, [name for name in union(slim) if name in kept or not of_sender(name)])


def _overflow(data: RecordBatch, kept: Collection[str]) -> RecordBatch:
    """Move the columns that are not `kept` into `_rest`."""
    names = data.schema.names
    moved = [name for name in names if name not in kept and of_sender(name)]
    if not moved:
        return data
    rest: list[dict[str, Any] | None] = [None] * data.num_rows
    if REST in names:
        rest = [None if text is None else msgspec.json.decode(text) for text in data.column(REST).to_pylist()]
    for name in moved:
        pointer, kind = split(name)
        column = data.column(name)
        values = column.cast(DataType.int64()) if kind is Kind.TIME else column
        for index, value in enumerate(values.to_pylist()):
            if value is not None:
                row = rest[index]
                if row is None:
                    rest[index] = row = {}
                row[pointer] = msgspec.Raw(value.encode()) if kind is Kind.JSON else value
    texts = [None if row is None else msgspec.json.encode(row).decode() for row in rest]
    slim = data.select([name for name in names if name not in moved and name != REST])
    return slim.append_column(Field(REST, SYSTEM[REST]), Array(texts, SYSTEM[REST]))


def flattened(data: RecordBatch) -> tuple[RecordBatch, Names]:
    """Return `data` with a `_rest` that has a leaf under every name, and the physical names of those leaves."""
    if REST not in data.schema.names:
        return data, EMPTY
    texts = data.column(REST).to_pylist()
    known: dict[str, str] = {}
    found: dict[str, None] = {}
    for text in texts:
        if text is not None and text not in known:
            known[text] = _flatten(text, found)
    if any(old != new for old, new in known.items()):
        column = Array([None if text is None else known[text] for text in texts], SYSTEM[REST])
        position = data.schema.names.index(REST)
        data = data.set_column(position, Field(REST, SYSTEM[REST]), column)
    return data, interned(found) if found else EMPTY


def _flatten(text: str, found: dict[str, None]) -> str:
    held: Mapping[str, Any] = msgspec.json.decode(text)
    leaves = dict(_leaves("", held, raw=True))
    found.update((f"{pointer}:{_kind(value).value}", None) for pointer, value in leaves.items() if _queryable(value))
    if not any(isinstance(value, dict) and value for value in held.values()):
        return text
    return msgspec.json.encode(leaves).decode()


def _leaves(prefix: str, held: Mapping[str, Any], *, raw: bool = False) -> Iterator[tuple[str, Any]]:
    for name, value in held.items():
        pointer = name if raw else f"{prefix}/{escape(name)}"
        if isinstance(value, dict) and value:
            yield from _leaves(pointer, value)
        else:
            yield pointer, value


def _queryable(value: Any) -> bool:
    return value is not None and not isinstance(value, dict)


def _kind(value: Any) -> Kind:
    if isinstance(value, int) and not isinstance(value, bool):
        return Kind.LONG if -(2**63) <= value < 2**63 else Kind.JSON
    return _KINDS[type(value)]


def without(table: Table, dead: Any) -> Table:
    """Return the rows whose sequence number is not in the array `dead`."""
    if not len(dead):
        return table
    (data,) = table.combine_chunks().to_batches()
    alive = ~np.isin(integers(data.column(SEQUENCE)), dead)
    return Table.from_batches([data.take(Array.from_numpy(np.flatnonzero(alive)))])


def bounds(data: RecordBatch) -> tuple[int, int]:
    """Return the least and greatest `_time` of a batch that has rows, in nanoseconds."""
    stamps = integers(data.column(TIME))
    return int(stamps.min()), int(stamps.max())


def rows(table: Table) -> Iterator[dict[str, Any]]:
    """Yield each row by physical column name; instants are nanoseconds since the epoch."""
    long, stamp = DataType.int64(), ARROW[Kind.TIME]
    held = [(column.cast(long) if column.type == stamp else column).to_pylist() for column in table.columns]
    for values in zip(*held, strict=True):
        yield dict(zip(table.schema.names, values, strict=True))

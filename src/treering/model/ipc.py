"""Arrow columns from buffers that something else laid out: copied and checked by Arrow's own reader.

What is read is a stream in Arrow's IPC format (columnar format 1.5): the message of a schema, then one record batch,
whose head (a flatbuffer of `Message` and `RecordBatch`) is written here.
"""

from __future__ import annotations

import io
import struct
from functools import lru_cache
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from arro3.core import Field, Schema, Table
from arro3.io import read_ipc_stream, write_ipc_stream

from treering.model.columns import ARROW, Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from arro3.core import Array

_FRAME = struct.Struct("<Ii")
_BEGINS, _ENDS = 0xFFFFFFFF, _FRAME.pack(0xFFFFFFFF, 0)
_V5, _RECORD_BATCH = 4, 3
# Where the root is; `Message`: its table of places, then place of the header, size of the body, version, kind of it;
# `RecordBatch`: its table of places, then place of the nodes, rows, place of the buffers. The two lists follow.
_HEAD = struct.Struct("<I 6H iIqhBx4x 5H6x iIqI")


class Laid(NamedTuple):
    """A column: its nulls, and where in the body each of its buffers is (offset, a multiple of 8, and size)."""

    nulls: int
    buffers: Sequence[tuple[int, int]]


def arrays(kinds: str, rows: int, columns: Sequence[Laid], body: Any) -> list[Array]:
    """Return the columns of `kinds` (a letter of `Kind` each) whose buffers are in `body` (bytes, a multiple of 8).

    A column has the buffers that Arrow's format gives its type. Raises an error of Arrow's for what is no such column,
    as texts that are not UTF-8.
    """
    nodes = b"".join(struct.pack("<qq", rows, column.nulls) for column in columns)
    places = list(chain.from_iterable(column.buffers for column in columns))
    buffers = b"".join(struct.pack("<qq", *place) for place in places)
    head = _HEAD.pack(
        *(16, 12, 20, 16, 18, 4, 8, 12, 36, len(body), _V5, _RECORD_BATCH),
        *(10, 20, 8, 4, 16, 16, 16, rows, len(nodes) + 12),
    )
    lists = struct.pack("<I", len(columns)) + nodes + struct.pack("<4xI", len(places)) + buffers
    message = _FRAME.pack(_BEGINS, len(head) + len(lists)) + head + lists
    return list(
        Table.from_arrow(read_ipc_stream(io.BytesIO(b"".join((_schema(kinds), message, body, _ENDS)))))
        .combine_chunks()
        .to_batches()[0]
        .columns
    )


@lru_cache(512)
def _schema(kinds: str) -> bytes:
    """Return the message of the schema of columns of these kinds."""
    schema = Schema([Field(str(number), ARROW[Kind(kind)]) for number, kind in enumerate(kinds)])
    made = io.BytesIO()
    write_ipc_stream(Table.from_batches([], schema=schema), made, compression=None)
    return made.getvalue()[: -len(_ENDS)]

"""`Batch`: the rows that cross the border between receiving, storing and detecting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from treering.model import columns, shapes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from arro3.core import RecordBatch


@dataclass(frozen=True, slots=True)
class Batch:
    """Records of one stream as Arrow columns; names and kinds as `treering.model.columns` describes."""

    stream: str
    data: RecordBatch

    @property
    def rows(self) -> int:
        """The number of records."""
        return int(self.data.num_rows)


def batch(
    stream: str,
    records: Sequence[Mapping[str, Any]],
    *,
    received_ns: int,
    ids: Sequence[str | None] | None = None,
    unit_ns: int = columns.NANOSECOND,
) -> Batch:
    """Return `records` as a batch of `stream`; numbers in time fields count `unit_ns` nanoseconds."""
    from treering.model.schema import is_time_field

    data = columns.from_records(
        records, received_ns=received_ns, ids=ids, unit_ns=unit_ns, is_time=lambda name: is_time_field(stream, name)
    )
    return Batch(stream, data)


def shaped_batch(
    stream: str,
    rows: Sequence[Any],
    shape: shapes.Shape,
    *,
    received_ns: int,
    unit_ns: int = columns.NANOSECOND,
) -> Batch:
    """Return records that `shape` decoded as a batch of `stream`; otherwise like `batch`."""
    from treering.model.schema import is_time_field

    spreader = columns.Spreader(len(rows), lambda name: is_time_field(stream, name), unit_ns, columns.MAX_COLUMNS)
    shapes.spread(rows, shape, spreader)
    return Batch(stream, spreader.finish(received_ns))

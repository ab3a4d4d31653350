"""What can be set about the embedded store."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from treering.core.config import Config as Base
from treering.store.duckdb.segment import Shape

_MIB = 1 << 20
Bytes = Annotated[int, Meta(gt=0)]
Seconds = Annotated[float, Meta(ge=0)]
Rows = Annotated[int, Meta(ge=2048)]


class Config(Base, frozen=True, kw_only=True):
    """Settings of the embedded store; the defaults suit a laptop."""

    flush_bytes: Annotated[Bytes, Meta(description="unflushed rows of so many bytes become segments")] = 48 * _MIB
    flush_seconds: Annotated[Seconds, Meta(description="age at which unflushed rows become segments")] = 30.0
    flush_least_bytes: Annotated[Bytes, Meta(description="fewer bytes than these wait longer")] = 4 * _MIB
    flush_latest_seconds: Annotated[Seconds, Meta(description="age at which any rows become segments")] = 900.0
    memory_bytes: Annotated[Bytes, Meta(description="unflushed rows beyond which senders must wait")] = 256 * _MIB
    columns: Annotated[int, Meta(gt=0, description="most field columns of a segment; rarer fields share one")] = 1000
    row_group_rows: Annotated[Rows, Meta(description="rows of a Parquet row group")] = 61_440
    segment_rows: Annotated[Rows, Meta(description="rows up to which segments are merged")] = 1_000_000
    threads: Annotated[int, Meta(gt=0, description="threads of the query engine")] = 2
    engine_memory_bytes: Annotated[Bytes, Meta(description="memory of all queries together")] = 1024 * _MIB
    retention: Annotated[
        dict[str, Annotated[float, Meta(gt=0)]],
        Meta(description="days that records of a stream or pattern are kept; the first match counts"),
    ] = msgspec.field(default_factory=dict)

    @property
    def shape(self) -> Shape:
        """How segments are written."""
        return Shape(self.row_group_rows, self.columns)

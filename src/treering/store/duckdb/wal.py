"""The write-ahead log: what is acknowledged is in it, whole, before the sender hears of it.

A file is a magic line and frames: length, CRC-32 of the payload, payload. A frame is one append with everything in it,
so a torn tail loses only appends that nobody was told about. Frames hold decoded Arrow batches, so replay needs no
parser. Concurrent appends share one `fdatasync`.
"""

from __future__ import annotations

import contextlib
import io
import os
import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import cramjam
import msgspec
from arro3.core import Table
from arro3.io import read_ipc_stream, write_ipc_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from arro3.core import RecordBatch


MAGIC = b"treering wal 1\n"
_HEAD = struct.Struct("<II")
_SMALL = 64


class Frame(msgspec.Struct, frozen=True, array_like=True):
    """One append: the sequence number of its first row, its batches as Arrow IPC, what it deletes.

    `dead` maps a stream to the little-endian 64-bit sequence numbers of the records it deletes; `drop` is a stream that
    is deleted with every record before `first`.
    """

    first: int
    batches: tuple[tuple[str, int, bytes], ...] = ()
    dead: dict[str, bytes] = {}
    drop: str | None = None

    def tables(self) -> Iterator[tuple[str, RecordBatch]]:
        """Yield stream and rows of each batch."""
        for stream, packed, data in self.batches:
            raw = bytes(cramjam.lz4.decompress_block(data)) if packed else data
            table = Table.from_arrow(read_ipc_stream(io.BytesIO(raw)))
            for part in table.combine_chunks().to_batches():
                yield stream, part


def pack(frame: Frame) -> bytes:
    """Return the bytes of a frame, head included."""
    payload = msgspec.msgpack.encode(frame)
    return _HEAD.pack(len(payload), zlib.crc32(payload)) + payload


def encoded(stream: str, data: RecordBatch) -> tuple[str, int, bytes]:
    """Return a batch as a frame holds it."""
    # Arrow's own LZ4 leaves the schema as it is, and that is most of a batch with few rows.
    buffer = io.BytesIO()
    small = data.num_rows < _SMALL
    write_ipc_stream(data, buffer, compression=None if small else "LZ4")
    if small:
        return stream, 1, bytes(cramjam.lz4.compress_block(buffer.getvalue()))
    return stream, 0, buffer.getvalue()


class Disk:
    """The system calls of the log, in one place so that tests can make them fail."""

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        """Write some of `data` and return how much."""
        return os.write(descriptor, data)

    def sync(self, descriptor: int) -> None:
        """Make the written bytes durable."""
        os.fdatasync(descriptor)

    def truncate(self, descriptor: int, length: int) -> None:
        """Cut the file to `length` bytes."""
        os.ftruncate(descriptor, length)


class Log:
    """One log file open for appending. The caller serialises `write`; `sync` may run beside it."""

    def __init__(self, path: Path, disk: Disk, *, keep: int | None = None) -> None:
        """Create the file durably, or open it and keep its first `keep` bytes. Raises `OSError`."""
        self.path = path
        self.size = 0 if keep is None else keep
        self._disk = disk
        self._torn = keep is not None
        flags = os.O_WRONLY | os.O_APPEND | (os.O_CREAT | os.O_EXCL if keep is None else 0)
        self._descriptor = os.open(path, flags, 0o600)
        try:
            if keep is None or keep < len(MAGIC):
                self.cut(0)
                self.write(MAGIC)
            self.sync()
            sync_directory(path.parent)
        except OSError:
            self.close()
            if keep is None:
                path.unlink(missing_ok=True)
            raise

    def write(self, data: bytes) -> int:
        """Append `data` and return the file's size, or raise `OSError` with the file as it was before."""
        if self._torn:
            self.cut(self.size)
        rest = memoryview(data)
        self._torn = True
        try:
            while rest:
                rest = rest[self._disk.write(self._descriptor, rest) :]
        except OSError:
            # Should cutting fail as well, the next write begins with it.
            with contextlib.suppress(OSError):
                self.cut(self.size)
            raise
        self._torn = False
        self.size += len(data)
        return self.size

    def sync(self) -> None:
        """Make everything written so far durable."""
        self._disk.sync(self._descriptor)

    def cut(self, size: int) -> None:
        """Cut the file to its first `size` bytes."""
        self.size = size
        self._torn = True
        self._disk.truncate(self._descriptor, size)
        self._torn = False

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


@dataclass(frozen=True, slots=True)
class Replay:
    """What a log file holds: whole frames, where the last of them ends, what is wrong with other bytes.

    `torn` tells that bytes follow the last frame, as a crash leaves them; `damage` names frames in between that cannot
    be read.
    """

    frames: list[Frame]
    end: int
    torn: bool = False
    damage: tuple[str, ...] = ()


def replay(path: Path) -> Replay:
    """Read a log file back. Raises `OSError` when it cannot be read at all."""
    data = memoryview(path.read_bytes())
    if bytes(data[: len(MAGIC)]) != MAGIC:
        started = MAGIC.startswith(bytes(data))
        return Replay([], 0, started, () if started else (f"{path} is no log of this version",))
    frames: list[Frame] = []
    damage: list[str] = []
    position = end = len(MAGIC)
    bad: list[str] = []
    while (payload := _payload(data, position)) is not None:
        length, checksum = _HEAD.unpack_from(data, position)
        if not length:
            break
        if zlib.crc32(payload) == checksum:
            frames.append(msgspec.msgpack.decode(payload, type=Frame))
            damage += bad
            bad = []
            end = position + _HEAD.size + length
        else:
            bad.append(f"{path} has a damaged append at byte {position} ({length} bytes)")
        position += _HEAD.size + length
    return Replay(frames, end, end < len(data), tuple(damage))


def _payload(data: memoryview, position: int) -> memoryview | None:
    if position + _HEAD.size > len(data):
        return None
    length = _HEAD.unpack_from(data, position)[0]
    start = position + _HEAD.size
    return data[start : start + length] if start + length <= len(data) else None


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

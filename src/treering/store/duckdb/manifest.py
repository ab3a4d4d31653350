"""What the store consists of: streams, segments, deleted records. Only what the manifest lists exists.

SQLite in WAL mode with `synchronous=FULL`: a transaction that returned survives a power cut. One connection, used under
the store's manifest lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import zlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import Retryable, UserError
from treering.store.duckdb.names import Names, interned

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS streams (
  name TEXT PRIMARY KEY, folder INTEGER NOT NULL UNIQUE, mapping TEXT NOT NULL, created_seq INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS names (hash BLOB PRIMARY KEY, packed BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS segments (
  file TEXT PRIMARY KEY, stream TEXT NOT NULL, rows INTEGER NOT NULL, bytes INTEGER NOT NULL,
  extra_bytes INTEGER NOT NULL, checksum INTEGER NOT NULL, min_seq INTEGER NOT NULL, max_seq INTEGER NOT NULL,
  min_ns INTEGER NOT NULL, max_ns INTEGER NOT NULL, columns BLOB NOT NULL, rest BLOB NOT NULL, traits TEXT NOT NULL,
  damage TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead (stream TEXT NOT NULL, seq INTEGER NOT NULL, PRIMARY KEY (stream, seq)) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Segment:
    """An immutable Parquet file of one stream with its side files; `file` is relative to the segments' folder.

    `traits` may hold `time` (there is no `_time` column: it equals `@timestamp:t`), `tokens` and `ids` (there is a
    token index, an index of `_id`s). `damage` says why the segment is not read, or is empty.
    """

    file: str
    stream: str
    rows: int
    bytes: int
    extra_bytes: int
    checksum: int
    min_seq: int
    max_seq: int
    min_ns: int
    max_ns: int
    columns: Names
    rest: Names
    traits: frozenset[str] = frozenset()
    damage: str = ""

    def with_damage(self, reason: str) -> Segment:
        """Return the segment as not readable for `reason`."""
        return replace(self, damage=reason)

    @property
    def files(self) -> list[str]:
        """The segment's file and its side files."""
        return [self.file, *(side(self.file, trait) for trait in ("tokens", "ids") if trait in self.traits)]


def side(file: str, trait: str) -> str:
    """Return the name of a segment's side file."""
    return f"{file.removesuffix('.parquet')}.{trait}"


@dataclass(frozen=True, slots=True)
class Stream:
    """A stream as the manifest knows it: the folder of its segments, its mapping, its first possible `_seq`."""

    name: str
    folder: int
    mapping: Mapping[str, Any] = field(default_factory=dict)
    created_seq: int = 0


class Manifest:
    """The list of what exists, on disk or (without a path) only in memory."""

    def __init__(self, path: Path | None) -> None:
        """Open or create. Raises `UserError` when the file is none of ours, is damaged, or is of a later version."""
        self._names: dict[bytes, Names] = {}
        try:
            self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(_SCHEMA)
            known = int(self.fact("version", 0))
        except sqlite3.DatabaseError as error:
            raise UserError(f"cannot read the manifest {path}: {error}") from error
        if known > VERSION:
            raise UserError(f"{path} was written by a later treering (format {known}, understood {VERSION})")
        if not known:
            self.set_fact("version", VERSION)

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    @contextlib.contextmanager
    def change(self) -> Iterator[None]:
        """All changes inside happen together or not at all. Raises `Retryable` when they cannot be written."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            yield
            self._db.execute("COMMIT")
        except BaseException as error:
            self._names.clear()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise Retryable(f"cannot write the manifest: {error}", retry_after_s=10) from error
            raise

    def fact(self, name: str, default: Any) -> Any:
        """Return a single remembered value."""
        row = self._db.execute("SELECT value FROM facts WHERE name = ?", [name]).fetchone()
        return default if row is None else row[0]

    def set_fact(self, name: str, value: Any) -> None:
        """Remember a single value."""
        self._db.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", [name, value])

    def streams(self) -> list[Stream]:
        """Return every stream."""
        rows = self._db.execute("SELECT name, folder, mapping, created_seq FROM streams")
        return [Stream(name, folder, msgspec.json.decode(text), seq) for name, folder, text, seq in rows]

    def put_stream(self, stream: Stream) -> None:
        """Add or change a stream."""
        text = msgspec.json.encode(stream.mapping).decode()
        row = [stream.name, stream.folder, text, stream.created_seq]
        self._db.execute("INSERT OR REPLACE INTO streams VALUES (?, ?, ?, ?)", row)

    def next_folder(self) -> int:
        """Return a folder number that no stream has had."""
        folder = int(self.fact("folders", 0)) + 1
        self.set_fact("folders", folder)
        return folder

    def drop_stream(self, name: str) -> None:
        """Forget a stream, its segments and its deleted records."""
        for statement in (
            "DELETE FROM streams WHERE name = ?",
            "DELETE FROM segments WHERE stream = ?",
            "DELETE FROM dead WHERE stream = ?",
        ):
            self._db.execute(statement, [name])

    def segments(self) -> list[Segment]:
        """Return every segment, those of a stream in the order of their rows."""
        rows = self._db.execute("SELECT * FROM segments ORDER BY stream, min_seq")
        return [self._segment(*row) for row in rows]

    def _segment(self, *row: Any) -> Segment:
        columns, rest, traits, damage = row[-4:]
        names = self._load_names(columns), self._load_names(rest)
        return Segment(*(*row[:-4], *names, frozenset(traits.split()), damage))

    def put_segment(self, segment: Segment) -> None:
        """Add or change a segment."""
        row = [
            *(segment.file, segment.stream, segment.rows, segment.bytes, segment.extra_bytes, segment.checksum),
            *(segment.min_seq, segment.max_seq, segment.min_ns, segment.max_ns),
            *(self._keep_names(segment.columns), self._keep_names(segment.rest)),
            *(" ".join(sorted(segment.traits)), segment.damage),
        ]
        self._db.execute(f"INSERT OR REPLACE INTO segments VALUES ({', '.join('?' * len(row))})", row)  # noqa: S608

    def drop_segments(self, segments: Iterable[Segment]) -> None:
        """Forget segments."""
        self._db.executemany("DELETE FROM segments WHERE file = ?", [[segment.file] for segment in segments])

    def dead(self) -> dict[str, set[int]]:
        """Return the sequence numbers of deleted records that segments still hold, by stream."""
        found: dict[str, set[int]] = {}
        for stream, seq in self._db.execute("SELECT stream, seq FROM dead"):
            found.setdefault(stream, set()).add(seq)
        return found

    def add_dead(self, stream: str, seqs: Iterable[int]) -> None:
        """Remember deleted records."""
        self._db.executemany("INSERT OR IGNORE INTO dead VALUES (?, ?)", [[stream, seq] for seq in seqs])

    def drop_dead(self, stream: str, seqs: Iterable[int]) -> None:
        """Forget deleted records that no segment holds any more."""
        self._db.executemany("DELETE FROM dead WHERE stream = ? AND seq = ?", [[stream, seq] for seq in seqs])

    def _keep_names(self, held: Names) -> bytes:
        # Segments of one stream mostly have the same columns: each set of names is kept once.
        packed = zlib.compress(msgspec.json.encode(held.order))
        key = hashlib.blake2b(packed, digest_size=16).digest()
        if key not in self._names:
            self._db.execute("INSERT OR IGNORE INTO names VALUES (?, ?)", [key, packed])
            self._names[key] = held
        return key

    def _load_names(self, key: bytes) -> Names:
        if key not in self._names:
            row = self._db.execute("SELECT packed FROM names WHERE hash = ?", [key]).fetchone()
            self._names[key] = interned(msgspec.json.decode(zlib.decompress(row[0])))
        return self._names[key]

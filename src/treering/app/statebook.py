"""A SQLite file that keeps state of the running process: durable, a transaction at a time, for every thread."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


class Statebook:
    """What every such file can; a subclass adds its tables and what they mean."""

    def __init__(self, path: Path | None, schema: str) -> None:
        """Open or create the file at `path`, None keeps it in memory; `schema` creates what is missing.

        Raises `UserError` for a file that cannot be used. What is written is not forgotten when the power fails.
        """
        self._lock = threading.RLock()
        try:
            self._db = sqlite3.connect(path or ":memory:", check_same_thread=False, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.executescript(schema)
        except sqlite3.Error as error:
            raise UserError(f"cannot use {path}: {error}") from error

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """One transaction: all that is written within is kept, or nothing."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def _run(self, sql: str, *values: Any) -> None:
        with self._lock:
            self._db.execute(sql, values)

    def _many(self, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
        with self._lock:
            self._db.executemany(sql, rows)

    def _all(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._db.execute(sql, values).fetchall()

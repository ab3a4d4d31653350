"""Running SQL within limits: time, memory, rows; what DuckDB says becomes an error that says who has to act."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import duckdb

from treering.core.errors import Bug, TreeringError, UserError
from treering.store.duckdb import natives

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.stage.store import Limits

_POLL_SECONDS = 0.05
_SPILL_BYTES = 4 << 30
_ABOUT_FILES = re.compile(r"parquet|zstd|decompress|thrift|TProtocol|magic bytes|corrupt|out of buffer", re.IGNORECASE)
# The value in a row, the size of the query: the caller can do something about these.
_USERS = (
    duckdb.ConversionException,
    duckdb.DataError,
    duckdb.OutOfRangeException,
    duckdb.InvalidInputException,
    duckdb.NotSupportedError,
    duckdb.TypeMismatchException,
)


def connect(threads: int, memory_bytes: int, folder: str | None) -> duckdb.DuckDBPyConnection:
    """Return an engine in memory that can read and write files only below `folder`."""
    connection = duckdb.connect(
        ":memory:",
        config={
            "threads": threads,
            "memory_limit": f"{memory_bytes // 1024}KiB",
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "allow_community_extensions": False,
        },
    )
    natives.register(connection)
    connection.execute("SET parquet_metadata_cache = true")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET temp_directory = ?", [f"{folder}/spill" if folder else ""])
    connection.execute("SET max_temp_directory_size = ?", [f"{_SPILL_BYTES // 1024}KiB"])
    connection.execute("SET allowed_directories = ?", [[f"{folder}/"] if folder else []])
    connection.execute("SET enable_external_access = false")
    return connection


@contextlib.contextmanager
def guarded(cursor: duckdb.DuckDBPyConnection, limits: Limits, cancel: threading.Event | None) -> Iterator[None]:
    """Hold what runs on `cursor` inside to time and memory, and turn the engine's errors into ours.

    Raises `UserError` at a limit, when cancelled and for values that cannot be handled, `Unreadable` for damaged files.
    """
    cursor.execute("SET operator_memory_limit = ?", [f"{max(limits.memory_bytes // 1024, 1024)}KiB"])
    watch = _Watch(cursor, limits.seconds, cancel)
    watch.start()
    try:
        yield
    except duckdb.InterruptException as error:
        raise UserError(watch.reason or "the query was stopped") from error
    except duckdb.Error as error:
        if isinstance(error, duckdb.IOException) or _ABOUT_FILES.search(str(error)):
            raise Unreadable(_text(error)) from error
        raise _ours(error, limits) from error
    finally:
        watch.stop()


def fetch(cursor: duckdb.DuckDBPyConnection, sql: str, limits: Limits) -> list[Any]:
    """Return all rows of `sql`. Raises `UserError` when they are more than the limit."""
    rows: list[Any] = cursor.execute(sql).fetchmany(limits.rows + 1)
    if len(rows) > limits.rows:
        raise UserError(f"the answer has more than {limits.rows} rows", hint="add 'head' or narrow the search")
    return rows


class _Watch:
    """Interrupts a query after some time or when asked to."""

    def __init__(self, cursor: duckdb.DuckDBPyConnection, seconds: float, cancel: threading.Event | None) -> None:
        self.reason = ""
        self._cursor = cursor
        self._seconds = seconds
        self._cancel = cancel
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="treering-query-watch", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        until = time.monotonic() + self._seconds
        while not self.reason:
            left = until - time.monotonic()
            if self._ended.wait(max(0.0, left if self._cancel is None else min(left, _POLL_SECONDS))):
                return
            if self._cancel is not None and self._cancel.is_set():
                self.reason = "the query was cancelled"
            elif time.monotonic() >= until:
                self.reason = f"the query took more than {self._seconds:g} seconds"
        # An interrupt that comes before the statement has begun is lost, so it is repeated.
        while not self._ended.wait(_POLL_SECONDS):
            self._cursor.interrupt()


class Unreadable(Exception):  # noqa: N818  it says what the file is
    """A file the engine read is probably damaged; the caller knows which files there were."""


def _ours(error: duckdb.Error, limits: Limits) -> TreeringError:
    if isinstance(error, duckdb.OutOfMemoryException):
        return UserError(
            f"the query needs more than {limits.memory_bytes >> 20} MiB of memory",
            hint="narrow the time range, or group by fewer values",
        )
    if isinstance(error, _USERS):
        return UserError(_text(error))
    return Bug(f"the embedded engine refused a query: {_text(error)}")


def _text(error: BaseException) -> str:
    line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    _, _, message = line.partition("Error: ")
    message = message or line
    return message[:1].lower() + message[1:300]

"""How the drills of a data directory went: a file of the newest results, which the pages show."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import msgspec

from treering.app.drill.score import Result
from treering.core.files import replaced

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger("treering.app.drill")
FILE = "drill-results.json"
MOST_RESULTS, MOST_TOLD = 100, 500
_MOST_TEXT = 300


class Entry(msgspec.Struct, frozen=True):
    """One drill: when its result came, in nanoseconds since 1970, what it was called, who ran it, and the result."""

    at_ns: int
    label: str
    by: str
    result: Result


class Results:
    """The results of one data directory, the newest first; in memory only without one. Safe to use from any thread."""

    def __init__(self, directory: Path | None) -> None:
        """Go on with those that are kept; a file that cannot be read is begun anew."""
        self._path = None if directory is None else directory / FILE
        self._lock = threading.Lock()
        self._entries = _read(self._path)

    @property
    def entries(self) -> list[Entry]:
        """All that are kept, the newest first."""
        with self._lock:
            return list(self._entries)

    def add(self, entry: Entry) -> None:
        """Keep a result, without what makes it long."""
        bounded = msgspec.structs.replace(entry, result=kept(entry.result))
        with self._lock:
            self._entries = [bounded, *self._entries][:MOST_RESULTS]
            if self._path is not None:
                replaced(self._path, msgspec.json.encode(self._entries))


def kept(result: Result) -> Result:
    """Return a result as it is kept: of the cases those that need a look, attacks missed and harmless ones told."""
    harmless = {row.technique for row in result.techniques if row.harmless}
    told = [one for one in result.told if one.found == (one.technique in harmless)][:MOST_TOLD]
    short = tuple(msgspec.structs.replace(one, about=one.about[:_MOST_TEXT]) for one in told)
    return msgspec.structs.replace(result, told=short, incidents=())


def _read(path: Path | None) -> list[Entry]:
    if path is None or not path.exists():
        return []
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Entry])
    except (OSError, msgspec.MsgspecError) as error:
        _log.warning("%s cannot be read (%s): the results of earlier drills are left out", path, error)
        return []

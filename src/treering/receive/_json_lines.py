"""JSON documents, one a line, as records: the fast way for what is JSON all through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_LINE = 16 << 20
PREVIEW = 256
_objects = msgspec.json.Decoder(dict[str, Any])


class Rejected(NamedTuple):
    """A line that did not become a record: why, and how it begins."""

    reason: str
    text: bytes


def decode(lines: bytes) -> tuple[list[dict[str, Any]], list[Rejected]]:
    """Return the documents of whole lines, and the lines that hold none. Blank lines are neither."""
    try:
        return _objects.decode_lines(lines), []
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _one_by_one(lines.split(b"\n"))


def _one_by_one(lines: Sequence[bytes]) -> tuple[list[dict[str, Any]], list[Rejected]]:
    found: list[dict[str, Any]] = []
    rejected: list[Rejected] = []
    for line in lines:
        if not line or line.isspace():
            continue
        try:
            found.append(_objects.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            rejected.append(Rejected(_reason(error), line[:PREVIEW]))
    return found, rejected


def _reason(error: Exception) -> str:
    """Return a fixed phrase for an error, so that reasons can be counted."""
    if isinstance(error, msgspec.ValidationError):
        return "not a JSON object"
    if isinstance(error, UnicodeDecodeError):
        return "invalid UTF-8"
    return "nested too deeply" if isinstance(error, RecursionError) else "malformed JSON"


class Lines:
    """Cuts bytes into whole lines; one beyond 16 MB is rejected, its neighbours are kept."""

    def __init__(self) -> None:
        """Start with an empty line."""
        self._left = b""
        self._skipping = False

    @property
    def held(self) -> int:
        """The bytes of a line that is not complete yet."""
        return len(self._left)

    def feed(self, data: bytes) -> tuple[bytes, list[Rejected]]:
        """Return the lines that `data` completes, as one piece."""
        cut = data.rfind(b"\n") + 1
        if not cut:
            return b"", self._grow(data)
        whole, self._left = self._left + data[:cut], b""
        if self._skipping:
            whole, self._skipping = whole[whole.find(b"\n") + 1 :], False
        return whole, self._grow(data[cut:])

    def end(self) -> tuple[bytes, list[Rejected]]:
        """Return an unfinished last line."""
        left, self._left, self._skipping = self._left, b"", False
        return left, []

    def _grow(self, data: bytes) -> list[Rejected]:
        if self._skipping:
            return []
        self._left += data
        if len(self._left) <= MAX_LINE:
            return []
        head, self._left, self._skipping = self._left[:PREVIEW], b"", True
        return [Rejected("line longer than 16 MB", head)]


class JsonLines:
    """Cuts bytes into lines and decodes each as an object."""

    def __init__(self) -> None:
        """Start with an empty line."""
        self._lines = Lines()

    @property
    def held(self) -> int:
        """The bytes taken in that have not come out as records or rejections."""
        return self._lines.held

    def feed(self, data: bytes) -> tuple[list[dict[str, Any]], list[Rejected]]:
        """Return the documents of the lines that `data` completes, and those that hold none."""
        return self._decoded(*self._lines.feed(data))

    def end(self) -> tuple[list[dict[str, Any]], list[Rejected]]:
        """Return what an unfinished last line holds."""
        return self._decoded(*self._lines.end())

    def _decoded(self, whole: bytes, long: list[Rejected]) -> tuple[list[dict[str, Any]], list[Rejected]]:
        found, rejected = decode(whole)
        return found, rejected + long

"""Syslog over TCP, cut into messages (RFC 6587): counted octets, LF and NUL ends, mixed on one connection.

A frame that begins with a number, a blank and `<` is counted. Any other ends with NUL or LF, whichever its sender uses:
Python's `SysLogHandler` ends with NUL, and then line feeds are part of the message.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_FRAME = 1 << 20
PREVIEW = 256
_COUNT = re.compile(rb"([1-9]\d{0,8}) (?=<)")
_MAY_BE_COUNT = re.compile(rb"[1-9]\d{0,8} ?\Z")
TOO_LONG, CUT_OFF = "frame longer than 1 MB", "frame cut off"


@dataclass(slots=True)
class Cut:
    """Whole messages, and why others are none."""

    frames: list[bytes] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)


class Frames:
    """The frames of one connection."""

    def __init__(self, limit: int = MAX_FRAME) -> None:
        """Reject frames longer than `limit` bytes."""
        self._limit = limit
        self._left = bytearray()
        self._skip = 0  # bytes of a counted frame that is too long and still to come
        self._skipping = False  # until an end mark
        self._nul = self._counts = False  # how earlier frames of the connection ended

    def feed(self, data: bytes) -> Cut:
        """Return the messages that `data` completes."""
        self._left += data
        cut = Cut()
        start = 0
        while start < len(self._left):
            end = self._next(start, cut)
            if end is None:
                break
            start = end
        del self._left[:start]
        return cut

    def end(self) -> Cut:
        """Return what is left when the connection is closed: a last message needs no end mark."""
        left, self._left = bytes(self._left), bytearray()
        if self._skip or self._skipping or not left.strip(b"\0\r\n "):
            return Cut()
        counted = _COUNT.match(left) or (self._counts and _MAY_BE_COUNT.match(left))
        return Cut([], [CUT_OFF]) if counted else Cut([_stripped(left)])

    def _next(self, start: int, cut: Cut) -> int | None:
        """Take one frame at `start` into `cut` and return where the next begins, or None until more has come."""
        left = self._left
        if self._skip:
            step = min(self._skip, len(left) - start)
            self._skip -= step
            return start + step
        if not self._skipping:
            if counted := _COUNT.match(left, start):
                return self._counted(counted, cut)
            if _MAY_BE_COUNT.match(left, start):
                return None
        end = self._mark(start)
        if end is None:
            return self._endless(start, cut)
        frame = bytes(left[start:end])
        if self._skipping:
            self._skipping = False
        elif len(frame) > self._limit:
            cut.rejected.append(TOO_LONG)
        elif message := _stripped(frame):
            cut.frames.append(message)
        return end + 1

    def _counted(self, counted: re.Match[bytes], cut: Cut) -> int | None:
        size, begin = int(counted[1]), counted.end()
        self._counts = True
        if size > self._limit:
            cut.rejected.append(TOO_LONG)
            self._skip = size
            return begin
        if len(self._left) - begin < size:
            return None
        if message := _stripped(bytes(self._left[begin : begin + size])):
            cut.frames.append(message)
        return begin + size

    def _mark(self, start: int) -> int | None:
        """Return where the frame at `start` ends."""
        left = self._left
        nul, line = left.find(b"\0", start), left.find(b"\n", start)
        if nul >= 0 and (line < 0 or nul < line or not _begins(left, line + 1)):
            self._nul = True
            return nul
        if line < 0 or (self._nul and not _begins(left, line + 1)):
            return None  # a line feed inside a message that will end with NUL is none of its ends
        return line

    def _endless(self, start: int, cut: Cut) -> int | None:
        size = len(self._left) - start
        if self._skipping:
            return start + size
        if size <= self._limit:
            return None
        cut.rejected.append(TOO_LONG)
        self._skipping = True
        return start + size


def _begins(data: bytearray, at: int) -> bool:
    """Whether a message with a priority begins at `at`."""
    return data[at : at + 1] == b"<" or _COUNT.match(data, at) is not None


def _stripped(frame: bytes) -> bytes:
    return frame.rstrip(b"\0\r\n").lstrip(b"\0\r\n")

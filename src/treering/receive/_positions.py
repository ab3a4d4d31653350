"""How far each followed file has been read, kept across restarts.

A file is the same file when its inode and its first bytes are the same: an inode alone is reused, a name alone is
rotated. Positions are saved only after the store has acknowledged what lies before them.
"""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

import msgspec

from treering.core.errors import UserError
from treering.core.files import replaced

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 1024


class Fingerprint(msgspec.Struct, frozen=True):
    """The hash of a file's first `length` bytes, at most `HEAD` of them."""

    length: int
    sha256: str

    @property
    def full(self) -> bool:
        """Whether it covers enough to tell files apart by itself."""
        return self.length == HEAD


def fingerprint(descriptor: int, length: int = HEAD) -> Fingerprint:
    """Return the fingerprint of an open file over its first `length` bytes, fewer if it has fewer."""
    head = os.pread(descriptor, length, 0)
    return Fingerprint(len(head), hashlib.sha256(head).hexdigest())


class Position(msgspec.Struct, frozen=True):
    """Where reading goes on in one file."""

    path: str
    inode: int
    offset: int
    head: Fingerprint

    def fits(self, descriptor: int) -> bool:
        """Whether the open file still begins as this one did and is long enough."""
        if os.fstat(descriptor).st_size < self.offset:
            return False
        return fingerprint(descriptor, self.head.length) == self.head


def load(path: Path) -> list[Position] | None:
    """Return the saved positions, or None when nothing was ever saved. Raises `UserError` for a damaged file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=list[Position])
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise UserError(
            f"{path} is damaged: {error}", hint="remove it to read the followed files from their beginning"
        ) from error


def save(path: Path, positions: list[Position]) -> None:
    """Replace the saved positions; a crash leaves the old or the new ones, never half of them."""
    replaced(path, msgspec.json.encode(positions))

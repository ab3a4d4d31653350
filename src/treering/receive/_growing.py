"""One followed file: whole new lines out of it, through truncation and deletion."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.receive._positions import HEAD, Fingerprint, Position, fingerprint

if TYPE_CHECKING:
    from treering.receive._decoder import Decoder

BLOCK = 1 << 20
MAX_LINE = 16 << 20


@dataclass(slots=True)
class Growing:
    """An open file, how far it has been read (whole lines only), and the decoder of what it holds.

    `offset` counts bytes given to the decoder; `unfinished` those of them that the decoder still holds back.
    """

    path: str
    descriptor: int
    inode: int
    device: int
    head: Fingerprint
    decoder: Decoder
    offset: int = 0
    quiet_since: float = 0.0

    @classmethod
    def open(cls, path: str, decoder: Decoder, now: float) -> Growing:
        """Open the file. Raises `UserError` when it cannot be read."""
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
        except OSError as error:
            raise UserError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
        about = os.fstat(descriptor)
        return cls(path, descriptor, about.st_ino, about.st_dev, fingerprint(descriptor), decoder, quiet_since=now)

    @property
    def position(self) -> Position:
        """Where to go on after a restart: before anything that is not in the store yet."""
        return Position(self.path, self.inode, self.offset - self.decoder.held, self.head)

    def was_cut(self) -> bool:
        """Whether the file was truncated, or written anew from its beginning, since the last look."""
        if os.fstat(self.descriptor).st_size < self.offset:
            return True
        now = fingerprint(self.descriptor)
        if now.length >= self.head.length and fingerprint(self.descriptor, self.head.length) == self.head:
            self.head = now if self.head.length < HEAD else self.head
            return False
        return True

    def is_deleted(self) -> bool:
        """Whether no name leads to the file any more."""
        return os.fstat(self.descriptor).st_nlink == 0

    def lines(self, *, last: bool = False) -> bytes:
        """Return the next whole lines, about 1 MB, or nothing; with `last` also an unfinished line at the end.

        A line longer than 16 MB comes in pieces, which the decoder rejects as too long.
        """
        data = os.pread(self.descriptor, BLOCK, self.offset)
        while data and b"\n" not in data and len(data) < MAX_LINE:
            more = os.pread(self.descriptor, BLOCK, self.offset + len(data))
            if not more:
                break
            data += more
        end = data.rfind(b"\n") + 1
        if not end and not last and len(data) < MAX_LINE:
            return b""
        return data[:end] if end else data

    def close(self) -> None:
        """Release the file."""
        os.close(self.descriptor)

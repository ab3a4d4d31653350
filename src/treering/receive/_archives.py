"""The files inside an archive, read one after the other without being unpacked: zip, tar, compressed tar.

Support bundles, `must-gather` folders and downloads of CI logs come so. Nothing is written; an archive inside another
one stays closed.
"""

from __future__ import annotations

import tarfile
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from treering.core.errors import DecodeError
from treering.receive._blocks import STDIN, blocks, opened

if TYPE_CHECKING:
    from collections.abc import Iterator

    Member = tuple[str, IO[bytes]]

_HEAD = 512
_MOST_MEMBERS = 100_000
# Archives by their form, and something else by what is in them.
_OTHERS = frozenset(
    {".pt", ".pth", ".bin", ".npz", ".whl", ".jar", ".docx", ".xlsx", ".pptx", ".keras", ".ckpt", ".mar"}
)
_DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError)


def archive_kind(path: str) -> str:
    """Return `zip` or `tar` for an archive of files, empty for anything else. Raises `UserError` for a missing file."""
    if path == STDIN or Path(path).suffix.lower() in _OTHERS:
        return ""
    with opened(path) as file:
        try:
            head = next(blocks(file, lambda _: None, _HEAD), b"")
        except DecodeError:
            return ""
    return "zip" if head.startswith(b"PK\x03\x04") else "tar" if head[257:262] == b"ustar" else ""


def members(path: str, kind: str) -> Iterator[Member]:
    """Yield names and open files of an archive, each to be read before the next. Raises `DecodeError` for damage."""
    found = _zipped(path) if kind == "zip" else _tarred(path)
    with _told(path):
        for number, member in enumerate(found):
            if number >= _MOST_MEMBERS:
                raise DecodeError(f"more than {_MOST_MEMBERS:,} files in an archive")
            yield member


@contextmanager
def _told(path: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DecodeError(f"damaged archive {Path(path).name}: {str(error).lower()[:200]}") from error


def _zipped(path: str) -> Iterator[Member]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                with archive.open(info) as file:
                    yield info.filename, cast("IO[bytes]", _Guarded(file, info.filename))


def _tarred(path: str) -> Iterator[Member]:
    with opened(path) as raw:
        stream = cast("IO[bytes]", _Stream(blocks(raw, lambda _: None)))
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for info in archive:
                if info.isreg() and (file := archive.extractfile(info)) is not None:
                    yield info.name, cast("IO[bytes]", _Guarded(file, info.name))


class _Guarded:
    """A file of an archive whose damage is a `DecodeError`."""

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name

    def read(self, size: int = -1) -> bytes:
        with _told(self._name):
            return self._file.read(size)


class _Stream:
    """Pieces of bytes as a file that is read forwards."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""

    def read(self, size: int) -> bytes:
        parts, length = [self._held], len(self._held)
        while length < size and (piece := next(self._pieces, b"")):
            parts.append(piece)
            length += len(piece)
        whole = b"".join(parts)
        self._held = whole[size:]
        return whole[:size]

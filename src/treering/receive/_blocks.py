"""Files as blocks of bytes, decompressed as they are read: plain, gzip, zstd, bzip2, xz, and standard input."""

from __future__ import annotations

import bz2
import glob
import gzip
import importlib
import lzma
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from treering.core.errors import DecodeError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

STDIN = "-"
BLOCK = 1 << 20
_WILD = frozenset("*?[")
# First bytes of each format (RFC 1952, RFC 8878, bzip2 and xz manuals): names lie, a rotated .log may be compressed.
_MAGIC = ((b"\x1f\x8b", "gzip"), (b"\x28\xb5\x2f\xfd", "zstd"), (b"BZh", "bzip2"), (b"\xfd7zXZ\x00", "xz"))


def expand(arguments: Sequence[str]) -> list[str]:
    """Return the files that paths, globs and directories mean, each once; `-` stays. Raises `UserError` for none."""
    found: dict[str, None] = {}
    for argument in arguments:
        names = [argument] if argument == STDIN else _matching(argument)
        if not names:
            raise UserError(
                f"no file matches {argument!r}", hint="put a pattern in quotes; a folder must have files in it"
            )
        found.update(dict.fromkeys(names))
    return list(found)


def _matching(argument: str) -> list[str]:
    path = Path(argument)
    if path.is_dir():
        return sorted(str(item) for item in path.rglob("*") if item.is_file() and not _hidden(item.relative_to(path)))
    if path.exists() or not _WILD & set(argument):
        return [argument]
    return sorted(name for name in glob.glob(argument, recursive=True) if Path(name).is_file())  # noqa: PTH207  absolute patterns


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


class Counted:
    """A binary file that counts the bytes read from it, so that progress means bytes on disk."""

    def __init__(self, raw: IO[bytes], progress: Callable[[int], None]) -> None:
        """Read from `raw`; tell `progress` the size of each piece."""
        self._raw = raw
        self._progress = progress

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes."""
        data = self._raw.read(size)
        self._progress(len(data))
        return data

    def seekable(self) -> bool:
        """No: a compressed stream is read once, forwards."""
        return False

    def readable(self) -> bool:
        """Yes."""
        return True

    @property
    def closed(self) -> bool:
        """Whether the file below is closed."""
        return self._raw.closed


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Open `path` for reading, `-` being standard input. Raises `UserError` when it cannot be opened."""
    if path == STDIN:
        yield sys.stdin.buffer
        return
    try:
        file = Path(path).open("rb")  # noqa: SIM115  closed below; only opening it is the user's mistake
    except OSError as error:
        raise UserError(f"cannot read {path}: {(error.strerror or str(error)).lower()}") from error
    with file:
        yield file


def blocks(file: IO[bytes], progress: Callable[[int], None], size: int = BLOCK) -> Iterator[bytes]:
    """Yield the decompressed bytes of `file` in pieces of at most `size`.

    Raises `DecodeError` where compressed data is damaged or ends early; what came before it has been yielded.
    """
    head = file.read(6)
    progress(len(head))
    kind = next((name for magic, name in _MAGIC if head.startswith(magic)), None)
    source = _Rejoined(head, Counted(file, progress))
    if kind is None:
        while data := source.read(size):
            yield data
        return
    pieces: list[bytes] = []
    try:
        stream = _decompressing(kind, source)
        # Not `read`, which throws away what it has already got when the data ends in the middle.
        while data := stream.read1(size):
            pieces.append(data)
            if sum(map(len, pieces)) >= size:
                yield b"".join(pieces)
                pieces = []
        yield b"".join(pieces)
    except (EOFError, OSError, zlib.error, lzma.LZMAError, _zstd().ZstdError) as error:
        if pieces:
            yield b"".join(pieces)
        raise DecodeError(f"damaged {kind} data: {str(error).lower()}") from error


class _Rejoined:
    """A file whose first bytes have been looked at already."""

    def __init__(self, head: bytes, rest: Counted) -> None:
        self._head = head
        self._rest = rest

    def read(self, size: int = -1) -> bytes:
        if not self._head:
            return self._rest.read(size)
        cut = len(self._head) if size < 0 else size
        data, self._head = self._head[:cut], self._head[cut:]
        if size < 0 or len(data) < size:
            data += self._rest.read(size - len(data) if size >= 0 else -1)
        return data

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    @property
    def closed(self) -> bool:
        return self._rest.closed


def _decompressing(kind: str, source: _Rejoined) -> Any:
    file = cast("IO[bytes]", source)
    if kind == "gzip":
        return gzip.GzipFile(fileobj=file, mode="rb")
    if kind == "bzip2":
        return bz2.BZ2File(file, "rb")
    if kind == "xz":
        return lzma.LZMAFile(file, "rb")
    return _zstd().ZstdFile(file, "rb")


def _zstd() -> Any:
    return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")

"""From bytes to lines: encodings, line ends, colours, progress bars, limits.

Bytes may arrive in any pieces; the lines are the same. Nothing is dropped in silence: a line that is not UTF-8 is kept
with U+FFFD in the text and its bytes beside it, a line beyond the limit is rejected with a reason.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field

MAX_LINE = 16 * 1024 * 1024
PREVIEW = 256
_BOM8 = codecs.BOM_UTF8
# CSI, OSC and two-byte escapes (ECMA-48 5.4, 5.6, 8.3).
_ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b\n]*(?:\x07|\x1b\\)?|[@-Z\\^_])")
_PROGRESS = re.compile(r"\d{1,3}(?:\.\d+)?%|\d+/\d+|[\d.]+ ?(?:it|s|[kKMG]i?B)/(?:s|it)\b|[█▏▎▍▌▋▊▉━╸]")


@dataclass(slots=True)
class Lines:
    """Lines as text, and by index the bytes of those that the text cannot show."""

    texts: list[str] = field(default_factory=list)
    raws: dict[int, bytes] = field(default_factory=dict)

    def extend(self, other: Lines) -> None:
        """Append the lines of `other`."""
        for index, raw in other.raws.items():
            self.raws[len(self.texts) + index] = raw
        self.texts += other.texts


class LineSplitter:
    """Cuts one stream of bytes into lines."""

    def __init__(self, max_line: int = MAX_LINE) -> None:
        """Reject lines longer than `max_line` bytes."""
        self.max_line = max_line
        self.rejected: list[tuple[str, bytes]] = []
        self._pending: list[bytes] = []
        self._size = 0
        self._head = b""
        self._started = False
        self._skipping = False
        self._wide: codecs.IncrementalDecoder | None = None

    def feed(self, data: bytes) -> Lines:
        """Return the lines that `data` completes; blank ones are left out."""
        return self._lines(self._narrow(data))

    def end(self) -> Lines:
        """Return what is left when the stream is over or rests."""
        lines = self._lines(self._narrow(b"", final=True))
        left = b"".join(self._pending)
        self._pending, self._size = [], 0
        if self._skipping:
            self._skipping = False
        elif left:
            lines.extend(_clean(left))
        return lines

    def _narrow(self, data: bytes, *, final: bool = False) -> bytes:
        """Return `data` as UTF-8; the first bytes of a stream tell its encoding (a byte order mark, or its NULs)."""
        if not self._started:
            self._head += data
            if len(self._head) < 4 and not final:
                return b""
            data, self._head, self._started = self._head, b"", True
            if wide := _wide_codec(data):
                self._wide = codecs.getincrementaldecoder(wide[0])(errors="surrogatepass")
                data = data[wide[1] :]
            elif data.startswith(_BOM8):
                data = data[3:]
        if self._wide is None:
            return data
        try:
            text = self._wide.decode(data, final)
        except UnicodeDecodeError as error:
            # Half a unit at the very end of the stream.
            self.rejected.append(("truncated UTF-16", error.object[:PREVIEW]))
            self._wide.reset()
            return b""
        return text.encode("utf-8", "surrogatepass")

    def _lines(self, data: bytes) -> Lines:
        if not data:
            return Lines()
        cut = data.rfind(b"\n")
        if cut < 0:
            self._keep(data)
            return Lines()
        first = data.find(b"\n")
        block = data[: cut + 1]
        if self._pending or self._skipping:
            self._keep(data[:first])
            joined = b"".join(self._pending)
            block = data[first + 1 : cut + 1] if self._skipping else joined + data[first : cut + 1]
            self._pending, self._size, self._skipping = [], 0, False
        out = self._block(block)
        if cut + 1 < len(data):
            self._keep(data[cut + 1 :])
        return out

    def _block(self, block: bytes) -> Lines:
        if len(block) <= self.max_line:
            return _clean(block)
        out = Lines()
        for line in block.split(b"\n"):
            if len(line) > self.max_line:
                self._reject(line)
            else:
                out.extend(_clean(line))
        return out

    def _keep(self, data: bytes) -> None:
        if self._skipping:
            return
        self._pending.append(data)
        self._size += len(data)
        if self._size > self.max_line:
            self._reject(b"".join(self._pending))
            self._pending, self._size, self._skipping = [], 0, True

    def _reject(self, line: bytes) -> None:
        self.rejected.append((f"line longer than {self.max_line} bytes", line[:PREVIEW]))


def _wide_codec(data: bytes) -> tuple[str, int] | None:
    """Return the UTF-16 codec of a stream that begins with `data`, and the size of its byte order mark."""
    if data.startswith(codecs.BOM_UTF16_LE):
        return "utf-16-le", 2
    if data.startswith(codecs.BOM_UTF16_BE):
        return "utf-16-be", 2
    # Windows tools write UTF-16 without a mark too: a letter and a NUL, again and again.
    head = data[:4]
    if head[1::2] == b"\0\0" and 0 not in head[::2]:
        return "utf-16-le", 0
    return None


def _clean(block: bytes) -> Lines:
    """Return the lines of a block without line ends, colours, overwritten states and blank lines."""
    try:
        text = block.decode()
    except UnicodeDecodeError:
        out = Lines()
        for part in block.split(b"\n"):
            out.extend(_decoded(part))
        return out
    return Lines([line for line in clean_text(text) if line and not line.isspace()])


def _decoded(part: bytes) -> Lines:
    try:
        text, raw = part.decode(), None
    except UnicodeDecodeError:
        text, raw = part.decode("utf-8", "replace"), part.rstrip(b"\r")
    texts = [line for line in clean_text(text) if line and not line.isspace()]
    return Lines(texts, dict.fromkeys(range(len(texts)), raw) if raw is not None else {})


def clean_text(text: str) -> list[str]:
    """Return the lines of `text` with escape sequences and edge NULs removed and carriage returns resolved.

    Of states that overwrite each other on a terminal (progress bars) the last one stays; anything else between
    carriage returns is a line of its own.
    """
    if "\x1b" in text:
        text = _ANSI.sub("", text)
    lines = text.split("\n")
    if "\r" in text:
        lines = (
            [state for line in lines for state in _states(line)]
            if "\r" in text.replace("\r\n", "")
            else [line.removesuffix("\r") for line in lines]
        )
    if "\0" in text:
        lines = [line.strip("\0") for line in lines]
    return lines


def _states(line: str) -> list[str]:
    line = line.rstrip("\r")
    if "\r" not in line:
        return [line]
    parts = [part for part in line.split("\r") if part and not part.isspace()]
    return [part for part in parts[:-1] if not _PROGRESS.search(part)] + parts[-1:]

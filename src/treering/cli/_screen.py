"""What commands show: text made harmless, times, sizes, errors."""

from __future__ import annotations

import contextlib
import errno
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any

from treering.core.errors import Bug, TreeringError, UserError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from rich.console import Console
    from rich.text import Text

EXIT_FINDINGS, EXIT_MISTAKE, EXIT_TRY_AGAIN, EXIT_BUG = 1, 2, 75, 70
LEVEL_STYLES = {
    "fatal": "bold white on red",
    "error": "red",
    "warn": "yellow",
    "info": "green",
    "debug": "blue",
    "trace": "dim",
}
# What the system says of a path that the user named.
_TOLD = frozenset((errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR, errno.EISDIR, errno.ENOSPC))
# C0 (tab aside), DEL, C1, and what reorders or hides text: a log must not steer the reader's terminal.
_CONTROL = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def console(*, stderr: bool = False) -> Console:
    """Return a console that prints text as it is, without reading markup in it."""
    from rich.console import Console

    return Console(stderr=stderr, markup=False, highlight=False, soft_wrap=True)


def as_json(value: object) -> None:
    """Write a value to standard output as JSON, for programs."""
    import msgspec

    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n")


@contextlib.contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Give what shows how many of `total` are done; nothing where standard error is no terminal."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.progress import Progress

    with Progress(console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


def safe(text: str) -> str:
    """Return `text` with control characters made visible."""
    return _CONTROL.sub(_visible, text)


def _visible(found: re.Match[str]) -> str:
    code = ord(found[0])
    return chr(0x2400 + code) if code < 0x20 else f"\\u{code:04x}"


def line(row: Mapping[str, Any]) -> Text:
    """Return one record as a line: time, level, service, message."""
    from rich.text import Text

    level = row["level"] or ""
    service = row["record"].get("serviceName")
    text = Text()
    text.append(row["time"][:23].ljust(23) + " ", style="dim")
    text.append(f"{level:<5} ", style=LEVEL_STYLES.get(level, ""))
    if isinstance(service, str):
        text.append(safe(service) + " ", style="cyan")
    text.append(safe(row["message"]))
    return text


def size(count: float) -> str:
    """Return bytes as people write them: `1.4 GB`."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def report(error: BaseException) -> int:
    """Print `error` to standard error, and return the exit code that it means."""
    if isinstance(error, TreeringError) and not isinstance(error, Bug):
        text = "\n".join(map(safe, str(error).splitlines()))
        print(f"treering: {text}", file=sys.stderr)
        return EXIT_MISTAKE if isinstance(error, UserError) else EXIT_TRY_AGAIN
    if isinstance(error, OSError) and error.errno in _TOLD and error.filename is not None:
        print(f"treering: {str(error.strerror).lower()}: {safe(str(error.filename))}", file=sys.stderr)
        return EXIT_MISTAKE
    traceback.print_exception(error)
    print("treering: this is a bug of ours; please report it with the lines above", file=sys.stderr)
    return EXIT_BUG

"""One node for all workers of a test run: the first to need it starts it, and it ends when the last one has."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.opensearch import node

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# It may outlive the worker that started it, so nobody waits for its end.
_started: list[node.Node] = []


@dataclass(frozen=True)
class Shared:
    """The node that all tests share: indexes need names that no other test uses."""

    port: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def call(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """Send a request (`body` as JSON, bytes as they are) and return status and decoded answer."""
        return node.call(self.port, method, path, body)


@contextmanager
def joined(folder: Path) -> Iterator[Shared]:
    """Share the node of the test run that has `folder`. Raises `node.Unavailable`.

    The environment variable OPENSEARCH_URL names a node that runs anyway.
    """
    if url := os.environ.get("OPENSEARCH_URL"):
        yield Shared(urlsplit(url).port or 9200)
        return
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        held, port = _hold(folder)
    try:
        yield Shared(port)
    finally:
        os.close(held)


def _hold(folder: Path) -> tuple[int, int]:
    """Return a hold on the standard input of a running node, which ends with the last of them, and its port."""
    pipe, kept = folder / "input", folder / "port"
    if kept.exists():
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), int(kept.read_text())
        except OSError:  # nobody reads: it has ended
            pipe.unlink()
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    held = os.open(pipe, os.O_WRONLY)
    os.set_blocking(reading, True)
    try:
        started = node.start(folder / str(len(list(folder.iterdir()))), stdin=reading).wait()
    except BaseException:
        os.close(held)
        pipe.unlink()
        raise
    finally:
        os.close(reading)
    _started.append(started)
    kept.write_text(str(started.port))
    return held, started.port

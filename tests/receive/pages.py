"""A web server for tests of sources that ask: pages by path, what was asked for with which headers."""

from __future__ import annotations

import contextlib
import gzip
import http.server
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass
class Pages:
    """What is served, and what was asked."""

    address: str = ""
    bodies: dict[str, bytes] = field(default_factory=dict)
    kinds: dict[str, str] = field(default_factory=dict)
    statuses: dict[str, int] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    packed: bool = False
    asked: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)


@contextlib.contextmanager
def served(**bodies: bytes) -> Iterator[Pages]:
    """Serve pages until the end of the block."""
    pages = Pages(bodies={f"/{name}": body for name, body in bodies.items()})

    class Handler(http.server.BaseHTTPRequestHandler):
        def _answer(self) -> None:
            path = self.path.partition("?")[0]
            self.rfile.read(int(self.headers.get("content-length", 0)))
            pages.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
            body = pages.bodies.get(path)
            self.send_response(pages.statuses.get(path, 404 if body is None else 200))
            if path in pages.redirects:
                self.send_header("location", pages.redirects[path])
            self.send_header("content-type", pages.kinds.get(path, "text/plain; version=0.0.4"))
            if pages.packed:
                body = gzip.compress(body or b"")
                self.send_header("content-encoding", "gzip")
            self.send_header("content-length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        do_GET = do_POST = _answer  # noqa: N815  named by http.server

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        pages.address = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield pages
        finally:
            server.shutdown()
            thread.join()

"""A way to a node on which requests get lost, answers get lost, and single records are turned away."""

from __future__ import annotations

import http.client
import json
import random
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

_BUSY = {"type": "opensearch_rejected_execution_exception", "reason": "rejected execution of a task"}


class Faulty:
    """A proxy on loopback; use as a context manager. `rate` of the writes go wrong while it is above 0."""

    def __init__(self, node: int, seed: int, rate: float = 0.4) -> None:
        """Hand requests on to the node at port `node`."""
        self.node = node
        self.rate = rate
        self.happened: dict[str, int] = {}
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        self._server.daemon_threads = True

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def secure(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def draw(self, path: str) -> str:
        """Return what goes wrong with the next request, or `fine`."""
        with self._lock:
            if "_bulk" not in path or self._random.random() >= self.rate:
                return "fine"
            fault = self._random.choice(["busy", "lost", "answer lost", "items turned away"])
            self.happened[fault] = self.happened.get(fault, 0) + 1
            return fault

    def pick(self, count: int) -> set[int]:
        """Return some of `count` places, at least one."""
        with self._lock:
            return set(self._random.sample(range(count), self._random.randint(1, count)))


class _Handler(BaseHTTPRequestHandler):
    proxy: Faulty
    protocol_version = "HTTP/1.1"

    def do_any(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        fault = self.proxy.draw(self.path)
        if fault == "lost":
            self.close_connection = True
        elif fault == "busy":
            self.reply(503, json.dumps({"error": _BUSY, "status": 503}).encode())
        elif fault == "items turned away":
            self.reply(*self.partly(body))
        else:
            answer = self.forward(body)
            if fault == "answer lost":
                self.close_connection = True
            else:
                self.reply(*answer)

    do_GET = do_POST = do_PUT = do_DELETE = do_any  # noqa: N815  the names the base class looks for

    def partly(self, body: bytes) -> tuple[int, bytes]:
        """Hand a part of the records on, and answer for the others that the node is busy."""
        items: list[tuple[str, list[bytes]]] = []
        lines = iter(body.splitlines())
        for line in lines:
            (op,) = json.loads(line)
            items.append((op, [line] if op == "delete" else [line, next(lines)]))
        away = self.proxy.pick(len(items))
        kept = b"".join(part + b"\n" for place, (_, parts) in enumerate(items) if place not in away for part in parts)
        told: list[Any] = json.loads(self.forward(kept)[1])["items"] if kept else []
        for place in sorted(away):
            told.insert(place, {items[place][0]: {"status": 429, "error": _BUSY}})
        return 200, json.dumps({"took": 1, "errors": True, "items": told}).encode()

    def forward(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.proxy.node, timeout=60)
        try:
            headers = {"Content-Type": self.headers.get("content-type") or "application/json"}
            connection.request(self.command, self.path, body or None, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

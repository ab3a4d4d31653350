"""Servers on loopback that receive alerts, well or badly: HTTP and SMTP, each in a thread of the test.

`mode` says how the next requests are answered: `ok`, `busy` (try again, HTTP with Retry-After), `refuse` (never),
`slow` (after `slow_s`, the request is taken), `drip` (one byte at a time, without end), `twice` (a second answer
follows the first on the same connection), `cut` (the connection is closed after the request was read, without an
answer), `redirect` (HTTP only).
"""

from __future__ import annotations

import contextlib
import socketserver
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import ssl

RETRY_AFTER_S = 7


@dataclass(frozen=True, slots=True)
class Received:
    """One request that a peer read whole: where it was sent, its headers (lower case), its body."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Peer:
    """A server in a thread; use as a context manager."""

    handler: type[_Handler]
    mode: str = "ok"
    slow_s: float = 5.0
    received: list[Received] = field(default_factory=list)
    answer: bytes = b"ok"
    tls: ssl.SSLContext | None = None
    port: int = 0
    _server: socketserver.ThreadingTCPServer | None = None
    _closing: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Self:
        """Listen on a free port of loopback."""
        server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self.handler, bind_and_activate=True)
        server.daemon_threads = True
        server.block_on_close = False
        server.peer = self  # type: ignore[attr-defined]
        self._server = server
        self.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close the port and let slow answers go."""
        self._closing.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()

    def pause(self, seconds: float) -> None:
        """Wait, at most until the peer is closed."""
        self._closing.wait(seconds)

    @property
    def closing(self) -> bool:
        """Whether the test is over."""
        return self._closing.is_set()


class _Handler(socketserver.StreamRequestHandler):
    timeout = 20

    @property
    def peer(self) -> Peer:
        found: Peer = self.server.peer  # type: ignore[attr-defined]
        return found

    def handle(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self.serve()

    def finish(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            super().finish()
        self.connection.close()

    def serve(self) -> None:
        raise NotImplementedError

    def drip(self, text: bytes) -> None:
        """Send one byte at a time, forever."""
        for number in range(10_000):
            if self.peer.closing:
                return
            self.wfile.write(text[number % len(text) :][:1])
            time.sleep(0.05)


class _Http(_Handler):
    def serve(self) -> None:
        line = self.rfile.readline(65_536).decode("latin-1").split()
        headers: dict[str, str] = {}
        while (text := self.rfile.readline(65_536).strip()) != b"":
            name, _, value = text.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        body = self.rfile.read(int(headers.get("content-length", "0")))
        self.peer.received.append(Received(line[1], headers, body))
        self.respond(self.peer.mode)

    def respond(self, mode: str) -> None:
        if mode == "cut":
            return
        if mode == "drip":
            self.drip(b"HTTP/1.1 200 OK\r\nx-drip: " + b"a" * 100)
            return
        if mode == "slow":
            self.peer.pause(self.peer.slow_s)
        more = {"busy": f"Retry-After: {RETRY_AFTER_S}\r\n", "redirect": "Location: http://127.0.0.1:1/\r\n"}
        status = {"busy": "503 Busy", "refuse": "403 No", "redirect": "307 There"}.get(mode, "200 OK")
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(self.peer.answer)}\r\n{more.get(mode, '')}\r\n"
        self.wfile.write((head.encode() + self.peer.answer) * (2 if mode == "twice" else 1))


class _Smtp(_Handler):
    """As much of RFC 5321, 3207 and 4954 as a client needs."""

    def serve(self) -> None:
        if self.peer.mode == "drip":
            self.drip(b"220-slowly")
            return
        self.say("220 loopback")
        while line := self.rfile.readline(65_536):
            verb, _, rest = line.decode("latin-1").strip().partition(" ")
            if not self.do(verb.upper(), rest):
                return

    def say(self, text: str) -> None:
        self.wfile.write(text.encode() + b"\r\n")

    def do(self, verb: str, rest: str) -> bool:
        mode = self.peer.mode
        if verb == "EHLO":
            offers = ["loopback", "8BITMIME", *(["STARTTLS"] if self.peer.tls else []), "AUTH PLAIN"]
            self.say("\r\n".join(f"250{'-' if n < len(offers) - 1 else ' '}{o}" for n, o in enumerate(offers)))
        elif verb == "STARTTLS" and self.peer.tls is not None:
            self.say("220 go")
            self.rfile.close()
            self.wfile.close()
            self.connection = self.peer.tls.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile: Any = self.connection.makefile("wb", buffering=0)
        elif verb == "AUTH":
            self.say("235 in" if rest else "501 no")
        elif verb == "RCPT" and mode in {"busy", "refuse"}:
            self.say("451 later" if mode == "busy" else "550 nobody")
        elif verb == "DATA":
            return self.data()
        elif verb == "QUIT":
            self.say("221 bye")
            return False
        else:
            self.say("250 fine")
        return True

    def data(self) -> bool:
        self.say("354 go on")
        lines = []
        while (line := self.rfile.readline(65_536)) not in {b".\r\n", b""}:
            lines.append(line.removeprefix(b"."))
        body = b"".join(lines)
        self.peer.received.append(Received("", _headers(body), body))
        if self.peer.mode == "cut":
            return False
        if self.peer.mode == "slow":
            self.peer.pause(self.peer.slow_s)
        self.say("250 taken")
        if self.peer.mode == "twice":
            self.say("250 taken")
        return True


def _headers(mail: bytes) -> dict[str, str]:
    from email import message_from_bytes, policy

    return {name.lower(): str(value) for name, value in message_from_bytes(mail, policy=policy.default).items()}


def http_peer(**about: Any) -> Peer:
    """Return an HTTP server."""
    return Peer(_Http, **about)


def smtp_peer(**about: Any) -> Peer:
    """Return a mail server."""
    return Peer(_Smtp, **about)

"""The server over real sockets: limits, guards, streams, the page, and a clean stop."""

from __future__ import annotations

import asyncio
import base64
import gzip
import http.client
import json
import socket
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.serving import Answer, Server
from treering.app.config import Listen
from treering.core.access import Access, Token, digest, new_token
from treering.core.errors import UserError
from treering.core.telemetry import Telemetry
from treering.stage.source import Response, Route
from treering.web.page import CSP, Page
from treering.web.server import HttpConfig, HttpServer, Listener

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from pathlib import Path

NDJSON = {"content-type": "application/x-ndjson"}
LINE = b'{"create":{"_index":"logs"}}\n{"message":"m"}\n'


def exchange(port: int, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        shown = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, shown, response.read())
    finally:
        connection.close()


def serve(
    client: Callable[[int], Any], routes: list[Route], config: HttpConfig | None = None, page: Page | None = None
) -> Any:
    """Run `client` in a thread against a server of its own; returns what it returns."""

    async def scenario() -> Any:
        listener = Listener("main", "127.0.0.1", 0, routes, page, required=True)
        server = HttpServer([listener], Telemetry(), config=config or HttpConfig())
        await server.start()
        try:
            return await asyncio.to_thread(client, listener.port)
        finally:
            await server.stop()

    return asyncio.run(scenario())


async def echo(request: Any) -> Response:
    return Response(200, b"%d" % len(request.body))


ECHO = [Route(frozenset({"POST"}), "/echo", echo)]
SMALL = HttpConfig(max_body_bytes=10_000, body_timeout_s=0.3)


def test_large_bodies_are_refused_declared_or_not() -> None:
    def client(port: int) -> list[int]:
        whole = exchange(port, "POST", "/echo", b"x" * 10_000)
        declared = exchange(port, "POST", "/echo", b"x" * 10_001)
        bomb = exchange(port, "POST", "/echo", gzip.compress(b"x" * 5_000_000), {"content-encoding": "gzip"})
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(
            "POST", "/echo", iter([b"x" * 4000] * 4), {"transfer-encoding": "chunked"}, encode_chunked=True
        )
        chunked = connection.getresponse()
        connection.close()
        return [whole.status, declared.status, bomb.status, chunked.status]

    assert serve(client, ECHO, SMALL) == [200, 413, 413, 413]


def test_a_body_that_never_comes_ends_with_408() -> None:
    def client(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
            return connection.recv(100)

    assert b" 408 " in serve(client, ECHO, SMALL)


def test_a_client_that_leaves_within_its_body_harms_nobody() -> None:
    def client(port: int) -> int:
        with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
            connection.sendall(b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nabc")
        return exchange(port, "POST", "/echo", b"abc").status

    assert serve(client, ECHO, SMALL) == 200


def test_a_damaged_or_unknown_encoding_is_refused() -> None:
    def client(port: int) -> list[int]:
        return [
            exchange(port, "POST", "/echo", gzip.compress(b"x" * 500)[:-4], {"content-encoding": "gzip"}).status,
            exchange(port, "POST", "/echo", b"x", {"content-encoding": "br"}).status,
        ]

    assert serve(client, ECHO, SMALL) == [400, 415]


def test_faults_of_routes_are_answered_500_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def broken(_request: Any) -> Response:
        raise ZeroDivisionError

    answer = serve(lambda port: exchange(port, "GET", "/broken"), [Route(frozenset({"GET"}), "/broken", broken)])
    assert answer.status == 500
    assert b"ZeroDivision" not in answer.body
    assert "GET /broken failed" in caplog.text


def test_only_known_hosts_and_own_origins_are_served() -> None:
    def client(port: int) -> list[int]:
        tries: list[dict[str, str]] = [
            {"Host": f"localhost:{port}"},
            {"Host": f"[::1]:{port}"},
            {"Host": "127.0.0.1"},
            {"Host": "treering.localhost"},
            {"Host": f"127.0.0.1:{port}", "Origin": f"http://127.0.0.1:{port}"},
            {"Host": f"evil.example:{port}"},
            {"Host": f"127.0.0.1:{port}", "Origin": "http://evil.example"},
            {"Host": f"127.0.0.1:{port}", "Origin": "null"},
        ]
        return [exchange(port, "POST", "/echo", b"", headers).status for headers in tries]

    assert serve(client, ECHO) == [200] * 5 + [403] * 3


def test_streams_flow_and_end_when_the_reader_leaves_or_the_server_stops() -> None:
    closed = threading.Event()

    async def ticks() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"data: tick\n\n"
                await asyncio.sleep(0.01)
        finally:
            closed.set()

    async def stream(_request: Any) -> Response:
        return Response(200, headers={"content-type": "text/event-stream"}, stream=ticks())

    def client(port: int) -> tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        first = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        first.request("GET", "/ticks")
        response = first.getresponse()
        assert response.read(12) == b"data: tick\n\n"
        response.close()
        first.close()
        assert closed.wait(5)
        closed.clear()
        second = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        second.request("GET", "/ticks")
        left = second.getresponse()
        assert left.read(12) == b"data: tick\n\n"
        return second, left

    started = time.monotonic()
    second, left = serve(client, [Route(frozenset({"GET"}), "/ticks", stream)])
    assert closed.wait(5)
    assert time.monotonic() - started < 10
    left.close()
    second.close()


def test_a_taken_conventional_port_is_a_warning_and_the_main_one_an_error() -> None:
    async def scenario() -> tuple[str, str]:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            main = Listener("main", "127.0.0.1", 0, ECHO, required=True)
            other = Listener("opensearch", "127.0.0.1", port, ECHO)
            server = HttpServer([main, other], Telemetry())
            await server.start()
            states = main.state, other.state
            await server.stop()
            await server.stop()
            with pytest.raises(UserError, match=f"cannot listen on http://127.0.0.1:{port}"):
                await HttpServer([Listener("main", "127.0.0.1", port, ECHO, required=True)], Telemetry()).start()
            return states

    assert asyncio.run(scenario()) == ("open", "address already in use")


def test_strangers_on_a_network_are_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="without authentication"):
        asyncio.run(HttpServer([Listener("main", "0.0.0.0", 0, ECHO, required=True)], Telemetry()).start())
    with pytest.raises(UserError, match="unknown role"):
        Access([Token(name="x", sha256="", role="root")])


def test_roles_decide_who_may_do_what(tmp_path: Path) -> None:
    secrets = {role: new_token() for role in ("ingest", "viewer", "admin")}
    tokens = tuple(Token(name=role, sha256=digest(token), role=role) for role, token in secrets.items())
    with Server(tmp_path / "data", tokens=tokens, listen=Listen(port=0, conventional=False)) as server:

        def status(method: str, path: str, role: str, scheme: str = "Bearer") -> int:
            token = secrets.get(role, "wrong")
            if scheme == "Basic":
                token = base64.b64encode(f"anyone:{token}".encode()).decode()
            body = LINE if method == "POST" else b""
            return server.request(method, path, body, {**NDJSON, "authorization": f"{scheme} {token}"}).status

        assert server.request("GET", "/").status == 401
        assert "www-authenticate" in server.request("GET", "/nothing/here/at/all").headers
        assert [status("POST", "/_bulk", role) for role in ("ingest", "viewer", "admin", "none")] == [
            200,
            403,
            200,
            401,
        ]
        assert status("POST", "/_bulk", "ingest", "Basic") == 200
        assert status("POST", "/_bulk", "ingest", "Digest") == 401
        assert [status("GET", "/", role) for role in ("ingest", "viewer", "none")] == [200, 200, 401]
        assert [status("GET", "/_cat/indices", role) for role in ("ingest", "viewer")] == [403, 200]
        assert [status("DELETE", "/logs", role) for role in ("ingest", "viewer", "admin")] == [403, 403, 200]


def test_browsers_get_the_page_and_programs_the_api(tmp_path: Path) -> None:
    folder = tmp_path / "static"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<!doctype html>")
    (folder / "assets" / "app.js").write_text("1")

    async def root(_request: Any) -> Response:
        return Response(200, b"{}", {"content-type": "application/json"})

    def client(port: int) -> list[Answer]:
        browser = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        page = exchange(port, "GET", "/", headers=browser)
        again = exchange(port, "GET", "/", headers={**browser, "if-none-match": page.headers["etag"]})
        script = exchange(port, "GET", "/assets/app.js")
        return [page, again, script, exchange(port, "GET", "/"), exchange(port, "GET", "/../secret", headers=browser)]

    page, again, script, program, outside = serve(client, [Route(frozenset({"GET"}), "/", root)], page=Page(folder))
    assert (page.status, page.body, again.status, again.body) == (200, b"<!doctype html>", 304, b"")
    assert page.headers["content-security-policy"] == CSP
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["x-frame-options"] == "DENY"
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert "immutable" in script.headers["cache-control"]
    assert program.body == b"{}"
    assert outside.body == b"<!doctype html>"


def test_a_request_in_flight_is_finished_at_the_stop() -> None:
    entered = threading.Event()

    async def slow(_request: Any) -> Response:
        entered.set()
        await asyncio.sleep(0.3)
        return Response(200, b"done")

    async def scenario() -> Answer:
        listener = Listener("main", "127.0.0.1", 0, [Route(frozenset({"GET"}), "/slow", slow)], required=True)
        server = HttpServer([listener], Telemetry())
        await server.start()
        asking = asyncio.ensure_future(asyncio.to_thread(exchange, listener.port, "GET", "/slow"))
        await asyncio.to_thread(entered.wait, 5)
        await server.stop()
        return await asking

    assert asyncio.run(scenario()).body == b"done"


def test_many_requests_on_one_connection(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for _ in range(50):
        connection.request("POST", "/_bulk", LINE * 3, NDJSON)
        answer = json.loads(connection.getresponse().read())
        assert not answer["errors"]
    connection.close()
    assert len(server.records("logs")) == 150

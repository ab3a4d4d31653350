"""A running server as commands on the same machine use it: its API, its events, and a sink that sends to it."""

from __future__ import annotations

import asyncio
import http.client
import io
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

import msgspec

from treering.core.errors import Bug, Permanent, Retryable, UserError, Where
from treering.stage.source import NO_TOMBSTONES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.app.owner import Owner
    from treering.model.batch import Batch

ARROW = "application/vnd.apache.arrow.stream"
JSON = "application/json"


class Remote:
    """Calls the server that `owner` describes. Every call raises `Retryable` when it does not answer."""

    def __init__(self, owner: Owner, timeout_s: float = 120.0) -> None:
        """Talk to `owner`; wait for an answer `timeout_s` seconds."""
        self.owner = owner
        self._timeout_s = timeout_s
        self._headers = {"authorization": f"Bearer {owner.token}"}

    def get(self, path: str) -> Any:
        """Return the JSON answer of `GET path`. Raises what the server refuses with."""
        return self.send("GET", path)

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """Return the JSON answer of `POST path`. Raises what the server refuses with, pointing into `body["query"]`."""
        return self.send("POST", path, msgspec.json.encode(body), JSON, text=str(body.get("query", "")))

    def send(self, method: str, path: str, body: bytes = b"", kind: str = JSON, text: str = "") -> Any:
        """Return the JSON answer of a call. Raises `UserError`, `Retryable`, `Permanent` or `Bug`."""
        data = self._bytes(method, path, body, kind, text)
        return msgspec.json.decode(data) if data else None

    def download(self, path: str) -> bytes:
        """Return the bytes that `GET path` answers. Raises what the server refuses with."""
        return self._bytes("GET", path, b"", JSON, "")

    def _bytes(self, method: str, path: str, body: bytes, kind: str, text: str) -> bytes:
        connection = self._connection()
        try:
            connection.request(method, path, body or None, {**self._headers, "content-type": kind})
            answer = connection.getresponse()
            data = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Retryable(f"no answer from the server at {self.owner.address}: {error}") from error
        finally:
            connection.close()
        if answer.status >= 300:
            raise refused(answer.status, data, answer.getheader("retry-after"), text)
        return data

    def events(self, path: str) -> Iterator[tuple[str, Any]]:
        """Yield the server-sent events of `GET path`, each with its data, until the server ends them."""
        connection = self._connection()
        name = "message"
        try:
            connection.request("GET", path, headers=self._headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise refused(answer.status, answer.read(), None, "")
            while line := answer.readline():
                if line.startswith(b"event: "):
                    name = line[7:].decode().strip()
                elif line.startswith(b"data: "):
                    yield name, msgspec.json.decode(line[6:])
        except (OSError, http.client.HTTPException) as error:
            raise Retryable(f"the server at {self.owner.address} closed the connection: {error}") from error
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        address = urlsplit(self.owner.address)
        return http.client.HTTPConnection(address.hostname or "127.0.0.1", address.port, timeout=self._timeout_s)


def refused(status: int, data: bytes, retry_after: str | None, text: str) -> Exception:
    """Return the error that an answer of `/api/*` stands for (docs/api.md)."""
    try:
        about = msgspec.json.decode(data)["error"]
        message, hint = str(about["message"]), str(about.get("hint") or "")
        position = about.get("position")
    except (msgspec.DecodeError, KeyError, TypeError):
        message, hint, position = f"the server answered {status}", "", None
    if status in {429, 503}:
        wait = float(retry_after) if retry_after and retry_after.isdigit() else 1.0
        return Retryable(message, hint=hint, retry_after_s=wait)
    if status == 507:
        return Permanent(message, hint=hint)
    if status >= 500:
        return Bug(message, hint=hint)
    where = Where(text, position["offset"], position["length"]) if position and text else None
    return UserError(message, hint=hint, where=where)


class RemoteSink:
    """Sends batches to the server that owns the data, as Arrow, and waits until they are durable there."""

    def __init__(self, remote: Remote) -> None:
        """Send through `remote`."""
        self._remote = remote

    async def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = NO_TOMBSTONES) -> int:
        """Return the `_seq` of the first row. Raises `Retryable` before anything was stored, or `Permanent`."""
        if tombstones:
            raise Bug("records cannot be deleted through the ingest API")
        first = -1
        for batch in batches:
            answer = await asyncio.to_thread(self._send, batch)
            first = answer["first"] if first < 0 else first
        return first

    def _send(self, batch: Batch) -> Any:
        from arro3.core import Table
        from arro3.io import write_ipc_stream

        body = io.BytesIO()
        write_ipc_stream(Table.from_batches([batch.data]), body, compression=None)
        path = f"/api/ingest/{quote(batch.stream, safe='')}"
        try:
            return self._remote.send("POST", path, body.getvalue(), ARROW)
        except Retryable as error:
            if error.message.startswith("no answer"):
                # Whether the rows are stored is unknown: sending them again could double them.
                raise Permanent(f"{error.message}; the last {batch.rows} records may or may not be stored") from error
            raise

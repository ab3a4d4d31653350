"""Whole batches over HTTP: `POST /api/ingest/{stream}` with JSON lines, any log text, or Arrow.

The simplest way in for scripts (`curl --data-binary @app.log`), and the one that `treering ingest` takes when a server
owns the data directory. The answer comes when the records are durable.
"""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
from arro3.core import RecordBatch, Table
from arro3.io import read_ipc_stream

from treering.core.config import Config as BaseConfig
from treering.core.errors import Retryable, TreeringError, UserError
from treering.model.batch import Batch
from treering.model.columns import ARROW, ORIGIN, OWN, REST, SEQUENCE, SYSTEM, TIME, Kind, split
from treering.receive._decoder import Decoded, Decoder
from treering.stage.source import Response, Route

if TYPE_CHECKING:
    from treering.stage.source import Context, Request

NAME = "ingest"
ARROW_TYPES = frozenset({"application/vnd.apache.arrow.stream"})
JSON_TYPES = frozenset({"application/x-ndjson", "application/ndjson", "application/jsonl"})
_HEADERS = {"content-type": "application/json"}


class Config(BaseConfig, frozen=True):
    """Nothing to configure; limits are the listener's."""


def build(_config: Config, context: Context) -> tuple[Route, ...]:
    """Return the route."""

    async def handle(request: Request) -> Response:
        try:
            return await _take(context, request)
        except Retryable as error:
            wait = str(max(1, round(error.retry_after_s)))
            return _refusal(503, error, {"retry-after": wait})
        except TreeringError as error:
            return _refusal(400 if isinstance(error, UserError) else 507, error, {})

    return (Route(frozenset({"POST"}), "/api/ingest/{stream}", handle, role="ingest"),)


async def _take(context: Context, request: Request) -> Response:
    stream = stream_name(request.params["stream"])
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    decoded = await asyncio.to_thread(_decode, context, stream, kind, request)
    rows, telemetry = decoded.rows, context.telemetry
    telemetry.received(NAME, rows + len(decoded.rejected))
    reasons = Counter(reason for reason, _ in decoded.rejected)
    for reason, count in reasons.items():
        telemetry.rejected(NAME, count, reason)
    first = -1
    if rows:
        try:
            first = await context.sink.append(decoded.batches)
        except BaseException as error:
            telemetry.rejected(NAME, rows, "store busy" if isinstance(error, Retryable) else "store refused")
            raise
        telemetry.stored(NAME, rows)
    body = {"received": rows + len(decoded.rejected), "stored": rows, "rejected": reasons, "first": first}
    return Response(200, msgspec.json.encode(body), _HEADERS)


def _refusal(status: int, error: TreeringError, headers: dict[str, str]) -> Response:
    return Response(status, msgspec.json.encode({"error": error.as_dict()}), {**_HEADERS, **headers})


def _decode(context: Context, stream: str, kind: str, request: Request) -> Decoded:
    if kind in ARROW_TYPES:
        return Decoded([Batch(stream, part) for part in arrow(request.body)])
    wanted = request.query.get("format") or ("json" if kind in JSON_TYPES else "auto")
    decoder = Decoder(stream, context.clock.now_ns, wanted)
    out = decoder.feed(request.body)
    last = decoder.end()
    return Decoded(out.batches + last.batches, out.rejected + last.rejected)


def stream_name(name: str) -> str:
    """Return `name` if it can be a stream's, by OpenSearch's rules for index names. Raises `UserError`."""
    if (
        not name
        or len(name.encode()) > 255
        or name[0] in "-_+."
        or name != name.lower()
        or set(name) & set(' "*\\<|,>/?#:')
    ):
        raise UserError(
            f"{name[:80]!r} cannot be a stream's name",
            hint='lower case, up to 255 bytes, not beginning with - _ + . and without space " * \\ < | , > / ? # :',
        )
    return name


def arrow(body: bytes) -> list[RecordBatch]:
    """Return the batches of an Arrow IPC stream. Raises `UserError` unless its columns are as `model.columns` says."""
    try:
        table: Table = read_ipc_stream(io.BytesIO(body)).read_all()
        batches = table.combine_chunks().to_batches()
    except Exception as error:
        raise UserError(f"not an Arrow IPC stream: {str(error)[:200]}") from error
    for name in table.schema.names:
        _check_column(name, table.schema.field(name).type)
    if len(set(table.schema.names)) != len(table.schema.names):
        raise UserError("two columns have the same name")
    if TIME not in table.schema.names:
        raise UserError(f"the column {TIME} is missing")
    if table.column(TIME).null_count:
        raise UserError(f"the column {TIME} has nulls")
    for name in table.schema.names:
        if name == REST or (name not in SYSTEM and split(name)[1] is Kind.JSON):
            column: Any = table.column(name)
            _check_json(name, column.to_pylist())
    return [part for part in batches if part.num_rows]


def _check_column(name: str, kind: Any) -> None:
    unknown = name.startswith("_") and name not in SYSTEM and ":" not in name
    if name in {SEQUENCE, ORIGIN} or name.startswith(OWN) or unknown:
        raise UserError(f"the column {name[:80]!r} is not the sender's to set")
    try:
        expected = SYSTEM.get(name) or ARROW[split(name)[1]]
    except ValueError as error:
        raise UserError(f"the column {name[:80]!r} has no known kind") from error
    if kind != expected:
        raise UserError(f"the column {name[:80]!r} is {kind}, not {expected}")


def _check_json(name: str, values: list[str | None]) -> None:
    for value in values:
        if value is None:
            continue
        try:
            decoded = msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError) as error:
            raise UserError(f"the column {name[:80]!r} holds text that is not JSON") from error
        if name == REST and not isinstance(decoded, dict):
            raise UserError(f"the column {REST} holds JSON that is no object")
        if name == REST and any(pointer.startswith(OWN) for pointer in decoded):
            raise UserError(f"the column {REST} has a name beginning with {OWN!r}, which is not the sender's to set")

"""The contract of receivers: how bytes from senders become batches in the store.

A receiver that speaks HTTP offers `Route`s; `treering.web` serves them and knows the framework. One that listens by
itself (gRPC, syslog) or pulls (files, CloudWatch) is a `Source`.

Must: answer success only after `Store.append` returned; reject single unreadable items with a reason and keep their
neighbours; count every record (`treering.core.telemetry`): received = stored + rejected + dropped + in flight; turn
`Retryable` into what its protocol's clients understand as "try again". Must not: hold unbounded data in memory; trust
lengths, names or texts of the sender. May: delay an answer while the store is busy.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence

    from treering.core.clock import Clock
    from treering.core.telemetry import Telemetry
    from treering.model.batch import Batch

NO_TOMBSTONES: Mapping[str, Sequence[int]] = MappingProxyType({})


class Sink(Protocol):
    """Where a receiver puts its batches."""

    async def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = NO_TOMBSTONES) -> int:
        """Make all rows durable and return the `_seq` of the first one. Raises `Retryable` or `Permanent`.

        `tombstones` maps streams to the `_seq`s of records that cease to be in the same step.
        """
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a receiver works with."""

    sink: Sink
    clock: Clock
    telemetry: Telemetry


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request with its body whole and decompressed; header names are lower case."""

    method: str
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer: `body` whole, or `stream` of parts until it ends or the client leaves (it is then closed)."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: AsyncGenerator[bytes, None] | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """A path (`/{index}/_bulk`) and the methods that `handle` answers.

    A parameter stands for one whole step that does not begin with `_`. `role` is what a caller needs where the
    listener asks for authentication: `any`, `ingest`, `viewer`, `analyst` or `admin`;
    `public` is answered to everybody. `reads` says that nothing is changed, so that the work is cancelled when the
    caller leaves before it has its answer.
    """

    methods: frozenset[str]
    path: str
    handle: Callable[[Request], Awaitable[Response]]
    role: str = "viewer"
    reads: bool = False


class Source(Protocol):
    """A receiver with a life of its own."""

    async def start(self) -> None:
        """Begin to receive. Raises `UserError` when its address or file cannot be opened."""
        ...

    async def stop(self) -> None:
        """Stop taking in, settle what is in flight, release everything. May be called twice."""
        ...

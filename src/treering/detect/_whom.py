"""Whom a record concerns: user, session, service, trace and the rest, from the canonical fields with few fallbacks."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, TypeVar

import msgspec

from treering.model.finding import Entity, Evidence, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.rows import Rows

FIELDS: dict[str, tuple[str, ...]] = {
    "user": ("attributes.user.id", "attributes.enduser.id", "attributes.gen_ai.user.id", "user.id"),
    "session": ("attributes.gen_ai.conversation.id", "attributes.session.id", "session.id"),
    "service": ("serviceName", "resource.attributes.service.name"),
    "tenant": ("attributes.tenant.id", "tenant.id"),
    "address": ("attributes.client.address", "client.address"),
    "agent": ("attributes.gen_ai.agent.name", "attributes.gen_ai.agent.id"),
    "tool": ("attributes.gen_ai.tool.name",),
    "model": ("attributes.gen_ai.request.model", "attributes.gen_ai.response.model"),
    "trace": ("traceId",),
}
"""Kind of entity → fields that name it, the canonical one first."""


class Whom:
    """Names the entities of the records of one batch; columns are read when asked for."""

    def __init__(self, rows: Rows) -> None:
        """Look at `rows`."""
        self._rows = rows
        self._columns: dict[str, Sequence[object]] = {}

    def name(self, kind: str, index: int) -> str:
        """Return the name of the entity of `kind`, empty if the record has none."""
        value = self._column(kind)[index]
        return value if isinstance(value, str) else "" if value is None or isinstance(value, bool) else str(value)[:200]

    def session(self, index: int) -> str:
        """Return the conversation."""
        return self.name("session", index)

    def trace(self, index: int) -> str:
        """Return the trace id."""
        return self.name("trace", index)

    def service(self, index: int) -> str:
        """Return the service."""
        return self.name("service", index)

    def span(self, index: int) -> str:
        """Return the span id."""
        value = self._rows.values("spanId")[index] if self._rows.has("spanId") else None
        return value if isinstance(value, str) else ""

    def actor(self, index: int) -> str:
        """Return who did it: the user, else the session, trace or service."""
        kinds = ("user", "session", "trace", "service")
        return next((name for kind in kinds if (name := self.name(kind, index))), "unknown")

    def known(self, index: int) -> list[str]:
        """Return the names of the record that are personal: whom data could be about."""
        return [name for kind in ("user", "session", "tenant") if (name := self.name(kind, index))]

    def entities(self, index: int) -> Iterator[Entity]:
        """Yield every entity that the record names, the user first."""
        for kind in FIELDS:
            if name := self.name(kind, index):
                yield Entity(kind, name)

    def _column(self, kind: str) -> Sequence[object]:
        column = self._columns.get(kind)
        if column is None:
            name = next((field for field in FIELDS[kind] if self._rows.has(field)), "")
            column = self._rows.values(name) if name else [None] * self._rows.count
            self._columns[kind] = column
        return column


def proof(rows: Rows, index: int, field: str, text: str, spans: tuple[tuple[int, int], ...] = ()) -> Evidence:
    """Return the record at `index` as evidence; `text` is that of `field`, cut around the first of `spans`."""
    shown, inside = excerpt(text, spans)
    inside = tuple((low, high) for low, high in inside if low < high)
    seq, source = int(rows.seqs[index]), ""
    if seq < 0 and rows.has("attributes.log.file.name"):
        source = rows.text("attributes.log.file.name", index) or ""
    trace, span = (rows.text(name, index) or "" for name in ("traceId", "spanId"))
    return Evidence(rows.stream, seq, int(rows.times[index]), field, shown, inside, source, trace, span)


T = TypeVar("T")


def restored(state: bytes, kind: type[T]) -> T:
    """Return a state saved with MessagePack. Raises `ValueError` for one that is no `kind`."""
    try:
        return msgspec.msgpack.decode(state, type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ValueError(f"not a state of this detector: {error}") from error


@cache
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86400, UTC).date().isoformat()


def day(at_ns: int) -> str:
    """Return the UTC date of an instant: what bounds findings that would else go on for ever."""
    return _day(at_ns // 86_400_000_000_000)

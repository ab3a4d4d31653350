"""Records as evidence, and the entities that most records name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.model.finding import Entity, Evidence, excerpt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.model.rows import Rows

SHOWN = ("traceId", "spanId", "attributes.log.file.name")
"""The fields that `evidence` reads besides the one it shows."""
HOST = "resource.attributes.host.name"


def evidence(rows: Rows, index: int, field: str, shown: str, spans: tuple[tuple[int, int], ...] = ()) -> Evidence:
    """Return the record at `index` as evidence; `shown` is the text of `field`, cut around the first of `spans`."""
    text, inside = excerpt(shown, spans)
    return Evidence(
        stream=rows.stream,
        seq=int(rows.seqs[index]),
        time_ns=int(rows.times[index]),
        field=field,
        excerpt=text,
        spans=inside,
        source=rows.text("attributes.log.file.name", index) or "" if rows.seqs[index] < 0 else "",
        trace_id=rows.text("traceId", index) or "",
        span_id=rows.text("spanId", index) or "",
    )


def entities(rows: Rows, index: int, **more: str) -> tuple[Entity, ...]:
    """Return service and host of a record, and what else is named in `more`."""
    found = {
        "service": rows.text("serviceName", index),
        "host": rows.text(HOST, index),
        **more,
    }
    return named(found.items())


def named(pairs: Iterable[tuple[str, str | None]]) -> tuple[Entity, ...]:
    """Return entities of those pairs of kind and name that have a name, names cut to 200 characters."""
    return tuple(Entity(kind, name[:200]) for kind, name in pairs if name)

"""Whether evidence shows what it says it does: it leads to its record, and what it marks is in that record's text."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import msgspec

from treering.model.batch import batch
from treering.model.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from treering.model.finding import Evidence, Finding

    Record = Mapping[str, Any]

_DEEPEST = 12


def unfounded(findings: Sequence[Finding], fetch: Callable[[str, list[int]], Mapping[int, Record]]) -> list[str]:
    """Return what is wrong with the evidence of `findings`, a line each; nothing when all of it holds.

    `fetch` gives the records of a stream by their sequence numbers, as `Store.records` does. A finding has evidence,
    each item is a record of its time and trace, and what it marks of its excerpt stands in a text that the record
    holds, however deep, also inside JSON that is kept as text, or in what JSON would make of one of its objects.
    (Excerpts themselves may leave out what others wrote: documents in a person's message.)
    """
    held: dict[tuple[str, int], Record] = {}
    items = [item for finding in findings for item in finding.evidence]
    for stream in sorted({item.stream for item in items}):
        seqs = sorted({item.seq for item in items if item.stream == stream})
        held |= {(stream, seq): record for seq, record in fetch(stream, seqs).items()}
    wrong = []
    for finding in findings:
        name = f"{finding.detector}/{finding.rule} ({finding.title[:60]})"
        wrong += [] if finding.evidence else [f"{name} has no evidence"]
        for item in finding.evidence:
            what = _wrong(item, held.get((item.stream, item.seq)))
            wrong += [f"{name}: {item.stream}/{item.seq} {what}"] if what else []
    return wrong


def _wrong(item: Evidence, record: Record | None) -> str:
    if record is None:
        return "is not in the store"
    row = Rows(batch(item.stream, [record], received_ns=item.time_ns))
    if int(row.times[0]) != item.time_ns:
        return "is of another time"
    if item.trace_id and record.get("traceId") != item.trace_id:
        return "is of another trace"
    if any(not 0 <= low < high <= len(item.excerpt) for low, high in item.spans):
        return "marks what is not in its excerpt"
    marked = {item.excerpt[low:high] for low, high in item.spans}
    if marked and (left := marked - {part for text in _texts(record) for part in marked if part in text}):
        return f"marks what the record does not hold: {min(left)[:60]!r}"
    return ""


def _texts(value: Any, depth: int = 0) -> Iterator[str]:
    """Yield every text in a value, and those in texts that are JSON."""
    if depth > _DEEPEST:
        return
    if isinstance(value, str):
        yield value
        if value[:1] in ("{", "["):
            yield from _texts(_decoded(value), depth + 1)
    elif isinstance(value, dict):
        with suppress(TypeError, ValueError, RecursionError):
            yield msgspec.json.encode(value).decode()
        for part in value.values():
            yield from _texts(part, depth + 1)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part, depth + 1)


def _decoded(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        return None

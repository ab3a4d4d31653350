"""A compiled query, and how a store answers it, as text that a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.stage.plan import Measured, Operator, Plan, Reading, Sent
    from treering.stage.store import Query, Scan, Tokens

_UNITS = (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10))
_FEW = 12


def explain(query: Query, plan: Plan | None = None, mode: str = "extended") -> str:
    """Return what the query reads and how it is answered, a line a fact; `mode` is one of `explain`'s (docs/ppl.md)."""
    return "\n".join(_lines(query, plan, mode))


def _lines(query: Query, plan: Plan | None, mode: str) -> Iterator[str]:
    yield f"answer: {_listed([f'{column.name} {column.type}' for column in query.columns])}"
    for name, scan in query.scans.items():
        yield f"scan {name}: {', '.join(scan.streams)}"
        yield from (f"  {line}" for line in _scan(scan))
        if plan is not None and name in plan.readings and mode != "simple":
            yield from (f"  {line}" for line in _reading(plan.readings[name]))
    if plan is not None and mode != "simple":
        yield from (line for one in plan.sent for line in _sent(one))
    if plan is not None and plan.measured is not None:
        yield from _measured(plan.measured)
    if plan is not None and mode != "simple":
        yield f"steps of {plan.engine}, the last one first:"
        yield from (f"  {line}" for line in _operators(plan.operators, 0, mode))
    if mode == "extended":
        yield "sql:"
        yield from (f"  {line}" for line in query.sql.sql(dialect="duckdb", pretty=True).splitlines())


def _scan(scan: Scan) -> Iterator[str]:
    yield f"fields: {_listed(scan.fields) or 'none'}"
    if scan.start_ns is not None:
        yield f"from {format_ns(scan.start_ns)}"
    if scan.end_ns is not None:
        yield f"before {format_ns(scan.end_ns)}"
    if scan.tokens is not None:
        yield f"words: {words(scan.tokens)}"
    if scan.sought:
        yield f"read only where the index has the words in them: {_listed(scan.sought)}"
    if scan.newest is not None:
        yield f"newest {scan.newest} rows"


def _reading(reading: Reading) -> Iterator[str]:
    share = f" of {reading.all_rows:,}" if reading.rows != reading.all_rows else ""
    yield f"reads at most {reading.rows:,}{share} rows, {size(reading.bytes)} of columns"
    memory = f" and {reading.unflushed:,} rows in memory" if reading.unflushed else ""
    yield f"in {reading.files:,} of {reading.all_files:,} files{memory}"
    if reading.counted_files:
        yield f"{reading.counted_files:,} files are not read: the index counts {reading.counted_rows:,} rows in them"
    if reading.decided:
        which = "one condition" if reading.decided == 1 else f"{reading.decided} conditions"
        rest = f", in doubt for {reading.doubtful:,} rows" if reading.doubtful else ""
        yield f"the index decides {which} on texts{rest}"


def _sent(one: Sent) -> Iterator[str]:
    coming = f"{one.fetched:,} come here" if one.fetched else "none comes here"
    yield f"asked of {one.to} for {one.scan}: {one.form} of {one.matching:,} documents, {coming}"
    yield f"  {one.body}"


def _measured(found: Measured) -> Iterator[str]:
    yield (
        f"measured: {found.rows:,} rows in {found.seconds * 1000:,.1f} ms, {found.cpu_seconds * 1000:,.1f} ms of CPU;"
        f" looked at {found.scanned_rows:,} rows, read {size(found.read_bytes)}"
    )


def _operators(operators: tuple[Operator, ...], depth: int, mode: str) -> Iterator[str]:
    for one in operators:
        facts = []
        if one.rows is not None:
            facts.append(f"{one.rows:,} rows")
        if one.seconds is not None:
            facts.append(f"{one.seconds * 1000:,.1f} ms")
        if mode in {"cost", "extended", "analyze"} and one.estimated_rows is not None:
            facts.append(f"about {one.estimated_rows:,} rows estimated")
        about = f": {one.about}" if one.about else ""
        measure = f" ({', '.join(facts)})" if facts else ""
        yield f"{'  ' * depth}{one.name}{measure}{about}"
        yield from _operators(one.children, depth + 1, mode)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    more = f" and {len(names) - _FEW} more" if len(names) > _FEW else ""
    return ", ".join(names[:_FEW]) + more


def size(count: int) -> str:
    """Return a number of bytes as people write it."""
    for unit, least in _UNITS:
        if count >= least:
            return f"{count / least:,.1f} {unit}"
    return f"{count} bytes"


def words(tokens: Tokens) -> str:
    """Return a condition on words as text."""
    if tokens.parts:
        return f"({f' {tokens.op} '.join(words(part) for part in tokens.parts)})"
    shown = {"prefix": f"{tokens.text}*", "substring": f"*{tokens.text}*"}.get(tokens.op, tokens.text)
    return f"{tokens.field}:{shown}" if tokens.field else shown

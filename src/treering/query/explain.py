"""A compiled query as text that a person can read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.model.times import format_ns

if TYPE_CHECKING:
    from treering.stage.store import Query, Scan, Tokens


def explain(query: Query) -> str:
    """Return what the query reads and the SQL that answers it."""
    lines: list[str] = []
    for name, scan in query.scans.items():
        lines.append(f"scan {name}: {', '.join(scan.streams)}")
        lines.extend(f"  {line}" for line in _scan(scan))
    lines.append(f"answer: {', '.join(f'{column.name} {column.type}' for column in query.columns)}")
    lines.append(query.sql.sql(dialect="duckdb", pretty=True))
    return "\n".join(lines)


def _scan(scan: Scan) -> list[str]:
    lines = [f"fields: {', '.join(scan.fields) or 'none'}"]
    if scan.start_ns is not None:
        lines.append(f"from {format_ns(scan.start_ns)}")
    if scan.end_ns is not None:
        lines.append(f"before {format_ns(scan.end_ns)}")
    if scan.tokens is not None:
        lines.append(f"words: {words(scan.tokens)}")
    if scan.newest is not None:
        lines.append(f"newest {scan.newest} rows")
    return lines


def words(tokens: Tokens) -> str:
    """Return a condition on words as text."""
    if tokens.parts:
        return f"({f' {tokens.op} '.join(words(part) for part in tokens.parts)})"
    shown = {"token": tokens.text, "prefix": f"{tokens.text}*", "substring": f"*{tokens.text}*"}[tokens.op]
    return f"{tokens.field}:{shown}" if tokens.field else shown

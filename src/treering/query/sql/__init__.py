"""Read-only SQL over streams: one SELECT, checked node by node, its tables scans of the store."""

from __future__ import annotations

from treering.query.sql.statement import Statement, compile  # noqa: A004  the name of what it does

__all__ = ["Statement", "compile"]

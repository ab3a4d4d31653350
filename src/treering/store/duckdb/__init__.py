"""The embedded engine: a write-ahead log, Parquet segments with token indexes, DuckDB over both."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.store.duckdb.config import Config
from treering.store.duckdb.engine import DuckdbStore
from treering.store.duckdb.ownership import owner

if TYPE_CHECKING:
    from pathlib import Path


def build(config: Config, path: Path) -> DuckdbStore:
    """Return the store in `path`, this process's own. Raises `UserError` when another process owns it."""
    return DuckdbStore(path, config)


__all__ = ["Config", "DuckdbStore", "build", "owner"]

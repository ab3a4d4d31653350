"""An OpenSearch cluster (2, 3, or Elasticsearch) as the store: dated indexes behind aliases, its core API only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.store.opensearch.config import Config

if TYPE_CHECKING:
    from pathlib import Path

    from treering.store.opensearch.engine import OpenSearchStore


def build(config: Config, path: Path) -> OpenSearchStore:
    """Return the store of the cluster that `config` names; `path` keeps what is not records, as this process's own.

    Raises `UserError` when another process owns `path`, `Retryable` when no node answers.
    """
    # Reading a configuration needs no engine.
    from treering.store.duckdb.ownership import Lock
    from treering.store.opensearch.engine import OpenSearchStore

    lock = Lock(path)
    try:
        return OpenSearchStore(config, lock=lock)
    except BaseException:
        lock.release()
        raise


__all__ = ["Config", "build"]

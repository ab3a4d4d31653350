"""An OpenSearch cluster (2, 3, or Elasticsearch) as the store: dated indexes behind aliases, its core API only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.store.opensearch.config import Config
from treering.store.opensearch.engine import OpenSearchStore

if TYPE_CHECKING:
    from pathlib import Path


def build(config: Config, path: Path) -> OpenSearchStore:  # noqa: ARG001  records are in the cluster
    """Return the store of the cluster that `config` names. Raises `Retryable` when no node answers."""
    return OpenSearchStore(config)


__all__ = ["Config", "OpenSearchStore", "build"]

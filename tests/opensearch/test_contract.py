"""The OpenSearch store keeps the contract of stores, against a real node."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest

from tests.opensearch.common import Shared
from treering.stage.store import Store
from treering.store.opensearch import Config
from treering.store.opensearch.engine import OpenSearchStore
from treering.testing.store_contract import StoreContract


def config(opensearch: Shared, name: str, read: tuple[str, ...] = (), **settings: Any) -> Config:
    """Return the configuration of a store whose names no other test uses."""
    return Config(
        urls=(opensearch.url,), prefix=f"{name}-", alias=f"{name}.{{stream}}", replicas=0, read=read, **settings
    )


class TestOnANode(StoreContract):
    @pytest.fixture(autouse=True)
    def _node(self, opensearch: Shared) -> None:
        self.node = opensearch

    def make(self, folder: Path) -> Store:
        return OpenSearchStore(config(self.node, "t" + hashlib.sha256(str(folder).encode()).hexdigest()[:12]))

"""The embedded store keeps the contract of stores: in memory, on disk, and with every row in a segment."""

from __future__ import annotations

from pathlib import Path

import pytest

from treering.stage.store import Store
from treering.store.duckdb import DuckdbStore
from treering.testing.store_contract import StoreContract


class TestOnDisk(StoreContract):
    def make(self, folder: Path) -> Store:
        return DuckdbStore(folder / "data")


class TestInSegments(TestOnDisk):
    def settle(self, store: Store) -> None:
        assert isinstance(store, DuckdbStore)
        store.flush()


class TestInMemory(StoreContract):
    _open: DuckdbStore

    def make(self, folder: Path) -> Store:
        return DuckdbStore()

    @pytest.mark.skip(reason="memory does not survive closing")
    def test_rows_survive_closing(self, tmp_path: Path) -> None: ...

    test_mappings = test_rows_survive_closing
    test_a_deleted_stream_is_gone_for_good = test_rows_survive_closing
    test_records_are_deleted_and_replaced = test_rows_survive_closing

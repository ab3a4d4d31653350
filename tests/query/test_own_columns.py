"""What treering finds out about records: queried by name, never among what their senders wrote."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from arro3.core import Array, DataType, Field, Table
from arro3.io import write_ipc_stream

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import Batch, batch
from treering.receive import ingest
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore
from treering.store.duckdb.config import Config

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_700_000_000_000_000_000
RECORDS = [{"@timestamp": NOW + n, "body": f"word{n}", "n": n} for n in range(40)]


def marked(records: list[dict[str, object]], start: int = 0) -> Batch:
    plain = batch("logs", records, received_ns=NOW)
    values = Array([f"t{(start + n) % 3}" for n in range(plain.rows)], DataType.utf8())
    return Batch("logs", plain.data.append_column(Field("~/template.id:s", DataType.utf8()), values))


@pytest.fixture(params=["memory", "disk", "few columns"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[DuckdbStore]:
    few = request.param == "few columns"
    store = DuckdbStore(None if request.param == "memory" else tmp_path, Config(columns=1) if few else None)
    store.append([marked(RECORDS[:20])])
    if request.param != "memory":
        store.flush()
    store.append([marked(RECORDS[20:], 20)])
    if few:
        store.flush()
        store.compact()
    yield store
    store.close()


def ask(store: DuckdbStore, text: str) -> list[tuple[object, ...]]:
    return store.run(ppl.compile(text, schema=store.schema, now_ns=NOW, default_source="logs"), Limits()).rows


@pytest.mark.parametrize("between", ["", "where n >= 0 |", "eval x = n + 1 |", "sort - n | head 100 |"])
def test_found_by_name_anywhere_in_a_query(store: DuckdbStore, between: str) -> None:
    assert ask(store, f"source=logs | {between} stats count() by template.id | sort template.id") == [
        (14, "t0"),
        (13, "t1"),
        (13, "t2"),
    ]
    assert ask(store, f"source=logs template.id=t1 | {between} where template.id = 't1' | stats count()") == [(13,)]


def test_not_among_the_fields_of_a_record(store: DuckdbStore) -> None:
    shown = ppl.compile("source=logs", schema=store.schema, now_ns=NOW).columns
    assert sorted(column.name for column in shown) == ["@timestamp", "body", "n"]
    found = store.records("logs", range(40))
    assert [found[n] for n in range(40)] == RECORDS
    assert store.record("logs", 7) == RECORDS[7]
    assert ask(store, "source=logs t1 | stats count()") == [(0,)]


def test_a_sender_may_use_the_same_names() -> None:
    store = DuckdbStore()
    records = [{"template.id": "mine", "~": {"template.id": "odd"}}, {"template": {"id": "deep"}}]
    store.append([marked(records)])
    assert [store.record("logs", n) for n in range(2)] == records
    assert ask(store, "source=logs | fields template.id") == [("t0",), ("t1",)]
    store.close()


def test_nobody_can_send_them() -> None:
    data = marked(RECORDS[:3]).data
    body = io.BytesIO()
    write_ipc_stream(Table.from_batches([data]), body, compression=None)
    with pytest.raises(UserError, match="not the sender's to set"):
        ingest.arrow(body.getvalue())
    rest = Array(['{"~/template.id": "x"}'] * data.num_rows, DataType.utf8())
    slim = data.select(["_time", "body:s"]).append_column(Field("_rest", DataType.utf8()), rest)
    body = io.BytesIO()
    write_ipc_stream(Table.from_batches([slim]), body, compression=None)
    with pytest.raises(UserError, match="not the sender's to set"):
        ingest.arrow(body.getvalue())

"""What the sink does with batches before they reach the store."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from arro3.core import Array, DataType, Field

from treering.app.sink import FAILURES, StoreSink
from treering.core.telemetry import Telemetry
from treering.model.batch import Batch, batch
from treering.store.duckdb.engine import DuckdbStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.enricher import Enricher

RECORDS = [{"body": "a", "n": 1}, {"body": "b", "n": 2}]


def mark(given: Batch) -> Batch:
    column = Array(["seen"] * given.rows, DataType.utf8())
    return Batch(given.stream, given.data.append_column(Field("mark:s", DataType.utf8()), column))


def broken(given: Batch) -> Batch:
    raise ZeroDivisionError(given.stream)


def greedy(given: Batch) -> Batch:
    return Batch(given.stream, given.data.slice(0, 1))


def stored(enrichers: Sequence[Enricher], telemetry: Telemetry | None = None) -> list[dict[str, object]]:
    store = DuckdbStore()
    with ThreadPoolExecutor(1) as pool:
        sink = StoreSink(store, pool, enrichers=enrichers, telemetry=telemetry)
        first = asyncio.run(sink.append([batch("logs", RECORDS, received_ns=1)]))
    found = store.records("logs", [first, first + 1])
    store.close()
    return [dict(found[number]) for number in sorted(found)]


def test_enrichers_work_one_after_the_other_on_every_batch() -> None:
    assert stored([]) == RECORDS
    assert stored([mark]) == [{**record, "mark": "seen"} for record in RECORDS]


def test_a_failing_enricher_loses_no_record_and_is_counted() -> None:
    telemetry = Telemetry()
    assert stored([broken, mark, greedy], telemetry) == [{**record, "mark": "seen"} for record in RECORDS]
    assert telemetry.value(FAILURES, enricher="broken") == telemetry.value(FAILURES, enricher="greedy") == 2
    assert stored([broken]) == RECORDS


def test_tombstones_pass_with_the_batches() -> None:
    store = DuckdbStore()
    with ThreadPoolExecutor(1) as pool:
        sink = StoreSink(store, pool, enrichers=[mark])
        first = asyncio.run(sink.append([batch("logs", RECORDS, received_ns=1)]))
        asyncio.run(sink.append([batch("logs", RECORDS[:1], received_ns=1)], {"logs": [first]}))
    assert sorted(store.records("logs", range(first, first + 5))) == [first + 1, first + 2]
    store.close()

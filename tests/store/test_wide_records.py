"""Records with thousands of fields: they are kept, found and shown, and cost the others little."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from treering.app.asking import asker
from treering.app.config import Settings
from treering.app.pipeline import open_store
from treering.model.batch import batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from treering.stage.detector import Ask

FIELDS = 3000
_CPU_S = 8.0  # an expression for each field took the engine minutes and gigabytes


def value(number: int) -> Any:
    """Return a value of another type for each of seven fields in a row."""
    kinds: tuple[Callable[[int], Any], ...] = (
        int,
        str,
        lambda n: n + 0.5,
        lambda n: n % 2 == 0,
        lambda n: [n, str(n)],
        lambda n: {"inner": n, "deeper": {"text": f"t{n}"}},
        lambda n: f"a text of {n} / with ~ signs",
    )
    return kinds[number % len(kinds)](number)


WIDE = {f"f{number}": value(number) for number in range(FIELDS)} | {"with/slash~": 1}
RECORDS: list[dict[str, Any]] = [
    {"body": "wide", "attributes": WIDE},
    {"body": "narrow", "attributes": {"f1": "other", "mine": {"x": 1}}},
    {"body": "bare"},
]


@pytest.fixture(scope="module", params=["in memory", "in a file", "in both"])
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    store = open_store(Settings(data=str(tmp_path_factory.mktemp("wide"))))
    for record in RECORDS:
        store.append([batch("logs", [record], received_ns=time.time_ns())])
        if request.param == "in both":
            store.flush()
    if request.param == "in a file":
        store.flush()
    yield asker(store, time.time_ns)
    store.close()


def test_whole_records_are_shown_as_they_were_sent(ask: Ask) -> None:
    began = time.process_time()
    shown = {row["body"]: json.loads(row["attributes"] or "null") for row in ask("source=logs")}
    assert time.process_time() - began < _CPU_S
    assert shown == {"wide": WIDE, "narrow": RECORDS[1]["attributes"], "bare": None}


def test_each_field_can_be_asked_for(ask: Ask) -> None:
    (row,) = ask("source=logs | where attributes.f2996 = 2996 | fields attributes.f2994.inner, attributes.f2995")
    assert list(row.values()) == [2994, value(2995)]


def test_a_search_finds_what_is_beyond_the_columns(tmp_path: Path) -> None:
    store = open_store(Settings(data=str(tmp_path)))
    texts = {f"f{number}": f"a text named t{number}" for number in range(1400)}
    records: list[dict[str, Any]] = [{"body": "wide", "attributes": texts}, {"body": "narrow"}]
    store.append([batch("logs", records, received_ns=time.time_ns())])
    ask = asker(store, time.time_ns)
    began = time.process_time()
    assert [row["body"] for row in ask("source=logs t1399 | fields body")] == ["wide"]
    assert [row["body"] for row in ask("source=logs narrow | fields body")] == ["narrow"]
    assert time.process_time() - began < 2 * _CPU_S
    store.close()

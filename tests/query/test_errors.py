"""Mistakes are pointed at, named and answered with the nearest right word."""

from __future__ import annotations

import pytest

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.store.duckdb import DuckdbStore


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    store = DuckdbStore()
    store.append([batch("logs", [{"serviceName": "rag", "durationInNanos": 5, "body": "x"}], received_ns=1)])
    return store


@pytest.mark.parametrize(
    ("query", "message", "pointed", "hint"),
    [
        ("source=logs | wher n > 1", "unknown command 'wher'", "wher", "did you mean 'where'?"),
        ("source=logs | where sericeName = 'a'", "unknown field", "sericeName", "did you mean 'serviceName'?"),
        ("source=logs | eval x = lenght(body)", "unknown function", "lenght(body)", "did you mean 'length'?"),
        ("source=logs | stats cout()", "expected an aggregate function", "cout", "did you mean 'count'?"),
        ("source=logs | where n >", "expected a value, found the end", "", ""),
        ("source=logs | eval x = durationInNanos-1", "unknown field", "durationInNanos-1", "durationInNanos"),
        ("source=logs | eval x = 'abc", "never closed", "'", ""),
        ("source=nope | head", "nope", "", ""),
        ("source=logs | where body", "needs a condition", "body", ""),
        ("source=logs | sort - body desc", "cannot both be given", "- body desc", ""),
        ("source=logs | dedup 0 body", "greater than zero", "0", ""),
        ("source=logs | stats percentile(durationInNanos, 101)", "between 0 and 100", "percentile", ""),
        ("source=logs | eval d = date '2026-13-01'", "unsupported format", "date '2026-13-01'", ""),
        ("source=logs | where durationInNanos in ('a')", "one type", "durationInNanos in ('a')", ""),
        ("source=logs | stats count() by span(body, 5q7)", "expected a unit of time", "5q7", ""),
        ("source=logs | source=logs", "search can only come first", "source", ""),
        ("earliest=yesterday", "is no time", "", "for example"),
        ("source=logs | where abs() > 1", "takes", "abs()", ""),
    ],
)
def test_a_mistake_is_pointed_at(store, query: str, message: str, pointed: str, hint: str) -> None:
    with pytest.raises(UserError) as caught:
        ppl.compile(query, schema=store.schema, now_ns=0)
    assert message in caught.value.message
    assert hint in caught.value.hint
    if pointed:
        where = caught.value.where
        assert where is not None
        assert query[where.offset : where.offset + where.length].startswith(pointed)


def test_a_query_without_a_stream_needs_a_default(store) -> None:
    with pytest.raises(UserError, match="names no stream"):
        ppl.compile("timeout", schema=store.schema, now_ns=0, default_source=None)


def test_a_value_the_engine_cannot_hold_is_the_caller_s_mistake(store) -> None:
    from treering.stage.store import Limits

    query = ppl.compile("eval x = durationInNanos + 9223372036854775807", schema=store.schema, now_ns=0)
    with pytest.raises(UserError):
        store.run(query, Limits())

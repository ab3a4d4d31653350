"""The sinks of the test kit do what receivers' tests rely on."""

from __future__ import annotations

import asyncio

import pytest

from treering.core.errors import Permanent, Retryable
from treering.model.batch import batch
from treering.testing.sinks import FailingSink, FullSink, RecordingSink, SlowSink

RECORDS = [{"a": 1, "b": {"c": "x", "@timestamp": None}}, {"@timestamp": 1_764_000_000_123_456_789}]


def test_records_come_back_as_they_were_sent() -> None:
    sink = RecordingSink()
    firsts = [asyncio.run(sink.append([batch(name, RECORDS, received_ns=1)])) for name in ("x", "y")]
    assert firsts == [0, 2]
    assert sink.records("y") == RECORDS
    assert sink.count == 4


def test_failures_repeat_with_the_seed_and_keep_nothing() -> None:
    def outcomes(seed: int) -> list[bool]:
        sink = FailingSink(RecordingSink(), seed=seed)
        done = []
        for _ in range(40):
            try:
                asyncio.run(sink.append([batch("x", RECORDS, received_ns=1)]))
                done.append(True)
            except Retryable:
                done.append(False)
        assert sink.refused == done.count(False)
        return done

    assert outcomes(1) == outcomes(1) != outcomes(2)
    assert 5 < sum(outcomes(1)) < 35


def test_full_and_slow_sinks() -> None:
    inner = RecordingSink()
    full = FullSink(inner, room=3)
    small = batch("x", RECORDS, received_ns=1)
    assert asyncio.run(SlowSink(full, seconds=0.001).append([small])) == 0
    with pytest.raises(Retryable):
        asyncio.run(full.append([small]))
    full.room = 2
    asyncio.run(full.append([small]))
    assert inner.count == 4
    with pytest.raises(Permanent):
        asyncio.run(FullSink(inner, permanent=True).append([small]))

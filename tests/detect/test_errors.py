"""Failing calls are told when they fail in two windows, however they are spread; one burst is no change."""

from __future__ import annotations

from typing import Any

from treering.detect import errors
from treering.testing.detector_contract import detector, feed

MINUTE = 60 * 10**9
START = 1_772_000_100_000_000_000 // MINUTE * MINUTE
QUIET = 100


def calls(failed: dict[int, int], minutes: int) -> list[dict[str, Any]]:
    """Three good calls a minute; in the minute `m` also `failed[m]` that fail."""
    found: list[dict[str, Any]] = []
    for minute in range(minutes):
        bad = failed.get(minute, 0)
        for number in range(3 + bad):
            attributes = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1"}
            attributes |= {"error.type": "OverloadedError"} if number < bad else {}
            at = START + minute * MINUTE + number * MINUTE // 10
            status = {"code": 2 if number < bad else 0}
            found.append({"@timestamp": at, "serviceName": "rag", "attributes": attributes, "status": status})
    return found


def told(failed: dict[int, int]) -> list[int]:
    """The minutes, counted from the first failure's, after which it is told that a model's calls fail."""
    found = feed(detector(errors), "spans", calls(failed, QUIET + 12), 1)
    return sorted({(one.noticed_ns - START) // MINUTE - QUIET for one in found if one.values("model")})


def test_a_failure_and_a_burst_two_minutes_later_are_told_at_once() -> None:
    assert told({QUIET: 1, QUIET + 2: 3}) == [2]


def test_one_burst_is_one_call_that_was_tried_again() -> None:
    assert told({QUIET: 4}) == []

"""Drained wallets: by user and by key, by hour and by day, in any batches, and not where everybody is dear."""

from __future__ import annotations

from typing import Any

import pytest

from treering.detect import spend
from treering.testing.detector_contract import detector, feed

AT = 1_795_046_400 * 10**9
HOUR = 3600 * 10**9


def paid(at_ns: int, who: str, usd: float, field: str = "user.id") -> dict[str, Any]:
    return {
        "@timestamp": at_ns,
        "serviceName": "chat",
        "attributes": {"gen_ai.operation.name": "chat", field: who, "treering.cost.usd": usd},
    }


def usual(field: str, usd: float = 0.05) -> list[dict[str, Any]]:
    return [paid(AT + h * HOUR + w * 10**9, f"c{w}", usd, field) for h in range(6) for w in range(30)]


@pytest.mark.parametrize("field", ["user.id", "gen_ai.key.id"])
@pytest.mark.parametrize("size", [1, 13, 5000])
def test_a_drain_is_told_at_each_doubling_whatever_the_batches(field: str, size: int) -> None:
    drain = [paid(AT + 6 * HOUR + n * 10**9, "thief", 0.5, field) for n in range(100)]
    found = feed(detector(spend), "spans", usual(field) + drain, size)
    assert {finding.rule for finding in found} == {"wallet_drain"}
    assert {finding.entities[0].value for finding in found} == {"thief"}
    assert 1 <= len(found) <= 4
    assert all(finding.start_ns == AT + 6 * HOUR for finding in found)


def test_what_everybody_costs_is_no_drain() -> None:
    dear = [paid(AT + 6 * HOUR + w * 10**9, f"c{w}", 6.0) for w in range(30)]
    assert feed(detector(spend), "spans", usual("user.id", 5.0) + dear, 50) == []


def test_a_key_that_all_share_is_not_compared_with_single_users() -> None:
    def shared(at_ns: int, who: str) -> dict[str, Any]:
        record = paid(at_ns, who, 0.05)
        return record | {"attributes": record["attributes"] | {"gen_ai.key.id": "k1", "gen_ai.usage.input_tokens": 900}}

    calls = [shared(AT + n * 30 * 10**9, f"c{n % 40}") for n in range(6000)]
    assert feed(detector(spend), "spans", calls, 500) == []


def test_without_history_nothing_is_told() -> None:
    drain = [paid(AT + n * 10**9, "thief", 5.0) for n in range(100)]
    assert feed(detector(spend), "spans", drain, 50) == []


def test_late_costs_of_an_hour_that_is_over_do_not_count_again() -> None:
    late = [paid(AT + HOUR, "c1", 100.0), paid(AT + 2 * HOUR, "c1", 100.0)]
    assert feed(detector(spend), "spans", usual("user.id") + late, 50) == []

"""Use without bounds as it may look where nobody expects it: streams put together here, beside their look-alikes."""

from __future__ import annotations

from typing import Any

import pytest

from treering.detect import spend
from treering.model.finding import Finding
from treering.testing.detector_contract import detector, feed

AT = 1_795_046_400 * 10**9
HOUR, DAY = 3600 * 10**9, 86_400 * 10**9


def span(at_ns: float, who: str, usd: float = 0.02, tokens: int = 900, **more: Any) -> dict[str, Any]:
    """Return a model call; `operation`, `trace` and `tool` are named, all else are attributes."""
    operation, trace, tool = more.pop("operation", "chat"), more.pop("trace", ""), more.pop("tool", "")
    attributes = {
        "gen_ai.operation.name": operation, "gen_ai.request.model": "m", "user.id": who, "treering.cost.usd": usd,
        "gen_ai.usage.input_tokens": tokens, "gen_ai.usage.output_tokens": 100, **more,
    }  # fmt: skip
    if tool:
        attributes |= {"gen_ai.tool.name": tool, "gen_ai.tool.call.arguments": more.get("arguments", "{}")}
    return {
        "@timestamp": int(at_ns),
        "serviceName": "api",
        "traceId": trace or f"{int(at_ns):032x}",
        "attributes": attributes,
    }


def usual(days: int, people: int = 30, calls: int = 4, start_ns: int = AT) -> list[dict[str, Any]]:
    """Return people who ask a few things every day, not all equally many."""
    return [
        span(start_ns + day * DAY + (9 + call) * HOUR + who * 10**9, f"u{who}", 0.02 * (1 + who % 5))
        for day in range(days)
        for who in range(people)
        for call in range(calls + who % 3)
    ]


def found(records: list[dict[str, Any]], size: int = 500) -> list[Finding]:
    ordered = sorted(records, key=lambda record: record["@timestamp"])
    return feed(detector(spend), "spans", ordered, size)


def about(findings: list[Finding], who: str) -> set[str]:
    return {finding.rule for finding in findings if who in finding.values("user")}


def test_ordinary_people_over_ten_days_are_no_finding() -> None:
    assert found(usual(10)) == []


@pytest.mark.parametrize(("factor", "days"), [(2.0, 11), (1.35, 20)])
@pytest.mark.parametrize("size", [7, 500])
def test_a_slow_leak_that_grows_by_the_day(factor: float, days: int, size: int) -> None:
    leak = [span(AT + day * DAY + call * HOUR, "leak", 0.02 * factor**day) for day in range(days) for call in range(24)]
    told = found(usual(days) + leak, size)
    assert "slow_leak" in about(told, "leak")
    assert {name for finding in told for name in finding.values("user")} == {"leak"}


def test_a_dear_job_once_a_week_and_a_steady_heavy_user_are_no_leaks() -> None:
    job = [span(AT + day * DAY + 9 * HOUR, "job", 9.0 if day % 7 == 5 else 0.5) for day in range(21)]
    heavy = [span(AT + day * DAY + 9 * HOUR, "heavy", 6.0 + day % 3) for day in range(21)]
    assert [finding.rule for finding in found(usual(21) + job + heavy) if finding.rule == "slow_leak"] == []


@pytest.mark.parametrize(
    ("operation", "usd", "tokens", "count"),
    [
        ("embeddings", 0.0002, 8000, 3000),  # a flood of texts: cheap each, many tokens
        ("generate_content", 0.4, 1200, 60),  # pictures and sound: few tokens, dear
        ("chat", 0.3, 100_000, 80),  # prompts that are padded
        ("chat", 0.25, 900, 90),  # answers at the limit, and caches that are missed, show in dollars
    ],
)
def test_one_dear_hour_of_any_kind(operation: str, usd: float, tokens: int, count: int) -> None:
    flood = [
        span(AT + 6 * DAY + 11 * HOUR + n * 10**9, "mallory", usd, tokens, operation=operation) for n in range(count)
    ]
    told = found(usual(7) + flood)
    assert about(told, "mallory")
    assert {name for finding in told for name in finding.values("user")} == {"mallory"}


def test_a_key_from_many_addresses_is_one_key() -> None:
    calls = [
        span(
            AT + 6 * DAY + 11 * HOUR + n * 10**9,
            f"x{n % 50}",
            0.3,
            900,
            **dict[str, Any]({"gen_ai.key.id": "k-7", "client.address": f"203.0.113.{n % 50}"}),
        )
        for n in range(200)
    ]
    keys = [
        {**record, "attributes": {**record["attributes"], "gen_ai.key.id": f"k-u{n % 30}"}}
        for n, record in enumerate(usual(7))
    ]
    told = found(keys + calls)
    assert [finding for finding in told if "k-7" in finding.values("key")]


def test_a_tool_that_is_asked_the_same_again_and_again() -> None:
    asked = [span(AT + n * 10**9, "ann", operation="execute_tool", tool="search", trace="a" * 32) for n in range(40)]
    assert {finding.rule for finding in found(asked)} == {"tool_loop"}


def test_two_agents_that_answer_each_other_with_a_growing_context() -> None:
    talk = [
        span(
            AT + n * 10**9,
            "ann",
            tokens=500 + 400 * n,
            trace="b" * 32,
            **dict[str, Any]({"gen_ai.agent.name": ("writer", "critic")[n % 2]}),
        )
        for n in range(60)
    ]
    told = found(talk)
    assert told
    assert {finding.rule for finding in told} == {"context_grows"}

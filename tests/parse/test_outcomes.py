"""Records that say they failed, in the shapes of batch results, audits, run trees and tables."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.parse.outcomes import Outcome

RATE = {"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"response": {"status_code": 429, "body": RATE}, "error": None}, "status 429: requests: slow down"),
        ({"response": {"status_code": 200, "body": {"choices": []}}, "error": None}, None),
        (
            {"result": {"type": "errored", "error": {"error": {"type": "overloaded_error", "message": "Overloaded"}}}},
            "errored: overloaded_error: Overloaded",
        ),
        ({"result": {"type": "expired"}}, "expired"),
        ({"result": {"type": "succeeded", "message": {"usage": {"input_tokens": 3}}}}, None),
        ({"eventName": "InvokeModel", "errorCode": "AccessDenied", "errorMessage": "no"}, "AccessDenied: no"),
        ({"status": "error", "error": "TimeoutError()"}, "error: TimeoutError()"),
        ({"status": "success", "error": None}, None),
        ({"resultSignature": "429", "durationMs": 3}, "status 429"),
        ({"event": {"outcome": {"result": "failure", "reason": "denied"}}}, "failure: denied"),
        ({"spans": [{"tags": [{"key": "error", "type": "bool", "value": True}]}]}, "tag error"),
        ({"JobID": 8, "State": "OUT_OF_ME+"}, "OUT_OF_ME+"),
        ({"error": "none", "errors": 3, "error_rate": 0.4}, None),
        ({"type": ["errored"], "status": [500], "error": []}, None),
    ],
)
def test_why_a_record_failed(fields: dict[str, Any], reason: str | None) -> None:
    assert Outcome(fields).reason == reason


def test_a_record_without_an_outcome_states_none() -> None:
    assert not Outcome({"messages": [{"role": "user", "content": "the status is failed"}], "id": 5}).stated
    assert Outcome({"error": None}).stated


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9) | st.sampled_from(["error", "errored", "429"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "status", "type", "key", "value", "body", "message", "x"]), inner)
    ),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["error", "status", "type", "result", "key", "value"]), _values))
def test_any_record_can_be_asked(fields: dict[str, Any]) -> None:
    reason = Outcome(fields).reason
    assert reason is None or (reason and len(reason) <= 160)

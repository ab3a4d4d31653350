"""Records without a message still say something in a list: audit lines what was done, others their attributes."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from treering.api.levels import message_of
from treering.parse.reader import Reader

AUDIT = {
    "component": "RBAC",
    "action": "authorize",
    "user": "hr-bot",
    "request_action": "R",
    "permissions": [{"resource": "[Domain: data, Collection: HrPolicies, Tenant: *, Object: *]", "results": "success"}],
}


def test_an_audit_line_says_who_did_what() -> None:
    record = {"body": "", "severityText": "info", "serviceName": "weaviate", "attributes": AUDIT}
    assert message_of(record) == "hr-bot: read HrPolicies, allowed"


def test_a_record_without_message_shows_its_attributes() -> None:
    record = {"serviceName": "s", "@timestamp": 5, "attributes": {"method": "get points", "result": "ok", "n": 3}}
    assert message_of(record) == 'method="get points" result=ok n=3'
    assert message_of({"body": "hello", "attributes": {"n": 3}}) == "hello"
    assert message_of({"serviceName": "s"}) == ""


def test_every_line_of_a_real_audit_trail_says_something(shared: Path) -> None:
    reader = Reader({"serviceName": "weaviate"}, now_ns=1_795_500_000_000_000_000)
    data = (shared / "data" / "vector_access" / "weaviate.jsonl").read_bytes()
    found = [*reader.feed(data).records, *reader.end().records]
    assert all(message_of(record) for record in found)
    assert "finance-copilot: read Payroll, allowed" in {message_of(record) for record in found}


values = st.recursive(st.none() | st.text() | st.integers() | st.floats(), lambda inner: st.lists(inner, max_size=3))


@given(st.dictionaries(st.text(max_size=20), values, max_size=8), st.integers(0, 300))
def test_a_line_is_bounded_whatever_the_attributes(attributes: dict[str, object], limit: int) -> None:
    shown = message_of({"attributes": {**AUDIT, **attributes}}, limit)
    assert len(shown) <= limit
    assert len(message_of({"attributes": attributes}, limit)) <= limit


def test_a_request_line_is_shown_with_its_answer() -> None:
    body = "POST /v1/chat HTTP/1.1"
    answered = {"http.response.status_code": 502, "http.server.request.duration": 0.0312}
    assert message_of({"body": body, "attributes": answered}) == f"{body} 502 in 31.2 ms"
    assert message_of({"body": body, "attributes": {"http": {"response": {"status_code": 200}}}}) == f"{body} 200"
    assert message_of({"body": f"{body} 502", "attributes": answered}) == f"{body} 502"
    assert message_of({"body": "upstream failed", "attributes": answered}) == "upstream failed"

"""Secrets: every kind is found and masked, placeholders and ordinary logs are left alone."""

from __future__ import annotations

import base64
import json
import random
import string
import time

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.detect.feeding import START_NS, built, call, feed
from treering.detect import secrets
from treering.parse.sensitive.secrets import entropy, luhn

CHANCE = random.Random(20)
ALNUM = string.ascii_letters + string.digits


def some(length: int, alphabet: str = ALNUM) -> str:
    return "".join(CHANCE.choice(alphabet) for _ in range(length))


def b64(value: dict[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


HEX = "0123456789abcdef"
JWT = f"{b64({'alg': 'HS256', 'typ': 'JWT'})}.{b64({'sub': 'ann'})}.{some(43)}"
KINDS = {
    "AWS access key": ("provider_key", "AKIA" + some(16, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")),
    "OpenAI key": ("provider_key", "sk-proj-" + some(48)),
    "Anthropic key": ("provider_key", "sk-ant-api03-" + some(60)),
    "Hugging Face token": ("provider_key", "hf_" + some(34)),
    "Google API key": ("provider_key", "AIza" + some(35)),
    "GitHub token": ("provider_key", "ghp_" + some(36)),
    "GitLab token": ("provider_key", "glpat-" + some(20)),
    "Slack token": ("provider_key", "xoxb-" + some(11, string.digits) + "-" + some(24)),
    "Stripe key": ("provider_key", "sk_live_" + some(24)),
    "Pinecone key": ("provider_key", "pcsk_" + some(60)),
    "LangSmith key": ("provider_key", f"lsv2_pt_{some(32, HEX)}_{some(10, HEX)}"),
    "JSON web token": ("token", JWT),
}


def log(body: str, **attributes: str) -> dict:
    return {"@timestamp": START_NS, "serviceName": "api", "body": body, "attributes": attributes}


@pytest.mark.parametrize("name", KINDS)
def test_each_kind_is_found_and_never_kept(name: str) -> None:
    rule, secret = KINDS[name]
    (finding,) = feed(built(secrets), [log(f'request failed: {{"key": "{secret}"}} status=401')], "logs")
    assert (finding.rule, finding.facts["kind"]) == (rule, name)
    assert secret[8:] not in msgspec.json.encode(finding).decode()
    (shown,) = finding.evidence
    low, high = shown.spans[0]
    assert shown.excerpt[low:high].endswith(f"[masked {len(secret)}]")


def test_all_secrets_of_a_text_are_masked_in_each_evidence() -> None:
    found = feed(built(secrets), [log(" ".join(secret for _, secret in KINDS.values()))], "logs")
    assert {finding.facts["kind"] for finding in found} == set(KINDS)
    written = msgspec.json.encode(found).decode()
    assert [name for name, (_, secret) in KINDS.items() if secret[8:] in written] == []


def test_private_keys_passwords_cards_and_accounts() -> None:
    block = "\n".join(some(64) for _ in range(12))
    lines = [
        log(f"-----BEGIN RSA PRIVATE KEY-----\n{block}\n-----END RSA PRIVATE KEY-----"),
        log("mysql://root:" + some(9) + "@db.internal/shop"),
        log("login api_key=" + some(24)),
        log("paid with card 4556 7375 8689 9855"),
        log("IBAN DE89 3704 0044 0532 0130 00"),
    ]
    found = feed(built(secrets), lines, "logs")
    assert sorted(f.rule for f in found) == ["card", "connection_string", "iban", "password", "private_key"]
    assert "4556 7375" not in msgspec.json.encode(found).decode()


def test_who_said_it_is_told() -> None:
    secret = "hf_" + some(34)
    found = feed(built(secrets), [call(f"use {secret}", f"I will use {secret}", user="ann")])
    assert {(f.facts["in"], f.severity.value) for f in found} == {("user", "high"), ("assistant", "critical")}
    assert all(f.values("user") == ("ann",) for f in found)
    assert len({f.values("key") for f in found}) == 1


@pytest.mark.parametrize(
    "body",
    [
        "password=<redacted>",
        "api_key=${API_KEY}",
        'api_key="your_api_key_here_123"',
        "AKIAIOSFODNN7EXAMPLE",
        "tokens=15321 token_count: 99999999",
        "password: Optional[str] = None",
        "postgres://user:password@localhost/db",
        "postgres://[user]:[password]@[host]/db",
        "card 1234 5678 9012 3456",
        "sk-learn is a library and ask-someone-else-about-the-other-thing-now",
        "eyJhbGciOi is cut",
        "secret sauce recipe",
        "git commit 4f1d9a7c02be6637c1a84f1d9a7c02be6637c1a8",
    ],
)
def test_ordinary_lines_are_left_alone(body: str) -> None:
    assert feed(built(secrets), [log(body)], "logs") == []


def test_attributes_that_hold_what_was_sent_are_read() -> None:
    (finding,) = feed(
        built(secrets), [log("", **{"http.request.header.authorization": f"Bearer {some(40)}7a"})], "logs"
    )
    assert (finding.rule, finding.facts["field"]) == ("token", "attributes.http.request.header.authorization")


def test_rules_can_be_left_out() -> None:
    assert feed(built(secrets, leave_out=("card",)), [log("card 4556737586899855")], "logs") == []


@given(st.integers(0, 10**15 - 1))
def test_one_check_digit_of_ten_is_right(number: int) -> None:
    assert sum(luhn(f"{number}{digit}") for digit in range(10)) == 1


def test_entropy() -> None:
    assert entropy("") == entropy("aaaa") == 0
    assert entropy("abcd") == 2


def test_hostile_lines_are_bounded() -> None:
    texts = ["password=" * 500_000, "eyJ" * 1_000_000, "-----BEGIN " * 200_000, "card 4 " * 500_000, "AKIA" * 500_000]
    started = time.process_time()
    feed(built(secrets), [log(text) for text in texts], "logs")
    assert time.process_time() - started < 30


def spoken(field: str, role: str, text: str, **attributes: str) -> dict:
    parts = [{"type": "text", "content": text}]
    said = parts if "system" in field else [{"role": role, "parts": parts}]
    named = {"user.id": "u-1", "gen_ai.request.model": "m-1", f"gen_ai.{field}": json.dumps(said), **attributes}
    return {"@timestamp": START_NS, "serviceName": "shop", "attributes": named}


def test_each_says_which_way_it_goes_and_to_whom() -> None:
    _, secret = KINDS["GitHub token"]
    arguments = {"gen_ai.tool.name": "send_email", "gen_ai.tool.call.arguments": json.dumps({"body": secret})}
    call = {"type": "tool_call", "name": "post", "arguments": {"body": secret}}
    asked = {"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [call]}]), "user.id": "u-1"}
    cases = (
        (spoken("input.messages", "user", secret), "spans", ("into model", "m-1")),
        (spoken("system_instructions", "system", secret), "spans", ("into model", "m-1")),
        (spoken("output.messages", "assistant", secret), "spans", ("out of model", "u-1")),
        ({"@timestamp": START_NS, "serviceName": "a", "attributes": arguments}, "spans", ("to tool", "send_email")),
        ({"@timestamp": START_NS, "serviceName": "a", "attributes": asked}, "spans", ("to tool", "post")),
        (log(f"key {secret}"), "logs", ("to log", "api")),
    )
    for record, stream, expected in cases:
        (finding,) = feed(built(secrets), [record], stream)
        assert (finding.facts["direction"], finding.facts["recipient"]) == expected


@pytest.mark.parametrize(
    ("tool", "arguments", "is_told"),
    [
        ("update_password", {"password": "Maple-7!tRam-58x"}, False),
        ("send_email", {"password": "Maple-7!tRam-58x"}, True),
        ("update_password", {"hint": "the password: Maple-7!tRam-58x"}, True),
        ("send_money", {"recipient": "iban DE44500105175407324931", "amount": 3}, False),
        ("send_money", {"subject": "iban DE44500105175407324931", "amount": 3}, True),
        ("post_comment", {"recipient": "iban DE44500105175407324931"}, True),
    ],
)
def test_what_a_tool_is_there_for_is_no_leak(tool: str, arguments: dict[str, object], *, is_told: bool) -> None:
    part = {"type": "tool_call", "name": tool, "arguments": arguments}
    attributes = {"gen_ai.output.messages": json.dumps([{"role": "assistant", "parts": [part]}])}
    found = feed(built(secrets), [{"@timestamp": START_NS, "serviceName": "a", "attributes": attributes}], "spans")
    assert bool(found) == is_told

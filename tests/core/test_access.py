from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.core.access import Access, Token, digest, is_loopback, new_token
from treering.core.errors import UserError
from treering.core.ids import row_id, row_seq

SECRET = "the-token-of-the-tests"
ACCESS = Access([Token(name="shipper", sha256=digest(SECRET).upper(), role="ingest")])


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def test_a_token_names_its_holder() -> None:
    assert ACCESS.name(f"Bearer {SECRET}") == "shipper"
    assert ACCESS.name("Bearer wrong") == "unknown"
    assert Access().name("") == "someone on this machine"


@pytest.mark.parametrize(
    ("header", "allowed"),
    [
        (f"Bearer {SECRET}", True),
        (f"bearer  {SECRET} ", True),
        (f"ApiKey {SECRET}", True),
        (f"Splunk {SECRET}", True),
        (basic(f"pk-lf-x:{SECRET}"), True),
        (basic(SECRET), None),
        ("Basic !!!", None),
        (f"Digest {SECRET}", None),
        (SECRET, None),
        ("", None),
        ("Bearer wrong", None),
    ],
    ids=range(11),
)
def test_headers_give_their_holder_a_role(header: str, allowed: bool | None) -> None:
    assert ACCESS.allows(header, "ingest") is allowed


def test_roles_include_what_they_include() -> None:
    assert ACCESS.allows(f"Bearer {SECRET}", "any") is True
    assert ACCESS.allows(f"Bearer {SECRET}", "viewer") is False
    assert Access().allows("", "admin") is True


def test_new_tokens_differ_and_are_long() -> None:
    first, second = new_token(), new_token()
    assert first != second
    assert len(first) >= 43


@given(st.text(max_size=60))
def test_no_other_text_is_let_in(header: str) -> None:
    assert ACCESS.allows(header, "any") is None


@pytest.mark.parametrize(
    ("host", "inside"),
    [("127.0.0.1", True), ("127.9.9.9", True), ("::1", True), ("[::1]", True), ("localhost", True), ("0.0.0.0", False),
     ("::", False), ("192.168.0.1", False), ("example.org", False), ("", False)],
)  # fmt: skip
def test_loopback_is_told_from_networks(host: str, inside: bool) -> None:
    assert is_loopback(host) is inside
    if inside:
        Access().require_for(host)
    else:
        with pytest.raises(UserError, match="without authentication"):
            Access().require_for(host)
    ACCESS.require_for(host)


@given(st.integers(0, 2**63))
def test_made_ids_lead_back_to_their_row(seq: int) -> None:
    assert row_seq(row_id(seq)) == seq


@pytest.mark.parametrize("text", ["", "~", "~xyz", "7", "~-1", "~ 1", "~0x1", "a~1"])
def test_other_ids_are_their_senders(text: str) -> None:
    assert row_seq(text) is None

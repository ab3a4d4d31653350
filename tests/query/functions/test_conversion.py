"""Numbers to texts and back; digests; addresses; typeof."""

from __future__ import annotations

import hashlib
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.core.errors import UserError
from treering.query.native.text import conv, formatted, in_network

S = "string"
CASES = [
    (("tonumber", "12.5"), 12.5, "double"),
    (("tonumber", "ff", 16), 255.0, "double"),
    (("tonumber", "A.B", 16), None, "double"),
    (("tonumber", "nope"), None, "double"),
    (("tonumber", (S, None)), None, "double"),
    (("tostring", 39225, "binary"), "1001100100111001", S),
    (("tostring", 255, "hex"), "ff", S),
    (("tostring", ("bigint", 1234567), "commas"), "1,234,567", S),
    (("tostring", 1234.567, "commas"), "1,234.57", S),
    (("tostring", 6500, "duration"), "01:48:20", S),
    (("tostring", 6500, "duration_millis"), "00:00:06", S),
    (("tostring", "x", "hex"), None, S),
    (("tostring", ("bigint", None), "hex"), None, S),
    (("tostring", True), "TRUE", S),
    (("tostring", ("double", 0.3)), "0.3", S),
    (("md5", "a"), hashlib.md5(b"a", usedforsecurity=False).hexdigest(), S),
    (("sha1", ""), hashlib.sha1(b"", usedforsecurity=False).hexdigest(), S),
    (("sha2", "a", 224), hashlib.sha224(b"a").hexdigest(), S),
    (("sha2", "é", 256), hashlib.sha256("é".encode()).hexdigest(), S),
    (("sha2", "a", ("int", 512)), hashlib.sha512(b"a").hexdigest(), S),
    (("sha2", (S, None), 384), None, S),
    (("cidrmatch", ("ip", "1.2.3.4"), "1.2.3.0/24"), True, "boolean"),
    (("cidrmatch", "1.2.4.4", "1.2.3.0/24"), False, "boolean"),
    (("cidrmatch", "2001:db8::1", "2001:db8::/33"), True, "boolean"),
    (("cidrmatch", "::ffff:1.2.3.4", "1.2.3.0/24"), True, "boolean"),
    (("cidrmatch", ("ip", None), "0.0.0.0/0"), None, "boolean"),
    (("typeof", 1), "INT", S),
    (("typeof", 1.5), "DOUBLE", S),
    (("typeof", ("timestamp", None)), "TIMESTAMP", S),
    (("typeof", None), "UNDEFINED", S),
]


@pytest.mark.parametrize(("call", "value", "kind"), CASES)
def test_answers(answer, call, value, kind):
    assert answer(*call) == (value, kind)


@pytest.mark.parametrize(
    "call",
    [("tonumber", "1", 1), ("sha2", "a", 100), ("cidrmatch", "1.2.3.4", "x"), ("tostring", True, "hex"), ("md5", 5)],
)
def test_refuses(lower, call):
    with pytest.raises(UserError):
        lower(*call)


@given(st.integers(), st.integers(2, 36), st.integers(2, 36))
def test_digits_survive_a_change_of_base(number, source, target):
    digits = conv(str(number), 10, source)
    assert int(conv(digits, source, target), target) == number


@given(st.text(max_size=20), st.sampled_from(["binary", "hex", "commas", "duration", "duration_millis", "other"]))
def test_any_text_is_formatted_or_null(text, form):
    assert isinstance(formatted(text, form), str | None)


@given(st.ip_addresses(), st.integers(0, 32))
def test_an_address_is_in_its_own_networks(address, bits):
    assert in_network(str(address), str(ipaddress.ip_network((address, bits), strict=False)))

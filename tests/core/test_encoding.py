from __future__ import annotations

import contextlib
import gzip
import zlib

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.core.encoding import TooLarge, UnknownEncoding, unpack
from treering.core.errors import DecodeError

LIMIT = 1_000_000
PACKED = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": lambda data: bytes(cramjam.zstd.compress(data)),
    "snappy": lambda data: bytes(cramjam.snappy.compress_raw(data)),
    "x-snappy-framed": lambda data: bytes(cramjam.snappy.compress(data)),
    "lz4": lambda data: bytes(cramjam.lz4.compress(data)),
}


@pytest.mark.parametrize("name", PACKED)
@given(
    data=st.one_of(
        st.binary(max_size=2000), st.builds(lambda part, n: part * n, st.binary(max_size=50), st.integers(0, 9000))
    )
)
def test_what_is_packed_is_unpacked(name: str, data: bytes) -> None:
    assert unpack(name, PACKED[name](data), LIMIT) == data


@pytest.mark.parametrize("name", PACKED)
def test_a_bomb_is_refused_and_the_limit_itself_is_not(name: str) -> None:
    assert unpack(name, PACKED[name](b"\0" * LIMIT), LIMIT) == b"\0" * LIMIT
    with pytest.raises(TooLarge):
        unpack(name, PACKED[name](b"\0" * 200 * LIMIT), LIMIT)


@pytest.mark.parametrize("name", PACKED)
def test_a_body_that_is_cut_off_is_refused(name: str) -> None:
    packed = PACKED[name](bytes(range(256)) * 50)
    for length in (1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(DecodeError):
            unpack(name, packed[:length], LIMIT)


@pytest.mark.parametrize("name", PACKED)
@given(st.binary(max_size=300))
def test_any_bytes_are_unpacked_or_refused(name: str, data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert len(unpack(name, data, LIMIT)) <= LIMIT


def test_members_of_a_gzip_body_are_joined_and_bounded_together() -> None:
    member = gzip.compress(b"x" * 600_000)
    assert unpack("gzip", gzip.compress(b"a") + gzip.compress(b"b") + b"\0\0", LIMIT) == b"ab"
    with pytest.raises(TooLarge, match="larger than"):
        unpack("gzip", member * 2, LIMIT)


def test_deflate_without_its_header_is_understood() -> None:
    raw = zlib.compressobj(wbits=-15)
    assert unpack("deflate", raw.compress(b"hello") + raw.flush(), LIMIT) == b"hello"


def test_framed_snappy_under_the_name_snappy_is_understood() -> None:
    assert unpack("snappy", PACKED["x-snappy-framed"](b"hello"), LIMIT) == b"hello"


def test_encodings_are_taken_off_in_reverse_order() -> None:
    assert unpack("gzip, zstd, identity", PACKED["zstd"](gzip.compress(b"hello")), LIMIT) == b"hello"


@pytest.mark.parametrize("name", ["br", "compress", "gzip, br", ", ".join(["gzip"] * 9)])
def test_other_encodings_are_refused(name: str) -> None:
    with pytest.raises(UnknownEncoding):
        unpack(name, b"x", LIMIT)

"""The compiled word finder finds what the definition of a token says."""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.model.buffers import Texts
from treering.query.analyzer import words
from treering.store.duckdb.text import from_strings
from treering.store.duckdb.tokens import LONGEST, hash_of
from treering.store.duckdb.words import AS_UNSURE, AS_WORD, LONGEST_VALUE, MOST_VALUES, ROW, Words

TOKEN = re.compile(rb"[a-z0-9_]+|[\x80-\xe2]+|[\xe3-\xff][\x80-\xe2]*")
PIECES = [
    b"error",
    b"error",
    b"error",
    b"ERR_1",
    b".",
    b"'",
    b",",
    b":",
    b"_",
    b"7",
    b"a",
    b" ",
    b"-",
    b'":"',
    "日本語".encode(),
    "Ünï".encode(),
    b"\xff\x80",
    b"0" * 70,
    b"z" * 64,
]
VALUES = st.one_of(st.binary(max_size=90), st.lists(st.sampled_from(PIECES), max_size=12).map(b"".join))

REPEATED = st.lists(st.lists(st.sampled_from(PIECES), max_size=4).map(b"".join), min_size=1, max_size=3).flatmap(
    lambda some: st.lists(st.sampled_from(some), min_size=8, max_size=40)
)


def of_bytes(values: list[bytes]) -> Texts:
    offsets = np.cumsum([0, *map(len, values)])
    return Texts(np.frombuffer(b"".join(values), dtype=np.uint8), offsets)


def expected(columns: list[list[bytes]], block_rows: int) -> tuple[dict[bytes, int], int]:
    found: dict[bytes, int] = {}
    longer = 0
    for values in columns:
        for row, value in enumerate(values):
            for token in TOKEN.findall(value.lower()):
                bit = 1 << row // block_rows
                longer |= bit if len(token) > LONGEST else 0
                found[token[:LONGEST]] = found.get(token[:LONGEST], 0) | bit
    return found, longer


def as_bits(words: np.ndarray) -> int:
    return int.from_bytes(words.astype("<u8").tobytes(), "little")


def columns_of(columns: list[list[bytes]]) -> dict[bytes, int]:
    found: dict[bytes, int] = {}
    for column, values in enumerate(columns):
        for token in {token[:LONGEST] for value in values for token in TOKEN.findall(value.lower())}:
            found[token] = found.get(token, 0) | 1 << column
    return found


def check_tallies(found: Words, texts: list[bytes], columns: list[list[bytes]]) -> None:
    """What is told of the rows of words is so; it is told of every word of enough rows beside letters of ASCII only."""
    told = {(texts[token], column): rows for token, column, rows in found.tallies().tolist()}
    lowered = [[value.lower() for value in values] for values in columns]
    for column, values in enumerate(lowered):
        ascii_only = all(value.isascii() for value in values)
        rows_of = Counter(word for value in values for word in set(words(value.decode("latin-1"))))
        for word, rows in rows_of.items():
            text = word.encode("latin-1")
            if ascii_only and rows >= 8 and re.fullmatch(rb"[a-z0-9_]{1,64}", text):
                assert told[text, column] == rows
    for (text, column), rows in told.items():
        assert not text.strip(b"_") or rows == sum(
            text.decode() in words(value.decode("utf-8", "replace")) for value in lowered[column]
        )


def check(columns: list[list[bytes]], block_rows: int) -> None:
    rows = max(map(len, columns))
    found = Words(-(-rows // block_rows), block_rows)
    for column, values in enumerate(columns):
        found.add(of_bytes(values), np.arange(len(values)), column, column)
    tokens, masks = found.tokens().copy(), found.masks().copy()
    places = np.arange(len(tokens))
    texts = found.lines(places, int(tokens["length"].sum(dtype=np.int64))).split(b"\n")[1:-1]
    wanted, longer = expected(columns, block_rows)
    assert {text: as_bits(mask[:-1]) for text, mask in zip(texts, masks, strict=True)} == wanted
    assert as_bits(found.longer()[:-1]) == longer
    assert {text: int(mask[-1]) for text, mask in zip(texts, masks, strict=True)} == columns_of(columns)
    check_tallies(found, texts, columns)
    for text, token in zip(texts, tokens, strict=True):
        assert token["hash"] == hash_of(text)
        assert token["order"] == int.from_bytes(text[:8].ljust(8, b"\0"), "big")
        assert token["digits"] == len(re.findall(rb"[0-9]", text))
        assert token["hexes"] == len(re.findall(rb"[0-9a-f]", text))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(VALUES, min_size=1, max_size=20) | REPEATED, min_size=1, max_size=4), st.integers(1, 5))
def test_tokens_are_those_of_the_definition(columns: list[list[bytes]], block_rows: int) -> None:
    check(columns, block_rows)


def rows_of(values: list[bytes], column: int = 3) -> tuple[dict[bytes, tuple[set[int], set[int], set[int]]], Any]:
    """Return for each token the rows it is in, is a word in and may be a word in; and the values."""
    found = Words(2, 32)
    found.keep(len(values), tokens=True)
    found.add(of_bytes(values), np.arange(len(values)), column, column)
    kept = found.values()
    places = found.candidates(column, 1, 1)
    texts = found.lines(places, int(found.tokens()["length"][places].sum(dtype=np.int64))).split(b"\n")[1:-1]
    rows = {}
    for text, held in zip(texts, found.rows_of(places), strict=True):
        assert (np.diff(held & ROW) > 0).all()
        parts = (held, held[held & AS_WORD != 0], held[held & AS_UNSURE != 0])
        rows[text] = tuple({int(row) & ROW for row in part} for part in parts)
    return rows, kept


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=50) | REPEATED)
def test_rows_are_those_of_the_definition(values: list[bytes]) -> None:
    rows, kept = rows_of(values)
    wanted: dict[bytes, set[int]] = {}
    for row, value in enumerate(values):
        for token in TOKEN.findall(value.lower()):
            wanted.setdefault(token[:LONGEST], set()).add(row)
    assert {text: held[0] for text, held in rows.items()} == {
        text: held for text, held in wanted.items() if len(text) < LONGEST
    }
    for text, (_, as_word, unsure) in rows.items():
        if text.strip(b"_") and text.isascii():
            having = {
                row for row, value in enumerate(values) if text.decode() in words(value.decode("latin-1").lower())
            }
            plain = {row for row, value in enumerate(values) if value.isascii()}
            assert as_word & plain == having & plain
            assert not unsure & plain
    if len({value for value in values if value}) <= MOST_VALUES and max(map(len, values)) <= LONGEST_VALUE:
        texts, codes = kept
        assert [b"" if not code else texts[code - 1] for code in codes.tolist()] == values
    else:
        assert kept is None


def test_other_forms_of_texts_add_to_the_rows_of_their_tokens() -> None:
    found = Words(1, 8)
    found.keep(3, tokens=True)
    found.add(from_strings(["an \u212aey", "an", "key"]), np.arange(3), 0)
    found.add(from_strings(["an key"]), np.array([0]), 0, counted=False)
    places = found.candidates(0, 1, 1)
    texts = found.lines(places, int(found.tokens()["length"][places].sum(dtype=np.int64))).split(b"\n")[1:-1]
    held = dict(zip(texts, found.rows_of(places), strict=True))
    assert (held[b"key"] & ROW).tolist() == [0, 2]
    assert (held[b"key"][0] & AS_UNSURE, held[b"key"][1] & AS_WORD) == (AS_UNSURE, AS_WORD)
    assert (held[b"an"] & ROW).tolist() == [0, 1]


def test_more_blocks_than_a_word_has_bits() -> None:
    check([[b"row %d" % row for row in range(300)]], 2)


def test_many_tokens_and_texts_longer_than_a_piece() -> None:
    many = [b" ".join(b"%x" % number for number in range(start, start + 9000)) for start in range(0, 90_000, 9000)]
    check([many, [b"lorem " * 400_000, b"ipsum"]], 3)


def test_rows_may_be_left_out() -> None:
    found = Words(4, 10)
    found.add(from_strings(["one", "two", "two"]), np.array([5, 9, 31]))
    masks = dict(zip(found.lines(np.arange(2), 6).split(b"\n")[1:-1], found.masks()[:, 0].tolist(), strict=True))
    assert masks == {b"one": 0b0001, b"two": 0b1001}

"""The token index never leaves out a block that holds what is looked for."""

from __future__ import annotations

import pytest
from arro3.core import Array, DataType
from hypothesis import given
from hypothesis import strategies as st

from treering.core.errors import DecodeError
from treering.stage.store import Tokens
from treering.store.duckdb import tokens

LETTERS = st.text(st.sampled_from("abAB09_ -./é京ÀΣς𝔘ß"), max_size=12) | st.text(max_size=6)
VALUES = st.lists(st.none() | LETTERS, min_size=1, max_size=12)


def index(*columns: list[str | None], block_rows: int = 2) -> tokens.TokenIndex:
    arrays = [Array(column, DataType.utf8()) for column in columns]
    return tokens.TokenIndex(tokens.build(arrays, len(columns[0]), block_rows))


def token(text: str) -> Tokens:
    return Tokens("token", text)


@given(VALUES, VALUES, st.integers(1, 4))
def test_every_word_of_every_value_is_found_in_its_block(
    left: list[str | None], right: list[str | None], size: int
) -> None:
    count = min(len(left), len(right))
    built = index(left[:count], right[:count], block_rows=size)
    for column in (left, right):
        for row, value in enumerate(column[:count]):
            for word in tokens.words(value or ""):
                assert built.blocks(token(word))[row // size], (value, word)
                if word.upper().lower() == word:
                    assert built.blocks(token(word.upper()))[row // size], (value, word)
            assert built.blocks(token(value or ""))[row // size]


@given(VALUES, st.data())
def test_every_part_of_a_value_is_found_in_its_block(values: list[str | None], data: st.DataObject) -> None:
    built = index(values)
    for row, value in enumerate(values):
        if value:
            first = data.draw(st.integers(0, len(value)))
            part = value[first : data.draw(st.integers(first, len(value)))]
            assert built.blocks(Tokens("substring", part))[row // 2], (value, part)


def test_blocks_without_the_word_are_left_out() -> None:
    built = index(["alpha one", "beta", "gamma", "delta one", "epsilon", None])
    assert built.blocks(token("gamma")).tolist() == [False, True, False]
    assert built.blocks(token("ONE")).tolist() == [True, True, False]
    assert built.blocks(token("alph")).tolist() == [False] * 3
    assert built.blocks(Tokens("substring", "psilo")).tolist() == [False, False, True]
    assert built.blocks(Tokens("prefix", "alp")).tolist() == [True, False, False]


def test_conditions_combine() -> None:
    built = index(["a b", "c", "a", "d", "e", "f"])
    both = Tokens("and", parts=(token("a"), token("b")))
    either = Tokens("or", parts=(token("c"), token("e")))
    assert built.blocks(both).tolist() == [True, False, False]
    assert built.blocks(either).tolist() == [True, False, True]


def test_words_do_not_join_across_values() -> None:
    built = index(["ab", "cd"], ["ef", "gh"], block_rows=1)
    assert not built.blocks(token("abcd")).any()
    assert not built.blocks(token("abef")).any()


def test_scripts_without_spaces_are_found_by_character_and_word() -> None:
    built = index(["東京タワー", "x", "京都", "y"])
    assert built.blocks(token("東京")).tolist() == [True, False]
    assert built.blocks(token("京")).tolist() == [True, True]


def test_a_slice_of_an_array_is_indexed_by_its_own_rows() -> None:
    array = Array(["zero", "one", "two", "three"], DataType.utf8()).slice(1, 2)
    built = tokens.TokenIndex(tokens.build([array], 2, 1))
    assert built.blocks(token("one")).tolist() == [True, False]
    assert not built.blocks(token("zero")).any()
    assert not built.blocks(token("three")).any()


def test_more_than_256_blocks() -> None:
    built = index([f"w{row} same" for row in range(600)])
    assert built.blocks(token("w599")).nonzero()[0].tolist() == [299]
    assert built.blocks(token("same")).all()


@given(st.binary(max_size=60), st.integers(0, 200))
def test_damage_is_told(garbage: bytes, cut: int) -> None:
    whole = tokens.build([Array(["alpha", "beta"], DataType.utf8())], 2, 1)
    for damaged in (garbage, whole[: min(cut, len(whole) - 1)]):
        with pytest.raises(DecodeError):
            tokens.TokenIndex(damaged)

"""Variables in a query: written as literals that stay literals, or their step left out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.core.errors import UserError
from treering.query import parse
from treering.query.lexer import quote
from treering.query.variables import filled, names

QUERY = "source=logs | where serviceName = $service | stats count() by span(@timestamp, $span)"


def test_a_value_is_a_literal_and_a_size_is_written_as_it_is() -> None:
    assert (
        filled(QUERY, {"service": "rag"}, {"span": "5m"})
        == "source=logs | where serviceName = 'rag' | stats count() by span(@timestamp, 5m)"
    )


def test_a_step_with_an_empty_variable_is_left_out() -> None:
    assert filled(QUERY, {"service": ""}, {"span": "1h"}) == "source=logs | stats count() by span(@timestamp, 1h)"


def test_what_stands_in_quotes_is_no_variable() -> None:
    text = """source=logs | where body = '$service | x' and `$odd` = "$service" // $service"""
    assert filled(text, {}) == text
    assert names(text) == set()


@pytest.mark.parametrize(
    ("text", "values", "words"),
    [
        ("source=logs | where a = $b", {}, "unknown variable $b"),
        ("source=logs a=$b", {"b": ""}, "the first step"),
    ],
)
def test_what_cannot_be(text: str, values: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words.replace("$", r"\$")):
        filled(text, values)


@given(st.text(min_size=1, max_size=60).filter(lambda text: "\x00" not in text))
def test_no_value_gets_out_of_its_quotes(value: str) -> None:
    found = filled("source=logs | where a = $v | stats count()", {"v": value})
    assert parse(found, "logs") == parse(f"source=logs | where a = {quote(value)} | stats count()", "logs")
    assert len(parse(found, "logs").commands) == len(
        parse("source=logs | where a = 'x' | stats count()", "logs").commands
    )

"""Full-text conditions in SQL agree with the words that the analyzer finds."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sqlglot import exp

from treering import query as ppl
from treering.model.batch import batch
from treering.query import analyzer, querystring
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

PIECES = st.sampled_from(
    ["a", "b", "ab", "1", "12", "a_b", ".", ":", "'", ",", ";", "-", " ", "/", "é", "語", "日", "A", "\n"]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
NOW = 1_700_000_000 * 10**9


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Payment failed: timeout", ["payment", "failed", "timeout"]),
        ("GET /api/v1 10.0.0.1:8080", ["get", "api", "v1", "10.0.0.1", "8080"]),
        ("user@example.com can't", ["user", "example.com", "can't"]),
        ("snake_case kebab-case", ["snake_case", "kebab", "case"]),
        ("日本語 größe", ["日", "本", "語", "größe"]),
        ("21:48:56 a:b", ["21", "48", "56", "a:b"]),
    ],
)
def test_words_are_those_of_the_standard_analyzer(text: str, words: list[str]) -> None:
    assert analyzer.words(text) == words


@given(TEXTS, TEXTS)
@settings(deadline=None, max_examples=300)
@example("a.b", "b")
@example("x.ab", "ab")
@example("1.2", "2")
@example("a.1", "a")
def test_a_word_is_found_exactly_where_the_analyzer_finds_it(text: str, other: str) -> None:
    import duckdb

    found = analyzer.words(text)
    for word in {*found, *analyzer.words(other)}:
        row = duckdb.execute("SELECT regexp_matches(?, ?)", [text.lower(), analyzer.phrase([word])]).fetchone()
        assert row == (word in found,), (text, word)


@given(st.lists(TEXTS, min_size=1, max_size=6), TEXTS, st.booleans())
@settings(deadline=None, max_examples=200)
@example(["éa", "a’b", "a.é", "x.a é", "a"], "a", False)
def test_a_condition_on_a_word_holds_for_the_texts_that_have_it(texts: list[str], other: str, prefix: bool) -> None:
    import duckdb

    from treering.store.duckdb import natives

    engine = duckdb.connect()
    natives.register(engine)
    for word in {*(word for text in texts for word in analyzer.words(text)), *analyzer.words(other)}:
        condition = analyzer.matches(exp.func("lower", exp.column("t")), [word], prefix=prefix)
        sql = f"SELECT {condition.sql('duckdb')} FROM (SELECT unnest(?) AS t)"
        found = [row[0] for row in engine.execute(sql, [texts]).fetchall()]
        assert found == [analyzer.has_word(text, word, prefix) for text in texts], word


@given(TEXTS)
@settings(deadline=None, max_examples=200)
def test_words_in_a_row_are_found_as_a_phrase(text: str) -> None:
    import duckdb

    found = analyzer.words(text)
    for index in range(len(found) - 1):
        pattern = analyzer.phrase(found[index : index + 2])
        assert duckdb.execute("SELECT regexp_matches(?, ?)", [text.lower(), pattern]).fetchone() == (True,), pattern


@given(st.text(max_size=40))
@settings(deadline=None, max_examples=300)
def test_a_simple_query_string_never_fails(text: str) -> None:
    querystring.simple_query_string(text)


BODIES = ["quick brown fox", "the fox is quick", "brown dog", "error: code 42", "Résumé uploaded", "fox.txt", "a/b c"]


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    store = DuckdbStore()
    properties = {"body": {"type": "text"}, "host": {"type": "keyword"}, "n": {"type": "long"}, "ip": {"type": "ip"}}
    store.create("docs", {"properties": {**properties, "at": {"type": "date"}, "tags": {"type": "keyword"}}})
    records = [
        {
            "body": body,
            "host": f"web-{index}",
            "n": index,
            "ip": f"10.0.{index}.1",
            "at": f"2026-01-0{index + 1}T12:00:00Z",
            "tags": ["x", f"t{index}"],
        }
        for index, body in enumerate(BODIES)
    ]
    store.append([batch("docs", records, received_ns=NOW)])
    return store


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("source=docs fox", [0, 1]),
        ("source=docs 'quick brown'", [0]),
        ("source=docs fox AND NOT brown", [1]),
        ("source=docs fox OR dog", [0, 1, 2]),
        ("source=docs qu?ck", [0, 1]),
        ("source=docs resum*", []),
        ("source=docs résumé", [4]),
        ("source=docs host=web-1", [1]),
        ("source=docs host=WEB-1", []),
        ("source=docs host=web-* n>=5", [5, 6]),
        ("source=docs n in (1, 3)", [1, 3]),
        ("source=docs n!=0 n<2", [1]),
        ("source=docs ip='10.0.2.0/24'", [2]),
        ("source=docs at='2026-01-03'", [2]),
        ("source=docs at>'2026-01-05'", [5, 6]),
        ("source=docs tags=t3", [3]),
        ("source=docs 42", [3]),
        ("source=docs nosuch=1", []),
        ("source=docs (fox OR dog) brown", [0, 2]),
        ("source=docs fox dog OR brown", [0]),
        ("source=docs | where match(body, 'fox dog', operator='and')", []),
        ("source=docs | where match_phrase(body, 'quick fox', slop=1)", [0]),
        ("source=docs | where match_phrase_prefix(body, 'quick bro')", [0]),
        ("source=docs | where match(body, 'quikc', fuzziness=1)", [0, 1]),
        ("source=docs | where query_string(['body'], 'quick -brown')", [1]),
        ("source=docs | where query_string('host:web-2 OR n:[5 TO *]')", [2, 5, 6]),
        ("source=docs | where simple_query_string(['body'], 'fox + quick')", [0, 1]),
        ("source=docs | where simple_query_string(['body'], 'bro*')", [0, 2]),
        ("source=docs | where multi_match(['body', 'host'], 'web-2 dog')", [2]),
        ("source=docs | where tags = 't2'", [2]),
        ("source=docs | where not match(body, 'fox')", [2, 3, 4, 5, 6]),
    ],
)
def test_records_are_found(store, query: str, found: list[int]) -> None:
    compiled = ppl.compile(f"{query} | sort n | fields n", schema=store.schema, now_ns=NOW)
    assert [row[0] for row in store.run(compiled, Limits()).rows] == found

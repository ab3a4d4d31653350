"""Parsing what is printed gives the same query; hostile text gives errors, never crashes."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.query import ppl_cases
from treering import query as ppl
from treering.core.errors import UserError
from treering.query.syntax import Binary, Call, In, IsNull, Literal, Name, Pipeline, Unary


def test_every_recorded_query_survives_printing(shared) -> None:
    read = 0
    for case in ppl_cases.cases():
        if not ppl_cases.in_scope(case):
            continue
        try:
            tree = ppl.parse(case["query"])
        except UserError:
            assert case["error"], case["query"]
            continue
        text = ppl.print(tree)
        assert ppl.parse(text) == tree, text
        read += 1
    assert read > 1600


NAMES = st.sampled_from(["a", "a.b", "@timestamp", "with space", "x-y", "`tick`", "in", "schön", "not", "a'b"])
LITERALS = st.one_of(
    st.text(max_size=6).map(lambda value: Literal(value, "string")),
    st.integers(-(10**12), 10**12).map(lambda value: Literal(str(value), "integer")),
    st.booleans().map(lambda value: Literal(value, "boolean")),
    st.sampled_from(["1.5", "-0.25", "10.0"]).map(lambda value: Literal(value, "decimal")),
)
BINARY = st.sampled_from(["or", "xor", "and", "=", "!=", "<", ">=", "like", "+", "-", "*", "/", "%"])


def _grown(inner: st.SearchStrategy) -> st.SearchStrategy:
    return st.one_of(
        st.builds(Binary, BINARY, inner, inner),
        st.builds(Unary, st.sampled_from(["not", "-"]), inner),
        st.builds(IsNull, inner, st.booleans()),
        st.builds(In, inner, st.lists(LITERALS, min_size=1, max_size=3).map(tuple), st.booleans()),
        st.builds(Call, st.sampled_from(["coalesce", "position"]), st.tuples(inner, inner)),
    )


EXPRESSIONS = st.recursive(st.one_of(NAMES.map(Name), LITERALS), _grown, max_leaves=12)


@given(EXPRESSIONS)
@settings(deadline=None, max_examples=300)
def test_any_expression_survives_printing(tree) -> None:
    from treering.query.commands.where import Where

    pipeline = Pipeline((Where(tree),))
    assert ppl.parse(ppl.print(pipeline)) == pipeline


SIGNS = list("|()[],.=<>+-*/%:'\"`\\ \n;~^{}@#?!")
KEYWORDS = [
    "search",
    "source",
    "where",
    "stats",
    "eval",
    "fields",
    "sort",
    "head",
    "by",
    "not",
    "in",
    "and",
    "or",
    "span",
    "join",
    "append",
    "streamstats",
    "bin",
    "rex",
    "foreach",
    "lookup",
    "chart",
    "diff",
    "anomalies",
    "patterns",
    "trace",
    "ml",
    "ad",
]
PIECES = ["count()", "avg(a)", "'x'", '"y"', "`z`", "1", "2.5", "5m", "1e9", "earliest=-1d", "a.b", "-5", "//c", "/*"]
WORDS = st.sampled_from([*SIGNS, *KEYWORDS, *PIECES])
TEXTS = st.lists(WORDS, max_size=25)


@given(st.one_of(st.text(max_size=80), TEXTS.map(" ".join), TEXTS.map("".join)))
@example("source=a | where " + "(" * 3000)
@example("where " + "not " * 3000 + "a")
@example("where " + "-" * 3000 + "a")
@example("search " + "(" * 3000 + "a")
@example("where x = [" * 500)
@example("where a like '%' | head 99999999999999999999999")
@settings(deadline=None, max_examples=500, suppress_health_check=[HealthCheck.too_slow])
def test_hostile_text_is_read_or_refused_with_a_place(text: str) -> None:
    error = None
    try:
        tree = ppl.parse(text, "logs")
    except UserError as refusal:
        error = refusal
    if error is not None:
        assert error.where is None or 0 <= error.where.offset <= len(text)
        return
    assert ppl.parse(ppl.print(tree), "logs") == tree


@pytest.fixture(scope="module")
def store():
    from treering.model.batch import batch
    from treering.store.duckdb import DuckdbStore

    store = DuckdbStore()
    records = [{"@timestamp": 1_700_000_000 * 10**9, "a": {"b": 1}, "body": "it's x", "n": 2.5, "tags": ["p", "q"]}]
    store.append([batch("logs", records, received_ns=1)])
    return store


@given(TEXTS.map(" ".join))
@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
def test_hostile_text_never_breaks_the_engine(store, text: str) -> None:
    from treering.stage.store import Limits

    try:
        compiled = ppl.compile(text, schema=store.schema, now_ns=1_800_000_000 * 10**9)
        ppl.render(store.run(compiled, Limits()))
    except UserError:
        pass

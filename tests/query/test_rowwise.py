"""Random pipelines over random records: the engine agrees with a naive evaluation row by row."""

from __future__ import annotations

import itertools
import json
import math
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treering import query as ppl
from treering.model.batch import batch
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore
from treering.testing import rowwise
from treering.testing.rowwise.table import Table

TYPES = {"id": "bigint", "n": "bigint", "x": "double", "s": "string", "t": "string", "b": "boolean"}
OTHER = {"k": "string", "w": "bigint", "v": "string"}
MAPPED = {"bigint": "long", "double": "double", "string": "keyword", "boolean": "boolean"}
WORDS = ["", "a", "B", "ab", "zoo", "Ab c"]
maybe = lambda values: st.one_of(st.none(), values)  # noqa: E731  a short name in the strategies below
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "n": maybe(st.integers(-20, 20)),
            "x": maybe(st.sampled_from([-7.5, -1.0, 0.0, 0.25, 2.5, 10.0])),
            "s": maybe(st.sampled_from(WORDS)),
            "t": st.sampled_from(["p", "q"]),
            "b": maybe(st.booleans()),
        }
    ),
    min_size=1,
    max_size=9,
)
OTHERS = st.lists(
    st.fixed_dictionaries({"k": st.sampled_from(WORDS), "w": maybe(st.integers(0, 5)), "v": maybe(st.just("v"))}),
    min_size=1,
    max_size=5,
    unique_by=lambda row: row["k"],
)


def quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


NUMBERS = st.one_of(st.just("n"), st.integers(-9, 9).map(lambda n: f"({n})" if n < 0 else str(n)), st.just("id"))
TEXTS = st.one_of(st.sampled_from(["s", "t"]), st.sampled_from(WORDS).map(quoted))


def _numbers(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["+", "-", "*", "/", "%"]), inner),
        st.builds("abs({})".format, inner),
        st.builds("coalesce({}, {})".format, inner, inner),
        st.builds("ifnull({}, {})".format, inner, inner),
        st.builds("nullif({}, {})".format, inner, inner),
    )


def _texts(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("concat({}, {})".format, inner, inner),
        st.builds("{}({})".format, st.sampled_from(["upper", "lower"]), inner),
        st.builds("substring({}, {}, {})".format, inner, st.integers(1, 3), st.integers(0, 3)),
        st.builds("coalesce({}, {})".format, inner, inner),
    )


WHOLE = st.recursive(NUMBERS, _numbers, max_leaves=4)
TEXT = st.recursive(TEXTS, _texts, max_leaves=3)
FLOATS = st.sampled_from(["x", "(x + n)", "(x * 2)", "(n / 2.0)", "floor(x)", "ceil(x)", "round(x)", "sqrt(x)"])
COMPARE = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
TESTS = st.one_of(
    st.builds("{} {} {}".format, WHOLE, COMPARE, WHOLE),
    st.builds("{} {} {}".format, TEXT, COMPARE, TEXT),
    st.builds("{} {} 2.5".format, FLOATS, COMPARE),
    st.builds("{}({})".format, st.sampled_from(["isnull", "isnotnull"]), st.sampled_from(["n", "x", "s", "b"])),
    st.builds("{} in ({})".format, st.just("n"), st.lists(st.integers(0, 9).map(str), min_size=1).map(", ".join)),
    st.builds(
        "n {} {} and {}".format, st.sampled_from(["between", "not between"]), st.integers(0, 5), st.integers(0, 20)
    ),
    st.builds("s like {}".format, st.sampled_from(["'a%'", "'_b'", "'%'", "'z_o'"])),
    st.just("length(s) > 1"),
)
CONDITIONS = st.recursive(
    TESTS,
    lambda inner: st.one_of(
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or", "xor"]), inner),
        st.builds("not ({})".format, inner),
    ),
    max_leaves=3,
)
VALUES = st.one_of(
    WHOLE,
    FLOATS,
    TEXT,
    st.builds("if({}, {}, {})".format, CONDITIONS, WHOLE, WHOLE),
    st.builds("case({}, {} else {})".format, CONDITIONS, TEXT, TEXT),
    st.builds("case({}, {})".format, CONDITIONS, WHOLE),
)
AGGREGATES = st.one_of(
    st.just("count()"),
    st.builds(
        "{}({})".format, st.sampled_from(["sum", "avg", "min", "max", "count", "dc"]), st.sampled_from(["n", "id"])
    ),
    st.builds("{}({})".format, st.sampled_from(["sum", "avg", "min", "max"]), st.just("x")),
    st.builds("{}({})".format, st.sampled_from(["min", "max", "count", "dc"]), st.sampled_from(["s", "t"])),
    st.builds("count(eval({}))".format, TESTS),
)


def _named(texts: list[str]) -> str:
    return ", ".join(f"{text} as a{index}" for index, text in enumerate(texts))


SUMMED = st.lists(AGGREGATES, min_size=1, max_size=3).map(_named)
GROUPS = st.sampled_from([" by s", " by t, s", " by b", " by n", " by span(id, 3)", " by span(n, 4), t", ""])
KEEPING = st.one_of(
    st.builds("where {}".format, CONDITIONS),
    st.builds("eval y{} = {}".format, st.integers(0, 1), VALUES),
    st.builds("eval n = {}".format, WHOLE),
    st.builds("sort {}{}, id".format, st.sampled_from(["", "- "]), st.sampled_from(["n", "s", "x", "b"])),
    st.builds("head {}".format, st.integers(1, 6)),
    st.just("sort id | reverse"),
    st.builds("fillnull with {} in n".format, st.integers(-3, 3)),
    st.just("fillnull using s = 'none', n = 1"),
    st.builds(
        "dedup {} {}{}".format,
        st.integers(1, 2),
        st.sampled_from(["s", "t, b", "n"]),
        st.sampled_from(["", " keepempty=true"]),
    ),
    st.builds("eventstats {}{}".format, SUMMED, st.sampled_from(["", " by t", " by s, t", " by b"])),
    st.builds("bin n span={} as r".format, st.integers(1, 7)),
    st.builds(
        "{} join left=l right=r on l.s = r.k [ source=beside | fields k, w, v ]".format,
        st.sampled_from(["inner", "left"]),
    ),
    st.builds(
        "lookup beside k as s {} w as {}".format, st.sampled_from(["replace", "append"]), st.sampled_from(["n", "m"])
    ),
    st.builds("append [ source=rows | where {} | fields id, n, x, s, t, b ]".format, TESTS),
)
CLOSING = st.one_of(
    st.builds("stats {}{}".format, SUMMED, GROUPS),
    st.builds("{} 99 s{}".format, st.sampled_from(["top", "rare"]), st.sampled_from(["", " by t", " by b"])),
    st.just("fields - x, b"),
    st.just("fields s, id, n"),
    st.just("rename n as renamed, t as u"),
)
PIPES = (
    st.tuples(st.lists(KEEPING, max_size=3), st.lists(CLOSING, max_size=1))
    .map(lambda pair: pair[0] + pair[1])
    .filter(lambda pipes: sum(" join " in pipe for pipe in pipes) < 2)
)


def same(one: Any, other: Any) -> bool:
    if isinstance(one, float) or isinstance(other, float):
        return one is not None and other is not None and math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other and isinstance(one, bool) == isinstance(other, bool))


def by_text(row: list[Any]) -> str:
    return json.dumps(
        [round(cell, 6) + 0.0 if isinstance(cell, int | float) and cell is not None else cell for cell in row]
    )


class Bench:
    """One store; each example has streams of its own."""

    def __init__(self) -> None:
        self.store = DuckdbStore()
        self.count = itertools.count()

    def load(self, rows: list[dict[str, Any]], others: list[dict[str, Any]]) -> tuple[str, str]:
        number = next(self.count)
        names = f"rows{number}", f"beside{number}"
        for name, types, records in zip(names, (TYPES, OTHER), (rows, others), strict=True):
            self.store.create(name, {"properties": {field: {"type": MAPPED[kind]} for field, kind in types.items()}})
            self.store.append([batch(name, records, received_ns=1)])
        return names


@pytest.fixture(scope="module")
def bench() -> Bench:
    return Bench()


@given(RECORDS, OTHERS, PIPES)
@settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_engine_and_rows_agree(bench: Bench, records, others, pipes) -> None:
    rows = [{"id": index, **record} for index, record in enumerate(records)]
    stream, beside = bench.load(rows, others)
    text = " | ".join(["source=rows", "fields id, n, x, s, t, b", *pipes])
    wanted = rowwise.run(ppl.parse(text), {"rows": Table(TYPES, rows), "beside": Table(OTHER, others)})
    asked = text.replace("source=rows", f"source={stream}").replace("beside", beside)
    compiled = ppl.compile(asked, schema=bench.store.schema, now_ns=1)
    found = ppl.render(bench.store.run(compiled, Limits()))
    assert {column["name"]: column["type"] for column in found["schema"]} == dict(wanted.columns), text
    assert [column["name"] for column in found["schema"]] == list(wanted.columns), text
    have, expected = found["datarows"], [list(row.values()) for row in _in_order(wanted)]
    if not wanted.ordered:
        have, expected = sorted(have, key=by_text), sorted(expected, key=by_text)
    assert len(have) == len(expected), text
    for one, other in zip(have, expected, strict=True):
        assert all(map(same, one, other)), (text, one, other)


def _in_order(table: Table) -> list[dict[str, Any]]:
    return [{name: row[name] for name in table.columns} for row in table.rows]

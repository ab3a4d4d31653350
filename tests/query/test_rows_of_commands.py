"""What commands make of rows: worked examples, and the mistakes that are refused with a place."""

from __future__ import annotations

import pytest

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.query import lexer
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

NOW_NS = 1_800_000_000 * 10**9
CALLS = [
    {"model": "large", "ms": 100, "tokens": 7, "body": "GET /a 200", "tags": ["x", "y"], "user": {"name": "ann"}},
    {"model": "small", "ms": 20, "tokens": 2, "body": "POST /b 503", "tags": ["z"], "user": {"name": "bob"}},
    {"model": "small", "ms": 40, "tokens": None, "body": "none of it", "tags": [], "user": {"name": "cyd"}},
]
STAFF = [{"name": "ann", "boss": "bob"}, {"name": "bob", "boss": "cyd"}, {"name": "cyd", "boss": None}]


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    store = DuckdbStore()
    times = [{"@timestamp": (1_700_000_000 + index) * 10**9} for index in range(3)]
    store.append([batch("calls", [time | call for time, call in zip(times, CALLS, strict=True)], received_ns=1)])
    store.append([batch("staff", STAFF, received_ns=1)])
    return store


def rows(store: DuckdbStore, text: str) -> list[list[object]]:
    compiled = ppl.compile(text, schema=store.schema, now_ns=NOW_NS, default_source="calls")
    return ppl.render(store.run(compiled, Limits()))["datarows"]


EXAMPLES = [
    ("reverse | fields ms", [[40], [20], [100]]),
    ("sort ms | fields ms | reverse", [[100], [40], [20]]),
    ("stats count() by model | reverse", [[1, "large"], [2, "small"]]),
    ("fields tokens | fillnull with 0", [[7], [2], [0]]),
    ("fields model, tokens | fillnull using tokens = -1, model = 'none'", [["large", 7], ["small", 2], ["small", -1]]),
    ("regex body != '^[A-Z]' | fields body", [["none of it"]]),
    ("parse body '(?<verb>[A-Z]+) (?<path>.*)' | fields verb, path", [["GET", "/a 200"], ["POST", "/b 503"], ["", ""]]),
    ("parse body '(?<verb>[A-Z]+)(?! /b).*' | fields verb", [["GET"], ["POS"], [""]]),
    (
        "grok body '%{WORD:verb} %{URIPATH} %{INT:code:int}' | fields verb, code, URIPATH | head 1",
        [["GET", "200", "/a"]],
    ),
    ("fieldformat t = 'took ' . tostring(ms, 'commas') . ' ms' | fields t | head 1", [["took 100 ms"]]),
    ("trendline sort ms sma(2, ms) wma(2, ms) as w | fields ms_trendline, w", [[None, None], [30, 100 / 3], [70, 80]]),
    ("eval a = array('p', 'q') | nomv a | fields a | head 1", [["p\nq"]]),
    ("fields model, ms | mvcombine ms", [["small", [20, 40]], ["large", [100]]]),
    ("eval a = array(1, 2, 3) | mvexpand a limit=2 | fields ms, a | head 3", [[100, 1], [100, 2], [20, 1]]),
    ("sort - ms | eval a = array(1, 2) | expand a as b | fields ms, b | head 3", [[100, 1], [100, 2], [40, 1]]),
    ("flatten user as n | fields n", [["ann"], ["bob"], ["cyd"]]),
    ("stats sum(ms) as ms by model | addcoltotals labelfield='model'", [[100, "large"], [60, "small"], [160, "Total"]]),
    (
        "stats sum(ms) as s by model | appendpipe [ stats sum(s) as t ] | fields s, t",
        [[100, None], [60, None], [None, 160]],
    ),
    ("where ms > 30 | fields ms | appendcol [ stats count() as n ]", [[100, 3], [40, None]]),
    ("fields ms | head 1 | appendcol override=true [ stats sum(ms) as ms ]", [[160]]),
    ("where ms = 20 | fields ms | union [ search source=calls ms>50 | fields ms ]", [[20], [100]]),
    ("| multisearch [ search source=calls ms=20 ] [ search source=calls ms>30 ] | fields ms", [[40], [20], [100]]),
    ("stats max(ms) as ms by model, body | xyseries model body in ('none of it') ms", [["large", None], ["small", 40]]),
    ("fields model, ms | head 2 | transpose 2 column_name='field'", [["ms", "100", "20"], ["model", "large", "small"]]),
    ("foreach ms tok* [ eval <<FIELD>>_x = <<FIELD>> * 2 ] | fields ms_x, tokens_x | head 1", [[200, 14]]),
    (
        "eval a = array(1, 2), n = 0, m = 9 | foreach mode=multivalue a [ eval n=n + <<ITEM>>, m=m + n ] | fields m",
        [[13], [13], [13]],
    ),
    ("eval n = 0 | foreach mode=json_array '[1, 2.5]' [ eval n = n + <<ITEM>> ] | fields n | head 1", [[3.5]]),
    ("makeresults count=2 | stats count()", [[2]]),
    ("makeresults format=csv data='a:int,b\n1,x\n2,' | fields a, b", [[1, "x"], [2, None]]),
    (
        'makeresults format=json data=\'[{"a": {"b": 1}, "c": 2.5}, {"c": 3}]\' | fields a, c',
        [['{"b":1}', 2.5], [None, 3]],
    ),
    ("describe staff | fields COLUMN_NAME, TYPE_NAME", [["name", "string"], ["boss", "string"]]),
    ("show datasources", [["@opensearch", "OPENSEARCH"]]),
    ("graphLookup staff start='bob' edge=boss-->name maxDepth=1 as up", [[[STAFF[1], {"name": "cyd"}]]]),
    (
        "head 1 | eval n = user.name | graphLookup staff start=n edge=boss-->name depthField=d as up | fields up",
        [[[STAFF[0] | {"d": 0}]]],
    ),
]


@pytest.mark.parametrize(("text", "expected"), EXAMPLES)
def test_commands_make_these_rows(store, text: str, expected: list[list[object]]) -> None:
    found = rows(store, text)
    assert found == [[pytest.approx(cell) if isinstance(cell, float) else cell for cell in row] for row in expected]
    tree = ppl.parse(text, "calls")
    assert ppl.parse(ppl.print(tree), "calls") == tree


REFUSED = [
    ("fields model | fillnull with 0", "fillnull"),
    ("parse body '(?<a_b>.)'", "a_b"),
    ("grok body '%{NOSUCH:x}'", "NOSUCH"),
    ("trendline sma(0, ms)", "at least one row"),
    ("trendline sma(2, model)", "numbers"),
    ("nomv model", "array"),
    ("expand model", "array"),
    ("mvexpand tags limit=0", "must be positive"),
    ("flatten user as (a, b)", "names"),
    ("fields ms | appendpipe [ eval ms = 'x' ]", "types"),
    ("| multisearch [ search source=calls ]", "two"),
    ("| union [ search source=calls ]", "two"),
    ("transpose 0", "between 1 and"),
    ("makeresults count=5001", "5000"),
    ("foreach mode=json_array '[1, \"a\"]' [ eval ms = ms + <<ITEM>> ]", "all numbers"),
    ("graphLookup staff start=name edge=boss-->name as up", "search before"),
]


@pytest.mark.parametrize(("text", "said"), REFUSED)
def test_mistakes_are_refused_with_a_place(store, text: str, said: str) -> None:
    with pytest.raises(UserError, match=said) as refusal:
        rows(store, text)
    assert refusal.value.where is not None


GROKKED = [
    ("%{IP:a}", "from ::1 here", "::1"),
    ("%{IP:a}", "from 2001:db8::7 here", "2001:db8::7"),
    ("%{IP:a}", "at 10.0.0.255:80", "10.0.0.255"),
    ("%{TIMESTAMP_ISO8601:a}", "2026-11-24T06:00:00.123Z x", "2026-11-24T06:00:00.123Z"),
    ("%{HTTPDATE:a}", "[28/Sep/2022:10:15:57 -0700]", "28/Sep/2022:10:15:57 -0700"),
    ("%{LOGLEVEL:a}", "[warning] x", "warning"),
    ("%{UUID:a}", "id 123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000"),
    ("%{NUMBER:a}", "took -2.50s", "-2.50"),
    ("%{MAC:a}", "aa:bb:cc:dd:ee:ff", "aa:bb:cc:dd:ee:ff"),
]


@pytest.mark.parametrize(("pattern", "text", "expected"), GROKKED)
def test_grok_patterns_find_what_they_name(store, pattern: str, text: str, expected: str) -> None:
    asked = f"head 1 | eval t = {lexer.quote(text)} | grok t {lexer.quote(pattern)} | fields a"
    assert rows(store, asked) == [[expected]]

"""Answers that OpenSearch's engine gives where its manual says little: lists, ranges, joins, analyzers, places."""

from __future__ import annotations

import pytest

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.query.analyzers import ANALYZERS
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

NOW_NS = 1_800_000_000 * 10**9
MAKER = {"properties": {"name": {"type": "keyword"}}}
NESTED = {
    "type": "nested",
    "properties": {"price": {"type": "double"}, "at": {"type": "date", "format": "basic_date"}, "maker": MAKER},
}
MAPPING = {
    "properties": {
        "name": {"type": "text"},
        "tags": {"type": "keyword"},
        "sizes": {"type": "long"},
        "age": {"type": "long"},
        "place": {"type": "geo_point"},
        "parts": NESTED,
        "box": {"properties": {"z": {"type": "long"}, "a": {"type": "long"}}},
    }
}
ROWS = [
    {
        "name": "running shoes and more", "tags": ["red", "blue"], "sizes": [3, 5], "age": 25, "place": "u33dc0cpke7v",
        "parts": [{"price": 1.5, "at": "20260102"}, {"price": 2.5}], "box": {"z": 1, "a": 2},
    },
    {"name": "a run through the woods", "tags": "red", "sizes": 7, "age": 35, "place": "40.5, -70.25", "parts": []},
    {"name": "houses by the sea", "age": 81, "place": None},
    {
        "name": "house", "tags": ["blue", "blue"], "age": 36,
        "parts": [{"price": 4, "maker": [{"name": "x"}, {"name": "acme"}]}],
    },
]  # fmt: skip
OTHERS = [
    {"key": "red", "cost": 10, "team": "north"},
    {"key": "blue", "cost": 25, "team": "south"},
    {"key": "red", "cost": 31, "team": "east"},
    {"key": None, "cost": 12, "team": "west"},
]


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    store = DuckdbStore()
    store.create("rows", MAPPING)
    store.append([batch("rows", ROWS, received_ns=1)])
    store.create("others", {"properties": {"key": {"type": "keyword"}, "team": {"type": "keyword"}}})
    store.append([batch("others", OTHERS, received_ns=1)])
    return store


def answer(store: DuckdbStore, text: str, *, all_joins: bool = True) -> list[list[object]]:
    compiled = ppl.compile(text, schema=store.schema, now_ns=NOW_NS, default_source="rows", all_joins=all_joins)
    return ppl.render(store.run(compiled, Limits()))["datarows"]


CASES = {
    # Each item of a list counts where the index aggregates; what the engine aggregates sees the first.
    "stats count(sizes), min(sizes), max(sizes), sum(sizes), avg(sizes), dc(tags)": [[3, 3, 7, 15, 5.0, 2]],
    "head 4 | stats count(sizes), max(sizes)": [[2, 7]],
    "where isnull(sizes) | stats count(sizes), sum(sizes), max(sizes)": [[0, 0, None]],
    "stats count() as n by tags": [[1, None], [2, "blue"], [2, "red"]],
    "top tags": [["blue", 2], ["red", 2], [None, 1]],
    "stats count(parts.price), sum(parts.price), max(parts.price)": [[3, 8.0, 4.0]],
    # A condition holds of a list when it does of an item; that none is equal is asked of what has items.
    "where sizes > 4 | fields age": [[25], [35]],
    "where sizes > 6 | fields age": [[35]],
    "where sizes != 7 | fields age": [[25]],
    "where 5 <= sizes | fields age": [[25], [35]],
    "where sizes in (1, 5) | fields age": [[25]],
    "where parts.price > 2 and parts.price < 3 | fields age": [[25]],
    "where parts.price = 2.5 or parts.price in (4, 9) | fields age": [[25], [36]],
    "where parts.maker.name = 'acme' | fields age": [[36]],
    # Documents are grouped with their dates printed, in the order of a hash table.
    "where age = 25 | stats count() by parts": [[1, [{"price": 1.5, "at": "2026-01-02"}, {"price": 2.5}]]],
    # Ranges come by their bounds, other texts by the alphabet.
    "eval r = case(age < 30, 'young', age < 40, 'middle' else 'a') | stats count() by r": [
        [1, "young"], [2, "middle"], [1, "a"],
    ],
    "eval r = case(30 > age, 'young', age >= 30 and age < 36, 'm' else 'a') | stats count() by r": [
        [1, "young"], [1, "m"], [2, "a"],
    ],
    "eval r = case(age <= 30, 'young', age <= 40, 'middle' else 'a') | stats count() by r": [
        [1, "a"], [2, "middle"], [1, "young"],
    ],
    # Rows without the number are in no range, and what no condition holds of is a text, as the manual says.
    "eval r = case(box.z < 5, 'few' else 'many') | stats count() by r": [[1, "few"]],
    "where age > 30 | eval r = case(age < 36, 'm', age >= 80, 'old') | stats count() by r": [
        [1, "m"], [1, "null"], [1, "old"],
    ],
    "head 4 | eval r = case(age < 36, 'm') | stats count() by r": [[2, None], [2, "m"]],
    # The members of an object come by name once the object is taken apart.
    "where age = 25 | eval box.z = 9 | fields - name, tags, sizes, age, place, parts, parts.*": [[2, 9]],
    "where age < 40 | fields place": [
        [{"lat": 52.5200311280787, "lon": 13.4048917517066}], [{"lat": 40.5, "lon": -70.25}], [None],
    ],
    # An analyzer splits the query alone: its stems are looked for as words.
    "where match(name, 'houses', analyzer=english) | stats count()": [[0]],
    "where match(name, 'running', analyzer=english) | fields age": [[35]],
    "where match(name, 'the', analyzer=english) | stats count()": [[0]],
    "where match(name, 'the', analyzer=english, zero_terms_query=all) | stats count()": [[4]],
    "where match(name, 'SHOES', analyzer=whitespace) | stats count()": [[0]],
    "where match(name, 'rin', fuzziness=1) | stats count()": [[1]],
    "where match(name, 'rin', fuzziness=1, prefix_length=2) | stats count()": [[0]],
    "where match(name, 'rin', fuzziness='AUTO:4,6') | stats count()": [[0]],
    "where query_string(['name'], 'house*', escape=true) | stats count()": [[1]],
    "where query_string(['name'], 'house*', escape=false) | stats count()": [[2]],
    # `or` binds before `and`, and words side by side are each in parentheses.
    "search age=25 OR age=35 AND name=run source=rows | fields age": [[35]],
    "search source=rows age=25 OR age=36 name=house | fields age": [[36]],
    # What is small.
    "head 1 | eval x = concat_ws('-', 'a', nullif('b', 'b'), 'c', nullif('d', 'd')) | fields x": [["a-c-"]],
    "head 1 | eval x = from_days(1), y = from_days(400) | fields x, y": [["0000-01-02", "0001-02-04"]],
    "head 1 | eval x = minute_of_day('2026-11-02'), y = time_to_sec('2026-11-02') | fields x, y": [[0, 0]],
    "head 1 | eval x = json_set('{\"a\": 1}', 'a', 2, 'b', 3, 'c', true) | fields x": [['{"a":2,"b":"3","c":"true"}']],
    "head 1 | eval x = interval 3 day | fields x": [[3]],
    "where age = 25 | nomv nothing | fields age, nothing": [[25, ""]],
    "head 1 | eval d = '{\"u\": {\"n\": \"x\"}}' | spath input=d | rename d.u.n as n | fields n": [["x"]],
}  # fmt: skip


@pytest.mark.parametrize(("text", "rows"), CASES.items(), ids=list(CASES))
def test_the_answer_is_the_engine_s(store: DuckdbStore, text: str, rows: list[list[object]]) -> None:
    assert answer(store, text) == rows


def test_groups_after_a_join_or_subsearch_come_as_from_a_hash_table(store: DuckdbStore) -> None:
    joined = "source=others | inner join left=a right=b on a.key = b.key others"
    groups = answer(store, f"{joined} | stats count() by span(b.cost, 10), b.team")
    assert groups == [[2, 10, "north"], [1, 20, "south"], [2, 30, "east"]]
    asked = "source=others | where exists [ source=others | where cost > 30 ] | stats count() by team"
    assert [row[1] for row in answer(store, asked)] == ["east", "south", "north", "west"]
    # So do rows that were cut in an order, after windows over groups.
    cut = "source=others | sort - cost | head 3"
    assert answer(store, f"{cut} | eventstats count() as n by key | fields cost, n") == [[31, 1], [12, 1], [25, 1]]
    assert answer(store, f"{cut} | dedup team | fields team") == [["east"], ["south"], ["west"]]


@pytest.mark.parametrize("kind", ["right", "full", "cross"])
@pytest.mark.parametrize("pipe", ["others as a | KIND join left=a right=b on a.key = b.key others | stats count()"])
def test_heavy_joins_can_be_refused(store: DuckdbStore, kind: str, pipe: str) -> None:
    text = f"source={pipe.replace('KIND', kind)}"
    assert answer(store, text)[0][0] > 3
    with pytest.raises(UserError, match=f"{kind} joins are not allowed") as caught:
        answer(store, text, all_joins=False)
    assert "plugins.calcite.all_join_types.allowed" in caught.value.hint
    with pytest.raises(UserError, match="not allowed"):
        answer(store, f"source=others | append [ | {kind} join on key = key others ]", all_joins=False)


def test_an_unknown_analyzer_and_an_alias_to_nowhere_are_refused(store: DuckdbStore) -> None:
    with pytest.raises(UserError, match="unknown analyzer 'klingon'"):
        answer(store, "where match(name, 'x', analyzer=klingon)")
    other = DuckdbStore()
    other.create("lost", {"properties": {"a": {"type": "alias", "path": "b.c"}}})
    with pytest.raises(UserError, match=r"alias field \[a\] refers to unresolved path \[b.c\]"):
        answer(other, "source=lost")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("english", ["user", "2", "hous", "run"]),
        ("simple", ["the", "users", "s", "houses", "running"]),
        ("stop", ["users", "s", "houses", "running"]),
        ("whitespace", ["The", "users's", "2", "Houses", "running"]),
        ("keyword", ["The users's 2 Houses running"]),
    ],
)
def test_analyzers_split_as_lucene_s_do(name: str, words: list[str]) -> None:
    assert ANALYZERS[name]("The users's 2 Houses running") == words

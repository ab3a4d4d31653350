"""Rules of OpenSearch's engine that the manual leaves open: aggregates of nothing, order of groups, borders."""

from __future__ import annotations

import pytest

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

NOW_NS = 1_800_000_000 * 10**9
MAPPING = {
    "properties": {
        "ip": {"type": "ip"}, "team": {"type": "keyword"}, "on": {"type": "boolean"}, "word": {"type": "text"},
        "at": {"properties": {"x": {"type": "long"}}},
    }
}  # fmt: skip
ROWS = [
    {"team": "north", "n": 4, "ip": "10.0.0.9", "on": True, "word": "a red fox"},
    {"team": "south", "n": None, "ip": "10.0.0.10", "on": None},
    {"team": "east", "n": 7, "ip": "9.1.1.1", "on": False},
    {"team": "north", "n": 1, "ip": "10.0.0.2", "on": True},
]


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    store = DuckdbStore()
    store.create("rows", MAPPING)
    store.append([batch("rows", ROWS, received_ns=1)])
    return store


def answer(store: DuckdbStore, text: str) -> list[list[object]]:
    compiled = ppl.compile(f"source=rows | {text}", schema=store.schema, now_ns=NOW_NS)
    return ppl.render(store.run(compiled, Limits()))["datarows"]


CASES = {
    # A new name that a column has gets a number, and the column stays.
    "eventstats count() as n | fields n, n0 | sort n | head 2": [[None, 4], [1, 4]],
    "streamstats count() as n | fields n, n0": [[4, 1], [None, 2], [7, 3], [1, 4]],
    "stats count() as team by team | fields team_0, team": [[1, "east"], [2, "north"], [1, "south"]],
    # Instants are texts to what joins texts; no number, no sum.
    "head 1 | eval x = concat(date('2026-01-02'), 'x', time('10:00:00')) | fields x": [["2026-01-02x10:00:00"]],
    "head 1 | eval x = max(date('2026-01-02'), 'x'), y = min(3, date('2026-01-02')) | fields x, y": [["x", 3]],
    "head 1 | eval d = date('2026-01-02') | replace '2026' with '1' in d | fields d": [["1-01-02"]],
    "head 1 | eval d = date(nullif('a', 'a')) | fillnull value='-' d | fields d": [["-"]],
    "head 1 | eval x = array(date('2026-01-02'), 'a') | fields x": [[["2026-01-02", "a"]]],
    "fields team | head 1 | addtotals": [["north"]],
    "head 1 | fields team | parse team 'n.*'": [["north"]],
    "head 2 | where isnull(n) | fields n | addcoltotals": [[None], [None]],
    "stats median(team) as m": [[None]],
    "where match(team, 'north', minimum_should_match=2) | stats count()": [[2]],
    "where match(word, 'red fox', minimum_should_match=3) | stats count()": [[0]],
    "where match(word, 'red fox', minimum_should_match=2) | stats count()": [[1]],
    # Automatic buckets are each group's own, begin with its first value and order last; weeks begin on Mondays.
    "eval t = timestampadd(minute, n, timestamp('2026-01-01 00:00:00')) | bin t bins=2 | stats count() by t, team": [
        [1, "2026-01-01 00:07:00", "east"],
        [2, "2026-01-01 00:01:00", "north"],
    ],
    "eval t = timestampadd(month, n, timestamp('2026-01-15 00:00:00')) | bin t bins=3 | stats count() by t": [
        [1, "2026-02-01 00:00:00"],
        [1, "2026-05-01 00:00:00"],
        [1, "2026-08-01 00:00:00"],
    ],
    "eval t = timestamp('2025-08-01 10:00:00') | stats count() by span(t, 2w)": [[4, "2025-07-28 00:00:00"]],
    # Addresses have hashes, too.
    "fields ip, n | mvcombine n | fields ip": [["9.1.1.1"], ["10.0.0.2"], ["10.0.0.9"], ["10.0.0.10"]],
    "where match_phrase_prefix(word, 'fox a', slop=3) | stats count()": [[1]],
    "where query_string(['word'], 'red fox owl', minimum_should_match=2) | stats count()": [[1]],
    "where match_phrase_prefix(word, 'fox a', slop=2) | stats count()": [[0]],
    # Lists that are not there.
    "head 1 | eval x = json_extract('bad', 'a', 'b'), y = json_extract('bad', 'a') | fields x, y": [
        ["[null,null]", None],
    ],
    """head 1 | eval x = json_extract('{"a":[]}', 'a{}') | fields x""": [["[]"]],
    # What the index aggregates has zeros and empty lists for nothing; what the engine does has nulls.
    "where n > 99 | stats sum(n), p50(n), avg(n), count(n)": [[0, 0, None, 0]],
    "where n > 99 | stats list(n), values(n), sum(n)": [[None, None, None]],
    "where isnull(n) | stats take(n)": [[[]]],
    "where n > 99 | stats take(n)": [[None]],
    "head 2 | where isnull(n) | stats sum(n), take(n)": [[None, None]],
    "where n > 99 | stats count(eval(n > 1))": [[0]],
    "where isnull(n) | streamstats dc(n) as d, count(n) as c | fields d, c": [[None, 0]],
    # Groups that the index makes ascend; those of the engine come as from a hash table.
    "stats count() by team": [[1, "east"], [2, "north"], [1, "south"]],
    "stats values(n) by team": [[["7"], "east"], [None, "south"], [["1", "4"], "north"]],
    "head 4 | stats count() as c by team": [[1, "east"], [1, "south"], [2, "north"]],
    "eventstats count() as c by team | fields team, c": [["east", 1], ["south", 1], ["north", 2], ["north", 2]],
    "eventstats count() as c by team | sort n | fields n": [[None], [1], [4], [7]],
    "fields team, n | mvcombine n": [["east", [7]], ["south", None], ["north", [4, 1]]],
    # Addresses compare as addresses.
    "sort ip | fields ip": [["9.1.1.1"], ["10.0.0.2"], ["10.0.0.9"], ["10.0.0.10"]],
    "stats max(ip), min(ip)": [["10.0.0.10", "9.1.1.1"]],
    "addtotals n | fields n, Total": [[4, 4], [None, None], [7, 7], [1, 1]],
    "head 1 | eval j = json_object('b', 1, 'a', 'x') | fields j": [['{"a":"x","b":1}']],
    "head 1 | eval r = reduce(array('a', 'bb'), 0, (t, x) -> t + length(x)) | fields r": [[3]],
    "head 1 | eval s = split('', ','), i = mvindex(array(1, 2), 1, 5) | fields s, i": [[[], []]],
    "head 1 | eval a = cast('yes' as boolean), b = cast(' TRUE' as boolean) | fields a, b": [[None, True]],
    "head 1 | eval f = cast(0.1 as float), d = cast(cast(0.1 as float) as double) | fields f, d": [
        [0.1, 0.10000000149011612]
    ],
    # Months are named, and what has no logarithm is told.
    "head 1 | eval d = date('2026-03-15') | bin d span=1month | fields d": [["2026-03"]],
    "where isnull(n) | bin n span=log10 | fields n": [["Invalid"]],
    # A missing truth value is not true; null is no number's opposite.
    "where on != true | fields team": [["south"], ["east"]],
    "where not on = true | fields team": [["south"], ["east"]],
    "where n != 4 | fields n": [[7], [1]],
    "chart sum(n) by team": [["east", 7], ["north", 5]],
    "where n > 99 | fields n | addcoltotals": [[0]],
    "where isnull(n) | eval a = array(n, n) | nomv a | fields a": [[""]],
    "where isnull(n) | eval q = cast(n as string) | patterns q | fields patterns_field": [[""]],
    """head 1 | eval j = '{"a b": {"c.d": 1}}' | spath input=j output=o "['a b']['c.d']" | fields o""": [["1"]],
    "inner join left=l right=r on l.team = r.team rows | eval r = 1 | inner join left=l right=r on l.team = r.team rows"
    " | stats count()": [[10]],
    "head 1 | eval x = tonumber('0x1f', 16), y = tonumber('1f', 16) | fields x, y": [[None, 31.0]],
}


@pytest.mark.parametrize("text", CASES)
def test_answers(store: DuckdbStore, text: str) -> None:
    assert answer(store, text) == CASES[text]


@pytest.mark.parametrize(
    "text",
    [
        "eval x = timestamp('10:20:30')",
        "eval x = date('2026-1-02')",
        "eval x = date_add('10:20:30', interval 1 hour)",
        "eval x = cidrmatch('none', '10.0.0.0/8')",
        "eval x = cast('none' as ip)",
        "eval x = cast(1 as ip)",
        "eval x = sha2('a', 0)",
        "stats per_second(n)",
        "stats count() as _score",
        "where n between '1' and 2.5",
        "replace 'a' with 'b' in team, team",
    ],
)
def test_refuses(store: DuckdbStore, text: str) -> None:
    with pytest.raises(UserError):
        answer(store, text)


@pytest.mark.parametrize(
    "text",
    [
        "where n like '4%'", "where ip contains '10'", "where team like n", "where on like 't%'",
        "eval x = upper(ip)", "regex ip='1'", "rex field=n '(?<x>.)'", "parse ip '(?<x>.*)'", "grok n '%{NUMBER:x}'",
        "grok team ''", "patterns n", "fillnull value='x' ip",
        "stats take(ip, 2)", "eval a = array(1, 2) | stats list(a)", "eval a = array(1, 2) | stats values(a)",
        "eval a = array(1, 2) | mvcombine a", "stats percentile(team, 50)", "stats p50(team)",
        "where n between 'a' and 'b'", "where team between 1 and 2",
        "eval x = 1 | fields x | appendpipe [ stats count() as x ]",
        "eval x = 1 | append [ source=rows | stats count() as x ]",
        "eval x = microsecond('2026-11-02')", "eval x = log(n - n)",
    ],
)  # fmt: skip
def test_what_a_value_cannot_be_asked_is_refused(store: DuckdbStore, text: str) -> None:
    with pytest.raises(UserError):
        answer(store, text)


def test_a_date_beyond_what_nanoseconds_count_is_null_and_stops_nothing() -> None:
    store = DuckdbStore()
    store.create("years", {"properties": {"y": {"type": "date", "format": "yyyy"}}})
    store.append([batch("years", [{"y": "3021"}, {"y": "1999"}], received_ns=1)])
    compiled = ppl.compile("source=years | eventstats count() as n", schema=store.schema, now_ns=NOW_NS)
    assert ppl.render(store.run(compiled, Limits()))["datarows"] == [[None, 2], ["1999-01-01", 2]]


def test_members_of_objects_are_shown_where_asked_for(store: DuckdbStore) -> None:
    def columns(text: str) -> list[str]:
        compiled = ppl.compile(f"source=rows | {text} | head 1", schema=store.schema, now_ns=NOW_NS)
        return [column["name"] for column in ppl.render(store.run(compiled, Limits()))["schema"]]

    assert "at.x" not in columns("fields *")
    assert "at.x" in columns("fields `*`")
    assert columns("fields at | flatten at") == ["at"]


def test_a_stream_that_is_not_there_is_answered_with_the_nearest(store: DuckdbStore) -> None:
    with pytest.raises(UserError, match="no stream named 'row'") as error:
        ppl.compile("source=row", schema=store.schema, now_ns=NOW_NS)
    assert error.value.hint == "did you mean 'rows'?"


def test_members_of_objects_in_lists_are_looked_at_wherever_they_are() -> None:
    store = DuckdbStore()
    error = {"properties": {"error": {"properties": {"type": {"type": "keyword"}}}}}
    store.create("rows", {"properties": {"events": {"type": "nested", "properties": {"attributes": error}}}})
    rows = [
        {
            "id": 1,
            "tags": ["b", "a"],
            "events": [{"attributes": {"error.type": "x"}}, {"attributes": {"error.type": "x"}}],
        },
        {"id": 2, "tags": "c", "events": [{"attributes": {"error": {"type": "y"}}}]},
        {"id": 3, "events": [{"attributes": [{"error": {"type": "y"}}]}]},
        {"id": 4, "events": []},
    ]
    store.append([batch("rows", rows, received_ns=1)])

    def ids(text: str) -> list[object]:
        return answer(store, f"where {text} | fields id")

    assert ids("events.attributes.error.type = 'y'") == [[2], [3]]
    assert ids("tags like 'a%'") == ids("like(tags, 'A%')") == ids("tags contains 'a'") == [[1]]
    assert ids("not tags like 'a%'") == [[2]]
    by = answer(store, "stats count() by events.attributes.error.type")
    assert by == [[2, "x"], [2, "y"]]

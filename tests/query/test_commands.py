"""What each command makes of a few rows, and that it survives printing."""

from __future__ import annotations

import pytest

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

ROWS = [
    {"id": 1, "team": "a", "n": 10, "text": "took 12ms of 30ms"},
    {"id": 2, "team": "b", "n": 20, "text": "no number"},
    {"id": 3, "team": "a", "n": None, "text": '{"x": {"y": 7}}'},
]
TEAMS = [{"team": "a", "lead": "Ann", "boss": "b"}, {"team": "b", "lead": "Bo", "boss": None}]
CASES = {
    "eventstats sum(n) as s by team | fields id, s": [[1, 10], [3, 10], [2, 20]],
    "streamstats count() as c by team | fields id, c": [[1, 1], [2, 1], [3, 2]],
    "streamstats window=1 current=false sum(n) as s | fields s": [[None], [10], [20]],
    "streamstats reset_after=(id = 1) count() as c | fields c": [[1], [1], [2]],
    "trendline sma(2, n) as t | fields id, t": [[1, None], [2, 15.0]],
    "bin n span=15 | fields n": [["0-15"], ["15-30"], [None]],
    "chart count() over team by id": [["a", "1", 1], ["a", "3", 1], ["b", "2", 1]],
    "stats sum(n) as s by team | xyseries team s in ('10', '20') s": [["a", 10, None], ["b", None, 20]],
    "fields id, n | head 2 | transpose 2": [["id", "1", "2"], ["n", "10", "20"]],
    "fields n | addtotals col=true": [[10, 10], [20, 20], [None, None], [30, None]],
    "inner join left=l right=r on l.team = r.team teams | fields id, lead": [[1, "Ann"], [3, "Ann"], [2, "Bo"]],
    "anti join team [ source=teams | where team = 'a' ] | fields id": [[2]],
    "lookup teams team append lead | fields id, lead": [[1, "Ann"], [3, "Ann"], [2, "Bo"]],
    "lookup teams team append lead | fields id | head 2": [[1], [2]],
    "left join left=l right=r on l.team = r.team teams | fields id, lead | head 2": [[1, "Ann"], [2, "Bo"]],
    "where id < 3 | join teams | stats count()": [[2]],
    "stats take(n, 5) by team": [[[10], "a"], [[20], "b"]],
    "where id = 3 or id = 1 | sort - id | stats take(n, 2)": [[[10]]],
    "where isnull(n) or id = 2 | stats take(n, 1) by team": [[[], "a"], [[20], "b"]],
    "where 1 = 2 | stats sum(n), count()": [[None, 0]],
    "where id > 5 | stats sum(n)": [[0]],
    "flatten nosuch | fields id | head 1": [[1]],
    "fields id | addcoltotals nosuch": [[1], [2], [3], [None]],
    "fields id | appendpipe [ sort - id ]": [[1], [2], [3], [1], [2], [3]],
    "stats sum(n) as s by team | sort - s | append [ source=rows | stats sum(n) as s ]": [
        [10, "a"],
        [20, "b"],
        [30, None],
    ],
    "stats sum(n) as s by team | sort - s | append [ source=rows | stats sum(n) as t ] | fields s, t": [
        [20, None],
        [10, None],
        [None, 30],
    ],
    "eval r = rand(3), s = rand(3) | where r = s | fields r | head 2": [[0.34346429521113886], [0.286328706172303]],
    "eval x = concat(), y = ifnull(n), z = json_keys(n) | fields x, y, z | head 1": [["", 10, None]],
    "fields id | append [ source=teams | fields lead ]": [[1, None], [2, None], [3, None], [None, "Ann"], [None, "Bo"]],
    "stats count() as c | appendpipe [ eval c = c + 1 ]": [[3], [4]],
    "fields id | appendcol [ stats count() as c ]": [[1, 3], [2, None], [3, None]],
    "fields id | union [ source=rows | where id = 1 | fields id ]": [[1], [2], [3], [1]],
    "parse text '(?<w>\\\\w+) .*' | fields w": [["took"], ["no"], [""]],
    "rex field=text '(?<ms>\\\\d+)ms' max_match=5 | fields ms": [[["12", "30"]], [None], [None]],
    "rex field=text mode=sed 's/[0-9]+/N/g' | head 1 | fields text": [["took Nms of Nms"]],
    "grok text '%{INT:first}ms' | fields first": [["12"], [""], [""]],
    "regex text != 'took' | fields id": [[2], [3]],
    "replace 'no *' with '* no' in text | where id = 2 | fields text": [["number no"]],
    "fillnull using n = 0 | fields n": [[10], [20], [0]],
    "fieldformat t = 'n='.tostring(n).' ms' | head 1 | fields t": [["n=10 ms"]],
    "eval xs = array(1, 2) | mvexpand xs limit=1 | fields id, xs": [[1, 1], [2, 1], [3, 1]],
    "fields team, id | mvcombine id": [["a", [1, 3]], ["b", [2]]],
    "eval xs = array('p', 'q') | nomv xs | head 1 | fields xs": [["p\nq"]],
    "sort id | reverse | fields id": [[3], [2], [1]],
    "convert memk(text) as k, num(n) as m | fields k, m": [[None, 10.0], [None, 20.0], [None, None]],
    "spath input=text path=x.y output=y | fields y": [[None], [None], ["7"]],
    "where id = 3 | spath input=text output=m | fields m.x.y": [["7"]],
    "foreach i* n [ eval <<FIELD>>2 = <<FIELD>> * 2 ] | fields id2, n2": [[2, 20], [4, 40], [6, None]],
    "eval t = 0, xs = array(1, 2) | foreach mode=multivalue xs [ eval t = t + <<ITEM>> ] | head 1 | fields t": [[3]],
    "diff [ where team = 'a' ] against [ where team = 'b' ] top=5 alpha=0.5 fields n": [],
    "eval `@timestamp` = timestamp('2026-01-01 00:00:00') | diff window=30m baseline=1h fields n": [],
    "eval t = timestamp('2026-01-01 00:00:00') | anomalies n season=2h sensitivity=2 | fields id, expected": [
        [1, None],
        [2, None],
        [3, None],
    ],
    "eval t = timestamp('2026-01-01 00:00:00') | anomalies n by team time=t season=none | head 1 | fields n, score": [
        [10, None]
    ],
    "patterns text pattern='[0-9]+' | head 1 | fields patterns_field": [["took <*>ms of <*>ms"]],
    "patterns text method=brain | fields patterns_field": [["took 12ms of 30ms"], ["no number"], ['{"x": {"y": 7}}']],
    "where team = 'b' | patterns text by team method=brain mode=aggregation max_sample_count=1 buffer_limit=60000": [
        ["b", "no number", 1, ["no number"]]
    ],
    "head 1 | graphlookup teams start=team edge=boss-->team maxdepth=1 as x | eval k = array_length(x) | fields k": [
        [2]
    ],
}


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    found = DuckdbStore()
    for name, rows in {"rows": ROWS, "teams": TEAMS}.items():
        found.append([batch(name, [dict(row) for row in rows], received_ns=1)])
    return found


def answer(store: DuckdbStore, text: str) -> list[list[object]]:
    compiled = ppl.compile(text, schema=store.schema, now_ns=10**18, default_source=None)
    return ppl.render(store.run(compiled, Limits()))["datarows"]


@pytest.mark.parametrize("commands", CASES)
def test_command_gives_these_rows(store, commands: str) -> None:
    assert answer(store, f"source=rows | {commands}") == CASES[commands]


@pytest.mark.parametrize("commands", CASES)
def test_command_survives_printing(commands: str) -> None:
    tree = ppl.parse(f"source=rows | {commands}")
    assert ppl.parse(ppl.print(tree)) == tree


def test_commands_that_start_a_query(store) -> None:
    assert answer(store, "makeresults count=2 | eval x = 1 | fields x") == [[1], [1]]
    assert answer(store, """makeresults format=csv data='a:int,b\n1,x'""") == [[1, "x"]]
    assert answer(store, "describe teams | where COLUMN_NAME = 'lead' | stats count()") == [[1]]
    assert len(answer(store, "multisearch [ source=rows ] [ source=teams ]")) == 5


@pytest.mark.parametrize(
    "text",
    [
        "rex field=text '(?<a_b>x)'",
        "rex field=text 'x'",
        "grok text '%{NOSUCH:x}'",
        "mvexpand n limit=0",
        "trendline sma(0, n)",
        "patterns text variable_count_threshold=5",
        "patterns text method=brain buffer_limit=10",
        "patterns text method=brain frequency_threshold_percentage=2",
        "patterns",
        "patterns mode=label",
        "timewrap 1day",
        "append [ source=teams | rename lead as n ]",
        "fillnull with 'x' in n",
        "bin n bins=1",
        "convert nosuch(n)",
        "union [ source=rows",
        "bin id span=1w",
        "where rand(3) > 2",
        "stats sum(rand(3))",
        "sort id desc, - n",
        "fields - nosuch*",
        "fields id | addcoltotals labelfield=id",
        "makeresults",
        "describe teams",
        "where n in (5 + 5)",
        "where match(text, 'x', nosuch=1)",
        "stats sum(n, 1)",
        "eval x = nullif(n, text)",
        "eval x = isblank(n)",
        "eval x = add(text, n)",
        "eval x = timediff(date('2026-01-02'), date('2026-01-01'))",
    ],
)
def test_mistakes_are_refused_with_a_place(store, text: str) -> None:
    with pytest.raises(UserError) as refusal:
        answer(store, f"source=rows | {text}")
    assert refusal.value.where is not None

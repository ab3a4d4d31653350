"""SQL: one SELECT over streams gives rows; nothing else gets past the reader."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import sqlglot
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlglot import exp

from treering import query as ppl
from treering.core.errors import Bug, UserError
from treering.model.batch import batch
from treering.query import sql
from treering.query.sql import allowed
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_700_000_000 * 10**9
ROWS = [
    {
        "@timestamp": NOW + n * 10**9,
        "service": "ab"[n % 2],
        "n": n,
        "status": {"code": n % 3},
        "tags": ["p", "q"],
        "body": f"word{n}",
    }
    for n in range(6)
]
TEAMS = [{"service": "a", "lead": "Ann"}, {"service": "b", "lead": "Bo"}]


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    found = DuckdbStore()
    for name, rows in {"logs": ROWS, "teams": TEAMS, "logs-2026.11": ROWS[:1]}.items():
        found.append([batch(name, rows, received_ns=NOW)])
    return found


def answer(store: DuckdbStore, text: str, **given: Any) -> tuple[list[tuple[str, str]], list[list[Any]]]:
    statement = sql.compile(text, schema=store.schema, now_ns=NOW, rows=100, **given)
    kinds = store.run(statement.kinds(), Limits()).rows[0]
    found = ppl.render(store.run(statement.query(kinds), Limits()))
    return [(column["name"], column["type"]) for column in found["schema"]], found["datarows"]


ANSWERS = {
    "SELECT service, count(*) AS c, sum(n) FROM logs GROUP BY service ORDER BY service": [["a", 3, 6], ["b", 3, 9]],
    "SELECT status.code, l.n FROM logs l WHERE l.status.code = 2 ORDER BY n DESC": [[2, 5], [2, 2]],
    "SELECT l.n, t.lead FROM logs AS l JOIN teams t ON l.service = t.service ORDER BY 1 LIMIT 2": [
        [0, "Ann"],
        [1, "Bo"],
    ],
    "SELECT service, lead FROM logs JOIN teams USING (service) ORDER BY n LIMIT 1": [["a", "Ann"]],
    "WITH x AS (SELECT service s, max(n) m FROM logs GROUP BY 1) SELECT * FROM x ORDER BY m": [["a", 4], ["b", 5]],
    "SELECT lead FROM teams t WHERE (SELECT count(*) FROM logs WHERE service = t.service AND n > 4) > 0": [["Bo"]],
    "SELECT lead FROM teams WHERE service IN (SELECT service FROM logs WHERE n = 0)": [["Ann"]],
    "SELECT n FROM logs WHERE @timestamp >= '2023-11-14 22:13:24' ORDER BY n": [[4], [5]],
    "SELECT n FROM logs WHERE `@timestamp` > TIMESTAMP '2023-11-14 22:13:24'": [[5]],
    "SELECT n FROM logs WHERE body LIKE '%ord3%'": [[3]],
    "SELECT n FROM logs WHERE body = 'word1' OR body IN ('word2', 'nosuch') ORDER BY 1": [[1], [2]],
    "SELECT tags, @timestamp FROM logs WHERE n = 1": [["p", "2023-11-14 22:13:21"]],
    "SELECT n FROM logs WHERE @timestamp > now() - INTERVAL 1 HOUR AND n < 1": [[0]],
    'SELECT n FROM "logs-2026.11"': [[0]],
    "SELECT count(*) FROM `logs*`": [[7]],
    "SELECT service FROM logs UNION SELECT 'z' ORDER BY service DESC LIMIT 2": [["z"], ["b"]],
    "SELECT n, row_number() OVER (PARTITION BY service ORDER BY n DESC) r FROM logs QUALIFY r = 1 ORDER BY n": [
        [4, 1],
        [5, 1],
    ],
    "SELECT count(DISTINCT service) FILTER (WHERE n > 0), quantile_cont(n, 0.5), date '2026-01-02' FROM logs": [
        [2, 2.5, "2026-01-02"]
    ],
    "SELECT date_trunc('minute', @timestamp) AS m, extract(second FROM max(@timestamp)) FROM logs GROUP BY ALL": [
        ["2023-11-14 22:13:00", 25]
    ],
    "FROM logs SELECT count(*) /* a comment */ -- and another": [[6]],
    "SELECT service AS n FROM logs ORDER BY n LIMIT 1": [["a"]],
    "SELECT 1 AS one, NULL, 'it''s'": [[1, None, "it's"]],
}


@pytest.mark.parametrize("text", ANSWERS)
def test_a_select_gives_these_rows(store, text: str) -> None:
    assert answer(store, text)[1] == ANSWERS[text]


def test_columns_have_names_and_types(store) -> None:
    columns, rows = answer(store, "SELECT *, count(*) OVER () AS c, n / 2, avg(n) OVER () FROM logs ORDER BY n LIMIT 1")
    assert dict(columns) == {
        "@timestamp": "timestamp",
        "service": "string",
        "n": "bigint",
        "status": "struct",
        "tags": "string",
        "body": "string",
        "c": "bigint",
        "n / 2": "double",
        "avg(n) OVER ()": "double",
    }
    assert rows[0][[name for name, _ in columns].index("status")] == {"code": 0}


def test_a_time_range_bounds_every_stream(store) -> None:
    assert answer(store, "SELECT count(*) FROM logs", time_range=(NOW, NOW + 2 * 10**9))[1] == [[2]]


def test_what_a_where_asks_narrows_the_scan(store) -> None:
    text = "SELECT n FROM logs WHERE body = 'word3' AND @timestamp >= '2023-11-14 22:13:22'"
    (scan,) = sql.compile(text, schema=store.schema, now_ns=NOW, rows=9).scans.values()
    assert scan.start_ns == NOW + 2 * 10**9
    assert scan.tokens is not None
    assert set(scan.fields) == {"n", "body", "@timestamp"}


def test_the_newest_rows_are_read_alone(store) -> None:
    text = "SELECT n FROM logs ORDER BY @timestamp DESC LIMIT 2 OFFSET 1"
    (scan,) = sql.compile(text, schema=store.schema, now_ns=NOW, rows=9).scans.values()
    assert scan.newest == 3
    assert answer(store, text)[1] == [[4], [3]]
    for more in (
        "SELECT max(n) FROM logs ORDER BY @timestamp DESC LIMIT 2",
        text.replace("ORDER", "WHERE n > 1 ORDER"),
    ):
        (scan,) = sql.compile(more, schema=store.schema, now_ns=NOW, rows=9).scans.values()
        assert scan.newest is None


REFUSED = [
    *"""
DROP TABLE logs
DELETE FROM logs
INSERT INTO logs VALUES (1)
UPDATE logs SET n = 1
CREATE TABLE x AS SELECT 1
ATTACH 'x.db'
COPY logs TO 'x.csv'
COPY (SELECT 1) TO 'x'
INSTALL httpfs
LOAD httpfs
PRAGMA version
SET threads = 1
CALL pragma_version()
EXPORT DATABASE 'x'
SHOW TABLES
DESCRIBE logs
SUMMARIZE logs
EXPLAIN SELECT 1
VALUES (1)
SELECT 1; SELECT 2
SELECT 1; DROP TABLE logs
;
VACUUM
CHECKPOINT
SELECT * FROM read_csv('/etc/passwd')
SELECT * FROM read_parquet('x')
SELECT * FROM read_json('x')
SELECT * FROM read_text('/etc/passwd')
SELECT * FROM read_blob('x')
SELECT * FROM glob('*')
SELECT * FROM '/etc/passwd'
SELECT * FROM "/etc/passwd"
SELECT * FROM 'x.parquet'
SELECT * FROM duckdb_settings()
SELECT * FROM duckdb_settings
SELECT * FROM information_schema.tables
SELECT * FROM sqlite_master
SELECT * FROM range(10)
SELECT * FROM generate_series(1, 9)
SELECT * FROM unnest([1])
SELECT unnest([1, 2]) FROM logs
SELECT getenv('HOME')
SELECT current_setting('threads')
SELECT version()
SELECT current_user
SELECT random()
SELECT query('SELECT 1')
SELECT * FROM query('SELECT 1')
SELECT * FROM query_table('logs')
SELECT getvariable('x')
SELECT nextval('s')
SELECT repeat('x', 1000000000)
SELECT lpad('x', 1000000000, 'y')
SELECT ppl_conv('1', 2, 3)
SELECT pg_sleep(9)
SELECT sleep_ms(9)
SELECT write_log('x')
SELECT hash(n) FROM logs
SELECT error('x')
WITH RECURSIVE t AS (SELECT 1 AS x UNION ALL SELECT x + 1 FROM t) SELECT * FROM t
SELECT * INTO x FROM logs
SELECT COLUMNS('.*') FROM logs
SELECT * EXCLUDE (n) FROM logs
SELECT * FROM logs TABLESAMPLE 10%
PIVOT logs ON service
SELECT * FROM logs PIVOT (sum(n) FOR service IN ('a'))
SELECT $1
SELECT ?
SELECT :x
SELECT * FROM logs, LATERAL (SELECT 1)
SELECT * FROM logs POSITIONAL JOIN teams
SELECT * FROM logs NATURAL JOIN teams
SELECT * FROM logs ASOF JOIN teams ON n > n
SELECT CAST('x' AS BLOB)
SELECT [x FOR x IN [1]]
SELECT {'a': 1}
SELECT list_transform([1], x -> x)
SELECT nosuch FROM logs
SELECT * FROM nosuch
SELECT * FROM logs.main
SELECT service FROM logs, teams
SELECT x.n FROM logs
SELECT x.* FROM logs
SELECT ((((
SELECT 'x
SELECT -- x
WITH nosuch AS (SELECT 1 AS a) SELECT * FROM (SELECT * FROM nosuchtable)
SELECT 1 FROM logs FOR UPDATE
""".strip().splitlines(),
    "",
    "SELECT " + "(" * 5000,
]


DEEP = {
    "and": "SELECT 1 FROM logs WHERE " + " AND ".join(["n = 1"] * 3000),
    "union": " UNION ALL ".join(["SELECT 1"] * 1500),
    "cast": "SELECT 1" + "::INT" * 1500,
    "arrow": "SELECT body" + "->'x'" * 1500 + " FROM logs",
    "not": "SELECT " + "NOT " * 1500 + "true",
    "from": "SELECT * FROM " + "(SELECT * FROM " * 200 + "logs" + ") x" * 200,
}


@pytest.mark.parametrize("name", DEEP)
def test_deep_statements_are_refused(store, name: str) -> None:
    with pytest.raises(UserError, match="deep"):
        answer(store, DEEP[name])


@pytest.mark.parametrize("text", REFUSED, ids=range(len(REFUSED)))
def test_everything_else_is_refused_as_the_caller_s_mistake(store, text: str) -> None:
    with pytest.raises(UserError):
        answer(store, text)


def test_a_file_is_never_read(store, tmp_path: Path) -> None:
    path = tmp_path / "secret.csv"
    path.write_text("a\n1\n")
    for text in (f"SELECT * FROM '{path}'", f'SELECT * FROM "{path}"', f"WITH x AS (SELECT 1) SELECT * FROM `{path}`"):
        with pytest.raises(UserError, match="no stream"):
            answer(store, text)


def test_a_name_of_with_ends_with_its_query(store) -> None:
    with pytest.raises(UserError, match="no stream"):
        answer(store, "SELECT * FROM (WITH hidden AS (SELECT 1 AS a) SELECT a FROM hidden) x, hidden")


def test_errors_point_at_the_place(store) -> None:
    with pytest.raises(UserError) as refusal:
        answer(store, "SELECT n, getenv('HOME') FROM logs")
    assert refusal.value.where is not None
    assert refusal.value.where.offset == 10


PIECES = st.sampled_from(
    """SELECT FROM WHERE GROUP BY ORDER WITH AS ( ) , . * = < + - / || 'x' "logs" `n` logs teams n service status code
    count(*) sum(n) read_csv('x') getenv('HOME') range(3) glob('*') UNION ALL JOIN ON USING x y; ; -- /* */ :: INT
    @timestamp LIMIT 1 [ ] { } -> ->> $1 ? :a INTERVAL DAY
    CASE WHEN THEN END OVER PARTITION DISTINCT IN EXISTS NOT NULL IS LIKE COPY TO ATTACH PRAGMA
    INSTALL LATERAL unnest([1]) VALUES (1)
    'a.parquet' duckdb_settings() COLUMNS(*) EXCLUDE TABLESAMPLE""".split()
)
STARTS = st.sampled_from(["SELECT ", "SELECT n FROM logs ", "SELECT * FROM ", "WITH x AS (SELECT 1 AS a) SELECT ", ""])
SELECTS = st.tuples(STARTS, st.lists(PIECES, max_size=10).map(" ".join)).map("".join)
INSIDE = {"make_timestamp_ns", "json_extract_string", "ppl_ip", "json_array", "json_type"}


def _only_scans(statement: sql.Statement) -> None:
    """Read the text that the engine would get again, by other means, and look for anything that is no scan."""
    (tree,) = sqlglot.parse(statement.tree.sql(dialect="duckdb"), dialect="duckdb")
    assert isinstance(tree, allowed.QUERIES)
    names = {each.alias for each in tree.find_all(exp.CTE)} | set(statement.scans)
    assert {each.name for each in tree.find_all(exp.Table)} <= names
    assert all(isinstance(each.this, exp.Identifier) for each in tree.find_all(exp.Table))
    called = {each.name.lower() for each in tree.find_all(exp.Anonymous)}
    assert called <= allowed.FUNCTIONS | INSIDE


@given(st.one_of(SELECTS, st.text(max_size=60)))
@settings(max_examples=400)
def test_what_passes_reads_streams_only(store, text: str) -> None:
    try:
        statement = sql.compile(text, schema=store.schema, now_ns=NOW, rows=10)
    except UserError as error:
        assert error.where is None or 0 <= error.where.offset <= len(text)
        return
    _only_scans(statement)
    try:
        kinds = store.run(statement.kinds(), Limits()).rows[0]
        ppl.render(store.run(statement.query(kinds), Limits(rows=10)))
    except (UserError, Bug):
        pass  # what the engine cannot bind is told as the caller's mistake by the operation


def test_no_function_that_is_allowed_reaches_outside() -> None:
    outside = (
        "csv parquet text_file blob glob getenv setting query pragma attach copy install load range series".split()
    )
    assert [name for name in allowed.FUNCTIONS if any(part in name for part in outside)] == []
    names = {node.sql_name().lower() for node in allowed.NODES if issubclass(node, exp.Func)}
    assert not names & {
        "read_csv",
        "read_parquet",
        "generate_series",
        "unnest",
        "repeat",
        "rand",
        "current_user",
        "pad",
    }


SPECIAL = {
    "position": "position('o' in body)",
    "like": "body like 'w%'",
    "ilike": "body ilike 'W%'",
    "extract": "extract(hour from @timestamp)",
    "case": "case when n > 1 then 1 else 2 end",
    "cast": "cast(n as text)",
    "try_cast": "try_cast(body as int)",
    "INTERVAL": "@timestamp + interval 1 hour",
    "->": "'{\"a\": 1}' -> '$.a'",
    "->>": "'{\"a\": 1}' ->> '$.a'",
    "json_extract": "json_extract('{\"a\": 1}', '$.a')",
    "json_extract_string": "json_extract_string('{\"a\": 1}', '$.a')",
    "list_contains": "list_contains(json_extract_string('[1]', '$[*]'), '1')",
    "if": "if(n > 1, 1, 2)",
    "len": "len(body)",
    "concat_ws": "concat_ws('-', body, service)",
    "substring": "substring(body, 2, 2)",
    "replace": "replace(body, 'w', 'v')",
    "regexp_replace": "regexp_replace(body, 'w', 'v')",
    "date_trunc": "date_trunc('hour', @timestamp)",
    "pow": "pow(n, 2)",
    "date_part": "date_part('hour', @timestamp)",
    "strftime": "strftime(@timestamp, '%Y')",
    "nth_value": "nth_value(n, 2) over ()",
    "bool_and": "bool_and(n > 0)",
    "bool_or": "bool_or(n > 0)",
    "count_if": "count_if(n > 0)",
    "ntile": "ntile(2) over (order by n)",
    "corr": "corr(n, n)",
    "arg_min": "arg_min(body, n)",
    "arg_max": "arg_max(body, n)",
    "ln": "ln(n + 1)",
    "log": "log(n + 1)",
}
_TEXT = "upper lower length trim reverse".split()
_PAIR = "left right contains starts_with prefix suffix regexp_matches regexp_extract coalesce nullif concat".split()
_QUANTILE = "quantile_cont quantile_disc approx_quantile".split()
_WINDOW = "row_number rank dense_rank percent_rank cume_dist".split()
_OF_WINDOW = "lag lead first_value last_value".split()
_OF_TIME = "year quarter month week day hour minute second epoch epoch_us epoch_ns".split()


def _call(name: str) -> str:
    if name in SPECIAL:
        return SPECIAL[name]
    if name in _PAIR:
        return f"{name}(body, {2 if name in {'left', 'right'} else repr('w')})"
    if name in _QUANTILE:
        return f"{name}(n, 0.5)"
    if name in _WINDOW:
        return f"{name}() over (order by n)"
    if name in _OF_WINDOW:
        return f"{name}(n) over (order by n)"
    return f"{name}({'body' if name in _TEXT else '@timestamp' if name in _OF_TIME else 'n'})"


def _documented() -> list[str]:
    import re
    from pathlib import Path

    page = (Path(__file__).resolve().parents[2] / "docs" / "sql.md").read_text(encoding="utf8")
    rows = [line.split("|")[2] for line in page.splitlines() if line.startswith("| ")]
    return sorted({name for row in rows for part in re.findall(r"`([^`]+)`", row) for name in part.split()})


@pytest.mark.parametrize("name", _documented())
def test_what_the_page_lists_can_be_used(store, name: str) -> None:
    assert answer(store, f"SELECT {_call(name)} AS x FROM logs")[1]

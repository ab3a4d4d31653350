"""What a query tells the store to skip, and that it never skips a row of the answer."""

from __future__ import annotations

import pytest
from sqlglot import exp

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.query.explain import words
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

SECOND = 10**9
START = 1_700_000_000 * SECOND  # 2023-11-14T22:13:20Z
NOW = START + 3600 * SECOND


@pytest.fixture(scope="module")
def store() -> DuckdbStore:
    store = DuckdbStore()
    records = [
        {
            "@timestamp": START + index * SECOND,
            "body": f"request {index} to model-a failed: timeout",
            "severityText": "ERROR" if index % 3 else "INFO",
            "n": index,
            "resource": {"attributes": {"service.name": "rag"}},
        }
        for index in range(100)
    ]
    store.append([batch("logs", records, received_ns=NOW)])
    return store


def scan(store, text: str, **options):
    compiled = ppl.compile(text, schema=store.schema, now_ns=NOW, **options)
    (found,) = compiled.scans.values()
    return found


def rows(store, text: str) -> list:
    return ppl.render(store.run(ppl.compile(text, schema=store.schema, now_ns=NOW), Limits()))["datarows"]


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        ("source=logs | where n > 3 | fields severityText", {"n", "severityText"}),
        ("source=logs | stats count()", set()),
        ("source=logs | eval x = n * 2 | eval y = x + 1 | fields y", {"n"}),
        ("source=logs | fields resource.attributes.service.name", {"resource.attributes.service.name"}),
        ("source=logs | rename n as m | stats sum(m) by severityText", {"n", "severityText"}),
    ],
)
def test_only_needed_fields_are_read(store, query, fields) -> None:
    assert set(scan(store, query).fields) == fields


@pytest.mark.parametrize(
    ("query", "start", "end"),
    [
        ("earliest='2023-11-14 22:13:30' latest='2023-11-14 22:13:40.5'", 10, 20.5),
        ("where @timestamp >= '2023-11-14 22:13:30' and @timestamp < '2023-11-14 22:13:40'", 10, 20),
        ("where @timestamp between '2023-11-14 22:13:30' and '2023-11-14 22:13:40'", 10, 20),
        ("where '2023-11-14 22:13:30' <= @timestamp", 10, None),
        ("where @timestamp > timestamp('2023-11-14 22:13:30') or n = 1", None, None),
        ("earliest=-1h", 0, None),
    ],
)
def test_conditions_on_time_bound_the_scan(store, query, start, end) -> None:
    found = scan(store, query)
    for bound, seconds in ((found.start_ns, start), (found.end_ns, end)):
        if seconds is None:
            assert bound is None
        else:
            assert bound is not None
            assert abs(bound - (START + seconds * SECOND)) <= 1


def test_the_range_given_from_outside_is_kept_and_narrowed(store) -> None:
    found = scan(store, "earliest='2023-11-14 22:13:30'", time_range=(START, START + 50 * SECOND))
    assert (found.start_ns, found.end_ns) == (START + 10 * SECOND, START + 50 * SECOND)


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ("timeout", "timeout"),
        ('"failed: timeout"', "(failed and timeout)"),
        ("timeout or refused", "(timeout or refused)"),
        ("timeout and not refused", "timeout"),
        ("severityText=ERROR", "severityText:error"),
        ("where severityText = 'ERROR'", "severityText:error"),
        ("where severityText in ('ERROR', 'WARN')", "(severityText:error or severityText:warn)"),
        ("where body like '%failed: time%'", "(body:*failed* and body:*time*)"),
        ("where body contains 'model-a'", "body:*model*"),
        ("where match(body, 'timeout refused')", "(body:timeout or body:refused)"),
        ("where match_phrase(body, 'failed timeout')", "(body:failed and body:timeout)"),
        ("where match_phrase_prefix(body, 'failed time')", "(body:failed and body:*time*)"),
        ("where body = 'd09d3bd99a4844711bd5d53596755d3a'", "body:d09d3bd99a4844711bd5d53596755d3a"),
        ("mod*-a", "*mod*"),
        ("42", None),
        ("timeout or n > 3", None),
        ("not timeout", None),
        ("where n = 3", None),
        ("eval x = 1 | where body = 'a'", None),
    ],
)
def test_necessary_words_are_told(store, query, wanted) -> None:
    tokens = scan(store, query).tokens
    assert (None if tokens is None else words(tokens)) == wanted


def test_a_number_is_searched_in_numbers_too(store) -> None:
    assert rows(store, "42 | fields n") == [[42]]


def test_only_the_newest_rows_are_asked_for(store) -> None:
    found = scan(store, "severityText=ERROR | where n > 3 | sort - @timestamp | head 5")
    assert found.newest == 5
    assert {column.name for column in found.where.find_all(exp.Column)} == {"severityText", "n"}
    assert set(found.fields) >= {"severityText", "n"}


@pytest.mark.parametrize(
    "query",
    [
        "sort @timestamp | head 5",
        "sort - n | head 5",
        "eval n = 1 | sort - @timestamp | head 5",
        "sort - @timestamp | stats count()",
        "head 50 | sort - @timestamp | head 5",
        "where n in [ source=logs | fields n ] | sort - @timestamp | head 5",
    ],
)
def test_all_rows_are_asked_for_where_the_newest_do_not_suffice(store, query) -> None:
    compiled = ppl.compile(query, schema=store.schema, now_ns=NOW)
    assert next(iter(compiled.scans.values())).newest is None


def test_records_are_paged_by_time_without_gaps_or_doubles(store) -> None:
    seen: list[int] = []
    after = None
    while True:
        query = ppl.compile_records("severityText=ERROR", schema=store.schema, now_ns=NOW, rows=7, after=after)
        found = store.run(query, Limits()).rows
        if not found:
            break
        seen.extend(sequence for _, sequence, _ in found)
        after = (found[-1][2], found[-1][1])
    assert seen == [index for index in range(99, -1, -1) if index % 3]


def test_records_come_from_conditions_only(store) -> None:
    assert ppl.is_records(ppl.parse("source=logs timeout | where n > 3"))
    assert not ppl.is_records(ppl.parse("source=logs | stats count()"))
    with pytest.raises(UserError, match="search and where"):
        ppl.compile_records("source=logs | fields n", schema=store.schema, now_ns=NOW, rows=5)


def test_the_newest_rows_are_those_that_a_regular_expression_keeps(store) -> None:
    assert rows(store, "source=logs | regex body='request [0-4] ' | sort - @timestamp | head 2 | fields n") == [
        [4],
        [3],
    ]
    assert rows(store, "source=logs | regex body!='request' | sort - @timestamp | head 2 | fields n") == []

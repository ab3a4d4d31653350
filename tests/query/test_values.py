"""Values come out as OpenSearch prints them: dates by their mapping, objects, lists, addresses, aliases."""

from __future__ import annotations

import pytest

from treering import query as ppl
from treering.model.batch import batch
from treering.model.mapping import opensearch_order
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

NOW = 1_700_000_000 * 10**9


def answer(mapping: dict, record: dict, query: str) -> dict:
    store = DuckdbStore()
    store.create("t", {"properties": mapping})
    store.append([batch("t", [record], received_ns=NOW)])
    compiled = ppl.compile(query, schema=store.schema, now_ns=NOW, default_source="t")
    return ppl.render(store.run(compiled, Limits()))


@pytest.mark.parametrize(
    ("format_", "sent", "shown", "kind"),
    [
        (None, "2026-01-02T03:04:05.678Z", "2026-01-02 03:04:05.678", "timestamp"),
        (None, "2026-01-02T03:04:05+02:00", "2026-01-02 01:04:05", "timestamp"),
        (None, 1_767_323_045_678, "2026-01-02 03:04:05.678", "timestamp"),
        ("epoch_second", 1_767_323_045, "2026-01-02 03:04:05", "timestamp"),
        ("yyyy-MM-dd", "2026-01-02", "2026-01-02", "date"),
        ("basic_date", "20260102", "2026-01-02", "date"),
        ("HH:mm:ss", "03:04:05", "03:04:05", "time"),
        (
            "strict_date_optional_time_nanos",
            "2026-01-02T03:04:05.123456789Z",
            "2026-01-02 03:04:05.123456789",
            "timestamp",
        ),
        ("date_hour_minute", "2026-01-02T03:04", "2026-01-02 03:04:00", "timestamp"),
        ("ordinal_date", "2026-002", "2026-01-02", "date"),
        ("dd/MM/yyyy HH:mm||epoch_millis", "02/01/2026 03:04", "2026-01-02 03:04:00", "timestamp"),
    ],
)
def test_dates_are_read_by_their_format(format_, sent, shown, kind) -> None:
    mapping = {"d": {"type": "date", **({"format": format_} if format_ else {})}}
    found = answer(mapping, {"d": sent}, "fields d")
    assert found["schema"] == [{"name": "d", "type": kind}]
    assert found["datarows"] == [[shown]]


@pytest.mark.parametrize(
    ("mapping", "sent", "shown"),
    [
        ({"v": {"type": "ip"}}, "::FFFF:1.2.3.4", "1.2.3.4"),
        ({"v": {"type": "geo_point"}}, "1.5,2.5", {"lat": 1.5, "lon": 2.5}),
        ({"v": {"type": "geo_point"}}, {"lat": 1.5, "lon": 2.5}, {"lat": 1.5, "lon": 2.5}),
        ({"v": {"type": "geo_point"}}, [2.5, 1.5], {"lat": 1.5, "lon": 2.5}),
        ({"v": {"type": "keyword"}}, ["a", "b"], ["a", "b"]),
        ({}, {"a": {"b": 1, "c.d": "x"}, "e": []}, {"a": {"b": 1, "c": {"d": "x"}}, "e": []}),
        ({"v": {"type": "object"}}, {}, {}),
        ({}, [{"a": 1}, {"a": None}], [{"a": 1}, {"a": None}]),
        ({"v": {"type": "float"}}, 6.2, 6.2),
        ({"v": {"type": "long"}}, 2**53 + 1, 2**53 + 1),
        ({"v": {"type": "boolean"}}, False, False),
    ],
)
def test_values_are_printed(mapping, sent, shown) -> None:
    assert answer(mapping, {"v": sent, "w": 1}, "fields v")["datarows"] == [[shown]]


def test_an_alias_is_the_field_it_names() -> None:
    mapping = {"n": {"type": "long"}, "m": {"type": "alias", "path": "n"}}
    assert answer(mapping, {"n": 3}, "where m > 2 | eval k = m + 1 | fields m, k")["datarows"] == [[3, 4]]


def test_members_of_objects_are_fields() -> None:
    record = {"a": {"b": {"c": 5}}, "l": [{"x": 1}, {"x": 2}]}
    assert answer({}, record, "where a.b.c = 5 | fields a.b, a.b.c")["datarows"] == [[{"c": 5}, 5]]
    assert [column["name"] for column in answer({}, record, "head")["schema"]] == opensearch_order(["a", "l"])


def test_columns_come_in_the_order_of_a_java_hash_map() -> None:
    names = ["severityText", "time", "body", "traceId", "spanId", "@timestamp"]
    assert opensearch_order(names) == opensearch_order(sorted(names))
    assert opensearch_order(["city", "account", "accounts", "projects"]) == ["accounts", "projects", "city", "account"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 % 0", None),
        ("7.0 / 2", 3.5),
        ("2147483647 + 1", 2147483648),
        ("0.06 - 0.01", 0.05),
        ("'5' * 2", 10.0),
        ("'5' + '5'", "55"),
        ("1 + 2 * 3 - -1", 8),
        ("not (1 = 2) and 'b' in ('a', 'b')", True),
        ("cast('12.7' as int)", None),
        ("cast(2.9 as int)", 2),
        ("case(n > 5, 'many', n > 0, 'some' else 'none')", "some"),
        ("n between 1 and 3", True),
        ("'abc' like 'A_C'", True),
        ("'a%c' like 'a\\%c'", True),
        ("t < '2026-01-02'", True),
    ],
)
def test_expressions_have_the_engine_s_values(expression, value) -> None:
    mapping = {"n": {"type": "long"}, "t": {"type": "date"}}
    record = {"n": 2, "t": "2026-01-01T00:00:00Z"}
    assert answer(mapping, record, f"eval x = {expression} | fields x")["datarows"] == [[value]]

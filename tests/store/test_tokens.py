"""The token index only ever skips rows that cannot match, and it does skip."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treering.model.columns import SEQUENCE
from treering.stage.store import Limits, Scan, Tokens
from treering.store.duckdb import Config, DuckdbStore, compaction, segment, tokens
from treering.store.duckdb.text import fold
from treering.testing.store_contract import START_NS, answer, logs, select

WORD = re.compile(r"[a-z0-9_\u0080-\U0010ffff]+")
RUN = re.compile("[a-z0-9_]+")
PIECES = st.sampled_from(
    [
        *(
            "error",
            "Error",
            "ERR",
            "timeout",
            "Ünïcode",
            "ΟΔΟΣ",
            "İstanbul",
            "K\u212a",
            "日本語",
            "a",
            "deadbeef01234567",
        ),
        *(
            "user_42",
            "0123456789abcdef0123456789abcdef",
            "x" * 70,
            "x" * 64,
            "req_01h8xgjwbwbaq4",
            "404",
            "true",
            "1e5",
        ),
        *("\n", '"'),
    ]
)
TEXTS = st.lists(PIECES, max_size=5).flatmap(
    lambda parts: st.sampled_from([" ", "-", "", "=", "\t"]).map(lambda s: s.join(parts))
)
VALUES = st.one_of(TEXTS, TEXTS, st.integers(0, 500), st.booleans(), st.none(), st.lists(TEXTS, max_size=2))
RECORDS = st.lists(
    st.fixed_dictionaries({"body": VALUES}, optional={"v": VALUES, "w": VALUES}), min_size=1, max_size=60
)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for item in value.values():
            yield from texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value is not None:
        yield str(value)


def words(record: Mapping[str, Any]) -> set[str]:
    return {word for text in texts(record) for word in WORD.findall(fold(text))}


STATES = ("in memory", "written", "merged")


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "BLOCK_ROWS", 4)
    monkeypatch.setattr(compaction, "BLOCK_ROWS", 4)
    monkeypatch.setattr(segment, "LEAST_INDEXED", 1)


def scanned(store: DuckdbStore, condition: Tokens) -> set[int]:
    return {row[0] for row in answer(store, Scan(("logs",), (SEQUENCE,), tokens=condition))}


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(records=RECORDS, cuts=st.tuples(st.integers(0, 4), st.integers(1, 8)), state=st.sampled_from(STATES))
def test_no_row_with_the_word_is_skipped(
    small_blocks: None, records: list[dict[str, Any]], cuts: tuple[int, int], state: str
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = DuckdbStore(folder, Config(columns=2))
        step = len(records) if state == "written" else -(-len(records) // 10)
        for start in range(0, len(records), step):
            store.append(logs(records[start : start + step]))
            if state != "in memory":
                store.flush()
        if state == "merged":
            store.compact()
        # A field that holds texts in some records and numbers in others is what it was first.
        schema = store.schema(["logs"])
        text_fields = {field.name for field in schema if field.type == "text"}
        records = [{name: value for name, value in record.items() if name in text_fields} for record in records]
        known = {word for record in records for word in words(record)}
        for word in sorted(known)[:12]:
            have = {seq for seq, record in enumerate(records) if word in words(record)}
            assert have <= scanned(store, Tokens("token", word)), word
            assert have <= scanned(store, Tokens("token", word.upper())) or word.upper().lower() != word
            assert have <= scanned(store, Tokens("prefix", word[: cuts[1]]))
            part = word[cuts[0] : cuts[0] + cuts[1]]
            if part:
                having = {seq for seq, r in enumerate(records) if any(part in other for other in words(r))}
                assert having <= scanned(store, Tokens("substring", part)), part
            both = Tokens(
                "and", parts=(Tokens("token", word), Tokens("or", parts=(Tokens("token", "a"), Tokens("token", word))))
            )
            assert have <= scanned(store, both)
            in_body = {seq for seq, r in enumerate(records) if word in words({"body": r.get("body")})}
            assert in_body <= scanned(store, Tokens("token", word, field="body"))
        # A word in ASCII is a token also where letters of another script adjoin it.
        for run in sorted({run for word in known for run in RUN.findall(word)})[:6]:
            have = {seq for seq, r in enumerate(records) if any(run in RUN.findall(word) for word in words(r))}
            assert have <= scanned(store, Tokens("token", run)), run
        store.close()


def test_rows_without_the_word_are_skipped(tmp_path: Path) -> None:
    store = DuckdbStore(tmp_path)
    records = [
        {"@timestamp": START_NS + n, "body": f"request {n:032x} took {n % 97} ms", "n": n} for n in range(20_000)
    ]
    records[12_345]["body"] = "Zirconium found"
    store.append(logs(records))
    store.flush()

    def rows(condition: Tokens) -> int:
        return store.run(select(Scan(("logs",), ("n",), tokens=condition)), Limits(rows=100_000)).rows_scanned

    for op, text in (("token", "zirconium"), ("prefix", "zirc"), ("substring", "conium"), ("token", f"{777:032x}")):
        assert rows(Tokens(op, text)) == tokens.BLOCK_ROWS, text
    assert rows(Tokens("token", "absent")) == 0
    assert rows(Tokens("token", "zirconium", field="other")) == 0
    assert rows(Tokens("token", "zirconium", field="body")) == tokens.BLOCK_ROWS
    assert rows(Tokens("token", "request")) == 20_000
    assert rows(Tokens("or", parts=(Tokens("token", "zirconium"), Tokens("token", "request")))) == 20_000
    store.close()


def test_unflushed_rows_without_the_word_are_skipped() -> None:
    store = DuckdbStore()
    for start in range(0, 200, 50):
        numbers = range(start, start + 50)
        store.append(logs([{"body": f"Request {n:08x} took {n} ms", "v": [f"part_{n} of\\n{n}"]} for n in numbers]))
    store.append(logs([{"body": "300 \u212aelvin in \u0130zmir", "n": 1}]))

    def rows(condition: Tokens) -> int:
        return store.run(select(Scan(("logs",), ("body",), tokens=condition)), Limits()).rows_scanned

    assert rows(Tokens("token", "request")) == 200
    assert rows(Tokens("token", "PART_77")) == 50
    assert rows(Tokens("prefix", "part_9")) == 100
    assert rows(Tokens("substring", "absent")) == 0
    assert rows(Tokens("token", "kelvin")) == rows(Tokens("token", "izmir")) == 1
    assert rows(Tokens("or", parts=(Tokens("token", "kelvin"), Tokens("token", "part_3")))) == 51
    assert rows(Tokens("and", parts=(Tokens("token", "kelvin"), Tokens("token", "part_3")))) == 0
    assert rows(Tokens("token", "404")) == 201  # numbers are texts in some queries, but not in memory
    store.close()


def test_python_and_the_engine_agree_on_lower_case() -> None:
    import duckdb

    letters = [chr(code) for code in range(0x250) if chr(code).isalpha()] + list("ΑΒΓΔΣςБЖЯßẞİıKÅǅ")
    rows = duckdb.execute("SELECT unnest($1), lower(unnest($1))", [letters]).fetchall()
    assert [letter for letter, low in rows if fold(letter) != fold(low)] == []

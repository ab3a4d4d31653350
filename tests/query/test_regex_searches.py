"""A regular expression reads only where its literals are, and a list of the newest that match it misses none."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from treering import query as ppl
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore, compaction, index, segment, tokens
from treering.testing.store_contract import START_NS, logs


def test_literals_of_a_pattern_are_looked_up(tmp_path: Path) -> None:
    store = DuckdbStore(tmp_path)
    bodies = [f"request {n:08x} took {n % 97} ms" for n in range(20_000)]
    bodies[12_345] = "Zirconium 7781 found"
    bodies[3] = "zirconium 42 found"
    store.append(logs([{"@timestamp": START_NS + n, "body": body} for n, body in enumerate(bodies)]))
    store.flush()
    for text, wanted in (
        ("where regexp_match(body, 'Zir[a-z]+ium \\\\d+ found')", 1),
        ("where body regexp 'irconium'", 2),
        ("where regexp_match(body, '(?i)zirconium|nothing')", 2),
        ("regex body='ircon.* found$' | sort - @timestamp | head 5", 2),
        ("regex body!='request'", 2),
    ):
        compiled = ppl.compile(f"source=logs | {text} | fields body", schema=store.schema, now_ns=START_NS)
        found = store.run(compiled, Limits())
        assert len(found.rows) == wanted, text
        assert (found.rows_scanned < 10_000) == ("!=" not in text), text
    store.close()


def test_numbers_of_a_form_are_looked_up(tmp_path: Path) -> None:
    """A number that begins so is one word among many; words beside it that all records have leave nothing out."""
    store = DuckdbStore(tmp_path)
    bodies = [f"order={n * 37 % 20_000 + 100_000} shipped in {n % 97}ms" for n in range(20_000)]
    store.append(logs([{"@timestamp": START_NS + n, "body": body} for n, body in enumerate(bodies)]))
    store.flush()
    for pattern, wanted in (
        (r"order=11777\\d+ shipped", 10),
        (r"order=1177[0-9]3 ship", 10),
        (r"=11(77)\\d\\d\\D", 100),
    ):
        text = f"source=logs | where regexp_match(body, '{pattern}') | fields body"
        found = store.run(ppl.compile(text, schema=store.schema, now_ns=START_NS), Limits())
        assert len(found.rows) == wanted, pattern
        assert (found.rows_scanned < 20_000) == ("(" not in pattern), pattern
    store.close()


PATTERNS = [
    *(r"12\\d+", r"=1\\d+ ", r"=\\d+2 ", r" \\d+-1", r"x\\d\\d-", r"(?i)X[0-9]+ ", r"=\\d*2 ", r"id=\\d+$", r"a\\d+f "),
    *(r"=7\\d{9,}", r"z\\d+q", r"1\\d+é", r"\\d++ ", r"(?=x)x\\d+-", r"=1\\d+ |z"),
]
NUMBERS = st.sampled_from(["12", "1", "1299", "7123456789", "7123456789012345", "0", "123x45-", "a12f", "dead1234beef"])
WORDS = st.one_of(
    NUMBERS, NUMBERS.map("id={}".format), NUMBERS.map("x{}-1".format), st.sampled_from(["z12q", "x٣-", "1é"])
)
BODIES = st.lists(WORDS, max_size=4).map(" ".join)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bodies=st.lists(BODIES, min_size=8, max_size=40), listed=st.booleans(), older=st.booleans())
def test_no_row_that_matches_is_skipped(
    bodies: list[str], listed: bool, older: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where identifiers are not listed, and where numbers are among the hexadecimal ones, as in older files."""
    for place in (tokens, compaction):
        monkeypatch.setattr(place, "BLOCK_ROWS", 4)
    monkeypatch.setattr(segment, "LEAST_INDEXED", 1)
    monkeypatch.setattr(index, "_IDENTIFIER_BYTES_PER_ROW", 6 if listed else 0)
    packed = index.pack
    if older:
        monkeypatch.setattr(index, "pack", lambda held: packed(_as_before(held)))
    records = [{"@timestamp": START_NS + n, "body": body, "other": body[::-1]} for n, body in enumerate(bodies)]
    with tempfile.TemporaryDirectory() as folder:
        memory, store = DuckdbStore(), DuckdbStore(Path(folder))
        for each in (memory, store):
            each.append(logs(records))
        store.flush()
        for pattern in PATTERNS:
            text = f"source=logs | where regexp_match(body, '{pattern}') | fields body"
            found = [
                each.run(ppl.compile(text, schema=each.schema, now_ns=START_NS), Limits()).rows
                for each in (memory, store)
            ]
            assert found[0] == found[1], pattern
        for each in (memory, store):
            each.close()
    monkeypatch.undo()


def _as_before(held: index.Content) -> index.Content:
    special = np.array(held.special)
    special[index.HEX] |= special[index.DIGITS]
    return replace(held, special=special[: index.DIGITS])

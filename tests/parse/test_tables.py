"""Tables with a header, read as records."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.core.clock import ManualClock
from treering.core.errors import UserError
from treering.parse.tables import Table, header
from treering.receive._decoder import Records

NOW = ManualClock().now_ns
HEADER = "timestamp,endpoint,latency_ms,status"
ROW = "2026-11-24T08:00:00Z,/v1/chat,12.5,200"
CELL = st.text(st.characters(exclude_categories=("Cs", "Cc"), include_characters="\t"), max_size=20)


def read(data: bytes, kind: str = "auto", size: int = 1 << 20) -> tuple[list[dict[str, Any]], list[str]]:
    reader, records, reasons = Records("logs", NOW, kind), [], []
    parts = [reader.feed(data[start : start + size]) for start in range(0, len(data), size)]
    for part in [*parts, reader.end()]:
        records += part.records.get("logs", [])
        reasons += [reason for reason, _ in part.rejected]
    return records, reasons


def test_the_header_names_the_fields_and_cells_have_types() -> None:
    text = f'{HEADER},note\r\n{ROW},\r\n2026-11-24T08:00:01Z,"/a,b",007,500,"it said ""no""\nand left"\r\n'
    records, reasons = read(text.encode())
    assert not reasons
    assert [record["attributes"] for record in records] == [
        {"endpoint": "/v1/chat", "latency_ms": 12.5, "status": 200},
        {"endpoint": "/a,b", "latency_ms": "007", "status": 500, "note": 'it said "no"\nand left'},
    ]
    assert [record["@timestamp"] for record in records] == [1_795_507_200_000_000_000, 1_795_507_201_000_000_000]


@pytest.mark.parametrize("delimiter", ",;\t|")
def test_other_delimiters(delimiter: str) -> None:
    text = f"{HEADER}\n{ROW}\n".replace(",", delimiter)
    ((record,), _) = read(text.encode())
    assert record["attributes"]["latency_ms"] == 12.5


@pytest.mark.parametrize(
    "text",
    [
        "INFO, starting, now\nINFO, step 1, done\n",
        "a,b,c\nx,y,z\n",
        "a,b,a\n1,2,3\n",
        "1,2,3\n4,5,6\n",
        "2026-11-24 08:00:00,123 INFO one, two, three\n2026-11-24 08:00:01,123 INFO one, two, three\n",
        "time,level,message\n",
        "warning: a, b, c\nat line 3\n",
    ],
)
def test_what_is_no_table_is_a_log(text: str) -> None:
    records, _ = read(text.encode())
    assert len(records) == text.count("\n")
    assert all("body" in record for record in records)


def test_rows_that_do_not_fit_are_rejected_with_their_reason() -> None:
    records, reasons = read(f"{HEADER}\n{ROW}\n1,2\n{ROW}\n".encode())
    assert len(records) == 2
    assert reasons == ["another number of cells than the header"]


def test_a_table_can_be_asked_for() -> None:
    assert len(read(f"{HEADER}\n{ROW}\n".encode(), "csv")[0]) == 1
    with pytest.raises(UserError, match="no table"):
        read(b"hello\nworld\n", "csv")


@settings(deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL, st.integers()), min_size=1, max_size=20), size=st.integers(1, 200))
def test_every_row_is_a_record_however_the_bytes_are_cut(rows: list[tuple[str, str, int]], size: int) -> None:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("first", "second", "n"))
    writer.writerow(("x", "y", 0))  # so that the header is seen to be one
    writer.writerows(rows)
    data = out.getvalue().encode()
    records, reasons = read(data, size=size)
    assert (len(records), reasons) == (len(rows) + 1, [])
    assert read(data) == (records, reasons)


@settings(deadline=None)
@given(st.text(max_size=300), st.lists(st.text(max_size=300), max_size=10))
def test_no_text_breaks_it(line: str, rows: list[str]) -> None:
    named = header(line, rows[0] if rows else "")
    if named is not None:
        table = Table(*named)
        table.feed([row.replace("\n", " ") for row in rows])
        table.end()

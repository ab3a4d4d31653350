"""Tables whose `#` lines name the columns, read as records."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from treering.core.clock import ManualClock
from treering.parse.directives import DirectedTable, directed_kind
from treering.receive._decoder import Records

NOW = ManualClock().now_ns
IIS = (
    "#Software: Microsoft Internet Information Services 10.0\r\n#Version: 1.0\r\n#Date: 2026-11-27 09:00:00\r\n"
    "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) "
    "sc-status sc-substatus sc-win32-status time-taken\r\n"
    "2026-11-27 09:00:01 10.0.0.4 POST /v1/chat k=1&v=2 443 - 203.0.113.9 openai-python/1.2+(linux) - 503 0 0 1250\r\n"
)
CLOUDFRONT = (
    "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status "
    "cs(Referer) cs(User-Agent) cs-uri-query time-taken cs-protocol-version\n"
    "2026-11-27\t09:00:02\tFRA56-P1\t482\t198.51.100.7\tGET\td1.cloudfront.net\t/models\t200\t-\t"
    "curl/8.5%20(x)\t-\t0.213\tHTTP/2.0\n"
)
ZEEK = (
    "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tconn\n"
    "#open\t2026-11-27-09-00-00\n#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tproto\tduration\t"
    "orig_bytes\tlocal_orig\ttunnel_parents\tvlans\n"
    "#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tinterval\tcount\tbool\tset[string]\tset[int]\n"
    "1795770000.123456\tCabc1\t10.0.0.5\t51234\t203.0.113.9\t443\ttcp\t1.5\t-\tT\t(empty)\t3,4\n"
    "#close\t2026-11-27-10-00-00\n"
)


def nanoseconds(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp()) * 10**9


def read(
    data: bytes, size: int = 1 << 20, kind: str = "auto", name: str = ""
) -> tuple[list[dict[str, Any]], list[str]]:
    reader, records, reasons = Records("logs", NOW, kind, name), [], []
    parts = [reader.feed(data[start : start + size]) for start in range(0, len(data), size)]
    for part in [*parts, reader.end()]:
        records += part.records.get("logs", [])
        reasons += [reason for reason, _ in part.rejected]
    return records, reasons


def test_iis() -> None:
    ((record,), reasons) = read(IIS.encode())
    assert not reasons
    assert record["@timestamp"] == nanoseconds("2026-11-27T09:00:01Z")
    assert record["body"] == "POST /v1/chat?k=1&v=2"
    assert record["severityNumber"] == 17
    assert record["attributes"] == {
        "server.address": "10.0.0.4",
        "server.port": 443,
        "http.request.method": "POST",
        "url.path": "/v1/chat",
        "url.query": "k=1&v=2",
        "client.address": "203.0.113.9",
        "user_agent.original": "openai-python/1.2 (linux)",
        "http.response.status_code": 503,
        "sc-substatus": 0,
        "sc-win32-status": 0,
        "http.server.request.duration": 1.25,
    }


def test_cloudfront() -> None:
    ((record,), reasons) = read(CLOUDFRONT.encode())
    assert not reasons
    found = record["attributes"]
    assert record["@timestamp"] == nanoseconds("2026-11-27T09:00:02Z")
    assert (found["user_agent.original"], found["http.server.request.duration"]) == ("curl/8.5 (x)", 0.213)
    assert (found["network.protocol.version"], found["http.response.size"]) == ("2.0", 482)
    assert (record["body"], record["severityNumber"]) == ("GET /models", 9)


def test_zeek() -> None:
    ((record,), reasons) = read(ZEEK.encode())
    assert not reasons
    assert record["@timestamp"] == 1_795_770_000_123_456_000
    assert record["body"].startswith("conn 1795770000.123456 Cabc1 10.0.0.5 51234")
    assert record["attributes"] == {
        "zeek.path": "conn",
        "uid": "Cabc1",
        "source.address": "10.0.0.5",
        "source.port": 51234,
        "destination.address": "203.0.113.9",
        "destination.port": 443,
        "proto": "tcp",
        "duration": 1.5,
        "local_orig": True,
        "vlans": [3, 4],
    }


def test_columns_may_change_and_rows_that_do_not_fit_are_told() -> None:
    text = "#Version: 1.0\n#Date: 2026-11-27 00:00:00\n#Fields: time cs-uri\n09:00:00 /a\n09:00:01\n"
    text += '#Fields: time x-comment cs-uri\n09:00:02 "he said ""no""" /b\n'
    records, reasons = read(text.encode())
    assert [record["attributes"].get("url.path") for record in records] == ["/a", "/b"]
    assert records[1]["attributes"]["x-comment"] == 'he said "no"'
    assert records[1]["@timestamp"] == nanoseconds("2026-11-27T09:00:02Z")
    assert reasons == ["another number of cells than the header"]


@pytest.mark.parametrize("size", [1, 7, 100])
@pytest.mark.parametrize("text", [IIS, CLOUDFRONT, ZEEK])
def test_pieces_of_any_size(text: str, size: int) -> None:
    assert read(text.encode(), size) == read(text.encode())


def test_a_file_gone_on_with_in_its_middle() -> None:
    whole = CLOUDFRONT.encode()
    reader = Records("logs", NOW)
    reader.resume(whole[:-10])
    row = whole.splitlines(keepends=True)[-1]
    (record,) = reader.feed(row).records["logs"]
    assert record["attributes"]["url.path"] == "/models"


def test_the_file_is_named() -> None:
    ((record,), _) = read(IIS.encode(), name="/var/log/u_ex261127.log")
    assert record["attributes"]["log.file.name"] == "u_ex261127.log"


@pytest.mark.parametrize("line", ["# comment", "#!/bin/sh", "#FieldsX", "2026-11-27 09:00:00 INFO #Fields: a"])
def test_other_comments_begin_no_table(line: str) -> None:
    assert directed_kind(line) is None


@given(st.text(max_size=300), st.sampled_from([IIS, CLOUDFRONT, ZEEK]))
@example("#separator \\x00\n#fields\0ts\n", ZEEK)
@example('#Fields: "a" ts\n"', IIS)
def test_any_text_is_read_or_told(tail: str, head: str) -> None:
    table = DirectedTable(now_ns=0)
    lines = (head + tail).splitlines()
    records, strange = table.feed(lines)
    rows = [line for line in lines if line and not line.isspace() and not line.startswith(("#", "\ufeff#"))]
    assert len(records) + len(strange) == len(rows)

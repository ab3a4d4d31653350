"""Reader: what every log has in common."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.parse.reader import Reader

NOW = int(datetime(2026, 1, 15, tzinfo=UTC).timestamp()) * 10**9


def read(data: bytes, **options):
    reader = Reader(now_ns=NOW, **options)
    parts = [reader.feed(data), reader.end()]
    return [one for part in parts for one in part.records], [one for part in parts for one in part.rejected], reader


def test_text_without_any_shape_is_kept_as_it_is():
    records, rejected, reader = read("eins\n\n  \nzwei µ\n".encode())
    assert records == [{"body": "eins"}, {"body": "zwei µ"}]
    assert rejected == []
    assert reader.formats == {"text": 2}
    assert reader.format == "text"


def test_line_ends_marks_colours_and_nuls_are_no_part_of_the_text():
    records, _, _ = read(b"\xef\xbb\xbfone\r\n\x1b[31mtwo\x1b[0m\x00\nthr\x1b]0;title\x07ee")
    assert [record["body"] for record in records] == ["one", "two", "three"]


def test_of_a_progress_bar_the_last_state_stays_and_nothing_else_is_lost():
    records, _, _ = read(b"load:   0%|  | 0/2\rload:  50%|# | 1/2\rdisk is slow\rload: 100%|##| 2/2\n")
    assert [record["body"] for record in records] == ["disk is slow", "load: 100%|##| 2/2"]


@pytest.mark.parametrize("codec", ["utf-16", "utf-16-be", "utf-16-le"])
def test_utf_16(codec):
    mark = b"\xfe\xff" if codec == "utf-16-be" else b""
    records, _, _ = read(mark + "INFO: grün\n😀 ok\n".encode(codec))
    assert [record["body"] for record in records] == ["grün", "😀 ok"]


def test_bytes_that_are_no_utf_8_are_kept_beside_the_text():
    records, _, _ = read(b'fine\nbad \xff\xfe here\n{"msg": "caf\xe9", "level": "info"}\n')
    assert records[0] == {"body": "fine"}
    assert records[1]["body"] == "bad \ufffd\ufffd here"
    assert base64.b64decode(records[1]["attributes"]["log.record.original.base64"]) == b"bad \xff\xfe here"
    assert records[2]["body"] == "caf\ufffd"
    assert base64.b64decode(records[2]["attributes"]["log.record.original.base64"]).endswith(
        b'caf\xe9", "level": "info"}'
    )


def test_a_line_beyond_the_limit_is_rejected_and_its_neighbours_are_kept():
    records, rejected, reader = read(b"a\n" + b"x" * 5000 + b"\nb\n", max_line=4096)
    assert [record["body"] for record in records] == ["a", "b"]
    assert [reason for reason, _ in rejected] == ["line longer than 4096 bytes"]
    assert rejected[0][1] == b"x" * 256
    assert reader.formats == {"text": 2, "rejected": 1}


def test_a_body_of_a_megabyte_is_kept_whole():
    records, _, _ = read(b'{"level":"info","message":"' + b"y" * (1 << 20) + b'"}\n' + b"z" * (1 << 20))
    assert [len(record["body"]) for record in records] == [1 << 20, 1 << 20]


def test_defaults_fill_what_the_sender_leaves_open_and_never_documents():
    defaults = {"serviceName": "chat", "attributes": {"env": "prod"}, "resource": {"attributes": {"host.name": "a"}}}
    lines = b'hello\n{"service":"rag","msg":"x","env":"dev"}\n{"account":1}\n'
    records, _, _ = read(lines, defaults=defaults, file_name="/var/log/chat.log")
    assert records[0] == {
        "body": "hello",
        "serviceName": "chat",
        "attributes": {"env": "prod", "log.file.name": "chat.log"},
        "resource": {"attributes": {"host.name": "a"}},
    }
    assert records[1]["serviceName"] == "rag"
    assert records[1]["attributes"]["env"] == "dev"
    assert records[2] == {"account": 1}


def test_documents_are_kept_as_they_are_or_made_logs_as_told():
    line = b"""{"account_number": 1, "balance": 39225, "address": {"city": null}}
{"timestamp":"2026-01-01T00:00:00Z","v":1}
"""
    auto, _, _ = read(line)
    assert auto == [
        {"account_number": 1, "balance": 39225, "address": {"city": None}},
        {"@timestamp": 1767225600 * 10**9, "attributes": {"v": 1}},
    ]
    documents, _, _ = read(line, mode="documents")
    assert documents == [json.loads(text) for text in line.splitlines()]
    logs, _, _ = read(line, mode="logs")
    assert logs[0] == {"attributes": {"account_number": 1, "balance": 39225, "address": {"city": None}}}


def test_a_record_waits_for_lines_that_belong_to_it_until_the_stream_rests():
    reader = Reader(now_ns=NOW)
    assert reader.feed(b"2026-01-01 10:00:00,000 ERROR boom\n").records == []
    assert [record["body"] for record in reader.flush().records] == ["boom"]
    assert reader.feed(b"tail without end").records == []
    assert reader.flush().records == []
    assert [record["body"] for record in reader.end().records] == ["tail without end"]


def test_times_may_be_inherited_when_asked_for():
    records, _, _ = read(b"2026-01-01T10:00:00Z INFO up\nplain\n", inherit_times=True)
    assert records[1]["@timestamp"] == records[0]["@timestamp"]
    assert records[1]["attributes"] == {"log.time.inherited": True}
    records, _, _ = read(b"2026-01-01T10:00:00Z INFO up\nplain\n")
    assert "@timestamp" not in records[1]


def test_the_format_is_found_again_when_it_changes():
    lines = b"""10.0.0.1 - - [01/Jan/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 5 "-" "curl/8"
{"level":"warn","msg":"now json","time":"2026-01-01T10:00:01Z"}
level=info msg="now logfmt" time=2026-01-01T10:00:02Z
<34>Oct 11 22:14:15 mymachine su[12]: 'su root' failed
who knows
10.0.0.1 - - [01/Jan/2026:10:00:03 +0000] "GET /b HTTP/1.1" 502 5
"""
    records, _, reader = read(lines)
    assert reader.formats == {"access": 2, "json": 1, "logfmt": 1, "syslog:text": 1, "text": 1}
    assert sorted(record.get("severityNumber", 0) for record in records) == [0, 9, 9, 13, 17, 18]
    assert [record["body"] for record in records if record.get("serviceName") == "su"] == ["'su root' failed"]


LINES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")),
    st.sampled_from(
        [
            b'127.0.0.1 - - [10/Oct/2000:13:55:36 -0700] "GET / HTTP/1.0" 200 23 "-" "Mozilla"',
            b'{"time":"2026-01-01T00:00:00Z","level":"info","msg":"m","a":{"b":null}}',
            b'{"log":"Traceback (most recent call last):\\n","stream":"stderr","time":"2026-01-01T00:00:00.5Z"}',
            b'{"log":"  File \\"x.py\\", line 1\\n","stream":"stderr","time":"2026-01-01T00:00:00.6Z"}',
            b'{"log":"half ","stream":"stdout","time":"2026-01-01T00:00:00.5Z"}',
            b"2026-01-01T00:00:00.1Z stdout P half ",
            b"2026-01-01T00:00:00.1Z stderr F ValueError: x",
            b"level=info msg=hello n=1",
            b'<165>1 2003-10-11T22:14:15.003Z mymachine.example.com evntslog - ID47 [a b="c"] BOM',
            b"<13>Feb  5 17:32:18 10.0.0.99 Use the BFG!",
            b"2026-01-01 00:00:00,123 ERROR [main] a.b.C: failed",
            b"Traceback (most recent call last):",
            b'  File "/a.py", line 3, in f',
            b"ValueError: bad",
            b"\tat a.b.C(D.java:3)",
            b"  indented",
            b"}",
            b"{",
            b"[",
            b'  "a": 1,',
            b'  "message": "b"',
            b"},",
            b"}, {",
            b"]",
            b'[{"a": 1}, {"message": "c"}]',
            b"[rank0]: Traceback (most recent call last):",
            b"[rank0]: KeyError: 1",
            b"<11>Jan 12 10:00:00 a7 rag[1]: Traceback (most recent call last):",
            b"<11>Jan 12 10:00:00 a7 rag[1]:   File",
            b"  2026-01-12T08:41:02.014045Z  INFO  tenant: a",
            b"    at a.rs:1",
            b"a\rb 10%\rc",
            b"\x1b[31mred\x1b[0m",
        ]
    ),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=12), st.lists(st.integers(1, 40), max_size=20))
def test_no_bytes_crash_it_and_chunks_make_no_difference(lines, cuts):
    data = b"\n".join(lines)
    whole, rejected, reader = read(data)
    pieces = Reader(now_ns=NOW)
    out, start = [], 0
    for cut in cuts:
        out += pieces.feed(data[start : start + cut]).records
        start += cut
    for index in range(start, len(data)):
        out += pieces.feed(data[index : index + 1]).records
    out += pieces.end().records
    assert out == whole
    assert pieces.formats == reader.formats
    json.dumps(whole).encode()
    assert "\ud800" not in json.dumps(whole, ensure_ascii=False)
    assert not rejected


@settings(max_examples=200, deadline=None)
@given(st.lists(LINES.filter(lambda line: b"\r" not in line and b"\n" not in line), max_size=12))
def test_every_line_that_is_not_blank_is_accounted_for(lines):
    from treering.parse.lines import LineSplitter

    data = b"\n".join(lines)
    if data[1:4:2] == b"\0\0":
        return
    splitter = LineSplitter()
    texts = splitter.feed(data).texts + splitter.end().texts
    _, rejected, reader = read(data)
    assert sum(reader.formats.values()) == len(texts) + len(rejected)


@settings(max_examples=100, deadline=None)
@given(st.lists(LINES, max_size=6), st.lists(LINES, max_size=6))
def test_a_bad_item_never_loses_its_neighbours(before, after):
    good = b'{"msg":"survivor","level":"info"}'
    records, _, _ = read(b"ok\n" + b"\n".join([*before, good, *after]))
    assert sum(record.get("body") == "survivor" for record in records) == 1


@pytest.mark.parametrize(
    "text",
    [
        '{\n  "message": "a",\n  "n": {\n    "m": [1, "}"]\n  }\n}\n{\n"message": "b"\n}\n',
        '[\n  {\n    "message": "a",\n    "n": {"m": [1, "}"]}\n  },\n  {\n    "message": "b"\n  }\n]\n',
        '[{\n "message": "a",\n "n": {"m": [1, "}"]}\n}, {\n "message": "b"\n}]\n',
        '[{"message": "a", "n": {"m": [1, "}"]}}, {"message": "b"}]\n',
        '[\n{"message": "a", "n": {"m": [1, "}"]}},\n{"message": "b"}\n]\n',
    ],
)
def test_json_over_several_lines_and_in_arrays(text):
    records, _, reader = read(text.encode())
    assert records == [{"body": "a", "attributes": {"n": {"m": [1, "}"]}}}, {"body": "b"}]
    assert reader.format == "json"


@pytest.mark.parametrize("text", ["{\nno json\n}\n", "[\n1,\n2\n", '{\n"open": 1,\n'])
def test_what_begins_like_json_and_is_none_stays_text(text):
    records, _, _ = read(text.encode())
    assert "\n".join(record["body"] for record in records) == text.strip()


TRACES = {
    "python": (
        "2026-01-12 10:00:00,000 ERROR [main] a.b: failed",
        [
            "Traceback (most recent call last):",
            '  File "/a.py", line 3, in f',
            "    raise KeyError(1)",
            "KeyError: 1",
            "",
            "During handling of the above exception, another exception occurred:",
            "",
            "Traceback (most recent call last):",
            '  File "/a.py", line 5, in g',
            "    raise RuntimeError('x') from None",
            "app.errors.RetrievalError: index is gone",
        ],
        ("app.errors.RetrievalError", "index is gone"),
    ),
    "java": (
        "2026-01-12 10:00:00,000 ERROR [main] a.b: failed",
        [
            "java.lang.IllegalStateException: closed",
            "\tat a.b.C.d(C.java:3)",
            "\tSuppressed: java.io.IOException: x",
            "\t\tat a.b.C.e(C.java:4)",
            "Caused by: java.io.IOException: disk",
            "\t... 12 more",
        ],
        ("java.lang.IllegalStateException", "closed"),
    ),
    "go": (
        "",
        [
            "panic: runtime error: index out of range [5] with length 3",
            "",
            "goroutine 1 [running]:",
            "main.main()",
            "\t/app/main.go:7 +0x1d",
            "exit status 2",
        ],
        ("panic", "runtime error: index out of range [5] with length 3"),
    ),
    "node": (
        "",
        [
            "TypeError: Cannot read properties of undefined (reading 'x')",
            "    at answer (/app/server.js:12:9)",
            "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
        ],
        ("TypeError", "Cannot read properties of undefined (reading 'x')"),
    ),
    "rust": (
        "",
        ["thread 'main' panicked at src/main.rs:2:5:", "  index out of bounds", "note: run with `RUST_BACKTRACE=1`"],
        ("panic", "index out of bounds"),
    ),
}


@pytest.mark.parametrize("language", TRACES)
def test_stack_traces_become_one_record(language):
    header, trace, (kind, message) = TRACES[language]
    lines = [header, *trace, "2026-01-12 10:00:01,000 INFO [main] a.b: next", "text"]
    records, _, _ = read("\n".join(lines).encode())
    assert [record["body"] for record in records[1:]] == ["next", "text"]
    first = records[0]
    assert first["attributes"]["exception.type"] == kind
    assert first["attributes"]["exception.message"].strip() == message
    assert first["attributes"]["exception.stacktrace"] == "\n".join(line for line in trace if line)
    assert first["severityNumber"] == 17
    assert first["body"] == ("failed" if header else f"{kind}: {first['attributes']['exception.message']}")


@pytest.mark.parametrize("separators", [(",", ":"), (", ", ": ")])
def test_an_object_in_a_containers_log_is_read_whatever_wrote_it(separators):
    inside = json.dumps({"level": "error", "msg": "denied", "user": "ann", "time": "2026-01-01T00:00:00Z"})
    entry = {"log": inside + "\n", "stream": "stderr", "time": "2026-01-01T00:00:01Z"}
    (record,), _, _ = read(json.dumps(entry, separators=separators).encode())
    assert (record["body"], record["severityText"], record["attributes"]["user"]) == ("denied", "error", "ann")
    assert record["attributes"]["log.iostream"] == "stderr"


def test_a_crash_after_other_lines_is_a_record_of_its_own():
    lines = [
        "2026-01-12 10:00:00 INFO [main] a.b: fine",
        "Traceback (most recent call last):",
        '  File "/a.py", line 3',
        "KeyError: 1",
    ]
    records, _, _ = read("\n".join(lines).encode())
    assert [record.get("severityText") for record in records] == ["INFO", None]
    assert records[1]["attributes"]["exception.type"] == "KeyError"


def test_traces_of_several_processes_do_not_mix():
    def syslog(pid: int, text: str) -> str:
        return f"<11>Jan 12 10:00:00 a7 rag[{pid}]: {text}"

    one = ["Traceback (most recent call last):", '  File "/a.py", line 3', "KeyError: 1"]
    two = ["Traceback (most recent call last):", '  File "/b.py", line 4', "ValueError: 2"]
    lines = [syslog(pid, text) for pair in zip(one, two, strict=True) for pid, text in zip((1, 2), pair, strict=True)]
    records, _, _ = read("\n".join(lines).encode())
    assert [record["attributes"]["exception.type"] for record in records] == ["KeyError", "ValueError"]
    assert [record["attributes"]["process.pid"] for record in records] == [1, 2]

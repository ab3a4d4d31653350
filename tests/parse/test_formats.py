"""Every format proves itself with the samples in its file, and stays within linear time on hostile lines."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.model.times import format_ns
from treering.parse.catalogue import format_data, formats
from treering.parse.reader import Reader
from treering.parse.regular import FormatData, regular
from treering.parse.times import TimeParser

NOW = int(datetime(2026, 1, 15, tzinfo=UTC).timestamp()) * 10**9
DATA = format_data()
FORMATS = {one.name: one for one in formats()}
TIMES = TimeParser(reference_ns=NOW)
SAMPLES = [
    pytest.param(name, sample, id=f"{name}-{number}")
    for name, data in DATA.items()
    for number, sample in enumerate(data.samples)
]


def records_of(lines: list[str]) -> list[dict]:
    reader = Reader(now_ns=NOW)
    parts = [reader.feed("\n".join([*lines, ""]).encode()), reader.end()]
    found = [record for part in parts for record in part.records]
    for record in found:
        for name in ("@timestamp", "observedTime"):
            if isinstance(record.get(name), int):
                record[name] = format_ns(record[name])
    return found


@pytest.mark.parametrize(("name", "sample"), SAMPLES)
def test_sample(name, sample):
    assert records_of(sample.lines) == sample.records


@pytest.mark.parametrize("name", DATA)
def test_a_format_knows_its_own_lines_and_refuses_others(name):
    own = FORMATS[name]
    assert DATA[name].not_this
    assert own.parse(DATA[name].not_this, TIMES) == [None] * len(DATA[name].not_this)
    explained = [own.sniff(sample.lines[:1], TIMES) for sample in DATA[name].samples]
    assert max(explained) == 1
    for sample in DATA[name].samples:
        for line, entry in zip(sample.lines, own.parse([one or " " for one in sample.lines], TIMES), strict=True):
            if entry is not None:
                assert not own.begins or line[0] in own.begins
                assert re.match(own.hint, line)


def test_every_format_has_samples():
    assert set(FORMATS) == set(DATA)
    assert all(data.samples for data in DATA.values())
    assert all(one.hint for one in FORMATS.values() if one.rank < 80)


HOSTILE = [
    unit * (60_000 // len(unit))
    for unit in (
        "a", "1", " ", '"', "\\", "[", "]", "(", "a.", "a-", "a=", 'a="', "[a=", '["', "{", "a: ", "a: b, ", ", ",
        "::", "| ", "a:", "2026-01-12 10:00:00 ", "Jan 12 10:00:00 ", "INFO ", "[INFO] ", '\\"', "\t", "a/", "1.", "%",
        '[a="b"] ', "a{b=c}:", "<1>", "'a': 1, ", '" "', "1:", "00:00:00 ", "12/", "é",
    )
]  # fmt: skip
STARTS = [
    "", "2026-01-12T10:00:00.123Z  INFO ", "2026-01-12 10:00:00,123 ", "[2026-01-12 10:00:00,123] ", "<14>1 ", "{'",
    "[2026/01/12 19:22:19.900 +00:00] [INFO] [a.go:1] ", '1.1.1.1 - - [12/Jan/2026:13:55:37 +0000] "', "slot a: ",
    'level=info msg="', "<165>1 2026-01-12T22:14:15.003Z h a 1 I [a@1 ", "(a pid=1) ",
    "[GIN] 2026/01/01 - 18:00:09 | 200 | ",
    '2026/01/12 09:14:03 [error] 31#31: *8412 x, client: ', "node:1:1 [1] NCCL INFO ",
    "I1002 21:58:57.891440 62 a.cc:1] ",
    "{", "    in a with ", " iteration 1/ 2 | ", "[2026-01-12T20:15:48.123Z] \"GET / HTTP/1.1\" 200 - ", "a.py:1: ",
]  # fmt: skip


@pytest.mark.parametrize("start", STARTS)
def test_hostile_lines_take_linear_time(start):
    lines = [start + body for body in HOSTILE]
    for one in FORMATS.values():
        for line in lines:
            begun = time.process_time()
            one.parse([line], TIMES)
            assert time.process_time() - begun < 1.0, (one.name, line[:80])


@pytest.mark.parametrize("name", FORMATS)
def test_broken_samples_never_raise(name):
    for sample in DATA[name].samples:
        for line in sample.lines:
            cuts = [line[:end] for end in range(1, len(line), 3)] + [line[start:] for start in range(1, len(line), 7)]
            swaps = [line[:at] + character + line[at + 1 :] for at in range(0, len(line), 11) for character in '\0"[{é']
            for broken in filter(str.strip, cuts + swaps):
                for one in FORMATS.values():
                    one.parse([broken], TIMES)


@settings(max_examples=200, deadline=None)
@given(st.text(min_size=1, max_size=120).filter(str.strip))
def test_no_text_makes_a_format_raise(line):
    for one in FORMATS.values():
        entries = one.parse([line, "x"], TIMES)
        assert len(entries) == 2


def test_a_time_that_a_sentence_speaks_of_is_not_the_time_of_the_line():
    for line in ("certificate expires 2031-01-01 00:00:00", "token 7 valid until 2031-01-01 00:00:00"):
        assert records_of([line]) == [{"body": line}]
    assert records_of(["a7 disk0 2026-01-01 00:00:00 full"])[0]["@timestamp"] == "2026-01-01T00:00:00Z"


def test_every_format_is_in_the_documents():
    page = (Path(__file__).resolve().parents[2] / "docs" / "parsers.md").read_text(encoding="utf-8")
    assert [name for name in FORMATS if f"`{name}`" not in page] == []
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    data = msgspec.json.decode(example, type=FormatData)
    one = regular(data)
    for sample in data.samples:
        found = one.parse(sample.lines, TIMES)
        assert [{**record, "@timestamp": format_ns(record["@timestamp"])} for record in found] == sample.records
    assert one.parse(data.not_this, TIMES) == [None]


def test_the_numbers_of_a_training_loop_may_be_none():
    record = records_of(["{'loss': 'nan', 'grad_norm': inf, 'epoch': 1}"])[0]
    assert str(record["attributes"]) == "{'training.loss': nan, 'training.grad_norm': inf, 'training.epoch': 1}"
    assert record["body"].startswith("{'loss'")

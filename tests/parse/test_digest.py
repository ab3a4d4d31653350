"""A digest counts what a reader would have read."""

from __future__ import annotations

import gzip
import random
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from benchmarks.lines import KINDS
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.parse.catalogue import format_data
from treering.parse.digest import MINUTE, Digest
from treering.parse.reader import Reader

if TYPE_CHECKING:
    from pathlib import Path

    from treering.stage.parser import Record

NOW = 1_800_000_000 * 10**9


class Counts:
    """Records in sum."""

    def __init__(self) -> None:
        self.minutes: Counter[int | None] = Counter()
        self.levels: Counter[int | None] = Counter()
        self.services: Counter[str | None] = Counter()
        self.first: int | None = None
        self.last: int | None = None

    def add(self, record: Record, count: int = 1, minutes: dict[int, int] | None = None) -> None:
        self.levels[record.get("severityNumber")] += count
        self.services[record.get("serviceName")] += count
        moment = record.get("@timestamp")
        self.minutes.update(minutes or {None if moment is None else moment // MINUTE: count})

    def about(self) -> dict[str, Any]:
        return {"minutes": +self.minutes, "levels": +self.levels, "services": +self.services}


def read(data: bytes, step: int = 1 << 16) -> tuple[dict[str, Any], dict[str, int]]:
    reader, counts = Reader(now_ns=NOW), Counts()
    for begin in range(0, len(data), step):
        for record in reader.feed(data[begin : begin + step]).records:
            counts.add(record)
    for record in reader.end().records:
        counts.add(record)
    return counts.about(), reader.formats


def digested(data: bytes, step: int = 1 << 16) -> tuple[dict[str, Any], dict[str, int], int]:
    digest, counts, grouped = Digest(now_ns=NOW), Counts(), 0
    pieces = [digest.feed(data[begin : begin + step]) for begin in range(0, len(data), step)]
    for parsed in (*pieces, digest.end()):
        for record in parsed.records:
            counts.add(record)
    for group in digest.take_groups():
        grouped += group.count
        assert sum(group.minutes.values()) in {0, group.count}
        counts.add(group.verdict.record, group.count, group.minutes)
    return counts.about(), digest.formats, grouped


def same(data: bytes, step: int = 1 << 16) -> float:
    """Check that both agree; returns the share of lines that were not read."""
    about, formats, grouped = digested(data, step)
    assert (about, formats) == read(data, step)
    return grouped / max(1, data.count(b"\n"))


@pytest.mark.parametrize("kind", KINDS)
def test_lines_of_known_shapes_are_not_read(kind: str) -> None:
    r = random.Random(3)
    at = datetime(2026, 11, 24, tzinfo=UTC)
    lines = [KINDS[kind](r, at + timedelta(seconds=number)) for number in range(6000)]
    assert same("\n".join(lines).encode() + b"\n") > 0.9


@pytest.mark.parametrize("name", sorted(format_data()))
def test_the_samples_of_every_format_count_the_same(name: str) -> None:
    data = format_data()[name]
    lines = [line for sample in data.samples for line in sample.lines]
    same("\n".join(lines * 30).encode() + b"\n")
    r = random.Random(name)
    same("\n".join(r.choices(lines, k=400)).encode() + b"\n", 1 << 12)


@pytest.mark.parametrize("name", ["HDFS", "OpenStack", "Spark", "Zookeeper", "OpenSSH", "Hadoop", "BGL", "Thunderbird"])
def test_real_logs_count_the_same(name: str, shared: Path) -> None:
    path = shared / "data/templates" / name / f"{name}_2k.log.gz"
    assert same(gzip.decompress(path.read_bytes())) > 0.3


def test_numbers_of_all_lengths_are_soon_one_thing() -> None:
    r = random.Random(2)
    lines = [f"{r.random() * 10 ** r.randrange(7):.2f},m,{r.randrange(10**4)},{r.randrange(900)}" for _ in range(9000)]
    data = "\n".join(lines).encode() + b"\n"
    assert same(data) > 0.95
    digest = Digest(now_ns=NOW)
    digest.feed(data)
    assert len({id(group.verdict) for group in digest.take_groups()}) < 200


def test_stack_traces_stay_whole() -> None:
    trace = 'Traceback (most recent call last):\n  File "a.py", line 3, in f\n    x()\nValueError: no\n'
    line = "2026-11-24 10:00:{:02d} {} worker did {} things\n"
    levels = ["ERROR", *["INFO"] * 6]
    pieces = [line.format(n % 60, levels[n % 7], n) + (trace if n % 7 == 0 else "") for n in range(900)]
    same("".join(pieces).encode())


_WORDS = "INFO|ERROR|x|17|10.0.0.1|2026-11-24|10:11:12|[3]|  |a=b|{|}|é|\t|:|1700000000|ValueError: x|  at f(a.js:3)"
_word = st.sampled_from(_WORDS.split("|"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(_word, max_size=8).map(" ".join), min_size=1, max_size=12), st.integers(1, 6))
def test_any_text_is_digested_whole(lines: list[str], times: int) -> None:
    data = ("\n".join(lines * times) + "\n").encode()
    digest = Digest(now_ns=NOW)
    parsed = [digest.feed(data), digest.end()]
    counted = sum(digest.formats.values())
    assert counted == sum(read(data)[1].values())
    assert sum(len(part.records) for part in parsed) + sum(group.count for group in digest.take_groups()) <= counted

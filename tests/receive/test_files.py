"""Files read once: compression, framing, damage."""

from __future__ import annotations

import asyncio
import bz2
import gzip
import importlib
import io
import json
import lzma
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from treering.core.clock import ManualClock, SystemClock
from treering.core.errors import DecodeError, UserError
from treering.core.telemetry import Telemetry
from treering.receive import files
from treering.receive._blocks import blocks, expand
from treering.receive._decoder import Records
from treering.receive._json_lines import JsonLines
from treering.stage.source import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from treering.model.batch import Batch

zstd = importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "plain": bytes,
    "gzip": gzip.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zstd": zstd.compress,
}
NOW = ManualClock().now_ns


@pytest.mark.parametrize("kind", PACKERS)
@settings(deadline=None)  # the first example imports the parsers
@given(data=st.binary(max_size=5000), size=st.integers(1, 4000))
def test_blocks_give_back_the_bytes(kind: str, data: bytes, size: int) -> None:
    packed = PACKERS[kind](b"log" + data)
    read: list[int] = []
    assert b"".join(blocks(io.BytesIO(packed), read.append, size)) == b"log" + data
    assert sum(read) == len(packed)


@pytest.mark.parametrize("kind", [name for name in PACKERS if name != "plain"])
def test_a_file_cut_short_gives_what_it_has_and_says_so(kind: str) -> None:
    packed = PACKERS[kind](json.dumps(list(range(20_000))).encode())
    with pytest.raises(DecodeError, match="damaged"):
        list(blocks(io.BytesIO(packed[:-9]), lambda _: None))


@settings(deadline=None)  # the first example imports the parsers
@given(st.lists(st.one_of(st.binary(max_size=60), st.just(b'{"a": 1}')), max_size=20), st.integers(1, 50))
def test_records_do_not_depend_on_how_bytes_were_cut(parts: list[bytes], size: int) -> None:
    data = b"\n".join(parts)
    whole, pieces = JsonLines(), JsonLines()
    found, rejected = whole.feed(data)
    last, more = whole.end()
    got: list[Any] = []
    bad: list[Any] = []
    for start in range(0, len(data), size):
        part, refused = pieces.feed(data[start : start + size])
        got += part
        bad += refused
    part, refused = pieces.end()
    assert (got + part, bad + refused) == (found + last, rejected + more)
    assert len(got + part + bad + refused) == sum(bool(line and not line.isspace()) for line in data.split(b"\n"))


@settings(deadline=None)  # the first example imports the parsers
@example(b'{"resourceSpans":')
@given(st.binary(max_size=400))
def test_any_bytes_become_records_or_rejections(data: bytes) -> None:
    for kind in ("auto", "json", "otlp", "log"):
        reader = Records("logs", NOW, kind)
        reader.feed(data)
        reader.end()
        assert reader.held == 0


def test_a_line_beyond_the_limit_is_rejected_and_its_neighbours_kept() -> None:
    lines = JsonLines()
    long = b'{"a": "' + b"x" * (17 << 20) + b'"}\n'
    data = b'{"n": 1}\n' + long + b'{"n": 2}\n'
    records: list[Any] = []
    rejected: list[Any] = []
    for start in range(0, len(data), 1 << 20):
        found, bad = lines.feed(data[start : start + (1 << 20)])
        records += found
        rejected += bad
    assert records == [{"n": 1}, {"n": 2}]
    assert [item.reason for item in rejected] == ["line longer than 16 MB"]


def test_expand_finds_each_file_once(tmp_path: Path) -> None:
    for name in ("a.log", "b.log", "deep/c.log", ".hidden/d.log"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert expand([str(tmp_path), str(tmp_path / "*.log")]) == [
        str(tmp_path / n) for n in ("a.log", "b.log", "deep/c.log")
    ]
    with pytest.raises(UserError, match="no file matches"):
        expand([str(tmp_path / "*.txt")])


class Counting:
    def __init__(self) -> None:
        self.rows = 0

    async def append(self, batches: Sequence[Batch], _tombstones: object = None) -> int:
        self.rows += sum(part.rows for part in batches)
        return 0


def test_every_line_is_stored_or_rejected_with_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"".join(b'{"n": %d}\n' % n if n % 10 else b"oops\n" for n in range(200_000)))
    telemetry, sink = Telemetry(), Counting()
    source = files.build(
        files.Config(paths=(str(path),), into="docs", format="json"), Context(sink, SystemClock(), telemetry)
    )
    asyncio.run(source.read())
    progress = source.progress
    assert (progress.received, progress.stored, progress.rejected) == (200_000, 180_000, 20_000)
    assert sink.rows == 180_000
    assert progress.reasons == {"malformed JSON": 20_000}
    assert progress.read == path.stat().st_size
    (balance,) = telemetry.conservation()
    assert balance.holds

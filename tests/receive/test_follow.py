"""Followed files: rotation, truncation, restarts, and every line exactly once through all of it."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import pytest

from treering.core.clock import SystemClock
from treering.core.errors import Retryable, UserError
from treering.core.telemetry import Telemetry
from treering.model.columns import to_record
from treering.receive import follow
from treering.stage.source import Context
from treering.testing.sinks import RecordingSink

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.model.batch import Batch


class Kept:
    """A sink that keeps numbers, and has no room for the first `busy` calls."""

    def __init__(self, busy: int = 0) -> None:
        self.numbers: list[int] = []
        self.busy = busy

    async def append(self, batches: Sequence[Batch], _tombstones: object = None) -> int:
        if self.busy:
            self.busy -= 1
            raise Retryable("full", retry_after_s=0.01)
        for part in batches:
            rows = zip(*[part.data.column(name).to_pylist() for name in part.data.schema.names], strict=True)
            self.numbers += [to_record(dict(zip(part.data.schema.names, row, strict=True)))["n"] for row in rows]
        return 0


class Following:
    """A follower over `pattern` that can be stopped and begun again on the same state."""

    def __init__(self, folder: Path, pattern: str = "app.log", **options: Any) -> None:
        self.sink = Kept(options.pop("busy", 0))
        self.telemetry = Telemetry()
        paths = (str(folder / pattern),)
        self.config = follow.Config(paths=paths, into="numbers", state=str(folder / "state.json"), **options)

    async def __aenter__(self) -> Self:
        self.source = follow.build(self.config, Context(self.sink, SystemClock(), self.telemetry))
        await self.source.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.source.stop()

    async def until(self, count: int, seconds: float = 15) -> list[int]:
        for _ in range(int(seconds * 50)):
            if len(self.sink.numbers) >= count:
                break
            await asyncio.sleep(0.02)
        return self.sink.numbers


def lines(start: int, end: int) -> bytes:
    return b"".join(json.dumps({"n": n, "pad": "x" * 40}).encode() + b"\n" for n in range(start, end))


def write(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def run(story: Callable[[], Any]) -> None:
    asyncio.run(asyncio.wait_for(story(), 60))


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow, "PAUSE_S", 0.02)
    monkeypatch.setattr(follow, "LOOK_S", 0.1)
    monkeypatch.setattr(follow, "LINGER_S", 0.5)


def test_lines_come_as_they_are_written_and_half_lines_wait(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "app.log"
        write(path, lines(0, 10))
        async with Following(tmp_path) as following:
            assert await following.until(10) == list(range(10))
            whole = lines(10, 11)
            write(path, whole[:20])
            await asyncio.sleep(0.3)
            assert len(following.sink.numbers) == 10
            write(path, whole[20:] + lines(11, 20))
            assert await following.until(20) == list(range(20))
        (balance,) = following.telemetry.conservation()
        assert balance.holds
        assert balance.stored == 20

    run(story)


def test_rotation_by_rename_reads_the_old_file_to_its_end(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "app.log"
        write(path, lines(0, 100))
        async with Following(tmp_path) as following:
            await following.until(100)
            path.rename(tmp_path / "app.log.1")
            write(tmp_path / "app.log.1", lines(100, 150))  # the writer has not noticed yet
            write(path, lines(150, 200))
            assert sorted(await following.until(200)) == list(range(200))
            await asyncio.sleep(0.4)
        assert len(following.sink.numbers) == 200

    run(story)


def test_copy_and_truncate_even_where_the_copy_matches(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "app.log"
        write(path, lines(0, 100))
        async with Following(tmp_path, "app.log*") as following:
            await following.until(100)
            (tmp_path / "app.log.1").write_bytes(path.read_bytes())
            os.truncate(path, 0)
            write(path, lines(100, 200))
            assert await following.until(200) == list(range(200))
            await asyncio.sleep(1.0)
        assert len(following.sink.numbers) == 200

    run(story)


def test_a_file_written_anew_and_longer_is_read_from_its_beginning(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "app.log"
        write(path, lines(0, 50))
        async with Following(tmp_path) as following:
            await following.until(50)
            path.write_bytes(lines(1000, 1100))
            assert (await following.until(150))[50:] == list(range(1000, 1100))

    run(story)


def test_a_restart_goes_on_where_the_last_run_ended(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "app.log"
        write(path, lines(0, 60))
        async with Following(tmp_path) as first:
            await first.until(60)
        write(path, lines(60, 80))
        async with Following(tmp_path) as second:
            assert await second.until(20) == list(range(60, 80))
        # Rotated while nobody looked: the rest of the old file, then the new one.
        write(path, lines(80, 90))
        path.rename(tmp_path / "app.log.1")
        write(path, lines(90, 100))
        async with Following(tmp_path) as third:
            assert sorted(await third.until(20)) == list(range(80, 100))
            await asyncio.sleep(0.3)
        assert len(third.sink.numbers) == 20

    run(story)


def test_a_table_goes_on_with_the_names_of_its_first_line(tmp_path: Path) -> None:
    def rows(start: int, end: int) -> bytes:
        return b"".join(b"%d,abc,1.5\n" % n for n in range(start, end))

    async def story() -> None:
        path = tmp_path / "app.log"
        write(path, b"n,name,size\n" + rows(0, 20))
        async with Following(tmp_path) as first:
            await first.until(20)
        write(path, rows(20, 30))
        async with Following(tmp_path) as second:
            assert await second.until(10) == list(range(20, 30))

    run(story)


def test_new_files_of_a_glob_and_deleted_ones(tmp_path: Path) -> None:
    async def story() -> None:
        write(tmp_path / "a.log", lines(0, 10))
        async with Following(tmp_path, "**/*.log") as following:
            await following.until(10)
            (tmp_path / "deep").mkdir()
            write(tmp_path / "deep" / "b.log", lines(10, 20))
            assert await following.until(20) == list(range(20))
            write(tmp_path / "a.log", lines(20, 30))
            (tmp_path / "a.log").unlink()
            assert sorted(await following.until(30)) == list(range(30))

    run(story)


def test_beginning_at_the_end_skips_only_what_was_there(tmp_path: Path) -> None:
    async def story() -> None:
        path = tmp_path / "app.log"
        write(path, lines(0, 10))
        async with Following(tmp_path, "*.log", start="end") as following:
            await asyncio.sleep(0.2)
            write(path, lines(10, 20))
            write(tmp_path / "new.log", lines(20, 30))
            assert sorted(await following.until(20)) == list(range(10, 30))

    run(story)


def test_a_store_without_room_loses_and_doubles_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        write(tmp_path / "app.log", lines(0, 100))
        async with Following(tmp_path, busy=7) as following:
            assert await following.until(100) == list(range(100))

    run(story)


def test_lines_that_are_no_records_are_counted_with_their_reason(tmp_path: Path) -> None:
    async def story() -> None:
        write(tmp_path / "app.log", lines(0, 2) + b"{broken\n[]\n" + lines(2, 4))
        async with Following(tmp_path) as following:
            assert await following.until(4) == [0, 1, 2, 3]
        assert following.telemetry.value("treering_rejected_records_total", reason="malformed JSON") == 1
        assert following.telemetry.value("treering_rejected_records_total", reason="not a JSON object") == 1
        assert all(balance.holds for balance in following.telemetry.conservation())

    run(story)


def test_times_that_name_no_zone_are_of_the_one_that_is_configured(tmp_path: Path) -> None:
    async def story() -> None:
        write(tmp_path / "app.log", b"2026-07-01 12:00:00 INFO ready\n2026-07-01T12:00:00Z INFO ready\n")
        sink = RecordingSink()
        config = follow.Config((str(tmp_path / "app.log"),), zone="Europe/Berlin", state=str(tmp_path / "state.json"))
        source = follow.build(config, Context(sink, SystemClock(), Telemetry()))
        await source.start()
        for _ in range(1200):
            if sink.count == 2:
                break
            await asyncio.sleep(0.05)
        await source.stop()
        noon = 1_782_907_200_000_000_000
        assert [record["@timestamp"] for record in sink.records()] == [noon - 7_200_000_000_000, noon]

    run(story)
    with pytest.raises(UserError, match="unknown time zone 'Mars/Base'"):
        follow.build(follow.Config(("x",), zone="Mars/Base"), Context(RecordingSink(), SystemClock(), Telemetry()))


def test_damaged_positions_are_refused_with_help(tmp_path: Path) -> None:
    async def story() -> None:
        (tmp_path / "state.json").write_bytes(b"{")
        with pytest.raises(UserError, match="damaged"):
            async with Following(tmp_path):
                pass

    run(story)

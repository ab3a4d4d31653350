"""Broken disks and files: a clear error, nothing acknowledged lost, the rest served."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treering.core.clock import ManualClock
from treering.core.errors import Retryable, UserError
from treering.stage.store import Scan, Tokens
from treering.store.duckdb import Config, DuckdbStore, owner, segment
from treering.store.duckdb.wal import Disk
from treering.testing.store_contract import START_NS, answer, count, logs, refuses

LAZY = Config(flush_seconds=1e6, flush_latest_seconds=1e6)


def numbers(store: DuckdbStore) -> list[int]:
    return [row[0] for row in answer(store, Scan(("logs",), ("n",)))]


def filled(folder: Path, appends: int = 5) -> Path:
    """Write records 0, 1, ... one append each and return the log file."""
    store = DuckdbStore(folder, LAZY)
    for number in range(appends):
        store.append(logs([{"n": number}]))
    store.close()
    (log,) = (folder / "wal").glob("*.wal")
    return log


@settings(max_examples=30, deadline=None)
@given(cut=st.floats(0, 1), tail=st.binary(max_size=40))
def test_a_torn_log_keeps_every_whole_append(cut: float, tail: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("torn")
    log = filled(folder)
    whole = log.read_bytes()
    first = whole.index(b"n:l")
    kept = int(first + cut * (len(whole) - first))
    log.write_bytes(whole[:kept] + tail)
    store = DuckdbStore(folder, LAZY)
    found = numbers(store) if store.streams() else []
    assert found == list(range(len(found)))
    assert len(found) >= int(kept / len(whole) * 5) - 1
    store.append(logs([{"n": 99}]))
    store.close()
    store = DuckdbStore(folder, LAZY)
    assert numbers(store) == [*found, 99]
    store.close()


def test_an_append_damaged_in_the_log_does_not_take_its_neighbours_with_it(tmp_path: Path) -> None:
    log = filled(tmp_path)
    data = bytearray(log.read_bytes())
    data[len(data) // 2] ^= 0xFF
    log.write_bytes(data)
    store = DuckdbStore(tmp_path, LAZY)
    assert numbers(store) == [0, 1, 3, 4]
    (damage,) = store.health()["damage"]
    assert "damaged append" in damage
    assert list((tmp_path / "wal").glob("*.damaged"))
    store.close()


def three_segments(folder: Path, rows: int = 10) -> DuckdbStore:
    store = DuckdbStore(folder, LAZY)
    for start in range(0, 3 * rows, rows):
        store.append(logs([{"n": number, "body": f"word{number}"} for number in range(start, start + rows)], ids=None))
        store.flush()
    return store


def files(folder: Path, ending: str) -> list[Path]:
    return sorted((folder / "segments").glob(f"*/*.{ending}"))


@pytest.mark.parametrize("harm", ["missing", "truncated", "garbage"])
@pytest.mark.parametrize("running", [True, False])
def test_a_damaged_segment_is_left_out_and_named(tmp_path: Path, harm: str, running: bool) -> None:
    store = three_segments(tmp_path)
    if not running:
        store.close()
    path = files(tmp_path, "parquet")[1]
    if harm == "missing":
        path.unlink()
    elif harm == "truncated":
        path.write_bytes(path.read_bytes()[:100])
    else:
        path.write_bytes(bytes(path.stat().st_size))
    if not running:
        store = DuckdbStore(tmp_path, LAZY)
    for _ in range(2):
        assert numbers(store) == [*range(10), *range(20, 30)]
    assert path.name in store.health()["damage"][0]
    store.append(logs([{"n": 30}]))
    store.flush()
    store.close()
    store = DuckdbStore(tmp_path, LAZY)
    assert numbers(store) == [*range(10), *range(20, 31)]
    assert path.name in store.health()["damage"][0]
    store.close()


@pytest.mark.parametrize("ending", ["tokens", "ids"])
@pytest.mark.parametrize("content", [None, b"", b"garbage" * 1000])
def test_without_its_side_files_a_segment_is_only_slower(tmp_path: Path, ending: str, content: bytes | None) -> None:
    store = DuckdbStore(tmp_path, LAZY)
    records = [{"n": number, "body": f"word{number}"} for number in range(6000)]
    first = store.append(logs(records, ids=[f"id{number}" for number in range(6000)]))
    store.flush()
    (path,) = files(tmp_path, ending)
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    body = Scan(("logs",), ("n", "body"), tokens=Tokens("token", "word77"))
    assert (77, "word77") in answer(store, body)
    assert store.find_ids("logs", ["id77", "other"]) == {"id77": first + 77}
    assert any(ending in trouble for trouble in store.health()["trouble"].values())
    store.close()


class BadDisk(Disk):
    """Has room for so many bytes; `sync` can be made to fail."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.broken = False

    def write(self, descriptor: int, data: bytes | memoryview) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = super().write(descriptor, data[: self.room])
        self.room -= written
        return written

    def sync(self, descriptor: int) -> None:
        if self.broken:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        super().sync(descriptor)


def test_a_full_disk_refuses_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    disk = BadDisk(room=5000)
    store = DuckdbStore(tmp_path, LAZY, disk=disk)
    kept: list[int] = []
    messages: set[str] = set()
    for number in range(40):
        try:
            store.append(logs([{"n": number}]))
            kept.append(number)
        except Retryable as error:
            messages.add(error.message)
            disk.room = 1500 if number % 3 == 0 else 0
    assert messages == {f"no space left for {tmp_path / 'wal'}"}
    assert 5 < len(kept) < 35
    assert numbers(store) == kept
    store.close()
    store = DuckdbStore(tmp_path, LAZY)
    assert numbers(store) == kept
    store.close()


def test_a_disk_that_cannot_sync_refuses_and_goes_on_when_it_can(tmp_path: Path) -> None:
    disk = BadDisk(room=1 << 30)
    store = DuckdbStore(tmp_path, LAZY, disk=disk)
    store.append(logs([{"n": 0}]))
    disk.broken = True
    assert "cannot write" in refuses(Retryable, lambda: store.append(logs([{"n": 1}])))
    refuses(Retryable, lambda: store.append(logs([{"n": 2}])))
    disk.broken = False
    store.append(logs([{"n": 3}]))
    assert numbers(store) == [0, 3]
    store.close()
    store = DuckdbStore(tmp_path, LAZY)
    assert numbers(store) == [0, 3]
    store.close()


def test_segments_that_cannot_be_written_stop_the_senders_not_the_readers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = DuckdbStore(tmp_path, Config(flush_bytes=200_000, memory_bytes=600_000))

    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(segment, "copy", full)
        sent, message = 0, ""
        while not message and sent < 100_000:
            try:
                store.append(logs([{"n": sent + place, "body": "x" * 200} for place in range(100)]))
                sent += 100
            except Retryable as error:
                message = error.message
        assert "behind" in message
        assert 0 < sent < 100_000
        assert count(store, "logs") == sent
        refuses(OSError, store.flush)
    store.flush()
    store.append(logs([{"n": sent}]))
    assert numbers(store) == list(range(sent + 1))
    store.close()


@pytest.mark.parametrize("step", ["flushed", "replaced"])
def test_work_cut_short_leaves_nothing_behind(tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DuckdbStore(tmp_path, LAZY)
    for number in range(10):
        store.append(logs([{"n": number}]))
        if number < 9:
            store.flush()

    def died(*_: Any) -> None:
        raise OSError(errno.EIO, "died")

    monkeypatch.setattr(store._catalog, step, died)
    refuses(OSError, store.flush if step == "flushed" else store.compact)
    store.close()
    store = DuckdbStore(tmp_path, LAZY)
    assert numbers(store) == list(range(10))
    listed = {part.file for view in store._catalog.view(["*"]) for part in view.segments}
    assert {str(path.relative_to(tmp_path / "segments")) for path in files(tmp_path, "*")} == listed
    store.close()


def test_a_second_process_is_told_who_owns_the_directory(tmp_path: Path) -> None:
    store = DuckdbStore(tmp_path)
    store.announce("http://127.0.0.1:7600")
    assert owner(tmp_path) == {"pid": os.getpid(), "address": "http://127.0.0.1:7600"}
    code = f"from treering.store.duckdb import DuckdbStore; DuckdbStore({str(tmp_path)!r})"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert f"is in use by process {os.getpid()}" in ran.stderr
    assert "http://127.0.0.1:7600" in ran.stderr
    store.close()
    assert owner(tmp_path) == {}
    DuckdbStore(tmp_path).close()


def test_a_directory_that_cannot_be_used_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    refuses(UserError, lambda: DuckdbStore(tmp_path / "file"))
    DuckdbStore(tmp_path / "data").close()
    (tmp_path / "data" / "manifest.sqlite").write_bytes(b"not a database" * 100)
    assert "manifest" in refuses(UserError, lambda: DuckdbStore(tmp_path / "data"))


def test_a_program_that_ends_without_closing_loses_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from treering.store.duckdb import Config, DuckdbStore\n"
        "from treering.testing.store_contract import logs\n"
        f"store = DuckdbStore({str(tmp_path)!r}, Config(flush_bytes=1000))\n"
        "for n in range(50): store.append(logs([{'n': n}]))\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    store = DuckdbStore(tmp_path)
    assert numbers(store) == list(range(50))
    store.close()


def test_a_clock_that_jumps_only_moves_what_is_old(tmp_path: Path) -> None:
    clock = ManualClock(START_NS)
    store = DuckdbStore(tmp_path, Config(retention={"log*": 1.0}, flush_latest_seconds=1e6), clock=clock)
    store.append(logs([{"n": 0}], stream="other"))
    store.append(logs([{"n": 1, "@timestamp": START_NS}]))
    store.flush()
    store.append(logs([{"n": 2, "@timestamp": START_NS + 10 * 86_400 * 10**9}]))
    store.flush()
    clock.jump(-1e6)
    store.retain()
    assert numbers(store) == [1, 2]
    clock.jump(1e6 + 3 * 86_400)
    store.retain()
    assert numbers(store) == [2]
    assert count(store, "other") == 1
    assert len(files(tmp_path, "parquet")) == 2
    store.close()


def test_readers_keep_the_files_they_see(tmp_path: Path) -> None:
    store = DuckdbStore(tmp_path, LAZY)
    for number in range(12):
        store.append(logs([{"n": number}]))
        store.flush()
    with store._catalog.pinned(["logs"]) as (view,):
        store.compact()
        assert numbers(store) == list(range(12))
        assert all((tmp_path / "segments" / part.file).exists() for part in view.segments)
        store.delete("logs")
        assert store.streams() == []
        assert all((tmp_path / "segments" / part.file).exists() for part in view.segments)
    assert files(tmp_path, "parquet") == []
    store.close()


def test_health_names_what_there_is(tmp_path: Path) -> None:
    store = three_segments(tmp_path)
    health = msgspec.json.decode(msgspec.json.encode(store.health()))
    assert (health["rows"], health["segments"], health["damage"], health["trouble"]) == (30, 3, [], {})
    store.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 24 MB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("may not mount a file system here")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_really_fills(small_disk: Path) -> None:
    store = DuckdbStore(small_disk / "data", Config(flush_bytes=1 << 20, memory_bytes=4 << 20))
    noise = random.Random(1)
    kept: list[int] = []
    refused = 0
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(3 << 20))
    for number in range(20_000):
        if refused == 20:
            ballast.unlink(missing_ok=True)
        if refused > 60:
            break
        try:
            store.append(logs([{"n": number, "body": noise.randbytes(3000).hex()}]))
            kept.append(number)
        except Retryable:
            refused += 1
            time.sleep(0.02)
    assert refused > 60
    assert len(kept) > 500
    assert numbers(store) == kept
    assert count(store, "logs") == len(kept)
    store.close()
    store = DuckdbStore(small_disk / "data")
    assert numbers(store) == kept
    assert store.delete("logs")
    store.append(logs([{"n": 1}]))
    assert numbers(store) == [1]
    store.close()

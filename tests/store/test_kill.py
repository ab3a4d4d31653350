"""A process killed at any moment loses nothing that it acknowledged and doubles nothing."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from treering.stage.store import Scan
from treering.store.duckdb import DuckdbStore
from treering.testing.store_contract import answer

ROUNDS = 110


class Ledger:
    """What was acknowledged."""

    def __init__(self) -> None:
        self.added: set[int] = set()
        self.deleting: set[int] = set()
        self.deleted: set[int] = set()

    def read(self, text: str) -> None:
        for line in text.splitlines():
            sign, _, number = line.partition(" ")
            if number:
                {"+": self.added, "?": self.deleting, "-": self.deleted}.get(sign, set()).add(int(number))

    def check(self, folder: Path) -> None:
        store = DuckdbStore(folder)
        found = Counter(row[0] for row in answer(store, Scan(("logs",), ("n",))))
        health = store.health()
        store.close()
        assert health["damage"] == []
        assert [n for n, times in found.items() if times > 1] == []
        assert self.added - self.deleting - found.keys() == set()
        assert self.deleted & found.keys() == set()


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_killed_again_and_again(tmp_path: Path) -> None:
    rng = random.Random(7)
    ledger = Ledger()
    command = [sys.executable, str(Path(__file__).with_name("writer.py"))]
    nursery = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert nursery.stdin
    assert nursery.stdout
    output = nursery.stdout.fileno()
    try:
        for number in range(ROUNDS):
            nursery.stdin.write(f"{tmp_path} {number}\n".encode())
            nursery.stdin.flush()
            head, _, text = read_until(output, b"+ ").partition("\n")
            child = int(head.removeprefix("= "))
            time.sleep(rng.random() * 0.3)
            if number % 10 == 5 and not merged(tmp_path):
                await_merge(tmp_path)  # on a busy machine few rounds live long enough for one
            os.kill(child, signal.SIGKILL)
            ledger.read(text + drained(output, child))
            if number % 20 == 19:
                ledger.check(tmp_path)
        ledger.check(tmp_path)
        assert len(ledger.added) > 10 * ROUNDS
        assert ledger.deleted
        assert merged(tmp_path), "no segments were merged on the way"
    finally:
        nursery.kill()
        nursery.wait()
        nursery.stdin.close()
        nursery.stdout.close()


def merged(folder: Path) -> bool:
    """Return whether a merged segment counts; one that is only on the disk goes when its writer is killed."""
    manifest = f"file:{folder / 'manifest.sqlite'}?mode=ro"
    with contextlib.closing(sqlite3.connect(manifest, uri=True, timeout=30)) as connection:
        return bool(connection.execute("SELECT 1 FROM segments WHERE file GLOB '*/m*'").fetchone())


def await_merge(folder: Path) -> None:
    until = time.monotonic() + 10
    while time.monotonic() < until and not merged(folder):
        time.sleep(0.01)


def read_until(output: int, mark: bytes) -> str:
    data = b""
    while mark not in data:
        block = os.read(output, 1 << 16)
        assert block, "the writer ended by itself"
        data += block
    while not data.endswith(b"\n"):
        data += os.read(output, 1 << 16)
    return data.decode()


def drained(output: int, child: int) -> str:
    """Return what the killed process had still said."""
    while Path(f"/proc/{child}").exists():
        time.sleep(0.002)
    os.set_blocking(output, False)
    data = b""
    try:
        while block := os.read(output, 1 << 16):
            data += block
    except BlockingIOError:
        pass
    os.set_blocking(output, True)
    return data.decode()

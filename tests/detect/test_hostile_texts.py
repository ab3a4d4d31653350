"""Texts made to take long or much memory: each is judged in bounded CPU and memory."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.detect.hostile_texts import KINDS

MOST_SECONDS, MOST_MEGABYTES = 15.0, 700


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_texts_are_bounded(kind: str) -> None:
    command = [sys.executable, "-m", "tests.detect.hostile_texts", kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert done.returncode == 0, done.stderr
    seconds, megabytes, _ = map(float, done.stdout.split())
    assert seconds < MOST_SECONDS
    assert megabytes < MOST_MEGABYTES

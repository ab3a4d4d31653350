"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and reference answers beside the checkout; in CI its absence is a failure."""
    if not SHARED.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"no {SHARED}: CI must have it")
        pytest.skip(f"needs the recordings in {SHARED}")
    return SHARED

"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.opensearch.common import Shared, joined
from tests.opensearch.node import Unavailable
from tests.serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

# Tests share two cores with each other: how long one example takes says nothing about the code.
settings.register_profile("shared_machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared_machine")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of recordings and reference answers beside the checkout; in CI its absence is a failure."""
    if not SHARED.is_dir():
        if os.environ.get("CI") == "true":
            pytest.fail(f"no {SHARED}: CI must have it")
        pytest.skip(f"needs the recordings in {SHARED}")
    return SHARED


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """The real application, running on free ports with an empty store."""
    with Server(tmp_path / "data") as running:
        yield running


@pytest.fixture(scope="session")
def opensearch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """A real OpenSearch node, one for all workers; without Java or Maven its tests are skipped, in CI they fail."""
    base = tmp_path_factory.getbasetemp()
    try:
        with joined((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "opensearch") as shared:
            yield shared
    except Unavailable as error:
        if os.environ.get("CI") == "true":
            pytest.fail(str(error))
        pytest.skip(str(error))

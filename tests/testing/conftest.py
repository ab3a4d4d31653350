"""One short known day, read back once, for all tests of the simulation."""

from __future__ import annotations

import pytest

from tests.testing.readback import START_NS, Played, play_through
from treering.testing.day import Day


@pytest.fixture(scope="session")
def played() -> Played:
    """A quarter of a day: all stories, about 20,000 records."""
    return play_through(Day(7, 0.25, START_NS))

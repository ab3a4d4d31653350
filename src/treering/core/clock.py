"""Time as a parameter: stages take a `Clock` so that tests and the simulated day can set it."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Tells the time. Implementations must never run backwards in `monotonic`."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never decreasing."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return time.time_ns()

    def monotonic(self) -> float:
        """Seconds from an arbitrary start, never decreasing."""
        return time.monotonic()


class ManualClock:
    """A clock that moves only when told, for tests."""

    def __init__(self, now_ns: int = 1_764_000_000_000_000_000) -> None:
        """Start at `now_ns` nanoseconds since 1970-01-01 UTC."""
        self._now_ns = now_ns
        self._elapsed = 0.0

    def now_ns(self) -> int:
        """Nanoseconds since 1970-01-01 UTC."""
        return self._now_ns

    def monotonic(self) -> float:
        """Seconds since the clock was made."""
        return self._elapsed

    def advance(self, seconds: float) -> None:
        """Move forward by `seconds`."""
        self._now_ns += int(seconds * 1e9)
        self._elapsed += seconds

    def jump(self, seconds: float) -> None:
        """Set the wall clock forward or back without touching the monotonic one, as NTP does."""
        self._now_ns += int(seconds * 1e9)

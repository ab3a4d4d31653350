"""`treering up --demo`: a known day of an AI platform, sent to the server through the real protocols."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.process import BaseProcess

    from treering.app.config import Settings

_LOGS = "logs"
# What the page of alerts shows of a demo: one rule of each kind, and nobody who is told.
_ALERTS = (
    {"name": "grave incident", "incidents": {"severity": "high"}},
    {"name": "secret in the open", "findings": {"detector": ["secrets"], "severity": "high"}},
    {
        "name": "model calls fail",
        "query": "source=spans | where isnotnull(attributes.gen_ai.request.model) and status.code = 2 "
        "| stats count() as failed by serviceName",
        "above": 10,
        "window": "15m",
        "severity": "high",
        "summary": "{value} model calls of {serviceName} failed in a quarter of an hour",
    },
)


@contextlib.contextmanager
def demo_folder(data: Path | None) -> Iterator[Path]:
    """Give the directory for the demo's data: the one asked for, else a temporary one that goes when the demo ends."""
    if data is not None:
        yield data
        return
    with tempfile.TemporaryDirectory(prefix="treering-demo-") as folder:
        yield Path(folder)


def prepare(settings: Settings, folder: Path, seed: int, speed: float, days: float) -> tuple[Settings, Demo]:
    """Return settings that follow the day's log files and alert on it, and the day to play.

    Raises `UserError` for a day too short.
    """
    from treering.app.alert_settings import Alerts
    from treering.app.config import Follow
    from treering.testing.day import FILES, Day

    Day(seed, days)
    logs = folder / _LOGS
    follow = tuple(Follow(paths=(str(logs / file.path),), service=file.service, host=file.host) for file in FILES)
    alerts = settings.alerts if settings.alerts.rules else msgspec.convert({"rules": _ALERTS}, Alerts)
    changed = msgspec.structs.replace(settings, data=str(folder), follow=(*settings.follow, *follow), alerts=alerts)
    return changed, Demo(seed, speed, days, str(logs))


class Demo:
    """Plays in a process of its own, so that the simulation and the server share no interpreter."""

    def __init__(self, seed: int, speed: float, days: float, logs: str) -> None:
        """Describe what to play and where its log files go."""
        self._day = (seed, days, speed, logs)
        self._process: BaseProcess | None = None

    def begin(self, address: str, grpc_address: str | None, token: str | None) -> None:
        """Begin to send to the server at `address`."""
        headers = {"authorization": f"Bearer {token}"} if token else {}
        arguments = (*self._day, address, grpc_address, headers)
        self._process = multiprocessing.get_context("spawn").Process(target=_play, args=arguments, daemon=True)
        self._process.start()

    def end(self) -> None:
        """Stop sending."""
        if self._process is not None:
            self._process.terminate()
            self._process.join(10)


def _play(
    seed: int, days: float, speed: float, logs: str, address: str, grpc_address: str | None, headers: dict[str, str]
) -> None:
    """Send the past at once, then go on with the days that follow at `speed`."""
    from treering.testing.day import Day
    from treering.testing.day.play import play

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the server, which then ends this process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    day = Day(seed, days)
    play(day, address, grpc_address, logs, headers=headers)
    while True:
        day = day.following()
        play(day, address, grpc_address, logs, speed, headers=headers)

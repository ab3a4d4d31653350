"""Plays a known day: to a running server through the real protocols, or into a folder."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO

import msgspec

from treering.testing.day.day import Day
from treering.testing.day.emission import BULK, Emission
from treering.testing.day.transport import GrpcSender, HttpSender, Patience

_BATCH_RECORDS = 200
_BATCH_BYTES = 2_000_000
_LONGEST_NS = 600_000_000_000
"""A channel waits at most so long (on the simulated clock) for its batch to fill."""
_FILE_BYTES = 4_000_000
_CATCH_UP_S = 3600.0


class Played(msgspec.Struct):
    """How far playing has come: records by channel, what the server rejected, how often something was repeated."""

    at_ns: int = 0
    share: float = 0.0
    records: dict[str, int] = {}
    rejected: int = 0
    retries: int = 0
    bytes: int = 0


class Player:
    """Sends emissions over HTTP, gRPC and files, several of a channel together."""

    def __init__(
        self,
        base_url: str,
        grpc_address: str | None,
        files_dir: Path,
        headers: Mapping[str, str] | None = None,
        patience: Patience | None = None,
    ) -> None:
        """Connect lazily. Without `grpc_address` what goes over gRPC is sent over HTTP.

        Raises UserError when `base_url` is no http address.
        """
        self._patience = patience or Patience(60.0, time.sleep)
        self._http = HttpSender(base_url, headers or {}, self._patience)
        self._grpc = GrpcSender(grpc_address, headers or {}, self._patience) if grpc_address else None
        self._folder = files_dir
        self._files: dict[str, BinaryIO] = {}
        self._waiting: dict[str, list[Emission]] = {}
        self.played = Played()

    def take(self, emission: Emission) -> None:
        """Send `emission` now or with the next ones of its channel; raises Retryable or Permanent when it can't."""
        waiting = self._waiting.setdefault(emission.channel, [])
        waiting.append(emission)
        full = sum(item.records for item in waiting) >= _BATCH_RECORDS
        heavy = sum(len(item.payload) for item in waiting) >= _BATCH_BYTES
        if full or heavy or emission.at_ns - waiting[0].at_ns >= _LONGEST_NS:
            self._send(emission.channel)

    def flush(self) -> None:
        """Send everything that waits."""
        for channel in list(self._waiting):
            self._send(channel)
        for file in self._files.values():
            file.flush()

    def close(self) -> None:
        """Close connections and files; what waits is not sent."""
        self._http.close()
        if self._grpc:
            self._grpc.close()
        for file in self._files.values():
            file.close()

    def _send(self, channel: str) -> None:
        waiting = self._waiting.pop(channel)
        payload = b"".join(item.payload for item in waiting)
        if channel.startswith("file:"):
            self._file(channel[5:]).write(payload)
        elif channel == BULK:
            self.played.rejected += self._http.bulk(payload)
        elif channel == "grpc_traces" and self._grpc:
            self.played.rejected += self._grpc.otlp(payload)
        else:
            self.played.rejected += self._http.otlp(channel, payload)
        records = sum(item.records for item in waiting)
        self.played.records[channel] = self.played.records.get(channel, 0) + records
        self.played.bytes += len(payload)
        self.played.retries = self._patience.retries

    def _file(self, path: str) -> BinaryIO:
        if path not in self._files:
            target = self._folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            self._files[path] = target.open("ab")
        return self._files[path]


def play(
    day: Day,
    base_url: str,
    grpc_address: str | None = None,
    files_dir: Path | str = "logs",
    speed: float = 0.0,
    progress: Callable[[Played], None] | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    pause: Callable[[float], None] = time.sleep,
) -> Played:
    """Send `day` to the server at `base_url` and append its text logs to files below `files_dir`.

    `speed` 0 sends as fast as the server takes it, 1 in real time (a day that began less than an hour ago catches
    up), 60 an hour a minute. `progress` is called after each step of ten simulated seconds that sent something; `pause`
    sleeps. Raises UserError (address), Permanent (the server refuses for good) or Retryable (it has been unreachable or
    full for a minute).
    """
    player = Player(base_url, grpc_address, Path(files_dir), headers, Patience(60.0, pause))
    begun_s = time.monotonic() - _behind_s(day, speed)
    try:
        for emission in day:
            if speed > 0 and emission.at_ns > player.played.at_ns:
                player.flush()
                due_s = begun_s + (emission.at_ns - day.start_ns) / 1e9 / speed
                if (early_s := due_s - time.monotonic()) > 0:
                    pause(early_s)
            player.take(emission)
            if emission.at_ns > player.played.at_ns:
                player.played.at_ns = emission.at_ns
                player.played.share = (emission.at_ns - day.start_ns) / (day.end_ns - day.start_ns)
                if progress:
                    progress(player.played)
        player.flush()
    finally:
        player.close()
    return player.played


def _behind_s(day: Day, speed: float) -> float:
    """Return how late a day in real time begins, so that it catches up; other days begin when they are played."""
    late_s = (time.time_ns() - day.start_ns) / 1e9
    return late_s if speed == 1.0 and 0 < late_s < _CATCH_UP_S else 0.0


def write(day: Day, folder: Path | str) -> None:
    """Write `day` below `folder`: `otlp/*.otlp.pb` (export requests), `bulk.ndjson`, `logs/…` and `truth.json`."""
    root = Path(folder)
    parts: dict[str, int] = {}
    files: dict[str, BinaryIO] = {}
    try:
        for emission in day:
            path = _target(emission.channel, parts)
            if path not in files:
                target = root / path
                target.parent.mkdir(parents=True, exist_ok=True)
                files[path] = target.open("wb")
            files[path].write(emission.payload)
            if path.endswith(".pb") and files[path].tell() > _FILE_BYTES:
                files.pop(path).close()
                parts[emission.channel] = parts.get(emission.channel, 0) + 1
    finally:
        for file in files.values():
            file.close()
    truth = msgspec.json.format(msgspec.json.encode(day.truth()), indent=1)
    (root / "truth.json").write_bytes(truth)


def _target(channel: str, parts: dict[str, int]) -> str:
    if channel.startswith("file:"):
        return f"logs/{channel[5:]}"
    if channel == BULK:
        return "bulk.ndjson"
    return f"otlp/{channel}-{parts.get(channel, 0):03d}.otlp.pb"

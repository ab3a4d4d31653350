"""CloudWatch Logs, read through FilterLogEvents: every event once, also across restarts and crashes.

Time is read slice by slice; a slice counts as read when all of its events are durable, and the newest `late_s` seconds
are read again each round for events that come late. An event's own id is the record's `_id`: what is stored already is
not stored again. Bedrock's model invocation logs come this way too. Needs the extra `aws`.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import boto3
import botocore.config
import botocore.exceptions
import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.core.errors import Permanent, Retryable, UserError
from treering.core.files import replaced
from treering.model.batch import batch
from treering.parse.messages import records as explain
from treering.receive._intake import off_loop, store
from treering.receive._pull import Rounds

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from treering.parse.messages import Message
    from treering.stage.source import Context

NAME = "cloudwatch"
USES_STORE = True
_SLICE_MS = 3_600_000
_LATER = frozenset({
    "ThrottlingException", "Throttling", "LimitExceededException", "ServiceUnavailableException",
    "TooManyRequestsException", "RequestLimitExceeded", "InternalFailure",
})  # fmt: skip
_MAX_KNOWN = 500_000
_MAX_GROUPS = 1000
_LONGEST_PAUSE_S = 60.0


class Config(BaseConfig, frozen=True):
    """Which log groups, from when, as whom."""

    groups: Annotated[tuple[str, ...], Meta(description="log groups; one that ends with `*` means all that begin so")]
    region: Annotated[str, Meta(description="AWS region; else that of the environment")] = ""
    profile: Annotated[str, Meta(description="profile of the AWS configuration; else the usual chain")] = ""
    endpoint: Annotated[str, Meta(description="address of another endpoint than AWS's own")] = ""
    streams: Annotated[str, Meta(description="beginning of the names of log streams to read")] = ""
    pattern: Annotated[str, Meta(description="filter pattern of CloudWatch's")] = ""
    since_s: Annotated[float, Meta(ge=0, description="how far back to begin at the first start, in seconds")] = 3600.0
    late_s: Annotated[float, Meta(ge=0, description="how late an event may come, in seconds")] = 300.0
    every_s: Annotated[float, Meta(gt=0, description="seconds between rounds")] = 10.0
    into: Annotated[str, Meta(description="the stream that gets the records")] = "logs"
    service: Annotated[str, Meta(description="`serviceName` of records that do not name one")] = ""
    state: Annotated[str, Meta(description="file that keeps how far reading has come; else in the data directory")] = ""


class Ids(Protocol):
    """What the source needs of the store."""

    def find_ids(self, stream: str, ids: Collection[str]) -> Mapping[str, int]:
        """Return the number of the record of each id that has one."""
        ...


def build(config: Config, context: Context, ids: Ids) -> Rounds:
    """Return the source. Raises `UserError` when there is no region or no such profile."""
    if not config.groups:
        raise UserError("cloudwatch: no log groups")
    try:
        session = boto3.Session(profile_name=config.profile or None, region_name=config.region or None)
        pace = botocore.config.Config(
            retries={"mode": "standard", "total_max_attempts": 2}, read_timeout=20, connect_timeout=5
        )
        client = session.client("logs", endpoint_url=config.endpoint or None, config=pace)
    except (botocore.exceptions.BotoCoreError, ValueError) as error:
        raise UserError(f"cloudwatch: {error}") from error
    reader = _Reader(config, context, ids, client)
    rounds = Rounds(NAME, ", ".join(config.groups), config.every_s, reader.round)
    reader.pause = rounds.pause
    return rounds


class _Reader:
    def __init__(self, config: Config, context: Context, ids: Ids, client: Any) -> None:
        self._config = config
        self._context = context
        self._ids = ids
        self._client = client
        self._path = Path(config.state)
        self._read_ms: dict[str, int] | None = None
        self._known: dict[str, int] = {}  # ids of this run that may be met again, with their times
        self.pause: Any = asyncio.sleep

    async def round(self) -> None:
        """Read every group up to now. Raises the first thing that went wrong, when all have been asked."""
        if self._read_ms is None:
            self._read_ms = await asyncio.to_thread(_load, self._path)
        trouble: Retryable | Permanent | None = None
        for group in await self._groups():
            try:
                await self._group(group)
            except (Retryable, Permanent) as error:
                trouble = trouble or error
        if trouble is not None:
            raise trouble

    async def _groups(self) -> list[str]:
        found: list[str] = []
        for name in self._config.groups:
            if not name.endswith("*"):
                found.append(name)
                continue
            token: dict[str, str] = {}
            while len(found) < _MAX_GROUPS:
                answer = await self._call("describe_log_groups", logGroupNamePrefix=name[:-1], **token)
                found += [group["logGroupName"] for group in answer.get("logGroups", [])]
                if not answer.get("nextToken"):
                    break
                token = {"nextToken": answer["nextToken"]}
        return list(dict.fromkeys(found))

    async def _group(self, group: str) -> None:
        assert self._read_ms is not None
        now = self._context.clock.now_ns() // 1_000_000
        settled = now - round(self._config.late_s * 1000)
        start = self._read_ms.get(group, now - round(self._config.since_s * 1000))
        while start <= now:
            end = min(start + _SLICE_MS, now)
            await self._slice(group, start, end, settled)
            self._read_ms[group] = min(end + 1, max(start, settled))
            await asyncio.to_thread(_save, self._path, self._read_ms)
            self._known = {key: at for key, at in self._known.items() if at >= settled}
            if end == now:
                return
            start = end + 1

    async def _slice(self, group: str, start: int, end: int, settled: int) -> None:
        """Store all events from `start` to `end` (milliseconds, both included) that are not stored yet.

        Those after `settled` will be met again, so their ids are kept at hand.
        """
        asked: dict[str, Any] = {"logGroupName": group, "startTime": start, "endTime": end}
        if self._config.streams:
            asked["logStreamNamePrefix"] = self._config.streams
        if self._config.pattern:
            asked["filterPattern"] = self._config.pattern
        while True:
            answer = await self._call("filter_log_events", **asked)
            events = answer.get("events", [])
            await self._store(group, events)
            if len(self._known) < _MAX_KNOWN:
                self._known |= {one["eventId"]: one["timestamp"] for one in events if one["timestamp"] >= settled}
            if not answer.get("nextToken"):
                return
            asked["nextToken"] = answer["nextToken"]

    async def _store(self, group: str, events: Sequence[dict[str, Any]]) -> None:
        fresh = {event["eventId"]: event for event in events if event["eventId"] not in self._known}
        if fresh:
            stored = await asyncio.to_thread(self._ids.find_ids, self._config.into, list(fresh))
            new = {key: event for key, event in fresh.items() if key not in stored}
            if new:
                now = self._context.clock.now_ns()
                size = sum(len(event.get("message", "")) for event in new.values())
                found = await off_loop(size, lambda: explain(list(self._messages(group, new.values())), now))
                made = batch(self._config.into, found, received_ns=now, ids=list(new))
                await store(self._context, NAME, [made], patience_s=60.0)

    def _messages(self, group: str, events: Collection[dict[str, Any]]) -> Iterator[Message]:
        for event in events:
            outer: dict[str, Any] = {
                "@timestamp": event["timestamp"] * 1_000_000,
                "attributes": {
                    "aws.log.group.names": group,
                    "aws.log.stream.names": event.get("logStreamName", ""),
                    "aws.log.event.id": event["eventId"],
                },
            }
            if self._config.service:
                outer["serviceName"] = self._config.service
            if (ingested := event.get("ingestionTime")) is not None:
                outer["attributes"]["aws.log.ingestion_time"] = ingested
            yield outer, event.get("message", "")

    async def _call(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Return an answer of AWS's, waiting as long as it says that it was asked too often."""
        pause = 1.0
        while True:
            try:
                answer: dict[str, Any] = await asyncio.to_thread(getattr(self._client, name), **arguments)
            except botocore.exceptions.ClientError as error:
                code = error.response.get("Error", {}).get("Code", "")
                if code not in _LATER:
                    raise Permanent(f"{name}: {error}") from error
                if pause > _LONGEST_PAUSE_S:
                    raise Retryable(f"{name}: {error}") from error
            except botocore.exceptions.BotoCoreError as error:
                raise Retryable(f"{name}: {error}") from error
            else:
                return answer
            await self.pause(pause)
            pause *= 2


def _load(path: Path) -> dict[str, int]:
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, int])
    except FileNotFoundError:
        return {}
    except msgspec.DecodeError as error:
        raise UserError(
            f"{path} is damaged: {error}", hint="remove it to begin again; nothing is stored twice"
        ) from error


def _save(path: Path, read_ms: Mapping[str, int]) -> None:
    replaced(path, msgspec.json.encode(read_ms))

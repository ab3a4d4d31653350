"""Files followed as they grow, through rotation by rename or by copy and truncation, and across restarts.

Every file is read to its end under whatever name it has by then; its position is saved after the store has
acknowledged what lies before it. After a crash between the two, the records in that gap are read again: nothing is
lost, a few may be there twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import glob
import logging
import os
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.core.errors import Permanent, UserError
from treering.parse.reader import Reader
from treering.receive import _positions
from treering.receive._decoder import SNIFF, Decoder
from treering.receive._growing import Growing
from treering.receive.files import patiently

if TYPE_CHECKING:
    from datetime import tzinfo

    from treering.receive._decoder import Decoded
    from treering.receive._positions import Fingerprint, Position
    from treering.stage.source import Context

_log = logging.getLogger("treering.follow")
NAME = "follow"
PAUSE_S = 0.25
LOOK_S = 1.0  # how often globs are looked up, and how long a file rests before its last record is taken as whole
LINGER_S = 5.0  # how long a writer may go on writing to a file that has been renamed or removed
_SHOWN_ERRORS = 100


class Config(BaseConfig, frozen=True):
    """Which files to follow."""

    paths: Annotated[tuple[str, ...], Meta(description="paths and globs, `**` included")]
    into: Annotated[str, Meta(description="the stream that gets the records")] = "logs"
    start: Annotated[
        Literal["beginning", "end"], Meta(description="where to begin in files that are there at the first start")
    ] = "beginning"
    format: Annotated[str, Meta(description="`auto`, `json`, `otlp`, `csv` or `log`")] = "auto"
    service: Annotated[str, Meta(description="`serviceName` of records that do not name one")] = ""
    host: Annotated[str, Meta(description="`resource.attributes.host.name` of records that do not name one")] = ""
    zone: Annotated[str, Meta(description="time zone of times that name none, as `Europe/Berlin`")] = "UTC"
    state: Annotated[str, Meta(description="file that keeps the positions")] = "treering-follow.json"


class Follow:
    """A source over the files that match."""

    def __init__(self, config: Config, context: Context) -> None:
        """Follow what `config` names; nothing is opened before `start`. Raises `UserError` for an unknown zone."""
        self.errors: list[str] = []
        self._reader = partial(Reader, zone=_zone(config.zone))
        self._config = config
        self._context = context
        self._state = Path(config.state)
        self._files: dict[tuple[int, int], Growing] = {}
        self._saved: list[Position] = []
        self._cut: dict[Fingerprint, int] = {}
        self._twins: dict[tuple[int, int], float] = {}
        self._dirty = False
        self._looked = -LOOK_S
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to follow. Raises `UserError` when the saved positions are damaged."""
        saved = _positions.load(self._state)
        self._saved = saved or []
        self._discover(first=saved is None)
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Store what is being read, save the positions, close the files."""
        self._stopping.set()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        for file in self._files.values():
            await self._settle(file)
        self._save()
        for file in self._files.values():
            file.close()
        self._files = {}

    async def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                busy = await self._round()
            except OSError as error:
                self._complain(f"following: {error.strerror or error}")
                busy = False
            except Exception as error:  # noqa: BLE001  following goes on: one bad moment must not silence all files
                _log.exception("following %s", ", ".join(self._config.paths))
                self._complain(f"following: {error!r}")
                busy = False
            self._save()
            if not busy:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), PAUSE_S)

    async def _round(self) -> bool:
        now = self._context.clock.monotonic()
        seen = None
        if now - self._looked >= LOOK_S:
            self._looked = now
            seen = self._discover()
        busy = False
        for key, file in list(self._files.items()):
            if self._stopping.is_set():
                break
            if file.was_cut():
                await self._begin_again(file)
            if await self._advance(file):
                file.quiet_since = now
                busy = True
            elif now - file.quiet_since >= LOOK_S:
                await self._settle(file)
                gone = file.is_deleted() or (seen is not None and key not in seen)
                if gone and now - file.quiet_since >= LINGER_S:
                    await self._close(key, file)
        return busy

    async def _advance(self, file: Growing) -> bool:
        data = await asyncio.to_thread(file.lines)
        if not data or file.was_cut():  # written anew while it was read: the next round begins again
            return False
        decoded = await asyncio.to_thread(file.decoder.feed, data)
        file.offset += len(data)
        await self._store(decoded)
        return True

    async def _settle(self, file: Growing) -> None:
        """Take a record that waited for more lines as whole: the file rests."""
        if file.decoder.held:
            await self._store(file.decoder.flush())

    async def _begin_again(self, file: Growing) -> None:
        self._cut[file.head] = file.offset
        await self._store(file.decoder.end())
        file.offset, file.decoder = 0, self._decoder(file.path)
        file.head = _positions.fingerprint(file.descriptor)

    async def _close(self, key: tuple[int, int], file: Growing) -> None:
        if data := file.lines(last=True):
            file.offset += len(data)
            await self._store(file.decoder.feed(data))
        await self._store(file.decoder.end())
        file.close()
        del self._files[key]

    async def _store(self, decoded: Decoded) -> None:
        rows, telemetry = decoded.rows, self._context.telemetry
        telemetry.received(NAME, rows + len(decoded.rejected))
        for reason, _ in decoded.rejected:
            telemetry.rejected(NAME, 1, reason)
        self._dirty = True
        if not rows:
            return
        try:
            await patiently(self._context, decoded)
        except Permanent as error:
            telemetry.rejected(NAME, rows, "store refused")
            self._complain(error.message)
        else:
            telemetry.stored(NAME, rows)

    # Which files there are

    def _discover(self, *, first: bool = False) -> set[tuple[int, int]]:
        """Open files that are new, and return the identities of all that match now."""
        found: set[tuple[int, int]] = set()
        names = [name for pattern in self._config.paths for name in sorted(glob.glob(pattern, recursive=True))]  # noqa: PTH207  absolute patterns
        for name in dict.fromkeys([*names, *self._renamed(names, first=bool(self._saved))]):
            try:
                about = Path(name).stat()
            except OSError:
                continue  # removed since the look-up
            if not Path(name).is_file():
                continue
            key = (about.st_dev, about.st_ino)
            found.add(key)
            if (known := self._files.get(key)) is not None:
                known.path = name
            else:
                self._adopt(name, key, at_end=first and self._config.start == "end")
        self._saved = []
        return found

    def _renamed(self, names: list[str], *, first: bool) -> list[str]:
        """Return the files beside ours that hold what had not been read when the last run ended."""
        if not first:
            return []
        wanted = {position.inode for position in self._saved}
        folders = {Path(position.path).parent for position in self._saved}
        found = []
        for folder in folders:
            with contextlib.suppress(OSError):
                found += [item.path for item in os.scandir(folder) if item.is_file() and item.inode() in wanted]
        known = {Path(name).resolve() for name in names}
        return [path for path in found if Path(path).resolve() not in known and self._fits(path)]

    def _fits(self, path: str) -> bool:
        with contextlib.suppress(OSError), Path(path).open("rb") as file:
            inode = os.fstat(file.fileno()).st_ino
            return any(item.inode == inode and item.offset and item.fits(file.fileno()) for item in self._saved)
        return False

    def _adopt(self, name: str, key: tuple[int, int], *, at_end: bool) -> None:
        now = self._context.clock.monotonic()
        try:
            file = Growing.open(name, self._decoder(name), now)
        except UserError as error:
            self._complain(error.message)
            return
        if self._waits_for_twin(key, file, now):
            file.close()
            return
        self._twins.pop(key, None)
        file.offset = self._beginning(file, at_end=at_end)
        if file.offset:
            file.decoder.resume(os.pread(file.descriptor, SNIFF, 0))
        self._files[key] = file
        self._dirty = True

    def _waits_for_twin(self, key: tuple[int, int], file: Growing, now: float) -> bool:
        """Whether the file looks like a copy that precedes a truncation: then it is adopted only after that."""
        twin = any(other.head == file.head and file.head.full for other in self._files.values())
        return twin and now - self._twins.setdefault(key, now) < LINGER_S

    def _beginning(self, file: Growing, *, at_end: bool) -> int:
        same = [item for item in self._saved if item.fits(file.descriptor)]
        for item in same:
            if item.inode == file.inode or item.head.full:
                return item.offset
        if file.head.full and file.head in self._cut:
            return self._cut.pop(file.head)
        return os.fstat(file.descriptor).st_size if at_end else 0

    def _decoder(self, name: str) -> Decoder:
        config = self._config
        defaults: dict[str, Any] = {"serviceName": config.service} if config.service else {}
        if config.host:
            defaults["resource"] = {"attributes": {"host.name": config.host}}
        return Decoder(config.into, self._context.clock.now_ns, config.format, name, defaults, self._reader)

    def _save(self) -> None:
        if not self._dirty:
            return
        try:
            _positions.save(self._state, [file.position for file in self._files.values()])
            self._dirty = False
        except OSError as error:
            self._complain(f"cannot save positions in {self._state}: {error.strerror or error}")

    def _complain(self, message: str) -> None:
        if message not in self.errors:
            self.errors = [*self.errors[-_SHOWN_ERRORS:], message]
            self._context.telemetry.add("treering_follow_errors_total")


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise UserError(f"unknown time zone {name[:60]!r}", hint="a name such as Europe/Berlin") from error


def build(config: Config, context: Context) -> Follow:
    """Return the source that follows what `config` names."""
    return Follow(config, context)

"""Files and standard input, read once from beginning to end: `treering ingest`.

While one block is being stored the next one is decoded; never more than two are in memory, whatever the file's size.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Annotated

from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.core.errors import DecodeError, Permanent, Retryable, UserError
from treering.receive._blocks import STDIN, blocks, expand, opened
from treering.receive._decoder import Decoded, Decoder
from treering.receive._json_lines import Rejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from treering.stage.source import Context

NAME = "files"
BLOCK = 2 << 20
_KEPT_EXAMPLES = 3


class Config(BaseConfig, frozen=True):
    """What to read and where to put it."""

    paths: Annotated[tuple[str, ...], Meta(description="paths, globs, directories, `-` for standard input")]
    into: Annotated[str, Meta(description="the stream that gets the records")] = "logs"
    format: Annotated[str, Meta(description="`auto`, `json`, `otlp`, `csv` or `log`")] = "auto"


@dataclass(slots=True)
class Progress:
    """How far reading is. `read` counts bytes on disk, compressed ones where the file is."""

    file: str = ""
    read: int = 0
    received: int = 0
    stored: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    damaged: list[str] = field(default_factory=list)

    @property
    def rejected(self) -> int:
        """The number of lines that did not become records."""
        return self.reasons.total()


class Files:
    """A source that ends: reads its files in order."""

    def __init__(self, config: Config, context: Context) -> None:
        """Find the files. Raises `UserError` when a path or pattern means none."""
        self.names = expand(config.paths)
        self.progress = Progress()
        self.on_rejected: Callable[[str, Rejected], None] | None = None
        self._config = config
        self._context = context
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to read."""
        self._task = asyncio.create_task(self.read())

    async def stop(self) -> None:
        """Stop after the block that is being stored."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def read(self) -> None:
        """Read everything and return when all of it is stored. Raises `UserError` and `Permanent`."""
        for name in self.names:
            self.progress.file = name
            with opened(name) as file:
                await self._file(name, file)

    async def _file(self, name: str, file: IO[bytes]) -> None:
        decoder = Decoder(self._config.into, self._context.clock.now_ns, self._config.format, name)
        steps = self._steps(decoder, name, file)
        waiting: asyncio.Task[None] | None = None
        try:
            while (decoded := await asyncio.to_thread(next, steps, None)) is not None:
                if waiting is not None:
                    await waiting
                waiting = asyncio.create_task(self._store(name, decoded))
        finally:
            if waiting is not None:
                await waiting

    def _steps(self, decoder: Decoder, name: str, file: IO[bytes]) -> Iterator[Decoded]:
        def read(count: int) -> None:
            self.progress.read += count

        try:
            for block in blocks(file, read, BLOCK):
                yield decoder.feed(block)
        except DecodeError as error:
            self.progress.damaged.append(f"{name}: {error.message}")
        except OSError as error:
            raise UserError(f"cannot read {name}: {(error.strerror or str(error)).lower()}") from error
        yield decoder.end()

    async def _store(self, name: str, decoded: Decoded) -> None:
        telemetry, rows = self._context.telemetry, decoded.rows
        telemetry.received(NAME, rows + len(decoded.rejected))
        self.progress.received += rows + len(decoded.rejected)
        for reason, text in decoded.rejected:
            telemetry.rejected(NAME, 1, reason)
            self._note(name, Rejected(reason, text))
        if not rows:
            return
        try:
            await patiently(self._context, decoded)
        except (Permanent, UserError):
            telemetry.rejected(NAME, rows, "store refused")
            raise
        except BaseException:
            telemetry.dropped(NAME, rows, "interrupted")
            raise
        telemetry.stored(NAME, rows)
        self.progress.stored += rows

    def _note(self, name: str, rejected: Rejected) -> None:
        self.progress.reasons[rejected.reason] += 1
        shown = self.progress.examples.setdefault(rejected.reason, [])
        if len(shown) < _KEPT_EXAMPLES:
            shown.append(rejected.text.decode("utf-8", "replace"))
        if self.on_rejected is not None:
            self.on_rejected(name, rejected)


async def patiently(context: Context, decoded: Decoded) -> None:
    """Store the batches, waiting as often as the store says that it has no room now: a file does not run away."""
    while True:
        try:
            await context.sink.append(decoded.batches)
        except Retryable as error:
            await asyncio.sleep(error.retry_after_s)
        else:
            return


def build(config: Config, context: Context) -> Files:
    """Return the source that reads what `config` names."""
    return Files(config, context)


__all__ = ["NAME", "STDIN", "Config", "Files", "Progress", "build", "patiently"]

"""What the store holds right now, in memory: streams, segments, unflushed rows, deleted records.

Readers take a `View`, which never changes; the segments in it are pinned, and files of segments that were replaced are
deleted when the last reader that sees them has ended. Changes of what exists on disk go through the manifest first.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from treering.core.errors import UserError
from treering.model import mapping as mappings
from treering.store.duckdb import segment as segments
from treering.store.duckdb.manifest import Manifest, Segment, Stream

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path
    from typing import Any

    from treering.model.schema import StreamSchema
    from treering.store.duckdb.memtable import Generation, Run
    from treering.store.duckdb.names import Names

_SCHEMAS = 256


@dataclass(frozen=True, slots=True)
class StreamView:
    """One stream at one moment: segments and runs in the order of their rows, sorted numbers of deleted records."""

    stream: Stream
    segments: tuple[Segment, ...]
    runs: tuple[Run, ...]
    dead: Any

    @property
    def name(self) -> str:
        """The stream's name."""
        return self.stream.name

    def dead_inside(self, first: int, last: int) -> Any:
        """Return the numbers of deleted records from `first` to `last`, sorted."""
        low, high = np.searchsorted(self.dead, [first, last + 1])
        return self.dead[low:high]

    @property
    def parts(self) -> list[Segment | Run]:
        """Segments and runs in the order of their rows."""
        return [*self.segments, *self.runs]

    @property
    def rows(self) -> int:
        """The number of records that are not deleted."""
        parts = self.parts
        held = sum(part.rows for part in parts)
        if not len(self.dead) or not parts:
            return held
        return held - sum(len(self.dead_inside(*span(part))) for part in parts)


def span(part: Segment | Run) -> tuple[int, int]:
    """Return the first and last sequence number of a part."""
    return (part.min_seq, part.max_seq) if isinstance(part, Segment) else (part.first_seq, part.last_seq)


@dataclass(slots=True)
class _Dead:
    numbers: set[int] = field(default_factory=set)
    table: Any = None

    def array(self) -> Any:
        if self.table is None:
            self.table = np.array(sorted(self.numbers), dtype=np.int64)
        return self.table


class Catalog:
    """The streams; every method may be called from any thread."""

    def __init__(self, manifest: Manifest, folder: Path | None) -> None:
        """Load what the manifest lists; `folder` holds the segments."""
        self.manifest = manifest
        self.manifest_lock = threading.RLock()
        self.folder = folder
        self.generations: list[Generation] = []
        self._lock = threading.Lock()
        self._streams = {stream.name: stream for stream in manifest.streams()}
        self._segments: dict[str, tuple[Segment, ...]] = {}
        for item in manifest.segments():
            self._segments[item.stream] = (*self._segments.get(item.stream, ()), item)
        self._dead = {stream: _Dead(seqs) for stream, seqs in manifest.dead().items()}
        self._pins: Counter[str] = Counter()
        self._doomed: dict[str, Segment] = {}
        self._schemas: dict[Any, tuple[StreamSchema, tuple[Stream, ...]]] = {}
        self._dropped: dict[str, int] = {}

    def names(self, patterns: Iterable[str]) -> list[str]:
        """Return the streams that match; `*` stands for anything, a leading `-` excludes."""
        with self._lock:
            return matching(patterns, self._known())

    def _known(self) -> list[str]:
        return sorted({*self._streams, *(name for held in self.generations for name in held.tails)})

    def view(self, patterns: Iterable[str]) -> list[StreamView]:
        """Return the streams that match, as they are now. The segments are not pinned: see `pinned`."""
        with self._lock:
            return [self._view(name) for name in matching(patterns, self._known())]

    def _view(self, name: str) -> StreamView:
        tails = [tail for held in self.generations if (tail := held.tails.get(name)) is not None]
        dead = self._dead.get(name)
        return StreamView(
            self._streams.get(name) or Stream(name, 0, _NO_MAPPING),
            self._segments.get(name, ()),
            tuple(run for tail in tails for run in tail.runs),
            dead.array() if dead is not None else _NOBODY,
        )

    @contextlib.contextmanager
    def pinned(self, patterns: Iterable[str]) -> Iterator[list[StreamView]]:
        """Return the streams that match, whose files stay until the end of the `with` block."""
        with self._lock:
            views = [self._view(name) for name in matching(patterns, self._known())]
            files = [part.file for view in views for part in view.segments]
            self._pins.update(files)
        try:
            yield views
        finally:
            self._unpin(files)

    def _unpin(self, files: Sequence[str]) -> None:
        with self._lock:
            self._pins.subtract(files)
            free = [file for file in files if self._pins[file] <= 0]
            for file in free:
                del self._pins[file]
            gone = [item for file in free if (item := self._doomed.pop(file, None)) is not None]
        self._remove(gone)

    def _doom(self, gone: Iterable[Segment]) -> list[Segment]:
        """Return those of `gone` that nobody reads; the others are deleted later. Call with the lock held."""
        free = []
        for item in gone:
            if self._pins[item.file] > 0:
                self._doomed[item.file] = item
            else:
                free.append(item)
        return free

    def _remove(self, gone: Iterable[Segment]) -> None:
        if self.folder is not None:
            for item in gone:
                segments.remove(self.folder, item)

    def schema(self, views: Sequence[StreamView]) -> StreamSchema:
        """Return the merged schema of streams."""
        parts = [part for view in views for part in view.parts]
        groups: tuple[Names, ...] = tuple(dict.fromkeys(names for part in parts for names in (part.columns, part.rest)))
        streams = tuple(view.stream for view in views)
        key = (tuple((stream.name, id(stream.mapping)) for stream in streams), groups)
        held = self._schemas.get(key)
        if held is None:
            physical = dict.fromkeys(name for names in groups for name in names.order)
            found = mappings.schema([stream.mapping for stream in streams], physical)
            if len(self._schemas) >= _SCHEMAS:
                self._schemas.clear()
            # The streams are kept beside it, so that the identities of their mappings stay their own.
            held = self._schemas[key] = found, streams
        return held[0]

    def publish(
        self, generation: Generation, rows: Iterable[tuple[str, Run]], dead: Mapping[str, Sequence[int]]
    ) -> None:
        """Show rows of the active generation to readers and hide deleted ones, in one step."""
        with self._lock:
            for name, part in rows:
                generation.add(name, part)
            for name, seqs in dead.items():
                generation.dead.setdefault(name, []).extend(seqs)
                held = self._dead.setdefault(name, _Dead())
                held.numbers.update(seqs)
                held.table = None

    def add_generation(self, generation: Generation) -> None:
        """Show the rows of a new active generation from now on."""
        with self._lock:
            self.generations = [*self.generations, generation]

    def unflushed_ids(self, name: str, ids: Iterable[str]) -> dict[str, int]:
        """Return the numbers of live records with these `_id`s that are not in a segment yet."""
        with self._lock:
            dead = self._dead.get(name)
            gone = dead.numbers if dead is not None else ()
            tails = [tail for held in reversed(self.generations) if (tail := held.tails.get(name)) is not None]
            found: dict[str, int] = {}
            for item in ids:
                seq = next((seq for tail in tails if (seq := tail.ids.get(item)) is not None), None)
                if seq is not None and seq not in gone:
                    found[item] = seq
            return found

    def is_dead(self, name: str, seq: int) -> bool:
        """Whether the record is deleted."""
        held = self._dead.get(name)
        return held is not None and seq in held.numbers

    def put_stream(self, stream: Stream) -> None:
        """Add or change a stream's mapping, durably."""
        with self.manifest_lock:
            with self.manifest.change():
                self.manifest.put_stream(stream)
            with self._lock:
                self._streams[stream.name] = stream

    def ensure_stream(self, name: str, seq: int) -> Stream:
        """Return the stream's entry, made durable when it has none yet."""
        with self.manifest_lock:
            stream = self._streams.get(name)
            if stream is None or not stream.folder:
                with self.manifest.change():
                    folder = self.manifest.next_folder()
                    mapping = stream.mapping if stream else {}
                    stream = Stream(name, folder, mapping, stream.created_seq if stream else seq)
                    self.manifest.put_stream(stream)
                with self._lock:
                    self._streams[name] = stream
            return stream

    def drop_stream(self, name: str, before: int) -> bool:
        """Forget a stream with every record numbered below `before`; returns whether it existed."""
        with self.manifest_lock:
            with self._lock:
                known = name in self._known()
            with self.manifest.change():
                self.manifest.drop_stream(name)
            with self._lock:
                self._dropped[name] = before
                self._streams.pop(name, None)
                self._dead.pop(name, None)
                for generation in self.generations:
                    generation.drop(name)
                free = self._doom(self._segments.pop(name, ()))
        self._remove(free)
        return known

    def dropped(self, name: str, seq: int) -> bool:
        """Whether the stream was deleted after record `seq` was written."""
        return seq < self._dropped.get(name, -1)

    def flushed(
        self, generation: Generation, written: Sequence[Segment], next_seq: int, purged: dict[str, set[int]]
    ) -> None:
        """Put segments in the place of a generation, durably and in one step for readers."""
        with self.manifest_lock:
            kept = [item for item in written if not self.dropped(item.stream, item.max_seq)]
            with self._lock:
                alive = {
                    name: [seq for seq in seqs if seq not in purged.get(name, ())]
                    for name, seqs in generation.dead.items()
                }
            with self.manifest.change():
                for item in kept:
                    self.manifest.put_segment(item)
                for name, seqs in alive.items():
                    self.manifest.add_dead(name, seqs)
                self.manifest.set_fact("flushed", generation.number)
                self.manifest.set_fact("next_seq", next_seq)
            with self._lock:
                self.generations = [held for held in self.generations if held is not generation]
                for item in kept:
                    self._segments[item.stream] = _ordered((*self._segments.get(item.stream, ()), item))
                self._forget_dead(purged)
        self._remove(item for item in written if item not in kept)

    def replaced(self, name: str, old: Sequence[Segment], new: Sequence[Segment], purged: set[int]) -> bool:
        """Put segments in the place of others, durably; returns False when some of `old` are gone already."""
        with self.manifest_lock:
            current = self._segments.get(name, ())
            if any(item not in current for item in old):
                self._remove(new)
                return False
            with self.manifest.change():
                self.manifest.drop_segments(old)
                for item in new:
                    self.manifest.put_segment(item)
                self.manifest.drop_dead(name, purged)
            with self._lock:
                self._segments[name] = _ordered((*(item for item in current if item not in old), *new))
                self._forget_dead({name: purged})
                free = self._doom(item for item in old if all(item.file != fresh.file for fresh in new))
        self._remove(free)
        return True

    def _forget_dead(self, purged: dict[str, set[int]]) -> None:
        for name, seqs in purged.items():
            if seqs and (held := self._dead.get(name)) is not None:
                held.numbers -= seqs
                held.table = None

    def damaged(self, item: Segment, reason: str) -> None:
        """Take a segment out of all later answers, durably; its file stays."""
        self.replaced(item.stream, [item], [item.with_damage(reason)], set())


_NOBODY = np.array([], dtype=np.int64)
# One for all, as schemas are known by the identity of their mappings.
_NO_MAPPING: Mapping[str, Any] = {}


def _ordered(parts: Iterable[Segment]) -> tuple[Segment, ...]:
    return tuple(sorted(parts, key=lambda item: item.min_seq))


def matching(patterns: Iterable[str], names: Sequence[str]) -> list[str]:
    """Return the names that match; `*` stands for anything, a leading `-` excludes."""
    found: dict[str, None] = {}
    for pattern in patterns:
        excluded = pattern.startswith("-") and pattern not in names
        text = pattern[1:] if excluded else pattern
        test = re.compile(".*".join(map(re.escape, text.split("*"))), re.DOTALL).fullmatch
        for name in names:
            if test(name):
                if excluded:
                    found.pop(name, None)
                else:
                    found[name] = None
    return list(found)


def unknown(patterns: Sequence[str], known: Sequence[str] = ()) -> UserError:
    """Return the error that no stream matches, with the nearest of the `known` ones."""
    near = difflib.get_close_matches(patterns[0], known, n=1) if patterns else []
    return UserError(f"no stream named {', '.join(patterns)!r}", hint=f"did you mean {near[0]!r}?" if near else "")

"""Opening a directory: what the logs hold that no segment does, and what nobody owns any more."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from treering.core.errors import UserError
from treering.store.duckdb import memtable, segment, wal
from treering.store.duckdb.memtable import Generation

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from treering.store.duckdb.catalog import Catalog
    from treering.store.duckdb.manifest import Manifest, Segment


@dataclass(slots=True)
class Recovered:
    """What was found: unflushed generations, the next sequence number, what is damaged."""

    generations: list[Generation] = field(default_factory=list)
    next_seq: int = 0
    end: int = 0
    damage: list[str] = field(default_factory=list)


def replay(catalog: Catalog, folder: Path, most: int) -> Recovered:
    """Show the rows of all logs that were not flushed; delete the logs that were."""
    found = Recovered(next_seq=int(catalog.manifest.fact("next_seq", 0)))
    flushed = int(catalog.manifest.fact("flushed", 0))
    for path in sorted(folder.glob("*.wal")):
        number = int(path.stem)
        if number <= flushed:
            path.unlink()
            continue
        try:
            held = wal.replay(path)
        except OSError as error:
            raise UserError(f"cannot read the log {path}: {error.strerror}") from error
        generation = Generation(number, most)
        generation.born = time.monotonic()
        catalog.add_generation(generation)
        for frame in held.frames:
            found.next_seq = max(found.next_seq, _apply(catalog, generation, frame))
        found.generations.append(generation)
        found.end = held.end
        if held.damage:
            found.damage += held.damage
            path.with_suffix(".damaged").write_bytes(path.read_bytes())
    return found


def _apply(catalog: Catalog, generation: Generation, frame: wal.Frame) -> int:
    """Show one append and return the number after its last row."""
    if frame.drop is not None:
        forget(catalog, frame.drop, frame.first)
        return frame.first + 1
    rows, seq = [], frame.first
    for stream, data in frame.tables():
        rows.append((stream, memtable.run(data, seq)))
        seq += data.num_rows
    dead = {stream: np.frombuffer(packed, dtype="<i8").tolist() for stream, packed in frame.dead.items()}
    catalog.publish(generation, rows, dead)
    return seq


def forget(catalog: Catalog, stream: str, before: int) -> None:
    """Finish the deletion of a stream that may have been cut short: nothing numbered below `before` stays."""
    known = {item.name: item for item in catalog.manifest.streams()}.get(stream)
    later = known is not None and known.created_seq > before
    if not later:
        catalog.drop_stream(stream, before)


def sweep(folder: Path, manifest: Manifest) -> None:
    """Delete files that the manifest does not list: they belong to work that a crash cut short."""
    listed = {folder / file for item in manifest.segments() for file in item.files}
    for path in folder.glob("*/*"):
        if path not in listed:
            path.unlink()


def quarantine(catalog: Catalog, items: Iterable[Segment]) -> list[str]:
    """Take segments out whose content is not what was written; returns the reasons."""
    reasons = []
    for item in items:
        if catalog.folder is not None and not item.damage and (reason := segment.damage(catalog.folder, item)):
            catalog.damaged(item, reason)
            reasons.append(reason)
    return reasons


def check(catalog: Catalog, folder: Path, items: Iterable[Segment]) -> list[str]:
    """Take segments out whose file is missing or has another size; returns the reasons."""
    reasons = []
    for item in items:
        if item.damage:
            reasons.append(item.damage)
            continue
        path = folder / item.file
        size = path.stat().st_size if path.exists() else -1
        if size != item.bytes:
            reason = f"{path} is missing" if size < 0 else f"{path} has {size} bytes instead of {item.bytes}"
            catalog.damaged(item, reason)
            reasons.append(reason)
    return reasons

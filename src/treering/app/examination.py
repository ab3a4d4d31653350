"""`treering analyze`: files read once, counted, examined, and what to look at first. No server, bounded memory."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from treering.app import conclusions
from treering.app.analysis import SHOWN, Analysis, is_plain
from treering.app.examiner import File
from treering.app.examiners import EXAMINERS
from treering.core.errors import DecodeError
from treering.parse.digest import Digest
from treering.parse.fields import instant
from treering.parse.times import TimeParser
from treering.receive._archives import archive_kind, members
from treering.receive._binary import binary_kind
from treering.receive._blocks import blocks, opened
from treering.receive._contents import Logs
from treering.receive._decoder import Records

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from treering.app.examiner import Examiner, Remark
    from treering.receive._contents import Found

FIRST = 3
_MOST_REMARKS = 100
_MOMENTS = ("start_time", "startTime", "created_at", "createdAt", "timestamp", "time", "startedDateTime", "created")


@dataclass(slots=True)
class Examination:
    """The counts of some files and what the examiners make of them."""

    examiners: Sequence[Examiner]
    counts: Analysis = field(default_factory=Analysis)
    times: TimeParser = field(default_factory=TimeParser)

    def report(self) -> dict[str, Any]:
        """Return everything as plain values, ready for JSON; `look_at_first` are the three heaviest remarks."""
        report = self.counts.report()
        judged = sum(examiner.judged() for examiner in self.examiners)
        found = [] if 2 * judged >= max(1, len(self.counts.files)) else conclusions.remarks(report)
        missing = conclusions.unknown(report)
        for examiner in self.examiners:
            found += examiner.remarks()
            missing += examiner.unknown()
            if (details := examiner.details()) is not None:
                report[examiner.name] = details
        found.sort(key=lambda remark: -remark.weight)
        shown = [_shown(remark) for remark in found[:_MOST_REMARKS]]
        return {**report, "not_judged": missing, "remarks": shown, "look_at_first": _varied(shown)}

    def read(self, path: str, now_ns: Callable[[], int], progress: Callable[[int], None]) -> None:
        """Read one file, or those in an archive. Raises `UserError` when it cannot be opened."""
        about = File(path, _written_ns(path), now_ns())
        if not (kind := archive_kind(path)):
            with opened(path) as file:
                self._read(about, file, now_ns, progress)
            return
        try:
            for name, file in members(path, kind):
                inside = File(f"{path}!{name}", None, about.now_ns)
                self._read(inside, file, now_ns, lambda _: None)
        except DecodeError as error:
            self.counts.damaged.append(f"{path}: {error.message}")
        progress(Path(path).stat().st_size)

    def _read(self, about: File, file: IO[bytes], now_ns: Callable[[], int], progress: Callable[[int], None]) -> None:
        counts, before, path = self.counts, self.counts.records, about.name
        for examiner in self.examiners:
            examiner.begin(about)
        digest = partial(Digest, accepts=self._counted, heard=self._heard)
        reader = Records("logs", now_ns, name=path, reader=digest, heard=self._heard)
        for part in self._parts(path, file, reader, progress):
            self._take(reader, part)
        for examiner in self.examiners:
            examiner.end()
        counts.files.append(
            {
                "file": path,
                "records": counts.records - before,
                "formats": _formats(reader, counts.records - before),
                "binary": counts.skipped.get(path),
            }
        )

    def _take(self, reader: Records, part: Found) -> None:
        counts, content = self.counts, reader.content
        if isinstance(content, Logs) and isinstance(content.reader, Digest):
            for group in content.reader.take_groups():
                counts.add_group(group)
                for examiner in self.examiners:
                    examiner.group(group)
        for reason, _ in part.rejected:
            counts.rejected[reason] += 1
        for stream, records in part.records.items():
            for record in records if stream != "logs" else map(self._dated, records):
                counts.add(record)
                for examiner in self.examiners:
                    examiner.record(record, stream)

    def _dated(self, record: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a document of another kind than a log with the time that it was about, if it says one."""
        if "@timestamp" in record or "body" in record:
            return record
        moments = (instant(record[name], self.times) for name in _MOMENTS if name in record)
        moment = next((found for found in moments if found is not None), None)
        return record if moment is None else {**record, "@timestamp": moment}

    def _counted(self, record: Mapping[str, Any]) -> bool:
        return is_plain(record) and not any(examiner.wants(record) for examiner in self.examiners)

    def _heard(self, lines: Sequence[str]) -> None:
        for examiner in self.examiners:
            examiner.lines(lines)

    def _parts(self, path: str, file: IO[bytes], reader: Records, progress: Callable[[int], None]) -> Iterator[Found]:
        def read(count: int) -> None:
            self.counts.bytes += count
            progress(count)

        try:
            for place, block in enumerate(blocks(file, read)):
                if not place and (kind := binary_kind(block)):
                    self.counts.skipped[path] = kind
                    return
                yield reader.feed(block)
        except DecodeError as error:
            self.counts.damaged.append(f"{path}: {error.message}")
        yield reader.end()


def examine(
    paths: Sequence[str],
    now_ns: Callable[[], int],
    progress: Callable[[int], None] = lambda _: None,
    examiners: Sequence[Callable[[], Examiner]] = EXAMINERS,
) -> Examination:
    """Read `paths` and return what is in them; `progress` is told bytes read. Raises `UserError` for a missing file."""
    found = Examination([make() for make in examiners])
    for path in paths:
        found.read(path, now_ns, progress)
    return found


def _written_ns(path: str) -> int | None:
    """Return when a file was written last; None for standard input."""
    with suppress(OSError):
        return Path(path).stat().st_mtime_ns
    return None


def _formats(reader: Records, records: int) -> dict[str, int]:
    if isinstance(reader.content, Logs):
        return dict(Counter(reader.content.reader.formats).most_common(SHOWN))
    return {} if reader.content is None else {reader.content.name: records}


def _shown(remark: Remark) -> dict[str, Any]:
    return {
        "weight": round(remark.weight, 1),
        "kind": remark.kind,
        "title": remark.title,
        "detail": remark.detail,
        "file": remark.file or None,
    }


def _varied(shown: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the heaviest remarks, those of one kind and title once with how many there are."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in shown:
        held = found.get((one["kind"], one["title"]))
        if held is None:
            found[one["kind"], one["title"]] = {**one, "alike": 0}
        else:
            held["alike"] += 1
    return list(found.values())[:FIRST]

"""The ledger of findings: the stream `findings`, where equal fingerprints are one record.

A finding that is there already is folded: the joined record is appended and the old one deleted in the same step. Who
writes names a `step`; the record carries it, so a step that is written again after a crash changes nothing.
"""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import UserError
from treering.model.batch import batch
from treering.model.finding import FINDINGS, Finding, from_record, merged, to_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from treering.core.clock import Clock
    from treering.stage.store import Store

    Listener = Callable[[Sequence[Finding]], None]

_log = logging.getLogger(__name__)
STATES = ("new", "confirmed", "dismissed", "closed")
_CACHED = 4096
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """A finding as it stands: its number in the store (-1 before the first write), what people made of it."""

    finding: Finding
    state: str = "new"
    step: int = 0
    triage: Mapping[str, Any] | None = None
    seq: int = -1

    def record(self) -> dict[str, Any]:
        """Return the record that is stored."""
        made = to_record(self.finding, self.state)
        made["finding"]["step"] = self.step
        if self.triage:
            made["triage"] = dict(self.triage)
        return made


class Ledger:
    """Writes findings and their triage; the only writer of its stream. Safe to use from any thread.

    `listeners` are called after each write with the findings as they now stand, in the writer's thread. After a crash
    they may be told again what they know. One that raises is logged and not called again for the same findings.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        """Keep the ledger in `store`."""
        self.listeners: list[Listener] = []
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._cache: OrderedDict[str, Entry] = OrderedDict()

    def write(self, found: Iterable[Finding], step: int, *, replay: bool = False) -> list[Finding]:
        """Fold `found` into what is there and return the findings as they now stand, each once.

        A fingerprint that was written in this very `step` before is left as it is. In a `replay` of records that may
        have been watched already, counts are not added: the greater one stays. Raises `Retryable`, and nothing is
        written of at most the last 500 findings then.
        """
        gathered: dict[str, Finding] = {}
        for finding in found:
            name = finding.fingerprint
            gathered[name] = merged(gathered[name], finding) if name in gathered else finding
        names = list(gathered)
        now: list[Finding] = []
        with self._lock:
            for start in range(0, len(names), _AT_ONCE):
                part = {name: gathered[name] for name in names[start : start + _AT_ONCE]}
                now += self._write(part, step, replay=replay)
        for listener in self.listeners if now else ():
            try:
                listener(now)
            except Exception:  # noqa: BLE001  the findings are stored; one bad listener must not stop detection
                _log.exception("a listener to findings failed")
        return now

    def _write(self, found: Mapping[str, Finding], step: int, *, replay: bool) -> list[Finding]:
        held = self._held(list(found))
        changed: dict[str, Entry] = {}
        for name, finding in found.items():
            old = held.get(name)
            if old is None:
                changed[name] = Entry(finding, step=step)
            elif old.step != step:
                changed[name] = replace(old, finding=_folded(old.finding, finding, replay=replay), step=step)
        self._put(changed)
        return [(changed.get(name) or held[name]).finding for name in found]

    def _put(self, changed: Mapping[str, Entry]) -> None:
        """Append the new records and delete those they stand for, in one step."""
        if not changed:
            return
        dead = [entry.seq for entry in changed.values() if entry.seq >= 0]
        records = [entry.record() for entry in changed.values()]
        data = batch(FINDINGS, records, received_ns=self._clock.now_ns(), ids=list(changed))
        first = self._store.append([data], {FINDINGS: dead} if dead else {})
        for offset, (name, entry) in enumerate(changed.items()):
            self._remember(name, replace(entry, seq=first + offset))

    def _remember(self, name: str, entry: Entry) -> None:
        self._cache[name] = entry
        self._cache.move_to_end(name)
        while len(self._cache) > _CACHED:
            self._cache.popitem(last=False)

    def _held(self, names: Sequence[str]) -> dict[str, Entry]:
        """Return the entries that exist, from the cache or the store."""
        found = {name: self._cache[name] for name in names if name in self._cache}
        missing = [name for name in names if name not in found]
        if not missing:
            return found
        places = self._store.find_ids(FINDINGS, missing)
        records = self._store.records(FINDINGS, list(places.values())) if places else {}
        for name, seq in places.items():
            if (record := records.get(seq)) is not None and (entry := _entry(record, seq)) is not None:
                found[name] = entry
                self._remember(name, entry)
        return found

    def entry(self, name: str) -> Entry | None:
        """Return the finding with the fingerprint `name`, or None."""
        with self._lock:
            return self._held([name]).get(name)

    def triage(self, name: str, state: str, comment: str = "", by: str = "") -> Entry | None:
        """Note what a person made of a finding and return it as it now stands, None when there is none.

        Raises `UserError` for a state that is none of `STATES`.
        """
        if state not in STATES:
            raise UserError(f"{state[:40]!r} is not a state of a finding", hint=f"known: {', '.join(STATES)}")
        with self._lock:
            old = self._held([name]).get(name)
            if old is None:
                return None
            note = {"comment": comment[:2000], "by": by[:200], "at": self._clock.now_ns()}
            self._put({name: replace(old, state=state, triage=note)})
            return self._cache[name]


def _folded(old: Finding, new: Finding, *, replay: bool) -> Finding:
    joined = merged(old, new)
    return msgspec.structs.replace(joined, count=max(old.count, new.count)) if replay else joined


def _entry(record: Mapping[str, Any], seq: int) -> Entry | None:
    try:
        finding = from_record(dict(record))
        about = record["finding"]
        return Entry(finding, str(about.get("state", "new")), int(about.get("step", 0)), record.get("triage"), seq)
    except (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError):
        return None  # somebody else wrote a record with this id: the finding takes its place

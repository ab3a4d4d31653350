"""The desk of incidents: takes findings, folds them, keeps what people do about the incidents.

`take` is the listener of the findings' ledger: it keeps the findings and returns; a thread folds everything of the
last days again (`treering.correlate.fold` is fast and pure), gives incidents their lasting ids, freezes evidence, and
writes what changed to the stream `incidents`. A killed process starts over from the book and the stream `findings`.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import msgspec
from sqlglot import exp

from treering.app import evidence
from treering.app.casebook import Case, Casebook, Change, Step
from treering.core.errors import UserError
from treering.correlate.fold import Folded, fold
from treering.correlate.identity import Known, Named, named
from treering.correlate.record import to_record
from treering.model.batch import batch
from treering.model.finding import FINDINGS, Finding, from_record
from treering.model.incident import INCIDENTS, Incident, State
from treering.stage.store import Limits, Query, ResultColumn, Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from treering.core.clock import Clock
    from treering.correlate.clue import Clue
    from treering.stage.store import Store

    Listener = Callable[[Sequence[Incident]], None]

OURSELVES = "treering"
DISMISSED = "dismissed"
MAX_FINDINGS = 20_000
MAX_COMMENT = 10_000
_DAY_NS = 86_400 * 10**9
_PAUSE_S = 1.0
_LOOK_S = 5.0

_log = logging.getLogger(__name__)

# Kinds of incidents that are not over because they are quiet.
_STAYING = frozenset({"security", "training"})


class Desk:
    """Incidents of one data directory. Safe to use from any thread."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        directory: Path | None = None,
        *,
        now_ns: Callable[[], int] | None = None,
        open_risk: float = 10.0,
        quiet_s: float = 3600.0,
        horizon_days: float = 3.0,
    ) -> None:
        """Open the book in `directory`.

        `now_ns` tells the records' time, by which quiet incidents resolve after `quiet_s`; the machine's unless given.
        Findings of the last `horizon_days` can still join an incident.
        """
        self.listeners: list[Listener] = []
        self.finding_listeners: list[Callable[[Sequence[Finding]], None]] = []
        self.book = Casebook(directory)
        self.folded = Folded((), (), ())
        self._store = store
        self._clock = clock
        self._now_ns = now_ns or clock.now_ns
        self._open_risk = open_risk
        self._quiet_ns = int(quiet_s * 1e9)
        self._horizon_ns = int(horizon_days * _DAY_NS)
        self._work = threading.RLock()
        self._dirty = threading.Event()
        self._ends = threading.Event()
        self._thread: threading.Thread | None = None

    # Life

    def start(self) -> None:
        """Catch up with the stream `findings`, then fold in a thread whenever something came."""
        self._thread = threading.Thread(target=self._run, name="treering-incidents", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Fold what is waiting and close the book. May be called twice, and without `start`."""
        self._ends.set()
        self._dirty.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        self.book.close()

    def _run(self) -> None:
        self._attempt(self.catch_up)
        while not self._ends.is_set():
            came = self._dirty.wait(_LOOK_S)
            began = time.thread_time()
            self._attempt(self.settle if came else self.resolve_quiet)
            # Folding again and again takes at most a tenth of one core, however many findings there are. Time that
            # others had the processors is not counted: where they are busy, incidents would be late for it twice.
            self._ends.wait(max(_PAUSE_S, 9 * (time.thread_time() - began)))
        if self._dirty.is_set():
            self._attempt(self.settle)

    def _attempt(self, work: Callable[[], object]) -> None:
        try:
            work()
        except Exception:  # noqa: BLE001  the store may be full or closing: what came is kept and folded next time
            self._dirty.set()
            _log.warning("incidents could not be brought up to date", exc_info=True)

    # Findings in

    def take(self, findings: Sequence[Finding]) -> None:
        """Keep findings that were written or updated; they are folded soon.

        Listeners are told first: what a killed process did not keep it is given again, and tells again.
        """
        for listener in self.finding_listeners:
            listener(findings)
        dismissed = {clue.fingerprint for clue in self.book.clues_of(f.fingerprint for f in findings) if clue.dismissed}
        self.book.put_clues(evidence.clues(self._store, findings, dismissed))
        self._dirty.set()

    def triaged(self, fingerprint: str, state: str) -> None:
        """Leave a finding that a person dismissed out of incidents, and take one back in that is not dismissed."""
        for clue in self.book.clues_of([fingerprint]):
            if clue.dismissed is not (state == DISMISSED):
                self.book.put_clues([msgspec.structs.replace(clue, dismissed=state == DISMISSED)])
                self._dirty.set()

    def catch_up(self) -> int:
        """Take the findings of the horizon from the stream `findings`; returns how many were new or changed."""
        if not self._store.streams(FINDINGS):
            return 0
        rows = self._store.run(_newest(FINDINGS, MAX_FINDINGS), Limits(MAX_FINDINGS)).rows
        records = self._store.records(FINDINGS, [row[0] for row in rows])
        found = [finding for record in records.values() if (finding := _finding(record)) is not None]
        known = {clue.fingerprint: clue.finding for clue in self.book.clues_of(f.fingerprint for f in found)}
        fresh = [finding for finding in found if known.get(finding.fingerprint) != finding]
        if fresh:
            self.take(fresh)
        self.settle()
        return len(fresh)

    def settle(self) -> None:
        """Fold everything that has come so far and resolve what is quiet."""
        with self._work:
            self._dirty.clear()
            clues = self._clues()
            self.folded = fold(clues, open_risk=self._open_risk)
            findings = {clue.fingerprint: clue.finding for clue in clues}
            cases = {case.incident.id: case for case in self.book.cases()}
            known = {name: Known(frozenset(c.incident.findings), c.created_ns) for name, c in cases.items()}
            for item in named(self.folded.incidents, known):
                self._bring_up(item, cases, findings)
            self._close_dismissed({clue.fingerprint for clue in clues if clue.dismissed}, cases)
            for case in self.book.unpublished():
                self._publish(case.incident)
            self.book.drop_clues(self.book.newest_end_ns() - self._horizon_ns)
            self.resolve_quiet()

    def _clues(self) -> list[Clue]:
        """Return the findings that may join: those of the horizon, and all of incidents that reach into it."""
        since = self.book.newest_end_ns() - self._horizon_ns
        clues = {clue.fingerprint: clue for clue in self.book.clues(since, MAX_FINDINGS)}
        reaching = [case for case in self.book.cases() if case.incident.end_ns >= since]
        missing = [name for case in reaching for name in case.incident.findings if name not in clues]
        return [*clues.values(), *self.book.clues_of(missing)]

    def _bring_up(self, item: Named, cases: Mapping[str, Case], findings: Mapping[str, Finding]) -> None:
        """Write one folded incident where it differs from what the book says."""
        old = cases.get(item.incident.id)
        now = self._clock.now_ns()
        incident = item.incident if old is None else _with_people(item.incident, old.incident)
        mine = [findings[name] for name in incident.findings if name in findings]
        frozen = evidence.freeze(self._store, mine, self.book.frozen_refs(incident.id), now)
        if old is not None and incident == old.incident and not item.absorbed:
            self.book.freeze(incident.id, frozen)
            return
        with self.book.writing():
            self.book.freeze(incident.id, frozen)
            if old is None:
                self.book.note(incident.id, Change(now, OURSELVES, "state", "", State.OPEN.value))
            elif incident.state is not old.incident.state:
                self.book.note(incident.id, _state_change(now, OURSELVES, old.incident.state, incident.state))
            for absorbed in item.absorbed:
                self._absorb(incident.id, cases[absorbed], now)
            self.book.put_case(Case(incident, now if old is None else old.created_ns, now))
        self._publish(incident)

    def _absorb(self, identifier: str, case: Case, now_ns: int) -> None:
        self.book.put_case(msgspec.structs.replace(case, merged_into=identifier, updated_ns=now_ns))
        self.book.adopt(identifier, case.incident.id)
        self.book.note(identifier, Change(now_ns, OURSELVES, "merged", case.incident.id, identifier))

    def _close_dismissed(self, dismissed: set[str], cases: Mapping[str, Case]) -> None:
        """Close incidents of which nothing is left."""
        for case in cases.values():
            is_open = case.incident.state in (State.OPEN, State.ACKNOWLEDGED)
            if is_open and dismissed.issuperset(case.incident.findings):
                self._change(case, OURSELVES, State.CLOSED, None, "all its findings were dismissed")

    def resolve_quiet(self) -> None:
        """Resolve open incidents of what passes by itself, if nothing was added for `quiet_s` of the records' time.

        One that a person has touched stays for as long by the machine's clock as well. That an attacker or a failed run
        is quiet settles nothing: those stay open until somebody says so.
        """
        with self._work:
            for state in (State.OPEN, State.ACKNOWLEDGED):
                for case in self.book.cases(state):
                    if self._is_quiet(case.incident):
                        self._change(case, OURSELVES, State.RESOLVED, None, "")

    def _is_quiet(self, incident: Incident) -> bool:
        if incident.kind in _STAYING or self._now_ns() - max(incident.end_ns, incident.noticed_ns) <= self._quiet_ns:
            return False
        touched = max((c.at_ns for c in self.book.changes(incident.id) if c.actor != OURSELVES), default=0)
        return self._clock.now_ns() - touched > self._quiet_ns

    # People

    def change(
        self, identifier: str, actor: str, *, state: State | None = None, owner: str | None = None, comment: str = ""
    ) -> Case | None:
        """Do what a person asks and return the case, None when there is none. Raises `UserError` for a long comment."""
        if len(comment) > MAX_COMMENT:
            raise UserError(f"a comment has at most {MAX_COMMENT} characters")
        with self._work:
            case = self.book.case(identifier)
            return None if case is None else self._change(case, actor, state, owner, comment)

    def _change(self, case: Case, actor: str, state: State | None, owner: str | None, comment: str) -> Case:
        old, now = case.incident, self._clock.now_ns()
        incident = msgspec.structs.replace(
            old, state=old.state if state is None else state, owner=old.owner if owner is None else owner[:200]
        )
        changed = Case(incident, case.created_ns, now)
        with self.book.writing():
            if incident.state is not old.state:
                self.book.note(old.id, _state_change(now, actor, old.state, incident.state))
            if incident.owner != old.owner:
                self.book.note(old.id, Change(now, actor, "owner", old.owner, incident.owner))
            if comment:
                self.book.note(old.id, Change(now, actor, "comment", "", comment))
            self.book.put_case(changed)
        if incident != old:
            self._publish(incident)
        return changed

    def note_step(self, identifier: str, step: Step) -> None:
        """Note how a playbook step stands, in the steps and in the history."""
        with self._work, self.book.writing():
            self.book.put_step(identifier, step)
            text = f"{step.playbook}: {step.step}"
            self.book.note(identifier, Change(step.at_ns, step.actor, "step", text, step.state))

    # Out

    def _publish(self, incident: Incident) -> None:
        """Upsert the incident's record in the stream and tell who listens. The desk is the stream's only writer."""
        gone = [incident.id, *self.book.absorbed(incident.id)]
        dead = list(self._store.find_ids(INCIDENTS, gone).values()) if self._store.streams(INCIDENTS) else []
        data = batch(INCIDENTS, [to_record(incident)], received_ns=self._clock.now_ns(), ids=[incident.id])
        self._store.append([data], {INCIDENTS: dead} if dead else {})
        for listener in self.listeners:
            listener([incident])
        self.book.published(incident.id)


def _with_people(incident: Incident, old: Incident) -> Incident:
    """Return the folded incident with its state and owner; one that was done with opens again when it goes on."""
    done = old.state in (State.RESOLVED, State.CLOSED)
    goes_on = incident.end_ns > old.end_ns and not set(incident.findings) <= set(old.findings)
    state = State.OPEN if done and goes_on else old.state
    return msgspec.structs.replace(incident, state=state, owner=old.owner)


def _state_change(at_ns: int, actor: str, before: State, after: State) -> Change:
    return Change(at_ns, actor, "state", before.value, after.value)


def _newest(stream: str, most: int) -> Query:
    column = exp.column(exp.to_identifier("_seq", quoted=True))
    select = exp.select(column).from_(exp.to_table("records")).order_by(exp.Ordered(this=column.copy(), desc=True))
    return Query(select.limit(most), {"records": Scan((stream,), ("_seq",))}, (ResultColumn("_seq", "bigint"),))


def _finding(record: Mapping[str, object]) -> Finding | None:
    try:
        return from_record(dict(record))
    except (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError):
        return None  # a record that somebody else put into the stream

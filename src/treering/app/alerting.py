"""Alerts: what holds becomes groups of alerts on their way to receivers.

Queries are asked by the records' clock, each at every multiple of its `every`, so that a slow or late process asks for
the same windows; groups wait by the machine's clock. All state is in `Alertbook`: a killed process goes on.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

import msgspec

from treering.alert._grouping import Group, Pace, flush
from treering.alert._matching import Matcher, all_hold, matchers
from treering.alert._payload import fingerprint
from treering.app import alert_rules
from treering.app.alert_rules import Asked
from treering.app.alertbook import KEPT_NS, Held, Quiet
from treering.app.config import seconds
from treering.core.errors import TreeringError, UserError
from treering.core.ids import time_id
from treering.model.delivery import Alert, Delivery, Status
from treering.model.times import MAX_NS, rfc3339_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.app.alert_rules import Ask
    from treering.app.alert_settings import Alerts, Route, Rule
    from treering.app.alertbook import Alertbook
    from treering.app.config import Settings
    from treering.core.clock import Clock
    from treering.model.finding import Finding
    from treering.model.incident import Incident

_MOST_STEPS = 60
_log = logging.getLogger(__name__)


class Way(msgspec.Struct, frozen=True):
    """A route ready to use."""

    route: Route
    matchers: tuple[Matcher, ...]
    pace: Pace


class Alerting:
    """Raises, groups and queues alerts. Safe to use from any thread."""

    def __init__(
        self, settings: Alerts, book: Alertbook, clock: Clock, ask: Ask, records_now_ns: Callable[[], int]
    ) -> None:
        """Check the rules and routes. Raises `UserError` for what contradicts itself."""
        self.settings = settings
        self.book = book
        self.ways = [_way(route) for route in settings.routes]
        self.asked = [_asked(rule) for rule in settings.rules if rule.query]
        self._clock = clock
        self._ask = ask
        self._records_now_ns = records_now_ns
        self._lock = threading.RLock()
        self._fixed = [
            Quiet(f"config-{n}", item.matchers, 0, _until(item.until), "configuration", item.comment)
            for n, item in enumerate(settings.silences)
        ]
        for rule in settings.rules:
            alert_rules.check(rule)
        for quiet in self._fixed:
            matchers(quiet.matchers)
        for way in self.ways:
            if way.route.receiver not in settings.receivers:
                raise UserError(f"a route leads to the receiver {way.route.receiver!r}, which is not configured")

    # What holds

    def take_findings(self, findings: Sequence[Finding]) -> None:
        """Raise alerts for findings that were written or updated."""
        with self._lock, self.book.writing():
            for rule in self.settings.rules:
                for finding in findings if rule.findings is not None else ():
                    alert = alert_rules.of_finding(rule, finding)
                    # The same finding may be told again after a crash; only what was added to it is news.
                    if alert and self.book.saw_more(
                        rule.name, finding.fingerprint, finding.count, self._clock.now_ns()
                    ):
                        self._say(alert)

    def take_incidents(self, incidents: Sequence[Incident]) -> None:
        """Raise or resolve alerts for incidents that changed."""
        with self._lock, self.book.writing():
            for rule in self.settings.rules:
                for incident in incidents if rule.incidents is not None else ():
                    if (alert := alert_rules.of_incident(rule, incident)) is not None:
                        self._say(alert)

    def _say(self, alert: Alert) -> None:
        """Keep an alert; one about the same thing under other labels (it got worse) is over."""
        now = self._clock.now_ns()
        identifier = fingerprint(alert.labels)
        old = self.book.alert(identifier)
        for other in self.book.alerts(alert.rule):
            same = (other.alert.finding, other.alert.incident) == (alert.finding, alert.incident)
            if same and other.id != identifier and other.alert.status is Status.FIRING:
                self._end(other, alert.ends_ns or other.alert.ends_ns, now)
        if old is None and alert.status is Status.RESOLVED:
            return  # over before anybody could be told
        self._put(identifier, old, alert, now)

    def _put(self, identifier: str, old: Held | None, alert: Alert, now_ns: int) -> None:
        if old is not None and old.alert.status is Status.FIRING:
            alert = msgspec.structs.replace(alert, starts_ns=old.alert.starts_ns)
        same = old is not None and old.alert.status is alert.status
        changed = old.changed_ns if old is not None and same else now_ns
        self.book.put(Held(identifier, alert, now_ns, changed))

    def _end(self, held: Held, ends_ns: int, now_ns: int) -> None:
        over = msgspec.structs.replace(held.alert, status=Status.RESOLVED, ends_ns=ends_ns or now_ns)
        self.book.put(Held(held.id, over, now_ns, now_ns))

    # By the clocks

    def tick(self) -> None:
        """Ask the queries that are due, end what is over, queue what is to be told."""
        now = self._clock.now_ns()
        last = self.book.asked()
        for asked in self.asked:
            self._catch_up(asked, last.get(asked.rule.name, (0, ""))[0])
        with self._lock:
            self._end_findings(now)
            self._dispatch(now)
            self.book.drop_old(now - KEPT_NS)

    def _catch_up(self, asked: Asked, last_ns: int) -> None:
        """Ask a rule for every step since it was last asked, at most the last 60."""
        until = self._records_now_ns() // asked.every_ns * asked.every_ns
        first = max(last_ns + asked.every_ns, until - (_MOST_STEPS - 1) * asked.every_ns) if last_ns else until
        for at_ns in range(first, until + 1, asked.every_ns):
            error = ""
            try:
                found = alert_rules.ask(asked, self._ask, at_ns)
            except TreeringError as problem:
                # A query that cannot be answered now says nothing: what fires goes on, the error is shown.
                error, found = problem.message, None
            with self._lock, self.book.writing():
                if found is not None:
                    self._compare(asked, found, at_ns)
                self.book.set_asked(asked.rule.name, at_ns, error)

    def _compare(self, asked: Asked, found: Sequence[Alert], at_ns: int) -> None:
        now = self._clock.now_ns()
        rule = asked.rule.name
        before = self.book.pending(rule)
        since = {fingerprint(alert.labels): before.get(fingerprint(alert.labels), at_ns) for alert in found}
        held = {item.id: item for item in self.book.alerts(rule)}
        for alert in found:
            identifier = fingerprint(alert.labels)
            if at_ns - since[identifier] >= asked.hold_ns:
                self._put(identifier, held.get(identifier), alert, now)
        for identifier, item in held.items():
            if identifier not in since and item.alert.status is Status.FIRING:
                self._end(item, at_ns, now)
        self.book.set_pending(rule, since)

    def _end_findings(self, now_ns: int) -> None:
        """End alerts on findings that did not come again, and those of rules that are no more."""
        rules = {rule.name: rule for rule in self.settings.rules}
        for item in self.book.alerts():
            if item.alert.status is not Status.FIRING:
                continue
            rule = rules.get(item.alert.rule)
            if rule is None or (item.alert.finding and now_ns - item.seen_ns >= seconds(rule.resolve_after) * 10**9):
                self._end(item, now_ns, now_ns)

    # To whom

    def _dispatch(self, now_ns: int) -> None:
        quiet = self.silences_now(now_ns)
        groups = self.book.groups()
        held = self.book.alerts()
        gathered: dict[str, tuple[Way, dict[str, str], dict[str, Alert]]] = {}
        for item in held:
            muted = any(all_hold(found, item.alert.labels) for found in quiet)
            for way in self._ways(item.alert.labels):
                labels = {name: item.alert.labels.get(name, "") for name in way.route.group_by}
                key = f"{way.route.receiver}/{self.ways.index(way)}/{fingerprint(labels)}"
                alerts = gathered.setdefault(key, (way, labels, {}))[2]
                if not muted:
                    alerts[item.id] = item.alert
        for key, (way, labels, alerts) in gathered.items():
            self._flush(key, way, labels, alerts, groups.get(key), now_ns)
        self._forget(held, gathered, now_ns)

    def _flush(
        self,
        key: str,
        way: Way,
        labels: dict[str, str],
        alerts: Mapping[str, Alert],
        group: Group | None,
        now_ns: int,
    ) -> None:
        if group is None:
            if not any(alert.status is Status.FIRING for alert in alerts.values()):
                return
            group = Group(now_ns)
            self.book.put_group(key, group)
        found = flush(group, alerts, way.pace, now_ns)
        if found is None:
            return
        told = tuple(found.alerts[name] for name in sorted(found.alerts))
        delivery = Delivery(time_id(now_ns), way.route.receiver, labels, told, now_ns)
        with self.book.writing():
            if told:
                self.book.queue(delivery, key)
            # A group in which nothing fires has ended; the next alert in it waits for others again.
            self.book.put_group(key, found.group if found.group.firing else None)

    def _ways(self, labels: Mapping[str, str]) -> list[Way]:
        found = []
        for way in self.ways:
            if all_hold(way.matchers, labels):
                found.append(way)
                if not way.route.go_on:
                    break
        return found

    def _forget(self, held: Sequence[Held], gathered: Mapping[str, object], now_ns: int) -> None:
        """Forget alerts that are over and that nobody is still to be told about."""
        waiting = {name for key, group in self.book.groups().items() if key in gathered for name in group.firing}
        for item in held:
            over = item.alert.status is Status.RESOLVED
            if over and (item.id not in waiting or now_ns - item.changed_ns > KEPT_NS):
                self.book.forget(item.id)

    # Silences

    def silences(self) -> list[Quiet]:
        """Return all silences, those of the configuration included."""
        return [*self._fixed, *self.book.silences()]

    def silences_now(self, now_ns: int) -> list[tuple[Matcher, ...]]:
        """Return the conditions of the silences that hold at `now_ns`."""
        return [matchers(q.matchers) for q in self.silences() if q.starts_ns <= now_ns < q.ends_ns]

    def silence(self, texts: Sequence[str], ends_ns: int, author: str, comment: str) -> Quiet:
        """Silence what the matchers describe until `ends_ns`. Raises `UserError`."""
        if not texts:
            raise UserError("a silence needs at least one matcher", hint='as alertname="error rate"')
        if len(texts) > 20 or len(comment) > 2000:
            raise UserError("a silence has at most 20 matchers and 2000 characters of comment")
        now = self._clock.now_ns()
        if ends_ns <= now:
            raise UserError("a silence ends in the future")
        written = tuple(str(item) for item in matchers(texts))
        quiet = Quiet(time_id(now), written, now, ends_ns, author, comment)
        self.book.put_silence(quiet)
        return quiet

    def expire(self, identifier: str) -> Quiet | None:
        """End a silence now and return it; None when there is none. One of the configuration ends there only."""
        for quiet in self.book.silences():
            if quiet.id == identifier:
                ended = msgspec.structs.replace(quiet, ends_ns=min(quiet.ends_ns, self._clock.now_ns()))
                self.book.put_silence(ended)
                return ended
        return None


def _way(route: Route) -> Way:
    pace = Pace(
        seconds(route.group_wait), seconds(route.group_interval), seconds(route.repeat_interval), route.resolved
    )
    if pace.repeat_s <= 0:
        raise UserError("repeat_interval is at least 1s")
    return Way(route, matchers(route.matchers), pace)


def _asked(rule: Rule) -> Asked:
    window, every, hold = (seconds(text) * 10**9 for text in (rule.window, rule.every, rule.hold))
    if not window or not every:
        raise UserError(f"window and every of alert rule {rule.name!r} are at least 1s")
    return Asked(rule, window, every, hold)


def _until(text: str) -> int:
    if not text:
        return MAX_NS
    if (found := rfc3339_ns(text)) is None:
        raise UserError(f"{text[:60]!r} is not a time", hint="write 2026-11-24T08:00:00Z")
    return found


def checked(settings: Settings) -> None:
    """Raise `UserError` for `[alerts]` that contradicts itself, secrets of receivers aside."""
    from treering.app.alertbook import Alertbook
    from treering.core.clock import SystemClock

    book = Alertbook(None)
    Alerting(settings.alerts, book, SystemClock(), lambda *_: (), lambda: 0)
    book.close()

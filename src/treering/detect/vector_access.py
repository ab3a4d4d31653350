"""Unauthorised access to vector databases, from their audit trails and from retrieval spans.

Refusals close together, a grant that follows them, a collection read by somebody who was refused before or never read
it, a key that spoke for the first time long after it was made or after a long silence, refused deletions and changes,
documents of one tenant retrieved for another. A principal that has kept to few addresses, clients, tenants and
collections, or never made a backup, is told when it does otherwise; reading that is three times what it ever was for
three hours; somebody who is shown new documents again and again, many more than others. A single refusal is nothing.
History decides what is usual; at the beginning everything is new.

Misses: theft at the pace that was always usual, sharing of keys from one address, stores without an audit trail.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect import _access_examples
from treering.detect import _access_notice as notice_of
from treering.detect._access import (
    ACCESS,
    ADMIN,
    DELETE,
    DENIED,
    EXPORT,
    GRANT,
    READ,
    REASON,
    ROLE,
    WIDENED,
    Event,
    events,
    is_audited,
)
from treering.detect._access_notice import Notice, told
from treering.detect._entitlements import Entitlement, Entitlements
from treering.detect._fold import folded
from treering.detect._principals import Collection, Principal, State, is_unusual, more_than_ever, surprises
from treering.detect._recent import recent
from treering.detect._refusals import burst_since, likely
from treering.detect._whom import restored
from treering.model.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "vector_access"
EXAMPLES = _access_examples.EXAMPLES
ORDER_FREE = False
"""What a grant or a read means depends on the refusals before it."""
_S = 1_000_000_000
_MOST_PRINCIPALS, _MOST_TRACED = 5_000, 3_000
_MOST_COLLECTIONS = 200
_FEW = 3
_DAY_NS = 86_400 * _S


class Config(BaseConfig, frozen=True):
    """From when on access is unusual."""

    burst: Annotated[int, Meta(ge=2, description="refusals within ten seconds that are a burst")] = 6
    slow_burst: Annotated[
        int, Meta(ge=2, description="refusals within `window_s` that are one if most of what is asked is refused")
    ] = 5
    window_s: Annotated[float, Meta(gt=0, description="seconds over which slow refusals count")] = 900.0
    linked_s: Annotated[
        float, Meta(gt=0, description="seconds after refusals in which a grant or a read belongs to them")
    ] = 7200.0
    bulk_reads: Annotated[int, Meta(ge=2, description="reads within ten seconds of a collection new to its reader")] = (
        25
    )
    dormant_days: Annotated[
        float, Meta(gt=0, description="days of silence, or of history before somebody new is unusual")
    ] = 14.0
    habit_accesses: Annotated[int, Meta(ge=1, description="accesses after which a principal has habits")] = 100
    habit_s: Annotated[float, Meta(ge=0, description="seconds after which a principal has habits")] = 3600.0
    habit_values: Annotated[
        int, Meta(ge=1, description="addresses, clients, tenants or collections that are few enough to be a habit")
    ] = 3
    more: Annotated[float, Meta(gt=1, description="times the usual reads or documents that are scraping")] = 3.0
    documents: Annotated[int, Meta(ge=10, description="documents shown to one principal that can be scraping")] = 100
    entitlements: Annotated[tuple[Entitlement, ...], Meta(description="who may do what, declared")] = ()
    deny_by_default: Annotated[
        bool, Meta(description="whether what no entitlement allows is told, where any are declared")
    ] = True


class VectorAccess:
    """Follows each principal's accesses."""

    streams = frozenset({"logs", "spans"})
    every_s = 0.0

    def __init__(self, config: Config) -> None:
        """Start without history."""
        self._config = config
        self._state = State()
        self._entitled = Entitlements(config.entitlements, deny_by_default=config.deny_by_default)

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return what the batch shows; several findings of one key fold into one."""
        found: list[Finding] = []
        self._state.audited = self._state.audited or is_audited(rows)
        for event in events(rows):
            if not (event.explains and self._state.audited):
                found += self._take(rows, event)
        found += self._state.tenants.foreign_documents(rows, NAME)
        for scraped in self._state.coverage.look(rows, self._config.documents, self._config.more):
            event = Event(scraped.row, int(rows.times[scraped.row]), READ, scraped.principal, (scraped.collection,))
            found.append(told(rows, event, notice_of.scraping(scraped)))
        return folded(found)

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  nothing is due by time
        """Return nothing: all is said when it is seen."""
        return ()

    def save(self) -> bytes:
        """Return the history."""
        return msgspec.msgpack.encode(self._state)

    def restore(self, state: bytes) -> None:
        """Go on from `state`; raises `ValueError`."""
        self._state = restored(state, State)

    def _take(self, rows: Rows, event: Event) -> list[Finding]:
        state = self._state
        state.first_ns = state.first_ns or event.at_ns
        if event.kind in (ROLE, WIDENED):
            return self._role(rows, event)
        if event.kind == GRANT and event.groups:
            members = [name for name, who in state.principals.items() if set(event.groups) & set(who.groups)]
            return self._granted_to(rows, event, members)
        if not event.principal:
            return []
        refused = self._not_entitled(rows, event)
        if event.traced:
            return [*refused, *self._traced(rows, event)]
        return [*refused, *self._audited(rows, event)]

    def _role(self, rows: Rows, event: Event) -> list[Finding]:
        """Learn what a role opens; one that is widened gives more to all who have it."""
        held, name = self._state.roles, event.roles[0]
        if event.kind == ROLE:
            if len(held) < _MOST_PRINCIPALS:
                held[name] = event.collections
            return []
        if name in held:
            held[name] = tuple(dict.fromkeys((*held[name], *event.collections)))
        holders = [user for user, who in self._state.principals.items() if name in who.roles]
        return self._granted_to(rows, event, holders)

    def _granted_to(self, rows: Rows, event: Event, names: Sequence[str]) -> list[Finding]:
        by, principals = event.by or event.principal, self._state.principals
        to = [(event._replace(principal=name, by=by), principals[name]) for name in names]
        return [finding for one, who in to for finding in self._granted(rows, one, who)]

    def _audited(self, rows: Rows, event: Event) -> list[Finding]:
        """Take in a line of an audit trail."""
        who = self._principal(event)
        if event.groups:
            who.groups = list(event.groups[:_MOST_COLLECTIONS])
        if event.kind == REASON:
            return self._explained(rows, event, who)
        if event.kind == GRANT:
            return self._granted(rows, event, who)
        if event.kind == DENIED:
            return self._denied(rows, event, who)
        return self._allowed(rows, event, who)

    def _traced(self, rows: Rows, event: Event) -> list[Finding]:
        """Take in what an application did for somebody.

        Refusals and reads after them count as in an audit trail, and so do the collections and the first backup of
        services and keys; people come and go as they like, so what they ask is not followed, and a long silence is of
        low severity.
        """
        who, now = self._principal(event), event.at_ns
        if event.kind == DENIED:
            return self._denied(rows, event._replace(tenant=""), who)
        found = []
        silent_ns = now - who.last_ns if who.last_ns else 0
        if silent_ns > self._config.dormant_days * _DAY_NS:
            found.append(told(rows, event, notice_of.dormant(event, silent_ns / _S, now)))
        forced = [name for name in event.collections if event.verb == READ and self._is_forced(name, now, who)]
        found += [self._foreign(rows, event, name, Collection(now, reads=1), who) for name in forced]
        found += self._of_others(rows, event)
        if not event.personal:
            found += self._unlike_itself(rows, event._replace(tenant=""), who)
            names = () if forced or event.verb != READ else event.collections
            found += [finding for name in names for finding in self._beside_its_own(rows, event, who, name)]
        self._counted(event, who)
        return found

    def _of_others(self, rows: Rows, event: Event) -> list[Finding]:
        """Tell a tenant that reads a collection which only another one read so far."""
        least, long_ns = self._config.habit_accesses, int(self._config.habit_s * _S)
        names = event.collections if event.tenant and event.verb == READ else ()
        owners = {name: self._state.tenants.intrudes(event, name, least, long_ns) for name in names}
        return [told(rows, event, notice_of.of_another_tenant(event, name, o)) for name, o in owners.items() if o]

    def _beside_its_own(self, rows: Rows, event: Event, who: Principal, name: str) -> list[Finding]:
        """Tell what a service or a key reads beside the few collections that it kept to."""
        known = self._known(event, who, name)
        if known is None or not known.unusual:
            return []
        known.reads += 1
        if known.reads >= self._config.bulk_reads:
            return [self._foreign(rows, event, name, known, who)]
        return [told(rows, event, notice_of.new_collection(event, name, known))] if known.reads == _FEW else []

    def _not_entitled(self, rows: Rows, event: Event) -> list[Finding]:
        """Tell what was let through although nobody declared that it may be, once a day."""
        if not self._entitled or event.kind != ACCESS:
            return []
        found = []
        for name in event.collections:
            why = self._entitled.refusal(event.principal, name, event.tenant, event.verb)
            if why:
                found.append(told(rows, event, notice_of.not_entitled(event, name, why)))
        return found

    def _principal(self, event: Event) -> Principal:
        known, most = (self._state.traced, _MOST_TRACED) if event.traced else (self._state.principals, _MOST_PRINCIPALS)
        return recent(known, event.principal, most, Principal, event.at_ns)

    def _denied(self, rows: Rows, event: Event, who: Principal) -> list[Finding]:
        window_ns = int(self._config.window_s * _S)
        who.refused = [at for at in (*who.refused, event.at_ns) if abs(event.at_ns - at) <= window_ns][-200:]
        if len(who.refused) == 1:
            who.allowed = 0
        for name in event.collections:
            who.wanted[name] = event.at_ns
        found = self._unlike_itself(rows, event, who)
        if event.verb in (DELETE, ADMIN, EXPORT):
            found.append(self._forbidden_change(rows, event, who))
        return [*found, *self._probed(rows, event, who)]

    def _probed(self, rows: Rows, event: Event, who: Principal) -> list[Finding]:
        """Tell the refusals until now where they are a burst."""
        since = burst_since(who, event.at_ns, self._config.burst, self._config.slow_burst)
        if not since:
            return []
        if not who.burst_end_ns or event.at_ns - who.burst_end_ns > int(self._config.window_s * _S):
            who.burst_ns = since
        who.burst_end_ns = max(who.burst_end_ns, event.at_ns)
        return [self._burst(rows, event, who)]

    def _explained(self, rows: Rows, event: Event, who: Principal) -> list[Finding]:
        """Learn which collection a refusal was about."""
        for name in event.collections:
            if len(who.wanted) < _MOST_COLLECTIONS:
                who.wanted[name] = event.at_ns
        in_burst = who.burst_end_ns and abs(event.at_ns - who.burst_end_ns) <= 10 * _S
        if not in_burst:
            return self._probed(rows, event, who)
        return [self._burst(rows, event, who)] if event.collections else []

    def _burst(self, rows: Rows, event: Event, who: Principal, *, inferred: bool = False) -> Finding:
        since = who.burst_ns - _S
        names = tuple(name for name, at in who.wanted.items() if at >= since)
        facts = {"refused": len(who.refused), "window_s": self._config.window_s}
        facts |= {"collection_inferred": True} if inferred else {}
        return told(rows, event, notice_of.refused_again(event, names, who.burst_ns, facts))

    def _granted(self, rows: Rows, event: Event, who: Principal) -> list[Finding]:
        if event.kind == GRANT:
            who.roles = list(dict.fromkeys((*who.roles, *event.roles)))[-_MOST_COLLECTIONS:]
        linked = who.burst_end_ns and 0 <= event.at_ns - who.burst_end_ns <= self._config.linked_s * _S
        if not linked:
            return []
        known = self._state.roles
        opened = event.collections or tuple(name for role in event.roles for name in known.get(role, ()))
        wanted = [name for name, at in who.wanted.items() if event.at_ns - at <= self._config.linked_s * _S]
        likely = [name for name in wanted if any(name.lower() in role.lower() for role in event.roles)]
        names = opened or tuple(likely or wanted)
        who.granted_ns = event.at_ns
        who.granted = dict.fromkeys(names, event.at_ns)
        found = [told(rows, event, notice_of.granted(event, names, len(who.refused)))]
        if names and not wanted:  # its refusals did not say what they were about: what it got is what it wanted
            who.wanted = dict.fromkeys(names, who.burst_end_ns)
            found.append(self._burst(rows, event, who, inferred=True))
        return found

    def _allowed(self, rows: Rows, event: Event, who: Principal) -> list[Finding]:
        found = self._unlike_itself(rows, event, who)
        if not event.collections:
            return found
        found += self._awake(rows, event, who) if event.verb == READ else []
        for name in event.collections:
            if event.verb == READ:
                found += self._read(rows, event, who, name)
        self._counted(event, who)
        self._state.accesses += 1
        return found

    def _counted(self, event: Event, who: Principal) -> None:
        who.first_ns = who.first_ns or event.at_ns
        who.last_ns = max(who.last_ns, event.at_ns)
        who.allowed += 1
        who.accesses += 1

    def _settled(self, event: Event, who: Principal) -> bool:
        """Whether a principal has been there for long enough to have habits."""
        since_ns = event.at_ns - who.first_ns if who.first_ns else 0
        return who.accesses >= self._config.habit_accesses and since_ns >= self._config.habit_s * _S

    def _unlike_itself(self, rows: Rows, event: Event, who: Principal) -> list[Finding]:
        """Tell an address, a client or a tenant beside those that a principal kept to, and its first backup."""
        settled, found = self._settled(event, who), []
        shown = {"address": event.address, "client": event.client, "tenant": event.tenant}
        for kind, value in shown.items():
            if value and surprises(who, kind, value, settled, self._config.habit_values):
                found.append(told(rows, event, notice_of.unlike_itself(event, kind, value)))
        if event.verb == EXPORT and event.kind != DENIED and surprises(who, EXPORT, EXPORT, settled, 0):
            notice = Notice(
                "export", f"{event.principal} makes its first backup", (event.principal,), event.collections
            )
            found.append(told(rows, event, notice))
        return found

    def _read(self, rows: Rows, event: Event, who: Principal, name: str) -> list[Finding]:
        now = event.at_ns
        known = self._known(event, who, name)
        if known is None:
            return []
        known.reads += 1
        known.recent = [at for at in (*known.recent, now) if abs(now - at) <= 10 * _S][-self._config.bulk_reads :]
        bulk, most = len(known.recent) >= self._config.bulk_reads, 2 * self._config.bulk_reads
        late = who.first_ns and known.first_ns - who.first_ns > 5 * _S and who.accesses > self._config.bulk_reads
        known.flagged = known.flagged or bool(bulk and known.reads <= most and (late or who.awake_ns))
        known.flagged = known.flagged or (known.unusual and known.reads >= self._config.bulk_reads)
        if not known.flagged:
            return self._slowly(rows, event, known, name)
        found = [self._foreign(rows, event, name, known, who)]
        found += [self._change(rows, event._replace(at_ns=at), (name,), at) for at in who.unexplained]
        who.unexplained = []
        return found

    def _known(self, event: Event, who: Principal, name: str) -> Collection | None:
        """Return what is known of a principal's reading of a collection; None where it reads too many."""
        known = who.collections.get(name)
        if known is None and len(who.collections) < _MOST_COLLECTIONS:
            known = who.collections[name] = Collection(event.at_ns)
            known.flagged = self._is_forced(name, event.at_ns, who)
            known.unusual = surprises(who, "collection", name, self._settled(event, who), self._config.habit_values)
        return known

    def _foreign(self, rows: Rows, event: Event, name: str, known: Collection, who: Principal) -> Finding:
        return told(rows, event, notice_of.foreign_read(event, name, known, refused_before=name in who.wanted))

    def _slowly(self, rows: Rows, event: Event, known: Collection, name: str) -> list[Finding]:
        """Tell the first reads of a collection that is new to somebody with habits, and hours of much more reading."""
        if known.unusual and known.reads == _FEW:
            return [told(rows, event, notice_of.new_collection(event, name, known))]
        reads = more_than_ever(known, event.at_ns, self._config.more, self._config.bulk_reads)
        return [told(rows, event, notice_of.hours_of_reading(event, name, reads))] if reads else []

    def _is_forced(self, name: str, now: int, who: Principal) -> bool:
        """Return whether a first read follows refusals, or a grant that followed refusals."""
        linked_ns = self._config.linked_s * _S
        after_burst = who.burst_end_ns and 0 <= now - who.burst_end_ns <= linked_ns and name in who.wanted
        opened = not who.granted or name in who.granted  # what a role opens is not always known
        after_grant = who.granted_ns and 0 <= now - who.granted_ns <= linked_ns and opened
        return bool(after_burst or after_grant)

    def _awake(self, rows: Rows, event: Event, who: Principal) -> list[Finding]:
        now = event.at_ns
        if not who.awake_ns and is_unusual(self._state, who, now, int(self._config.dormant_days * _DAY_NS)):
            who.awake_ns = now
        if not who.awake_ns or now - who.awake_ns > 60 * _S:
            if who.awake_ns and now - who.last_ns > self._config.dormant_days * 86400 * _S:
                who.awake_ns = 0
            return []
        silent_s = (who.awake_ns - (who.last_ns if who.last_ns < who.awake_ns and who.last_ns else who.named_ns)) / _S
        return [told(rows, event, notice_of.dormant(event, silent_s, who.awake_ns))]

    def _forbidden_change(self, rows: Rows, event: Event, who: Principal) -> Finding:
        names = event.collections or likely(who, event.at_ns, int(self._config.linked_s * _S))
        if not who.changes_ns or event.at_ns - who.changes_ns[1] > 60 * _S:
            who.changes_ns = [event.at_ns, event.at_ns]
        who.changes_ns[1] = max(who.changes_ns[1], event.at_ns)
        if not names:
            who.unexplained = [*who.unexplained, who.changes_ns[0]][-5:]
        return self._change(rows, event, names, who.changes_ns[0])

    def _change(self, rows: Rows, event: Event, names: tuple[str, ...], first_ns: int) -> Finding:
        return told(rows, event, notice_of.refused_change(event, names, first_ns))


def build(config: Config) -> VectorAccess:
    """Return the detector."""
    return VectorAccess(config)

"""`Clue`: a finding with what its evidence says about where it happened."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec

from treering.correlate.family import domain, family
from treering.correlate.kinds import canonical, kinds
from treering.model.finding import Entity, Finding

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

# Field of a record to kind of place. Identities are left out on purpose: that one slow call among a thousand was a
# certain user's does not make the slowness about that user.
_PLACES = {
    "serviceName": "service",
    "attributes.tenant.id": "tenant",
    "attributes.app.route": "route",
    "attributes.http.route": "endpoint",
    "attributes.gen_ai.request.model": "model",
    "attributes.server.address": "host",
    "resource.attributes.host.name": "host",
    "attributes.gen_ai.tool.name": "tool",
    "attributes.db.collection.name": "collection",
}
# What a record of a proxy, which knows no routes, says of where it went.
_PATH = "attributes.url.path"
_SHARE, _NEARLY_ALL = 0.5, 0.8
_ENTRY = "entry"


class Clue(msgspec.Struct, frozen=True, omit_defaults=True, dict=True):
    """What the fold works on: a finding, and the places that most of its evidence records name.

    `entries` says where the trace of each record came in, as far as it is known: the route or name of its first span.
    A dismissed one (a person said that it is nothing) takes no part.
    """

    finding: Finding
    context: tuple[Entity, ...] = ()
    dismissed: bool = False
    entries: tuple[str, ...] = ()

    @cached_property
    def fingerprint(self) -> str:
        """The finding's identity."""
        return self.finding.fingerprint

    @cached_property
    def family(self) -> str:
        """The family of incident it belongs to."""
        return family(self.finding)

    @cached_property
    def domain(self) -> str:
        """What it can share a cause with."""
        return domain(self.family, self.finding.detector)

    @cached_property
    def named(self) -> frozenset[Entity]:
        """The entities that the finding itself names, under comparable kinds."""
        return frozenset(canonical(entity) for entity in self.finding.entities)

    @cached_property
    def entities(self) -> frozenset[Entity]:
        """Those, and the places of its evidence where the finding names none of that kind.

        A shift of a distribution shows what is usual now, wherever it happens to be: its evidence says no place.
        """
        if self.family == "drift":
            return self.named
        own = {entity.kind for entity in self.named}
        entry = {Entity(_ENTRY, name) for name, share in self.came_in.items() if share >= _NEARLY_ALL}
        return self.named | entry | {entity for entity in map(canonical, self.context) if entity.kind not in own}

    @cached_property
    def came_in(self) -> Mapping[str, float]:
        """Where the traces of its evidence came in, with the share of each place."""
        return {name: count / len(self.entries) for name, count in Counter(self.entries).items()}

    @cached_property
    def sampled(self) -> frozenset[str]:
        """Trace ids of the evidence that the finding does not name: samples of what it is about."""
        own = set(self.finding.values("trace"))
        return frozenset(item.trace_id for item in self.finding.evidence if item.trace_id) - own

    @cached_property
    def traces(self) -> frozenset[str]:
        """Trace ids that it names or samples."""
        return self.sampled | set(self.finding.values("trace"))

    @cached_property
    def records(self) -> frozenset[tuple[str, int]]:
        """Where its evidence is in the store."""
        return frozenset((item.stream, item.seq) for item in self.finding.evidence if item.seq >= 0)

    @cached_property
    def who(self) -> frozenset[Entity]:
        """Whose doing it is, where the finding names somebody."""
        return frozenset(entity for entity in self.named if entity.kind in kinds().who)


def context(records: Iterable[Mapping[str, Any]]) -> tuple[Entity, ...]:
    """Return the places that at least half of `records` (evidence, as their senders wrote them) name."""
    counts: Counter[Entity] = Counter()
    total = 0
    for record in records:
        total += 1
        counts.update(_places(record))
    return tuple(sorted(entity for entity, count in counts.items() if count >= _SHARE * total))


def _places(record: Mapping[str, Any]) -> set[Entity]:
    named = [(kind, _look_up(record, name.split("."))) for name, kind in _PLACES.items()]
    if not any(kind == "endpoint" and value for kind, value in named):
        named.append(("endpoint", _look_up(record, _PATH.split("."))))
    return {Entity(kind, value) for kind, value in named if isinstance(value, str) and value}


def _look_up(record: Any, steps: Sequence[str]) -> Any:
    """Return a field whose name may be nested, dotted, or both."""
    for count in range(len(steps), 0, -1):
        if not isinstance(record, dict):
            return None
        name = ".".join(steps[:count])
        if name in record:
            found = record[name] if count == len(steps) else _look_up(record[name], steps[count:])
            if found is not None:
                return found
    return None

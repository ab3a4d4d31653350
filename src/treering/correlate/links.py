"""Which findings belong together, and how strongly.

A link adds up what two findings share: identities count fully, places little, each entity the less the more unlike
findings carry it at that time (the idea of inverse document frequency, Spärck Jones, "A statistical interpretation of
term specificity", 1972, with domains of findings and people in place of documents). So a gateway that everything
passes, or a credential that everybody uses, links nothing by itself.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from treering.correlate.family import ANY
from treering.correlate.kinds import is_identity, kinds, weight
from treering.model.finding import Entity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.correlate.clue import Clue

MINUTE = 60 * 10**9
_NEIGHBOURS = 32
_FREE_USERS = 3
_A_TENANT = 3
_GATE = 0.2
# Whom an attack concerned may do something else within the hour.
_ANOTHER_STORY = 0.8
_MOST_AFFINITY = 0.3
_MEASURED = frozenset({"performance", "availability"})
_SAMPLING = _MEASURED | {"quality", "cost"}
_DISTRIBUTION = "drift"
_CONTRADICTING = ("endpoint", "route", "model", "run", "host")
_FEW = 4
_LONG = frozenset({"trace", "session", "run"})


class Rules(msgspec.Struct, frozen=True):
    """Bounds of the fold, times in nanoseconds."""

    threshold: float = 0.5
    identity_gap_ns: int = 60 * MINUTE
    place_gap_ns: int = 30 * MINUTE
    long_gap_ns: int = 360 * MINUTE
    onset_ns: int = 10 * MINUTE
    instant_ns: int = 2 * MINUTE


class _Seen(NamedTuple):
    """What all findings together say: how crowded entities are, by stretch of time; which services call which."""

    crowds: dict[Entity, list[tuple[int, float]]]
    dependent: frozenset[frozenset[str]]
    starts: dict[Entity, list[int]]

    def is_busy(self, service: str, at_ns: int, rules: Rules) -> bool:
        """Whether so much begins in a service around an instant that beginning together is chance."""
        starts = self.starts.get(Entity("service", service), [])
        near, instant = 15 * MINUTE, rules.instant_ns
        around = bisect_right(starts, at_ns + near) - bisect_left(starts, at_ns - near)
        together = bisect_right(starts, at_ns + instant) - bisect_left(starts, at_ns - instant)
        return around - together > _FEW


class Link(msgspec.Struct, frozen=True, order=True):
    """Two findings by their fingerprints, how strongly they are linked, and through what.

    `sure` where identities or records that both show link them by themselves.
    """

    one: str
    other: str
    score: float
    through: tuple[Entity, ...] = ()
    sure: bool = False


def links(clues: Sequence[Clue], rules: Rules) -> list[Link]:
    """Return every pair that shares something within its window, with its score; the order of `clues` is irrelevant.

    Of the carriers of one entity each is compared with the next 32 in time, so the work grows with the number of
    findings, not with its square.
    """
    ordered = sorted(clues, key=lambda clue: (clue.finding.start_ns, clue.fingerprint))
    carriers = _carriers(ordered)
    samples = _samples(ordered)
    crowds = {entity: _crowds(entity, group, rules) for entity, group in carriers.items()}
    starts = {e: [clue.finding.start_ns for clue in group] for e, group in carriers.items() if e.kind == "service"}
    seen = _Seen(crowds, _dependent(samples), starts)
    reach = [(group, _window(entity.kind, rules)) for entity, group in carriers.items()]
    reach += [(group, rules.long_gap_ns) for group in samples.values()]
    reach += [(group, rules.instant_ns) for group in (ordered, *_measured(ordered).values())]
    found = {}
    for group, gap_ns in reach:
        for one, other in _neighbours(group, gap_ns):
            pair = (one.fingerprint, other.fingerprint)
            if pair not in found:
                found[pair] = _link(one, other, seen, rules)
    return sorted(link for link in found.values() if link.score > 0)


def gap(one: Clue, other: Clue) -> int:
    """Return the nanoseconds between two findings, 0 when they overlap."""
    first, second = one.finding, other.finding
    return max(0, max(first.start_ns, second.start_ns) - min(first.end_ns, second.end_ns))


def _carriers(ordered: Sequence[Clue]) -> dict[Entity, list[Clue]]:
    found: dict[Entity, list[Clue]] = defaultdict(list)
    for clue in ordered:
        for entity in clue.entities:
            found[entity].append(clue)
    return found


def _samples(ordered: Sequence[Clue]) -> dict[object, list[Clue]]:
    """Return the findings by the traces and records that they show."""
    found: dict[object, list[Clue]] = defaultdict(list)
    for clue in ordered:
        for sample in (*clue.traces, *clue.records):
            found[sample].append(clue)
    return found


def _dependent(samples: Mapping[object, Sequence[Clue]]) -> frozenset[frozenset[str]]:
    """Return the pairs of services that findings show in one trace: one of them calls the other."""
    found = set()
    for sample, clues in samples.items():
        if isinstance(sample, str):
            services = sorted({e.value for clue in clues for e in clue.entities if e.kind == "service"})
            found |= {frozenset(pair) for pair in combinations(services[:_NEIGHBOURS], 2)}
    return frozenset(found)


def _measured(ordered: Sequence[Clue]) -> dict[tuple[str, str], list[Clue]]:
    """Return measured findings by their rule."""
    found: dict[tuple[str, str], list[Clue]] = defaultdict(list)
    for clue in ordered:
        if clue.family in _MEASURED:
            found[clue.finding.detector, clue.finding.rule].append(clue)
    return found


def _neighbours(group: Sequence[Clue], gap_ns: int) -> Iterator[tuple[Clue, Clue]]:
    """Yield each finding with the next ones of the group that begin before its end and `gap_ns` more."""
    for place, one in enumerate(group):
        for other in group[place + 1 : place + 1 + _NEIGHBOURS]:
            if other.finding.start_ns - one.finding.end_ns > gap_ns:
                break  # the group is in order of start: those after it are further away
            yield one, other


def _crowds(entity: Entity, group: Sequence[Clue], rules: Rules) -> list[tuple[int, float]]:
    """Return, for each stretch of time in which the entity is busy, its end and how many unlike ones share it."""
    stretches: list[tuple[int, list[Clue]]] = []
    for clue in group:
        if stretches and clue.finding.start_ns - stretches[-1][0] <= rules.identity_gap_ns:
            end, members = stretches[-1]
            members.append(clue)
            stretches[-1] = (max(end, clue.finding.end_ns), members)
        else:
            stretches.append((clue.finding.end_ns, [clue]))
    return [(end, _crowd(entity, members)) for end, members in stretches]


def _crowd(entity: Entity, members: Sequence[Clue]) -> float:
    domains = len({clue.domain for clue in members})
    # Where something breaks several detectors speak up, so a place may have one more domain than an identity.
    crowd = float(domains if is_identity(entity.kind) else max(1, domains - 1))
    if entity.kind in kinds().shared_by_many:
        others = {who for clue in members for who in clue.who if who != entity and who.kind != entity.kind}
        crowd *= max(1.0, len(others) / _FREE_USERS)
    if entity.kind in kinds().of_one_tenant:
        tenants = {own[0] for clue in members if len(own := [e for e in clue.entities if e.kind == "tenant"]) == 1}
        crowd *= _A_TENANT * len(tenants) if len(tenants) > 1 else 1.0  # the account of something all of them pass
    return crowd


def _link(one: Clue, other: Clue, seen: _Seen, rules: Rules) -> Link:
    apart = gap(one, other)
    named = one.named | other.named
    # That two services run on one host says something only where one of the findings is about the host.
    shared = sorted(e for e in one.entities & other.entities if e.kind != "host" or e in named)
    start = other.finding.start_ns
    rarity = {e: 1 / _crowd_at(seen.crowds[e], start) for e in shared}
    attack = one.domain == other.domain == "security"
    identities = places = 0.0
    through = []
    for entity in shared:
        value = weight(entity.kind, attack=attack) * rarity[entity] / _company(entity.kind, one, other)
        if not value or apart > _window(entity.kind, rules):
            continue
        through.append(entity)
        if is_identity(entity.kind):
            identities += value
        else:
            places += value
    if "security" in (one.domain, other.domain) and one.domain != other.domain:
        identities *= _ANOTHER_STORY
    places *= _agreement(one, other)
    records = _records_shared(one, other)
    samples = max(records, _calls_shared(one, other, rules))
    together = identities + places + samples + _at_once(one, other, seen, rules)
    score = together + (_affinity(one, other, rules) if together >= _GATE else 0.0)
    sure = identities + records >= rules.threshold
    return Link(one.fingerprint, other.fingerprint, round(score, 6), tuple(through), sure)


def _company(kind: str, one: Clue, other: Clue) -> int:
    """Return among how many of its kind a shared identity stands: one of eight users may just have been there."""
    if kind in _LONG or not is_identity(kind):
        return 1
    return max(sum(entity.kind == kind for entity in clue.named) for clue in (one, other)) or 1


def _crowd_at(stretches: Sequence[tuple[int, float]], at_ns: int) -> float:
    return next((crowd for end, crowd in stretches if at_ns <= end), stretches[-1][1])


def _window(kind: str, rules: Rules) -> int:
    if kind in _LONG:
        return rules.long_gap_ns
    return rules.identity_gap_ns if is_identity(kind) else rules.place_gap_ns


def _agreement(one: Clue, other: Clue) -> float:
    """Return how far shared places count: not between an attack and anything else, less where the two contradict."""
    factor = 1.0
    if one.domain != other.domain and ANY not in (one.domain, other.domain):
        if "security" in (one.domain, other.domain):
            return 0.0
        factor = 0.9
    if one.who and other.who and not one.who & other.who and not _is_campaign(one, other):
        factor *= 0.5
    for kind in _CONTRADICTING:
        known = (clue.named if kind == "host" else clue.entities for clue in (one, other))
        mine, theirs = ({e.value for e in found if e.kind == kind} for found in known)
        if mine and theirs and not mine & theirs and (kind != "endpoint" or _share_a_service(one, other)):
            factor *= 0.4
    return factor * _common_entry(one, other)


def _common_entry(one: Clue, other: Clue) -> float:
    """Return how far the traces of the two came in at the same places, .3 to 1; 1 where that is not known.

    What all routes pass (an endpoint behind the gateway) so links with a route as far as it was slow for that route.
    """
    if not one.came_in or not other.came_in or _DISTRIBUTION in (one.family, other.family):
        return 1.0
    return max(0.3, sum(min(share, other.came_in.get(name, 0.0)) for name, share in one.came_in.items()))


def _is_campaign(one: Clue, other: Clue) -> bool:
    """Whether several people of one tenant do the same."""
    alike = one.domain == other.domain == "security" and bool(_techniques(one) & _techniques(other))
    return alike and any(entity.kind == "tenant" for entity in one.entities & other.entities)


def _share_a_service(one: Clue, other: Clue) -> bool:
    """Whether endpoints of the two can be compared: each service names its own."""
    mine, theirs = ({e.value for e in clue.entities if e.kind == "service"} for clue in (one, other))
    return not mine or not theirs or bool(mine & theirs)


def _records_shared(one: Clue, other: Clue) -> float:
    """Return what the same records as evidence say, whatever the domain; of distributions (drift), which sample what
    is usual, nothing.
    """
    if _DISTRIBUTION in (one.family, other.family):
        return 0.0
    return min(0.6, 0.3 * len(one.records & other.records))


def _calls_shared(one: Clue, other: Clue, rules: Rules) -> float:
    """Return what the same calls say of aggregates that sample slow, failed, expensive or unsupported ones.

    One shared call may be chance, and so may be some failed calls among the slow ones that there were before.
    """
    if one.family not in _SAMPLING or other.family not in _SAMPLING:
        return 0.0
    named = set(one.finding.values("trace")) & set(other.finding.values("trace"))
    both = len((one.traces & other.traces) - named)
    first, second = one.finding, other.finding
    alike = first.detector == second.detector or abs(first.start_ns - second.start_ns) <= rules.onset_ns
    return min(0.5, 0.25 * both) * _agreement(one, other) * (1.0 if alike else 0.4)


def _at_once(one: Clue, other: Clue, seen: _Seen, rules: Rules) -> float:
    """Return what time says: the same goes wrong at two places from the same instant to the same instant, or something
    begins to go wrong at the same instant in one service, or in two of which one calls the other."""
    first, second = one.finding, other.finding
    if one.domain != "operation" or other.domain != "operation":
        return 0.0
    onset = abs(first.start_ns - second.start_ns)
    named = ({e.value for e in clue.entities if e.kind == "service"} for clue in (one, other))
    mine, theirs = ({s for s in found if not seen.is_busy(s, first.start_ns, rules)} for found in named)
    # Within one service many things begin in two minutes, few in one.
    if onset <= rules.instant_ns // 2 and mine & theirs:
        return 0.3
    if onset <= rules.instant_ns and any(frozenset((a, b)) in seen.dependent for a in mine for b in theirs):
        return 0.3
    if one.family not in _MEASURED or (first.detector, first.rule) != (second.detector, second.rule):
        return 0.0
    both = min(first.end_ns, second.end_ns) - max(first.start_ns, second.start_ns)
    either = max(first.end_ns, second.end_ns) - min(first.start_ns, second.start_ns)
    return 0.3 if both >= rules.instant_ns and both >= 0.9 * either else 0.0


def _affinity(one: Clue, other: Clue, rules: Rules) -> float:
    """Return what adds to a link: the same rule or detector, the same technique, the same onset."""
    first, second = one.finding, other.finding
    same = first.detector == second.detector
    found = 0.1 if same else 0.0
    if _techniques(one) & _techniques(other):
        found += 0.1
    apart = abs(first.start_ns - second.start_ns)
    if apart <= rules.instant_ns:
        found += 0.2
    elif apart <= rules.onset_ns:
        found += 0.1
    return min(found, _MOST_AFFINITY)


def _techniques(clue: Clue) -> set[str]:
    return {technique for technique in clue.finding.techniques if technique.startswith("mitre")}

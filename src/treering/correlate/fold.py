"""Findings to incidents: a pure fold.

The result depends on the set of findings alone, not on the order or the portions in which they came, so an incident can
be replayed: `fold` of everything is what a process that folded after every finding has at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treering.correlate import story
from treering.correlate.family import ANY
from treering.correlate.links import Link, Rules, links
from treering.correlate.risk import risk

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treering.correlate.clue import Clue
    from treering.model.incident import Incident

_ODD = 0.45
_PLACES = 2
_ATTACK = "security"
_TELLING = frozenset({"model", "collection", "run", "route"})


class Folded(msgspec.Struct, frozen=True):
    """What came out: incidents by their start, findings too slight to be one, links too weak to join."""

    incidents: tuple[Incident, ...]
    slight: tuple[str, ...]
    weak: tuple[Link, ...]


def fold(clues: Iterable[Clue], rules: Rules | None = None, open_risk: float = 10.0) -> Folded:
    """Return the incidents in `clues`; of several with one fingerprint the last counts.

    Findings are joined where a link reaches the threshold (see `_components`). A group becomes an incident when its
    risk points reach `open_risk`: one finding of medium severity does, four of low severity do. What only says that
    something is unusual (a new kind of log line) takes one of high severity, or three of medium.
    """
    rules = rules or Rules()
    known = {clue.fingerprint: clue for clue in clues if not clue.dismissed}
    ordered = sorted(known.values(), key=lambda clue: (clue.finding.start_ns, clue.fingerprint))
    found = links(ordered, rules)
    groups = _components(ordered, [link for link in found if link.score >= rules.threshold])
    incidents: list[Incident] = []
    slight: list[str] = []
    for group in groups:
        if _weight(group) < open_risk:
            slight += [clue.fingerprint for clue in group]
        else:
            incidents.append(story.incident(group))
    weak = tuple(link for link in found if link.score < rules.threshold)
    return Folded(tuple(incidents), tuple(slight), weak)


def _weight(group: Sequence[Clue]) -> float:
    """Return the risk points that decide whether there is an incident: mere oddities weigh less than half."""
    end = max(clue.finding.end_ns for clue in group)
    odd = risk([clue.finding for clue in group if clue.domain == ANY], end)
    return _ODD * odd + risk([clue.finding for clue in group if clue.domain != ANY], end)


def _components(ordered: Sequence[Clue], joined: Sequence[Link]) -> list[list[Clue]]:
    """Return the groups that links make of findings.

    What identities link is one group. Other links join the strongest first. Two groups of several subjects that are
    about different things of one kind (other models, other endpoints of a service) join only where at least two
    subjects of each are linked: one finding about what everything passes (an endpoint that all routes share) belongs
    to the group it is linked with most and does not glue two. Nor does a symptom of an attack (what attackers asked
    has no documents) glue the attack to what else is wrong at that place: only what is sure joins it to anything else.
    """
    groups = _Groups(ordered)
    for link in joined:
        if link.sure:
            groups.join(link)
    waiting = sorted((link for link in joined if not link.sure), key=lambda link: (-link.score, link.one, link.other))
    while waiting:
        apart = [link for link in waiting if not groups.are_one(link)]
        waiting = [link for link in apart if not (groups.may_join(link, apart) and groups.join(link))]
        if len(waiting) == len(apart):
            break
    return groups.members()


class _Groups:
    """Disjoint sets of findings (union by linking to the earlier root)."""

    def __init__(self, ordered: Sequence[Clue]) -> None:
        self._clues = {clue.fingerprint: clue for clue in ordered}
        self._parent = {name: name for name in self._clues}
        self._subjects = {name: {_subject(clue)} for name, clue in self._clues.items()}
        self._about = {name: _about(clue) for name, clue in self._clues.items()}
        self._domains = {name: {clue.domain} - {ANY} for name, clue in self._clues.items()}

    def root(self, name: str) -> str:
        while self._parent[name] != name:
            self._parent[name] = self._parent[self._parent[name]]
            name = self._parent[name]
        return name

    def are_one(self, link: Link) -> bool:
        return self.root(link.one) == self.root(link.other)

    def join(self, link: Link) -> bool:
        one, other = self.root(link.one), self.root(link.other)
        if one != other:
            self._parent[one] = other
            self._subjects[other] |= self._subjects.pop(one)
            self._domains[other] |= self._domains.pop(one)
            for kind, values in self._about.pop(one).items():
                self._about[other].setdefault(kind, set()).update(values)
        return True

    def may_join(self, link: Link, links: Sequence[Link]) -> bool:
        """Whether the groups of a link are one: nothing contradicts it, or they are linked in two places; never
        an attack and what is none."""
        one, other = self.root(link.one), self.root(link.other)
        causes = self._domains[one], self._domains[other]
        if all(causes) and len({_ATTACK in domains for domains in causes}) > 1:
            return False
        if one == other or min(len(self._subjects[one]), len(self._subjects[other])) < _PLACES:
            return True
        mine, theirs = self._about[one], self._about[other]
        if not any(mine[kind].isdisjoint(theirs[kind]) for kind in mine.keys() & theirs.keys()):
            return True
        seen: dict[str, set[object]] = {one: set(), other: set()}
        for each in links:
            if {self.root(each.one), self.root(each.other)} == {one, other}:
                for name in (each.one, each.other):
                    seen[self.root(name)].add(_subject(self._clues[name]))
        return min(len(subjects) for subjects in seen.values()) >= _PLACES

    def members(self) -> list[list[Clue]]:
        found: dict[str, list[Clue]] = {}
        for name, clue in self._clues.items():
            found.setdefault(self.root(name), []).append(clue)
        return list(found.values())


def _about(clue: Clue) -> dict[tuple[str, str], set[str]]:
    """Return what a finding names of the kinds by which causes are told apart; an endpoint is one of its service."""
    services = [entity.value for entity in clue.named if entity.kind == "service"]
    found: dict[tuple[str, str], set[str]] = {}
    for entity in clue.named:
        if entity.kind in _TELLING:
            found.setdefault((entity.kind, ""), set()).add(entity.value)
        elif entity.kind == "endpoint" and len(services) == 1:
            found.setdefault((entity.kind, services[0]), set()).add(entity.value)
    return found


def _subject(clue: Clue) -> object:
    """Return what a finding is about: the same again is no second sign."""
    return clue.finding.detector, clue.finding.rule, clue.named

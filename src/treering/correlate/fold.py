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


class Folded(msgspec.Struct, frozen=True):
    """What came out: incidents by their start, findings too slight to be one, links too weak to join."""

    incidents: tuple[Incident, ...]
    slight: tuple[str, ...]
    weak: tuple[Link, ...]


def fold(clues: Iterable[Clue], rules: Rules | None = None, open_risk: float = 10.0) -> Folded:
    """Return the incidents in `clues`; of several with one fingerprint the last counts.

    Findings are joined where a link reaches the threshold (connected components). A group becomes an incident when its
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
    parent = {clue.fingerprint: clue.fingerprint for clue in ordered}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = parent[parent[name]]
            name = parent[name]
        return name

    for link in joined:
        parent[root(link.one)] = root(link.other)
    groups: dict[str, list[Clue]] = {}
    for clue in ordered:
        groups.setdefault(root(clue.fingerprint), []).append(clue)
    return list(groups.values())

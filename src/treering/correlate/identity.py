"""Which incident of now is which of before: ids stay when findings join, when two incidents become one, or one two."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treering.model.incident import Incident

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


class Known(msgspec.Struct, frozen=True):
    """An incident of before: its findings, and when it was first seen (any unit), the older one wins a tie."""

    findings: frozenset[str]
    since: int


class Named(msgspec.Struct, frozen=True):
    """An incident of now under its lasting id, and the ids it has absorbed."""

    incident: Incident
    absorbed: tuple[str, ...] = ()


def named(incidents: Sequence[Incident], known: Mapping[str, Known]) -> list[Named]:
    """Return `incidents` with the ids they had: each goes to the one that shares most findings with it.

    An id whose findings all went to others is absorbed by the one that took most of them. What is left over gets an id
    of the fingerprint of its first finding whose id is free.
    """
    shared = _shared(incidents, known)
    ids: dict[int, str] = {}
    taken: set[str] = set()
    for _, _, identifier, place in shared:
        if place not in ids and identifier not in taken:
            ids[place] = identifier
            taken.add(identifier)
    absorbed: dict[int, list[str]] = {}
    for _, _, identifier, place in shared:
        if identifier not in taken:
            absorbed.setdefault(place, []).append(identifier)
            taken.add(identifier)
    used = set(known) | taken
    found = []
    for place, incident in enumerate(incidents):
        identifier = ids.get(place) or _free(incident.findings, used)
        used.add(identifier)
        renamed = msgspec.structs.replace(incident, id=identifier)
        found.append(Named(renamed, tuple(sorted(absorbed.get(place, ())))))
    return found


def _shared(incidents: Sequence[Incident], known: Mapping[str, Known]) -> list[tuple[int, int, str, int]]:
    """Return every overlap, the largest first: (-findings shared, since, id, place)."""
    owners: dict[str, list[str]] = {}
    for identifier, before in known.items():
        for finding in before.findings:
            owners.setdefault(finding, []).append(identifier)
    counts: dict[tuple[str, int], int] = {}
    for place, incident in enumerate(incidents):
        for finding in incident.findings:
            for identifier in owners.get(finding, ()):
                counts[identifier, place] = counts.get((identifier, place), 0) + 1
    return sorted((-count, known[name].since, name, place) for (name, place), count in counts.items())


def _free(findings: Iterable[str], used: set[str]) -> str:
    candidates = [f"inc-{finding[:12]}" for finding in findings]
    free = next((candidate for candidate in candidates if candidate not in used), None)
    if free is not None:
        return free
    number = 2
    while f"{candidates[0]}-{number}" in used:
        number += 1
    return f"{candidates[0]}-{number}"

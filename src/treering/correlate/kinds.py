"""What kinds of entities say about belonging together, from `content/correlate/entities.json`.

*Identities* (a user, a trace, a document) are about one thing: sharing one suffices. *Places* (a service, a model, an
endpoint) are where many things happen at once: only several together, at the same time, link two findings.
"""

from __future__ import annotations

import functools
from importlib import resources

import msgspec

from treering.model.finding import Entity


class Kinds(msgspec.Struct, frozen=True):
    """Weights of kinds; 0.5 links two findings."""

    about: str
    identity: dict[str, float]
    shared_by_many: frozenset[str]
    of_one_tenant: frozenset[str]
    who: frozenset[str]
    place: dict[str, float]
    place_of_attack: dict[str, float]
    other: float
    same_name: dict[str, str]


@functools.cache
def kinds() -> Kinds:
    """Return the table."""
    text = resources.files("treering.content").joinpath("correlate/entities.json").read_bytes()
    return msgspec.json.decode(text, type=Kinds)


def canonical(entity: Entity) -> Entity:
    """Return the entity under the kind that findings are compared by (`conversation` and `session` are one)."""
    same = kinds().same_name.get(entity.kind)
    return entity if same is None else Entity(same, entity.value)


def is_identity(kind: str) -> bool:
    """Whether one shared entity of this kind can link two findings."""
    return kind in kinds().identity


def weight(kind: str, *, attack: bool) -> float:
    """Return how much sharing an entity of this kind says; `attack` for two findings of an attack."""
    table = kinds()
    if (found := table.identity.get(kind)) is not None:
        return found
    if attack:
        return table.place_of_attack.get(kind, 0.0)
    return table.place.get(kind, table.other)

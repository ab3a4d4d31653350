"""What there is to do to batches with certain columns, found out once for each set of columns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from treering.model import semconv
from treering.model.columns import Kind, split
from treering.parse.genai.rows import attribute_of, physical

if TYPE_CHECKING:
    from collections.abc import Sequence

_FAMILIES = ("gen_ai.", "mcp.", "openinference.", "traceloop.", "langfuse.", "mlflow.", "ai.", "langsmith.", "llm.",
             "gcp.vertex.agent.")  # fmt: skip


class Dialect(msgspec.Struct, frozen=True):
    """How one instrumentation is recognised: by its scope's name, else by an attribute that only it writes."""

    name: str
    scopes: tuple[str, ...] = ()
    markers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """The columns to move (in order), and those that tell the dialect of a row: (column, number of the dialect)."""

    moves: tuple[tuple[str, str], ...]
    markers: tuple[tuple[str, int], ...]


NOTHING = Plan((), ())


@cache
def dialects() -> tuple[Dialect, ...]:
    """Return all dialects; an earlier one wins over a later one."""
    return msgspec.convert(semconv.table("dialects"), tuple[Dialect, ...])


@lru_cache(4096)
def by_scope(scope: str) -> int:
    """Return the number of the dialect that a scope's name belongs to, -1 for none."""
    for number, dialect in enumerate(dialects()):
        if any(scope == name or (name[-1] == "*" and scope.startswith(name[:-1])) for name in dialect.scopes):
            return number
    return -1


@lru_cache(1024)
def plan(names: tuple[str, ...]) -> Plan | None:
    """Return what to do to a batch with these columns; None when nothing in it is ours to normalise."""
    attributes = {name: found for name in names if (found := attribute_of(name)) is not None}
    if not any(_concerns(attribute) for attribute in attributes.values()):
        return None
    moves = sorted(_moves(attributes), key=lambda move: move[0])
    known = set(attributes.values())
    markers = [
        (number, name)
        for number, dialect in enumerate(dialects())
        for marker in dialect.markers
        if marker in known
        for name, attribute in attributes.items()
        if attribute == marker
    ]
    return Plan(tuple((source, target) for _, source, target in moves), tuple((name, n) for n, name in markers))


def _concerns(attribute: str) -> bool:
    return attribute in semconv.renames() or attribute.startswith(_FAMILIES)


def _moves(attributes: dict[str, str]) -> Sequence[tuple[int, str, str]]:
    order = {old: place for place, old in enumerate(semconv.renames())}
    found: list[tuple[int, str, str]] = []
    for name, attribute in attributes.items():
        kind = Kind(name[-1])
        new = semconv.renames().get(attribute)
        if new is not None:
            found.append((order[attribute], name, physical(new, kind)))
        elif attribute in semconv.fields() and split(name)[0] != f"attributes/{attribute}":
            found.append((-1, name, physical(attribute, kind)))
    return found


def scope_column(columns: dict[str, Any]) -> str | None:
    """Return the column that names the instrumentation scope."""
    return next((name for name in ("instrumentationScope/name:s", "scope/name:s") if name in columns), None)

"""The names of GenAI telemetry as data: canonical fields, what older conventions and other dialects call them.

Canonical are the names of OpenTelemetry's GenAI semantic conventions (open-telemetry/semantic-conventions-genai, main,
2026). The tables are in `treering/content/semconv`; attribute names stand in them without `attributes.`.
"""

from __future__ import annotations

import importlib.resources
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

PREFIX = "attributes."
# Own attributes: which view a record is in, who named its attributes, what the call cost, whether counts are guesses.
VIEW, DIALECT = "treering.view", "treering.dialect"
COST, PRICE, ESTIMATED = "treering.cost.usd", "treering.cost.price", "treering.tokens.estimated"
# One row per model call: the records of these streams whose `attributes.treering.view` is the view's name.
# The name that the conventions of 2026 give a metric.
METRIC = "treering.metric"
LLM = "llm"
VIEWS: Mapping[str, tuple[str, ...]] = {LLM: ("spans", "logs")}


def table(name: str) -> Any:
    """Return a table of `content/semconv` by name."""
    file = importlib.resources.files("treering.content").joinpath("semconv", f"{name}.json")
    return msgspec.json.decode(file.read_bytes())


@cache
def renames() -> Mapping[str, str]:
    """Return the canonical name of every attribute that is only called differently, preferred ones first."""
    groups: dict[str, dict[str, str]] = table("renames")
    return {old: new for group in groups.values() for old, new in group.items()}


@cache
def fields() -> Mapping[str, str]:
    """Return the mapping type of every canonical attribute."""
    known: dict[str, str] = table("fields")
    return known


@cache
def older() -> Mapping[str, tuple[str, ...]]:
    """Return, for every canonical name, the other names it is known by."""
    found: dict[str, tuple[str, ...]] = {}
    for old, new in renames().items():
        found[new] = (*found.get(new, ()), old)
    return found


def canonical(field: str) -> str | None:
    """Return the canonical attribute that a field means, with or without `attributes.`; None for other fields."""
    name = field.removeprefix(PREFIX)
    new = renames().get(name, name)
    return new if new in fields() or new in older() else None


def names(attribute: str) -> tuple[str, ...]:
    """Return the fields in which a canonical attribute may stand: under its own name, then under older ones."""
    return (PREFIX + attribute, *(PREFIX + old for old in older().get(attribute, ())))

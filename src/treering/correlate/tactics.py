"""The stages of an attack: tactics of MITRE ATLAS, as `content/taxonomies/atlas_tactics.json` lists them."""

from __future__ import annotations

import functools
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from treering.model.finding import Finding


class Tactic(msgspec.Struct, frozen=True):
    """One stage: its id and its name."""

    id: str
    name: str


class _Table(msgspec.Struct, frozen=True):
    framework: str
    version: str
    source: str
    note: str
    tactics: tuple[Tactic, ...]
    techniques: dict[str, str]


@functools.cache
def _table() -> _Table:
    text = resources.files("treering.content").joinpath("taxonomies/atlas_tactics.json").read_bytes()
    return msgspec.json.decode(text, type=_Table)


def tactics() -> tuple[Tactic, ...]:
    """Return all tactics in the order of the matrix."""
    return _table().tactics


def name(identifier: str) -> str:
    """Return the name of a tactic, the id itself when it is unknown."""
    return next((tactic.name for tactic in tactics() if tactic.id == identifier), identifier)


def tactic(finding: Finding) -> str:
    """Return the tactic id of `finding`: its own, else that of its first ATLAS technique, else an empty text."""
    if finding.tactic:
        return finding.tactic
    known = _table().techniques
    for technique in finding.techniques:
        framework, _, identifier = technique.partition(":")
        if framework.partition("@")[0] == "mitre-atlas":
            base = ".".join(identifier.split(".")[:2])
            if found := known.get(identifier) or known.get(base):
                return found
    return ""

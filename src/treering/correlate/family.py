"""Which family of incident a finding belongs to."""

from __future__ import annotations

import functools
import re
from importlib import resources
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from treering.model.finding import Finding

FAMILIES = ("security", "training", "availability", "performance", "cost", "quality", "drift")
ANY = "any"
_WORD = re.compile(r"[a-z0-9]+")


class _Table(msgspec.Struct, frozen=True):
    about: str
    detectors: dict[str, str]
    words: dict[str, str]
    techniques: dict[str, str]
    frameworks: dict[str, str]
    otherwise: str
    symptoms: frozenset[str]


@functools.cache
def _table() -> _Table:
    text = resources.files("treering.content").joinpath("correlate/families.json").read_bytes()
    return msgspec.json.decode(text, type=_Table)


def family(finding: Finding) -> str:
    """Return the family of `finding`, one of `FAMILIES`.

    A finding can say it itself (`facts["family"]`); else its detector decides, else words of its rule and detector,
    else its techniques, as `content/correlate/families.json` lists them.
    """
    if finding.facts.get("family") in FAMILIES:
        return str(finding.facts["family"])
    return _family(finding.detector, finding.rule, finding.techniques)


@functools.lru_cache(maxsize=4096)
def _family(detector: str, rule: str, techniques: tuple[str, ...]) -> str:
    table = _table()
    if (known := table.detectors.get(detector)) is not None:
        return known
    words = set(_WORD.findall(f"{detector} {rule}".lower()))
    for name, signs in table.words.items():
        if words & set(signs.split()):
            return name
    for technique in techniques:
        known = table.techniques.get(technique) or table.frameworks.get(technique.partition("@")[0])
        if known is not None:
            return known
    return table.otherwise


def domain(name: str, detector: str = "") -> str:
    """Return the domain of a family: what can have one cause. Attacks and training runs stand alone.

    What a detector of mere oddities says (`symptoms` of the table) can be a sign of anything.
    """
    if detector in _table().symptoms:
        return ANY
    return {"security": "security", "training": "training"}.get(name, "operation")

"""Which techniques something of ours claims to find, and what of that is proven: OWASP's lists and MITRE ATLAS.

A claim is a technique that a rule names, that a finding of a detector's own examples carries, or that a drill has
attacks for. Proof are cases of rules that are told, and such examples, at least two of them; whether a drill is noticed
is known when it is run.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from treering.core import registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from treering.detect._rule_files import Rule

_LLM, _AGENTIC, _ATLAS = "owasp-llm@2026", "owasp-agentic@2026", "mitre-atlas@2026.09"
PROVEN, ONCE, DRILLED, CLAIMED, NOTHING = "proven", "one case", "drill only", "claimed, untested", "nothing"
_ENOUGH = 2
"""Cases from which a technique is proven: one alone may have been written to fit."""


class Claim(NamedTuple):
    """That something finds a technique, and how many cases of it are told."""

    kind: str
    name: str
    technique: str
    cases: int


class Technique(msgspec.Struct):
    """A technique and what finds it; `related` are those of other frameworks that the same things claim."""

    id: str
    name: str
    state: str = NOTHING
    cases: int = 0
    rules: list[str] = []
    untested: list[str] = []
    detectors: list[str] = []
    drills: list[str] = []
    related: list[str] = []


def coverage(rules: Sequence[Rule]) -> list[Technique]:
    """Return every technique of OWASP's lists and of the part of ATLAS that logs can show, then others claimed.

    Runs the detectors' examples, about a second.
    """
    claims = [*_of_rules(rules), *_of_detectors(), *_of_drills()]
    known = {name: Technique(name, shown) for name, shown in named()}
    for claim in claims:
        found = known.setdefault(claim.technique, Technique(claim.technique, ""))
        places = {"rule": found.rules, "detector": found.detectors, "drill": found.drills}[claim.kind]
        if claim.name not in places:
            places.append(claim.name)
        found.cases += claim.cases
        if not claim.cases and claim.kind == "rule":
            found.untested.append(claim.name)
    _relate(known, claims)
    for found in known.values():
        found.state = _state(found)
    return list(known.values())


def _state(found: Technique) -> str:
    if found.cases:
        return PROVEN if found.cases >= _ENOUGH else ONCE
    if found.drills:
        return DRILLED
    return CLAIMED if found.rules else NOTHING


def _relate(known: dict[str, Technique], claims: Iterable[Claim]) -> None:
    together: dict[tuple[str, str], set[str]] = {}
    for claim in claims:
        together.setdefault((claim.kind, claim.name), set()).add(claim.technique)
    for found in known.values():
        others = {other for names in together.values() if found.id in names for other in names}
        space = found.id.partition("@")[0]
        found.related = sorted(other for other in others if other.partition("@")[0] != space)


def _of_rules(rules: Sequence[Rule]) -> Iterator[Claim]:
    for rule in rules:
        cases = len(rule.tests.match) if rule.tests is not None else 0
        for technique in rule.techniques:
            yield Claim("rule", rule.id, canonical(technique), cases)


def _of_detectors() -> Iterator[Claim]:
    from treering.testing.detector_contract import run

    for name in registry.names("treering.detect"):
        module = registry.load("treering.detect", name)
        for example in module.EXAMPLES if name != "rules" else ():
            for finding in run(module, example) if example.finds else ():
                for technique in finding.techniques:
                    yield Claim("detector", f"{name}: {finding.rule}", canonical(technique), 1)


def _of_drills() -> Iterator[Claim]:
    from treering.app.drill.corpus import shipped

    for drill in shipped():
        for technique in drill.techniques:
            yield Claim("drill", drill.name, canonical(technique), 0)


def canonical(technique: str) -> str:
    """Return a technique's id in the edition that is shown: OWASP's list of 2025 was numbered otherwise.

    A sub-technique of ATLAS counts for its technique.
    """
    framework, _, name = technique.partition(":")
    if framework == _ATLAS:
        return f"{framework}:{'.'.join(name.split('.')[:2])}"
    renamed = _taxonomy()["owasp-llm@2025 as 2026"]
    return f"{_LLM}:{renamed[name]}" if framework == "owasp-llm@2025" and name in renamed else technique


def edition_2025(technique: str) -> str:
    """Return what OWASP's list of 2025 calls one of 2026; empty for anything else."""
    framework, _, name = technique.partition(":")
    renamed = {new: old for old, new in _taxonomy()["owasp-llm@2025 as 2026"].items()}
    return renamed.get(name, "") if framework == _LLM else ""


def names() -> dict[str, str]:
    """Return what people call techniques and tactics, by id; ATLAS's techniques by their tactics."""
    renamed = {f"owasp-llm@2025:{old}": f"{_LLM}:{new}" for old, new in _taxonomy()["owasp-llm@2025 as 2026"].items()}
    found = dict(named())
    tactics = {tactic["id"]: tactic["name"] for tactic in _atlas()["tactics"]}
    return {**found, **{old: found[new] for old, new in renamed.items() if new in found}, **tactics}


def named() -> Iterator[tuple[str, str]]:
    """Yield the ids of OWASP's lists and of ATLAS's techniques, with their names (ATLAS: those of their tactics)."""
    owasp = _taxonomy()
    for framework in (_LLM, _AGENTIC):
        yield from ((f"{framework}:{name}", shown) for name, shown in owasp[framework].items())
    atlas = _atlas()
    tactics = {tactic["id"]: tactic["name"] for tactic in atlas["tactics"]}
    for name, tactic in sorted(atlas["techniques"].items()):
        yield f"{_ATLAS}:{name}", tactics[tactic]


@cache
def _atlas() -> Any:
    return msgspec.json.decode((resources.files("treering.content") / "taxonomies/atlas_tactics.json").read_bytes())


@cache
def _taxonomy() -> Any:
    return msgspec.json.decode((resources.files("treering.content") / "taxonomies" / "owasp.json").read_bytes())


def markdown(found: Sequence[Technique]) -> str:
    """Return the map as Markdown: one table for each framework, then what nothing covers."""
    lines: list[str] = []
    for framework in dict.fromkeys(technique.id.partition(":")[0] for technique in found):
        rows = [technique for technique in found if technique.id.startswith(f"{framework}:")]
        lines += [
            "",
            f"## {framework}",
            "",
            "| technique | what | state | cases | rules | detectors | drills | related |",
        ]
        lines.append("|---|---|---|---|---|---|---|---|")
        lines += [_row(technique) for technique in rows]
    missing = [technique.id for technique in found if technique.state == NOTHING]
    lines += ["", f"Nothing of ours claims: {', '.join(missing) or 'none is missing'}."]
    return "\n".join(lines).strip() + "\n"


def _row(found: Technique) -> str:
    cells = (
        found.id.partition(":")[2],
        found.name,
        found.state,
        str(found.cases or ""),
        some(found.rules),
        some(found.detectors),
        some(found.drills),
        some([name.partition(":")[2] for name in found.related], 6),
    )
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


def some(names: Sequence[str], most: int = 3) -> str:
    """Return the first few names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more

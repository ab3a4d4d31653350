"""Findings of one batch that are the same, as one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.model.finding import merged

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.model.finding import Finding


def folded(findings: Iterable[Finding]) -> list[Finding]:
    """Return `findings` with those of equal fingerprint merged, in order of the first."""
    known: dict[str, Finding] = {}
    for finding in findings:
        name = finding.fingerprint
        known[name] = merged(known[name], finding) if name in known else finding
    return list(known.values())

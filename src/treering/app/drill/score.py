"""What of a drill was noticed, how far into the attack and how soon after it was sent, by technique."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.app.drill.line import Case

_SHOWN_MISSES = 200


class Told(msgspec.Struct, frozen=True):
    """How one case went.

    `into_s`: seconds of the records' time from the first hostile record to where it could be told.
    `delay_s`: seconds from when its last record had been sent until the finding was there; None in a simulation.
    `rules` are the findings that name it, `detector/rule`.
    """

    case: str
    technique: str
    found: bool
    rules: tuple[str, ...] = ()
    into_s: float | None = None
    delay_s: float | None = None
    about: str = ""


class Row(msgspec.Struct, frozen=True):
    """How a technique went: how many cases were noticed, medians of the times, by what, and which were missed."""

    technique: str
    cases: int
    found: int
    rate: float
    into_s: float | None
    delay_s: float | None
    rules: tuple[str, ...]
    missed: tuple[str, ...]
    harmless: bool = False


class Result(msgspec.Struct, frozen=True):
    """How a drill went. `rate` is over all attacks; `false` are harmless cases of which something was told."""

    cases: int
    found: int
    rate: float
    false: tuple[str, ...]
    techniques: tuple[Row, ...]
    told: tuple[Told, ...]
    incidents: tuple[dict[str, Any], ...] = ()
    failures: dict[str, str] = {}


def scored(
    cases: Sequence[Case],
    report: Mapping[str, Any],
    starts_ns: Mapping[str, int],
    sent_ns: Mapping[str, int],
) -> Result:
    """Return how the cases went by what a lane reports.

    A case is noticed when a finding of one of the detectors expected for it has a record of it as evidence.
    `starts_ns` is when each began in the records' time, `sent_ns` when it had been sent (empty in a simulation).
    """
    named: dict[str, list[Mapping[str, Any]]] = {}
    for finding in report["findings"]:
        for name in finding["cases"]:
            named.setdefault(name, []).append(finding)
    told = [_told(case, named.get(case.id, ()), starts_ns, sent_ns) for case in cases]
    rows = [_row(name, told, cases) for name in dict.fromkeys(case.technique for case in cases)]
    attacks = [row for row in rows if not row.harmless]
    total, found = sum(row.cases for row in attacks), sum(row.found for row in attacks)
    harmless = {case.id for case in cases if case.harmless}
    return Result(
        total, found, round(found / total, 4) if total else 1.0,
        tuple(one.case for one in told if one.found and one.case in harmless),
        tuple(rows), tuple(told), tuple(report.get("incidents", ())), dict(report.get("failures", {})),
    )  # fmt: skip


def _told(
    case: Case, findings: Sequence[Mapping[str, Any]], starts_ns: Mapping[str, int], sent_ns: Mapping[str, int]
) -> Told:
    expected = [one for one in findings if not case.detectors or one["detector"] in case.detectors]
    rules = tuple(sorted({f"{one['detector']}/{one['rule']}" for one in expected}))
    if not expected:
        return Told(case.id, case.technique, found=False, about=case.about)
    began_ns = starts_ns[case.id] + int(case.begins_s * 1e9)
    into_s = max(0.0, (min(one["noticed_ns"] for one in expected) - began_ns) / 1e9)
    delay_s = None
    if case.id in sent_ns:
        delay_s = round(max(0.0, (min(one["heard_ns"] for one in expected) - sent_ns[case.id]) / 1e9), 2)
    return Told(case.id, case.technique, True, rules, round(into_s, 1), delay_s, case.about)


def _row(name: str, told: Sequence[Told], cases: Sequence[Case]) -> Row:
    mine = [one for one in told if one.technique == name]
    found = [one for one in mine if one.found]
    harmless = any(case.harmless for case in cases if case.technique == name)
    into = [one.into_s for one in found if one.into_s is not None]
    delays = [one.delay_s for one in found if one.delay_s is not None]
    return Row(
        name, len(mine), len(found), round(len(found) / len(mine), 4), _middle(into), _middle(delays),
        tuple(sorted({rule for one in found for rule in one.rules})),
        tuple(one.case for one in mine if not one.found)[:_SHOWN_MISSES] if not harmless else (), harmless,
    )  # fmt: skip


def _middle(values: Sequence[float]) -> float | None:
    return round(median(values), 2) if values else None

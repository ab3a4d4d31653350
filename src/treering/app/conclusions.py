"""What the counts of an analysis say: bursts, new and vanished patterns, silences, errors; and what they cannot."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from treering.app.examiner import Remark
from treering.parse.masks import WILD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SEVERE = ("fatal", "error")
_MANY_ERRORS = 0.05
_FEW_RECORDS = 50
_FEW_STEPS = 30
_FEW_TIMES = 3


def remarks(report: Mapping[str, Any]) -> list[Remark]:
    """Return what is worth a look in the report of `treering.app.analysis`."""
    return [*_bursts(report), *_changes(report), *_levels(report), *_silence(report), *_reading(report)]


def _bursts(report: Mapping[str, Any]) -> Iterator[Remark]:
    for burst in report["bursts"][:3]:
        weight = 60 + min(28.0, 4 * math.log2(burst["errors"] / (burst["usual_per_minute"] + 1)))
        title = f"{burst['errors']:,} errors from {_clock(burst['from'])} to {_clock(burst['to'])}"
        mostly = f", mostly: {burst['mostly']}" if burst["mostly"] else ""
        yield Remark(weight, "error burst", title, f"usual: {burst['usual_per_minute']} a minute{mostly}")


def _changes(report: Mapping[str, Any]) -> Iterator[Remark]:
    times = [(burst["from"], burst["to"]) for burst in report["bursts"]]
    for change in report["changes"]:
        severe = change["level"] in _SEVERE
        if change["pattern"] == WILD or (change["kind"] == "new" and change["count"] < _FEW_TIMES and not severe):
            continue
        if severe and change["kind"] == "bursting" and any(a <= change["to"] and change["from"] <= b for a, b in times):
            continue  # the error burst says it already
        size = min(12.0, math.log2(change["count"] + 1))
        if change["kind"] == "new":
            title = f"new since {_clock(change['from'])}, {change['count']:,} times: {change['pattern']}"
            yield Remark(
                (58 if severe else 30) + size, "new pattern", title, f"level {change['level'] or 'not stated'}"
            )
        elif change["kind"] == "bursting":
            title = f"{change['count']:,} times from {_clock(change['from'])} to {_clock(change['to'])}"
            detail = f"usual: {change['usual']:g} in {change['step_s']} s: {change['pattern']}"
            yield Remark((50 if severe else 32) + size, "pattern burst", title, detail)
        else:
            title = f"gone since {_clock(change['from'])}: {change['pattern']}"
            yield Remark(46, "vanished pattern", title, f"usual: {change['usual']:g} in {change['step_s']} s")


def _levels(report: Mapping[str, Any]) -> Iterator[Remark]:
    levels, total = report["levels"], max(1, report["records"])
    worst = {one["level"]: one["pattern"] for one in reversed(report["loudest_errors"])}
    if fatal := levels.get("fatal", 0):
        yield Remark(66, "fatal", f"{fatal:,} fatal record{'s' * (fatal != 1)}", worst.get("fatal", ""))
    errors = levels.get("error", 0) + fatal
    none: dict[str, Any] = {"example": "", "pattern": "", "first": None, "count": 0}
    most = report["loudest_errors"][0] if worst else none
    if errors == 1:
        at = f"at {_second(most['first'])}" if most["first"] else ""
        yield Remark(50, "errors", f"1 error{': ' * bool(worst)}{_example(most)}", at)
    elif errors / total > _MANY_ERRORS:
        share = f"{errors / total:.0%} of all" if total >= _FEW_RECORDS else f"{errors} of {total}"
        yield Remark(52, "errors", f"{share} records are errors", f"mostly: {most['pattern']}" if worst else "")
    elif errors and not report["bursts"]:
        since = f" since {_second(most['first'])}" if most["first"] else ""
        yield Remark(44, "errors", f"{errors:,} errors{since}", f"mostly: {most['pattern']}" if worst else "")
    troubles = report["troubles"]
    if troubles["records"] and not errors:
        count, loudest = troubles["records"], troubles["patterns"]
        title = f"{count:,} record{'s' * (count != 1)} without a level speak{'s' * (count == 1)} of trouble"
        others = "; ".join(map(_example, loudest[1:3]))
        yield Remark(45, "trouble", f"{title}: {_example(loudest[0])}", f"also: {others}" if others else "")
    warnings = levels.get("warn", 0)
    if warnings / total > _MANY_ERRORS and (loudest := report["loudest_warnings"]):
        title = f"{warnings:,} of {total:,} records are warnings"
        yield Remark(40, "warnings", title, f"mostly: {_example(loudest[0])}")


def _example(pattern: Mapping[str, Any]) -> str:
    """Return what a pattern stands for: the message itself where there is but one."""
    shown: str = pattern["example" if pattern["count"] == 1 else "pattern"]
    return " ".join(shown.split())


def _silence(report: Mapping[str, Any]) -> Iterator[Remark]:
    if (gap := report["longest_silence"]) is not None:
        title = f"nothing for {gap['minutes']:,} minutes from {_clock(gap['from'])}"
        yield Remark(47, "silence", title, f"the usual gap is {gap['usual_minutes']:,} minutes or less")


def _reading(report: Mapping[str, Any]) -> Iterator[Remark]:
    for problem in report["damaged"]:
        yield Remark(55, "damaged file", problem)
    for reason, count in report["rejected"].items():
        yield Remark(36, "rejected", f"{count:,} lines could not be read: {reason}")


def unknown(report: Mapping[str, Any]) -> list[str]:
    """Return what the counts could not tell, and why."""
    found = []
    if report["records"] and report["first"] is None:
        found.append("rates, bursts and what is new: no record has a time")
    elif report["first"] is not None and report["minutes"] < _FEW_STEPS:
        found.append(
            f"which patterns are new, bursting or gone: {report['minutes']} minutes are too few to know the usual"
        )
    if report["records"] and not set(report["levels"]) - {"none"}:
        found.append("errors: no record states a level")
    if report["other_patterns"]:
        found.append(f"{report['other_patterns']:,} records of rare shapes: more than 20,000 patterns")
    if report["skipped"]:
        count = len(report["skipped"])
        found.append(f"{count} binary file{'s' * (count != 1)}, such as {report['skipped'][0]}")
    return found


def _second(instant: str) -> str:
    """Return an instant to the second."""
    return instant[:19].replace("T", " ")


def _clock(instant: str) -> str:
    """Return an instant to the minute."""
    return instant[:16].replace("T", " ")

"""What holds: alerts of queries, of findings and of incidents, before anybody is told."""

from __future__ import annotations

import string
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec

from treering.core.errors import UserError
from treering.model.delivery import Alert, Status
from treering.model.finding import Severity
from treering.model.incident import State
from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.app.alert_settings import Rule
    from treering.model.finding import Finding
    from treering.model.incident import Incident

    Row = Mapping[str, Any]
    Ask = Callable[[str, int, int], Sequence[Row]]

MAX_ROWS = 1000
_LABEL = 500
_VALUE = "value"


class Asked(msgspec.Struct, frozen=True):
    """A rule over a query, with its times in nanoseconds."""

    rule: Rule
    window_ns: int
    every_ns: int
    hold_ns: int


def check(rule: Rule) -> None:
    """Raise `UserError` for a rule that says nothing, or two things at once."""
    kinds = [rule.query != "", rule.findings is not None, rule.incidents is not None]
    if sum(kinds) != 1:
        raise UserError(f"alert rule {rule.name!r} needs exactly one of query, findings, incidents")
    conditions = (rule.above, rule.below, rule.change_above, rule.change_below)
    said = sum(condition is not None for condition in conditions) + rule.absent
    if rule.query and said != 1:
        hint = "one of above, below, change_above, change_below, absent"
        raise UserError(f"alert rule {rule.name!r} needs exactly one condition", hint=hint)
    try:
        names = [name for _, name, spec, _ in string.Formatter().parse(rule.summary) if name is not None or spec]
    except ValueError as error:
        raise UserError(f"the summary of alert rule {rule.name!r}: {error}") from error
    if any(not name or not name.replace("_", "").replace(".", "").isalnum() for name in names):
        raise UserError(f"the summary of alert rule {rule.name!r} may name labels in braces, nothing else")


def ask(asked: Asked, put: Ask, at_ns: int) -> list[Alert]:
    """Return the alerts of a query whose condition holds for the window that ends at `at_ns`. Raises `UserError`."""
    rule = asked.rule
    rows = put(rule.query, at_ns - asked.window_ns, at_ns)
    if rule.absent:
        return [_alert(asked, {}, 0.0, at_ns)] if all(_number(rule, row) == 0 for row in rows) else []
    before: dict[frozenset[tuple[str, str]], float] = {}
    if rule.change_above is not None or rule.change_below is not None:
        earlier = put(rule.query, at_ns - 2 * asked.window_ns, at_ns - asked.window_ns)
        before = {frozenset(_labels(rule, row).items()): _number(rule, row) for row in earlier}
    found = []
    for row in rows[:MAX_ROWS]:
        labels, value = _labels(rule, row), _number(rule, row)
        if _holds(rule, value, before.get(frozenset(labels.items()))):
            found.append(_alert(asked, labels, value, at_ns))
    return found


def _holds(rule: Rule, value: float, before: float | None) -> bool:
    if rule.above is not None:
        return value > rule.above
    if rule.below is not None:
        return value < rule.below
    # A change from nothing has no ratio: `above` and `absent` say that better.
    if not before:
        return False
    if rule.change_above is not None:
        return value / before > rule.change_above
    return rule.change_below is not None and value / before < rule.change_below


def _number(rule: Rule, row: Row) -> float:
    """Return the row's number, 0 for null. Raises `UserError` when it has none."""
    name = _column(rule, row)
    value = row.get(name)
    if value is None:
        return 0.0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"column {name!r} of alert rule {rule.name!r} holds no numbers")
    return float(value)


def _column(rule: Rule, row: Row) -> str:
    if rule.field:
        if rule.field not in row:
            raise UserError(f"the query of alert rule {rule.name!r} has no column {rule.field!r}")
        return rule.field
    numeric = (name for name, value in row.items() if isinstance(value, int | float) and not isinstance(value, bool))
    found = next(numeric, None)
    if found is None:
        if all(value is None for value in row.values()):
            return next(iter(row))
        raise UserError(f"the query of alert rule {rule.name!r} has no number", hint="end it with stats")
    return found


def _labels(rule: Rule, row: Row) -> dict[str, str]:
    """Return the row's other columns as labels."""
    number = _column(rule, row)
    return {name: str(value)[:_LABEL] for name, value in row.items() if name != number and value is not None}


def _alert(asked: Asked, labels: Mapping[str, str], value: float, at_ns: int) -> Alert:
    rule = asked.rule
    shown = f"{value:g}"
    summary = _filled(rule.summary, {**labels, **rule.labels, _VALUE: shown}) or f"{rule.name}: {shown}"
    span = {"q": rule.query, "from": format_ns(at_ns - asked.window_ns), "to": format_ns(at_ns)}
    return Alert(
        rule=rule.name,
        status=Status.FIRING,
        severity=Severity(rule.severity),
        summary=summary,
        starts_ns=at_ns,
        labels={"alertname": rule.name, "severity": rule.severity, **labels, **rule.labels},
        facts={_VALUE: value},
        link=f"/explore?{urlencode(span)}",
    )


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Return `text` with `{name}` replaced; values are put in as they are and never read again."""
    parts = []
    for before, name, _, _ in string.Formatter().parse(text):
        parts.append(before)
        if name is not None:
            parts.append(values.get(name, ""))
    return "".join(parts)


def of_finding(rule: Rule, finding: Finding) -> Alert | None:
    """Return the alert that `finding` raises under `rule`, or None."""
    wanted = rule.findings
    if wanted is None or finding.severity.rank < Severity(wanted.severity).rank:
        return None
    if (wanted.detector and finding.detector not in wanted.detector) or (
        wanted.rule and finding.rule not in wanted.rule
    ):
        return None
    labels = {
        "alertname": rule.name,
        "severity": finding.severity.value,
        "detector": finding.detector,
        "rule": finding.rule,
        "finding": finding.fingerprint,
        **_named(finding.entities),
        **rule.labels,
    }
    return Alert(
        rule=rule.name,
        status=Status.FIRING,
        severity=finding.severity,
        summary=_filled(rule.summary, labels) or finding.title,
        starts_ns=finding.start_ns,
        labels=labels,
        link=f"/security?{urlencode({'finding': finding.fingerprint})}",
        finding=finding.fingerprint,
    )


def of_incident(rule: Rule, incident: Incident) -> Alert | None:
    """Return the alert that `incident` raises under `rule`, firing while it is open or acknowledged, or None."""
    wanted = rule.incidents
    if wanted is None or (wanted.kind and incident.kind not in wanted.kind):
        return None
    if incident.severity.rank < Severity(wanted.severity).rank:
        return None
    goes_on = incident.state in (State.OPEN, State.ACKNOWLEDGED)
    severity = incident.severity.value
    labels = {
        "alertname": rule.name,
        "severity": severity,
        "kind": incident.kind,
        "incident": incident.id,
        **rule.labels,
    }
    return Alert(
        rule=rule.name,
        status=Status.FIRING if goes_on else Status.RESOLVED,
        severity=incident.severity,
        summary=_filled(rule.summary, labels) or incident.title,
        starts_ns=incident.start_ns,
        ends_ns=0 if goes_on else incident.end_ns,
        labels=labels,
        facts={"findings": len(incident.findings), "risk": incident.risk, "state": incident.state.value},
        link=f"/incidents?{urlencode({'incident': incident.id})}",
        incident=incident.id,
    )


def _named(entities: Sequence[Any]) -> dict[str, str]:
    """Return the first entity of each kind as a label."""
    found: dict[str, str] = {}
    for entity in entities:
        found.setdefault(entity.kind, entity.value[:_LABEL])
    return found

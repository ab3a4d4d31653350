"""Sigma's correlations as counts and steps of our rules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sigma.correlations import (
    SigmaCorrelationCondition,
    SigmaCorrelationConditionOperator,
    SigmaCorrelationType,
)

from treering.core.errors import UserError
from treering.detect._rule_files import Step
from treering.detect._sigma_nodes import Translator, joined
from treering.query import print as printed
from treering.query.commands.eval import Eval
from treering.query.commands.search import Search
from treering.query.commands.where import Where
from treering.query.syntax import Call, Name, Node, Pipeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sigma.correlations import SigmaCorrelationRule, SigmaRuleReference

    from treering.detect._sigma_collection import Part
    from treering.query.syntax import Command

    Known = Sequence[tuple[SigmaRuleReference, Part | None]]
_COUNTED = (SigmaCorrelationType.EVENT_COUNT, SigmaCorrelationType.VALUE_COUNT)
_STEPS = (SigmaCorrelationType.TEMPORAL, SigmaCorrelationType.TEMPORAL_ORDERED)
_UNITS = {"s": "s", "m": "m", "h": "h", "d": "d"}
_MOST_TEXT = 8


def correlated(rule: SigmaCorrelationRule, known: Known) -> dict[str, Any]:
    """Return the fields of our rule that a correlation of `known` rules means. Raises `UserError`."""
    parts = [part for _, part in known]
    if not parts or any(part is None for part in parts):
        raise UserError("a correlation counts rules that were refused, or that are correlations themselves")
    if len({part.source.stream for part in parts if part}) > 1:
        raise UserError("a correlation of rules about different streams cannot be asked")
    bare: dict[str, Any] = {
        "window": _window(rule),
        "by": tuple(map(_plain, rule.group_by or ())),
        "computed": {_plain(field): _places(rule, known, field) for field in rule.group_by or ()},
    }
    if rule.type in _COUNTED:
        return bare | _counted(rule, known)
    if rule.type in _STEPS:
        return bare | _steps(rule, known)
    raise UserError(f"a correlation of the type {rule.type.name.lower()} cannot be asked")


def _counted(rule: SigmaCorrelationRule, known: Known) -> dict[str, Any]:
    if not isinstance(rule.condition, SigmaCorrelationCondition):
        raise UserError("a count needs a number to compare with")
    least, most = _bounds(rule.condition)
    distinct = ""
    if rule.type is SigmaCorrelationType.VALUE_COUNT:
        field = rule.condition.fieldref
        if not isinstance(field, str):
            raise UserError("value_count needs one field whose values are counted")
        distinct = field
    fields = [*(rule.group_by or ()), *filter(None, [distinct])]
    parts = [(reference, part) for reference, part in known if part is not None]
    needs = [clause for _, part in parts for clause in part.needs]
    return {
        "condition": [_named(parts, rule, fields)],
        "needs": needs if len(needs) <= 128 else [{"@timestamp": ["*"]}],
        "threshold": least,
        "at_most": most,
        "distinct": _plain(distinct),
    }


def _steps(rule: SigmaCorrelationRule, known: Known) -> dict[str, Any]:
    if not isinstance(rule.condition, SigmaCorrelationCondition):
        raise UserError("a condition over the rules of a correlation cannot be asked")
    op, count = rule.condition.op, rule.condition.count
    if count > len(known) or op not in (SigmaCorrelationConditionOperator.GTE, SigmaCorrelationConditionOperator.EQ):
        raise UserError("a temporal correlation asks for all of its rules")
    if count < len(known):
        raise UserError("a temporal correlation of only some of its rules cannot be asked")
    if not 2 <= len(known) <= _MOST_TEXT:
        raise UserError(f"a temporal correlation has 2 to {_MOST_TEXT} rules")
    steps = [
        Step([_named([(reference, part)], rule, rule.group_by or ())], part.needs, reference.reference[:60])
        for reference, part in known
        if part is not None
    ]
    return {"steps": steps, "ordered": rule.type is SigmaCorrelationType.TEMPORAL_ORDERED}


def _bounds(condition: SigmaCorrelationCondition) -> tuple[int, int]:
    """Return from how many on, and up to how many (0: any number)."""
    count = int(condition.count)
    if count != condition.count:
        raise UserError(f"{condition.count} is no number of records")
    match condition.op:
        case SigmaCorrelationConditionOperator.GTE:
            bounds = count, 0
        case SigmaCorrelationConditionOperator.GT:
            bounds = count + 1, 0
        case SigmaCorrelationConditionOperator.EQ:
            bounds = count, count
        case SigmaCorrelationConditionOperator.LTE:
            bounds = 1, count
        case SigmaCorrelationConditionOperator.LT:
            bounds = 1, count - 1
        case _:
            raise UserError(f"the comparison {condition.op.name.lower()} of a correlation cannot be asked")
    if bounds[0] < 1 or 0 < bounds[1] < bounds[0] or (condition.op.name in ("LT", "LTE") and bounds[1] < 1):
        raise UserError("a correlation asks for the absence of records, which no record can tell")
    return bounds


def _named(parts: Sequence[tuple[Any, Part]], rule: SigmaCorrelationRule, fields: Sequence[str]) -> str:
    """Return one condition for the records of any of the rules; a field has the value of whichever rule has it."""
    named = []
    for field in fields:
        refs: list[Node] = []
        for reference, part in parts:
            refs += _flat(Translator(part.source).ref(_own(rule, reference, field)))
        named.append((Name(_plain(field)), Call("coalesce", tuple(dict.fromkeys(refs)))))
    node = joined("or", [part.node for _, part in parts])
    commands: list[Command] = [
        Search((parts[0][1].source.stream,)),
        Where(node),
        *([Eval(tuple(named))] if named else []),
    ]
    return printed(Pipeline(tuple(commands)))


def _places(rule: SigmaCorrelationRule, known: Known, field: str) -> list[str]:
    """Return the fields of records in which a field of the correlation may be."""
    own = ((part, _own(rule, reference, field)) for reference, part in known if part is not None)
    return list(dict.fromkeys(place for part, name in own for place in part.source.places(name)))


def _flat(node: Node) -> tuple[Node, ...]:
    return node.args if isinstance(node, Call) and node.name == "coalesce" else (node,)


def _own(rule: SigmaCorrelationRule, reference: Any, field: str) -> str:
    """Return what a rule calls a field of the correlation: an alias may say so."""
    alias = rule.aliases.aliases.get(field)
    if alias is None:
        return field
    for known, name in alias.mapping.items():
        if known.reference == reference.reference:
            return str(name)
    raise UserError(f"the alias {field!r} does not say what {reference.reference!r} calls it")


def _plain(field: str) -> str:
    """Return the name that the groups of a correlation have: a new field, with no dots that nest."""
    return "".join(char if char.isalnum() else "_" for char in field)


def _window(rule: SigmaCorrelationRule) -> str:
    span = rule.timespan
    if span is None:
        raise UserError("a correlation needs a timespan")
    if span.unit in _UNITS:
        return f"{span.count}{span.unit}"
    if span.unit == "w":
        return f"{span.count * 7}d"
    raise UserError(f"a timespan of {span.spec} cannot be asked", hint="s, m, h, d or w")

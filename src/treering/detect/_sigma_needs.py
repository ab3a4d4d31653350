"""What a record must hold, whatever else, for a Sigma condition to be true: the `needs` of a rule.

Of parts that must all be true the one that is rarest decides, of alternatives every one; a negation says nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    SigmaBool,
    SigmaExists,
    SigmaExpansion,
    SigmaNull,
    SigmaNumber,
    SigmaString,
    SigmaTimestampPart,
)

from treering.detect._rule_watch import ANY, TIME

if TYPE_CHECKING:
    from treering.detect._sigma_fields import Source

_PLAIN = re.compile(r"[ -=?-~]+")  # without ">", which means a number in needs
_MOST_CLAUSES = 128


class _Held(NamedTuple):
    """A field, empty for keywords, and the text that it holds, `*` for any."""

    field: str
    text: str


def needs(tree: Any, source: Source) -> list[dict[str, list[str]]]:
    """Return the clauses, one for each place in which a field may be; any record where nothing is needed."""
    required = _required(tree)
    fields: dict[str, dict[str, None]] = {}
    for field, text in required or ():
        for place in source.places(field) if field else source.keywords:
            fields.setdefault(place, {})[text] = None
    if not fields or len(fields) > _MOST_CLAUSES:
        return [{TIME: [ANY]}]
    return [{place: [ANY] if ANY in texts else list(texts)} for place, texts in fields.items()]


def _required(tree: Any) -> list[_Held] | None:
    """Return what a record holds one of; None where that cannot be said."""
    match tree:
        case ConditionAND():
            known = [held for part in tree.args if (held := _required(part)) is not None]
            return max(known, key=_rarity, default=None)
        case ConditionOR():
            parts = [_required(part) for part in tree.args]
            return None if None in parts else [held for part in parts for held in part or ()]
        case ConditionNOT():
            return None
        case ConditionFieldEqualsValueExpression():
            return _of_value(tree.field, tree.value)
        case ConditionValueExpression():
            return _of_value("", tree.value)
        case _:
            return None


def _of_value(field: str, value: Any) -> list[_Held] | None:
    if isinstance(value, SigmaNull) or (isinstance(value, SigmaExists) and not value):
        return None
    match value:
        case SigmaExpansion():
            return [held for part in value.values for held in _of_value(field, part) or ()]
        case SigmaString():
            runs = (run for part in value.s if isinstance(part, str) for run in _PLAIN.findall(part))
            return [_Held(field, max(runs, key=len, default=ANY).lower())]
        case SigmaTimestampPart():
            return [_Held(field, ANY)]
        case SigmaNumber() | SigmaBool():
            return [_Held(field, str(value).lower())]
        case _:
            return [_Held(field, ANY)]


def _rarity(found: list[_Held]) -> tuple[bool, int, int]:
    """Long texts are rare; that a field is there at all is no news."""
    shortest = min((0 if held.text == ANY else len(held.text) for held in found), default=0)
    return shortest > 0, min(shortest, 12), -len(found)

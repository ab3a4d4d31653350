"""Sigma's conditions as syntax nodes of PPL; nothing of a rule is ever pasted into text.

The specification: https://sigmahq.io/sigma-specification/. Sigma knows only true and false: a field that a record
lacks matches nothing. PPL knows null too, and refuses fields that no record has; `coalesce` takes away both, so every
part without `not` is `coalesce(part, false)`, in which a field that nobody has is null.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    CompareOperators,
    Placeholder,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaRegularExpressionFlag,
    SigmaString,
    SigmaTimestampPart,
    SpecialChars,
    TimestampPart,
)

from treering.core.errors import UserError
from treering.query.syntax import Binary, Call, Cast, IsNull, Literal, Name, Node, Unary

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from treering.detect._sigma_fields import Source

_LIKE = re.compile(r"[%_\\]")
_FLAGS = {
    SigmaRegularExpressionFlag.IGNORECASE: "i",
    SigmaRegularExpressionFlag.MULTILINE: "m",
    SigmaRegularExpressionFlag.DOTALL: "s",
}
_SIGNS = {
    CompareOperators.LT: "<",
    CompareOperators.LTE: "<=",
    CompareOperators.GT: ">",
    CompareOperators.GTE: ">=",
    CompareOperators.NEQ: "!=",
}
_PARTS = {
    TimestampPart.MINUTE: "minute",
    TimestampPart.HOUR: "hour",
    TimestampPart.DAY: "dayofmonth",
    TimestampPart.WEEK: "week",
    TimestampPart.MONTH: "month",
    TimestampPart.YEAR: "year",
}
_FALSE = Literal(False, "boolean")
_MOST_DEEP = 100


class Translator:
    """Turns the condition of a rule of one kind of log source into a node."""

    def __init__(self, source: Source) -> None:
        """Take the fields of `source`."""
        self._source = source

    def condition(self, tree: Any) -> Node:
        """Return the condition. Raises `UserError` for what cannot be said."""
        return _decided(self._node(tree, 0))

    def ref(self, field: str) -> Node:
        """Return a field's value, wherever it is."""
        names = [Name(name) for name in self._source.places(field)]
        return names[0] if len(names) == 1 else Call("coalesce", tuple(names))

    def _node(self, tree: Any, deep: int) -> Node:
        if deep > _MOST_DEEP:
            raise UserError(f"a condition nests deeper than {_MOST_DEEP}")
        match tree:
            case ConditionAND() | ConditionOR():
                word = "and" if isinstance(tree, ConditionAND) else "or"
                return joined(word, [self._node(part, deep + 1) for part in tree.args])
            case ConditionNOT():
                return Unary("not", _decided(self._node(tree.args[0], deep + 1)))
            case ConditionFieldEqualsValueExpression():
                return self._field(tree.field, tree.value)
            case ConditionValueExpression():
                return self._keyword(tree.value)
            case _:
                raise UserError("a condition has a part that is none")

    def _keyword(self, value: Any) -> Node:
        if isinstance(value, SigmaExpansion):
            return joined("or", [self._keyword(part) for part in value.values])
        if isinstance(value, SigmaNumber):
            value = SigmaString(str(value.number))
        if isinstance(value, SigmaString):
            many = SpecialChars.WILDCARD_MULTI
            form = like_form((many, *value.s, many))
            tests = [_like(_text(Name(name)), form, value) for name in self._source.keywords]
        elif isinstance(value, SigmaRegularExpression):
            tests = [_regex(_text(Name(name)), value) for name in self._source.keywords]
        else:
            raise UserError("a keyword is a text, a number or a regular expression")
        return joined("or", tests)

    def _field(self, field: str, value: Any) -> Node:  # noqa: C901, PLR0911  one branch per kind of value
        ref = self.ref(field)
        match value:
            case SigmaExpansion():
                return joined("or", [self._field(field, part) for part in value.values])
            case SigmaString():
                return _like(_text(ref), like_form(value.s), value)
            case SigmaTimestampPart():
                moment = Cast(ref, "timestamp")
                return Binary("=", Call(_PARTS[value.timestamp_part], (moment,)), number(value.number))
            case SigmaNumber() | SigmaBool():
                return Call("like", (_text(ref), _string(like_form([str(value).lower()]))))
            case SigmaRegularExpression():
                return _regex(_text(ref), value)
            case SigmaCIDRExpression():
                return Call("cidrmatch", (_text(ref), _string(str(value.network))))
            case SigmaCompareExpression():
                return Binary(_SIGNS[value.op], Cast(ref, "double"), number(value.number.number))
            case SigmaNull():
                return IsNull(ref)
            case SigmaExists():
                return IsNull(ref, negated=bool(value))
            case SigmaFieldReference():
                return _reference(_lower(ref), _lower(self.ref(value.field)), value)
            case _:
                raise UserError(f"{field}: a value of the kind {type(value).__name__} cannot be looked for")


def _decided(node: Node) -> Node:
    """Return the condition with null taken as false; a negation of something decided is decided."""
    if isinstance(node, Unary) and node.op == "not":
        return node
    return Call("coalesce", (node, _FALSE))


def joined(word: str, nodes: Sequence[Node]) -> Node:
    """Return the conditions joined with `and` or `or`, as a balanced tree: long lists would nest too deep else."""
    if len(nodes) == 1:
        return nodes[0]
    if len(nodes) <= 8:
        return functools.reduce(lambda left, right: Binary(word, left, right), nodes)
    half = len(nodes) // 2
    return Binary(word, joined(word, nodes[:half]), joined(word, nodes[half:]))


def like_form(parts: Iterable[Any]) -> str:
    """Return a Sigma text as a pattern of `like`. Raises `UserError` for a placeholder that has no values."""
    found = []
    for part in parts:
        if isinstance(part, Placeholder):
            raise UserError(f"the placeholder %{part.name}% has no values", hint=f"--set {part.name}=value,value")
        if isinstance(part, str):
            found.append(_LIKE.sub(lambda special: f"\\{special[0]}", part))
        else:
            found.append("%" if part is SpecialChars.WILDCARD_MULTI else "_")
    return "".join(found)


def _like(text: Node, form: str, value: SigmaString) -> Node:
    args = (text, _string(form))
    return Call("like", (*args, Literal(True, "boolean")) if isinstance(value, SigmaCasedString) else args)


def _regex(text: Node, value: SigmaRegularExpression) -> Node:
    flags = "".join(sorted(_FLAGS[flag] for flag in value.flags))
    if value.contains_placeholder():
        raise UserError("a regular expression has a placeholder without values")
    return Call("regexp_match", (text, _string(f"(?{flags}){value.to_plain()}" if flags else value.to_plain())))


def _reference(left: Node, right: Node, value: SigmaFieldReference) -> Node:
    if value.starts_with and value.ends_with:
        return Binary(">", Call("locate", (right, left)), number(0))
    if value.starts_with:
        return Binary("=", Call("locate", (right, left)), number(1))
    if value.ends_with:
        return Binary("=", Call("right", (left, Call("length", (right,)))), right)
    return Binary("=", left, right)


def number(value: float) -> Node:
    """Return a number as a literal."""
    return Literal(str(value), "integer") if isinstance(value, int) else Literal(repr(value), "double")


def _text(node: Node) -> Node:
    return Cast(node, "string")


def _lower(node: Node) -> Node:
    return Call("lower", (_text(node),))


def _string(value: str) -> Literal:
    return Literal(value, "string")

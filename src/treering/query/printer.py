"""From syntax trees back to PPL text: parsing what is printed gives an equal tree."""

from __future__ import annotations

import functools

from treering.query import lexer
from treering.query.expressions import ARITHMETIC, LOGIC
from treering.query.syntax import (
    Between,
    Binary,
    Call,
    Case,
    Cast,
    In,
    Interval,
    IsNull,
    Keyword,
    LambdaNode,
    Literal,
    Name,
    Node,
    Pipeline,
    Relevance,
    Span,
    Subsearch,
    Unary,
)

_NOT, _COMPARISON, _SUM, _PRODUCT, _SIGN, _VALUE = 4, 5, 6, 7, 8, 9
_LOOSEST = 0


def pipeline(tree: Pipeline) -> str:
    """Return the query as one line of PPL."""
    return " | ".join(command.print() for command in tree.commands)


def expression(node: Node, least: int = _LOOSEST) -> str:
    """Return `node` as PPL; in parentheses when it binds looser than `least`."""
    text = _text(node)
    return f"({text})" if _level(node) < least else text


def _level(node: Node) -> int:  # noqa: PLR0911  one branch per kind of node
    match node:
        case Binary(op=op) if op in LOGIC:
            return 1 + LOGIC.index(op)
        case Unary(op="not"):
            return _NOT
        case Binary(op=op) if op in ARITHMETIC[0]:
            return _SUM
        case Binary(op=op) if op in ARITHMETIC[1]:
            return _PRODUCT
        case Binary() | In() | Between() | IsNull():
            return _COMPARISON
        case Subsearch(form="in"):
            return _COMPARISON
        case Unary():
            return _SIGN
        case LambdaNode():
            return _LOOSEST
        case _:
            return _VALUE


@functools.singledispatch
def _text(node: Node) -> str:
    raise TypeError(type(node))


@_text.register
def _(node: Literal) -> str:
    match node.kind:
        case "string":
            return lexer.quote(node.value)
        case "date" | "time" | "timestamp":
            return f"{node.kind} {lexer.quote(node.value)}"
        case "boolean":
            return "true" if node.value else "false"
        case "double" if "e" not in node.value:
            return f"{node.value}d"
        case "float":
            return f"{node.value}f"
        case _:
            return str(node.value)


@_text.register
def _(node: Name) -> str:
    return lexer.name(node.name)


@_text.register
def _(node: Keyword) -> str:
    return node.word


@_text.register
def _(node: Call) -> str:
    if node.name == "extract":
        return f"extract({expression(node.args[0])} from {expression(node.args[1])})"
    if node.name == "position":
        first, *rest = node.args
        return f"position({' in '.join([expression(first, _SUM), *(expression(arg, _SUM) for arg in rest)])})"
    return f"{node.name}({', '.join(map(expression, node.args))})"


@_text.register
def _(node: Unary) -> str:
    if node.op == "not":
        return f"not {expression(node.operand, _NOT)}"
    # A sign before a number is part of the number, so the operand keeps its parentheses there.
    inner = expression(node.operand, _SIGN)
    return f"-({inner})" if inner[:1].isdigit() or inner.startswith(".") else f"-{inner}"


@_text.register
def _(node: Binary) -> str:
    level = _level(node)
    return f"{expression(node.left, level)} {node.op} {expression(node.right, level + 1)}"


@_text.register
def _(node: In) -> str:
    items = ", ".join(map(expression, node.items))
    return f"{expression(node.operand, _COMPARISON)} {_not(negated=node.negated)}in ({items})"


@_text.register
def _(node: Between) -> str:
    bounds = f"{expression(node.low, _SUM)} and {expression(node.high, _SUM)}"
    return f"{expression(node.operand, _COMPARISON)} {_not(negated=node.negated)}between {bounds}"


@_text.register
def _(node: IsNull) -> str:
    return f"{expression(node.operand, _COMPARISON)} is {_not(negated=node.negated)}null"


@_text.register
def _(node: Case) -> str:
    branches = ", ".join(f"{expression(condition)}, {expression(value)}" for condition, value in node.branches)
    return f"case({branches}{f' else {expression(node.otherwise)}' if node.otherwise else ''})"


@_text.register
def _(node: Cast) -> str:
    return f"cast({expression(node.operand)} as {node.target})"


@_text.register
def _(node: Interval) -> str:
    return f"interval {expression(node.amount, _SUM)} {node.unit}"


@_text.register
def _(node: LambdaNode) -> str:
    names = ", ".join(map(lexer.name, node.names))
    return f"{names if len(node.names) == 1 else f'({names})'} -> {expression(node.body)}"


@_text.register
def _(node: Relevance) -> str:
    fields = [lexer.name(name) + (f" ^ {boost}" if boost else "") for name, boost in node.fields]
    single = node.name.startswith("match")
    parts = [fields[0]] if single else [f"[{', '.join(fields)}]"] if fields else []
    parts.append(lexer.quote(node.query))
    parts.extend(f"{name} = {lexer.quote(value)}" for name, value in node.options)
    return f"{node.name}({', '.join(parts)})"


@_text.register
def _(node: Subsearch) -> str:
    inner = f"[ {pipeline(node.pipeline)} ]"
    if node.form == "scalar":
        return inner
    if node.form == "exists":
        return f"exists {inner}"
    operands = ", ".join(expression(operand, _COMPARISON) for operand in node.operands)
    left = f"({operands})" if len(node.operands) > 1 else operands
    return f"{left} {_not(negated=node.negated)}in {inner}"


@_text.register
def _(node: Span) -> str:
    size = f"{node.amount}{node.unit}"
    return f"span({size})" if node.field is None else f"span({expression(node.field)}, {size})"


def _not(*, negated: bool) -> str:
    return "not " if negated else ""

"""`{{incident.start}}` in PPL: values become literals in the syntax tree, never text in the query.

Each placeholder is first read as a marked string, so the query has to be valid whatever the value is; then the marked
literals are exchanged for literals of the value, and the tree is printed again. A list of values stands in `in (…)`.
"""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from treering import query
from treering.core.errors import UserError
from treering.model.times import format_ns
from treering.query.syntax import In, Literal, Node

if TYPE_CHECKING:
    from collections.abc import Mapping


class Instant(NamedTuple):
    """A point in time, nanoseconds since the epoch: a timestamp literal."""

    ns: int


Value = str | int | float | Instant | tuple[str, ...]
_PLACE = re.compile(r"\{\{\s*([a-z][a-z0-9_.]*)\s*\}\}")
_MARK = "treering parameter {}"
_MARKED = re.compile(r"treering parameter ([a-z][a-z0-9_.]*)")
_MOST_VALUES = 100
_QUOTES = re.compile(r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`""", re.DOTALL)


class Absent(Exception):  # noqa: N818  it is no error: the step does not apply
    """A parameter has no value in this incident."""

    def __init__(self, name: str) -> None:
        """Keep the parameter's name."""
        super().__init__(name)
        self.name = name


def names(text: str) -> set[str]:
    """Return the parameters that `text` names."""
    return set(_PLACE.findall(text))


def bound(text: str, values: Mapping[str, Value]) -> str:
    """Return the PPL `text` with its parameters as literals. Raises `UserError`, or `Absent` for an empty list.

    A parameter may stand where a value can stand in an expression, not within quotes and not in the search clause.
    """
    if "treering parameter" in text:
        raise UserError("a playbook's query cannot hold the words 'treering parameter'")
    for quoted in _QUOTES.findall(text):
        if inside := _PLACE.search(quoted):
            raise UserError(f"the parameter {inside[1]} stands within quotes", hint="leave the quotes away")
    for name in sorted(names(text)):
        if name not in values:
            known = ", ".join(sorted(values))
            raise UserError(f"unknown parameter {name!r}", hint=f"known: {known}")
        if values[name] == ():
            raise Absent(name)
    tree = query.parse(_PLACE.sub(lambda found: "'" + _MARK.format(found[1]) + "'", text), "logs")
    printed = query.print(_replaced(tree, values))
    if _is_left(values, printed):
        raise UserError("a parameter can only stand for a value in an expression", hint="put it into where")
    return printed


def _is_left(values: Mapping[str, Value], printed: str) -> bool:
    """Whether some placeholder was no literal of the tree: then its mark is still in the printed text.

    Values may hold the same words, since logs can say anything; those are not counted.
    """
    held = [value for value in values.values() for value in (value if isinstance(value, tuple) else (value,))]
    said = sum(len(_MARKED.findall(str(value))) for value in held)
    return len(_MARKED.findall(printed)) > said


def _replaced(node: Any, values: Mapping[str, Value]) -> Any:
    """Return `node` with every marked literal exchanged, in whatever commands and expressions it stands."""
    if isinstance(node, Literal):
        return _literal(node, values)
    if isinstance(node, In):
        items = tuple(new for item in node.items for new in _items(item, values))
        return dataclasses.replace(node, operand=_replaced(node.operand, values), items=items)
    if isinstance(node, tuple):
        return tuple(_replaced(item, values) for item in node)
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        changed = {f.name: _replaced(getattr(node, f.name), values) for f in dataclasses.fields(node) if f.init}
        return dataclasses.replace(node, **changed)
    return node


def _literal(node: Literal, values: Mapping[str, Value]) -> Node:
    if (found := _marked(node)) is None:
        return node
    value = values[found]
    if isinstance(value, tuple) and not isinstance(value, Instant):
        if len(value) != 1:
            raise UserError(f"the parameter {found} is a list", hint="write: field in ({{" + found + "}})")
        value = value[0]
    return _written(value)


def _items(node: Node, values: Mapping[str, Value]) -> list[Node]:
    found = _marked(node)
    if found is None:
        return [_replaced(node, values)]
    value = values[found]
    many = value if isinstance(value, tuple) and not isinstance(value, Instant) else (value,)
    return [_written(item) for item in many[:_MOST_VALUES]]


def _marked(node: Node) -> str | None:
    if isinstance(node, Literal) and node.kind == "string" and (found := _MARKED.fullmatch(str(node.value))):
        return found[1]
    return None


def _written(value: str | float | Instant) -> Literal:
    if isinstance(value, Instant):
        # PPL's timestamps have a space between date and time, and no zone: UTC.
        return Literal(format_ns(value.ns).replace("T", " ").removesuffix("Z"), "timestamp")
    if isinstance(value, str):
        return Literal(value, "string")
    return Literal(repr(value), "integer" if isinstance(value, int) else "decimal")

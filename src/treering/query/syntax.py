"""The syntax tree of PPL: expressions and pipelines, each node with its place in the text.

Places take no part in comparison: two texts that mean the same have equal trees.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.query.compiler import Compiler
    from treering.query.relation import Relation

Place: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Node:
    """Base of all expressions; `place` is (offset, end) in the text."""

    place: Place = field(default=(0, 0), compare=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Literal(Node):
    """A value written out: str, int, bool, or a number kept as text with its `kind`.

    `kind` is "string", "integer", "decimal", "double", "float", "boolean", "null", or "date", "time", "timestamp" for
    such a literal.
    """

    value: Any
    kind: str


@dataclass(frozen=True, slots=True)
class Name(Node):
    """A field; steps joined with dots."""

    name: str


@dataclass(frozen=True, slots=True)
class Call(Node):
    """A function with its arguments; `name` is lower case."""

    name: str
    args: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Keyword(Node):
    """A bare word that a function takes: `extract(YEAR FROM x)`; upper case."""

    word: str


@dataclass(frozen=True, slots=True)
class Unary(Node):
    """`not x` or `-x`."""

    op: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Binary(Node):
    """Arithmetic, comparison, text pattern or logic; `op` is its canonical sign or lower-case word."""

    op: str
    left: Node
    right: Node


TURNED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
"""Signs of comparisons, and what they become when the sides change places."""


@dataclass(frozen=True, slots=True)
class In(Node):
    """`operand [not] in (items)`."""

    operand: Node
    items: tuple[Node, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Between(Node):
    """`operand [not] between low and high`."""

    operand: Node
    low: Node
    high: Node
    negated: bool = False


@dataclass(frozen=True, slots=True)
class IsNull(Node):
    """`operand is [not] null`."""

    operand: Node
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Case(Node):
    """`case(condition, value, … [else value])`."""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node | None = None


@dataclass(frozen=True, slots=True)
class Cast(Node):
    """`cast(operand as target)`."""

    operand: Node
    target: str


@dataclass(frozen=True, slots=True)
class Interval(Node):
    """`interval amount unit`; `unit` is upper case."""

    amount: Node
    unit: str


@dataclass(frozen=True, slots=True)
class LambdaNode(Node):
    """`x -> body` or `(x, y) -> body`."""

    names: tuple[str, ...]
    body: Node


@dataclass(frozen=True, slots=True)
class Relevance(Node):
    """`match(field, query, option = value)` and its kin; no fields means all."""

    name: str
    fields: tuple[tuple[str, str | None], ...]
    query: str
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Subsearch(Node):
    """`[ search … ]` as a value, `operands [not] in [ … ]`, or `exists [ … ]`; `form` is "scalar", "in" or "exists"."""

    form: str
    pipeline: Pipeline
    operands: tuple[Node, ...] = ()
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Span(Node):
    """A bucket: `span(field, 5m)`; `field` None is @timestamp; `unit` "" is a number's step."""

    field: Node | None
    amount: str
    unit: str = ""


class Command(Protocol):
    """One pipe's command: a frozen dataclass in its own module of `treering.query.commands`."""

    def print(self) -> str:
        """Return the command as PPL text; parsing it gives an equal command."""
        ...

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return the relation after this command. Raises `UserError` with a place."""
        ...


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A query: its commands in order, the text they were read from, and where each command stands in it."""

    commands: tuple[Command, ...]
    text: str = field(default="", compare=False)
    places: tuple[Place, ...] = field(default=(), compare=False)


def children(node: Node) -> Iterator[Node]:
    """Yield the nodes directly under `node`, subsearches left out."""
    for name in node.__dataclass_fields__:
        value = getattr(node, name)
        yield from _flat(value)


def _flat(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _flat(item)


def walk(node: Node) -> Iterator[Node]:
    """Yield `node` and all nodes under it."""
    yield node
    for child in children(node):
        yield from walk(child)

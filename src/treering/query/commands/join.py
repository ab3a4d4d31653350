"""`[<kind>] join [left=] [right=] [max=] [on <condition> | <field>, …] <stream or [ <pipeline> ]>`: rows beside rows.

With a condition, columns of the right side whose name the left has stand under `right.name`. With a list of fields, or
with none (all common ones), each name stays once: the right side's value with `overwrite=true`, else the left's.

Syntax:
    [<kind>] join [left=<name>] [right=<name>] [max=<n>] on <condition> <stream or [ pipeline ]>
    join [type=<kind>] [overwrite=true|false] [max=<n>] [<field>, …] <stream or [ pipeline ]>

Arguments:
    kind: inner if not said; left, right, full, cross, semi or anti
    left: a name for the rows so far
    right: a name for the other rows
    max: how many rows of the right side at most stand beside one
    on: the condition; without it fields of the same name are equal
    type: the kind, written as an option
    overwrite: false to keep the left side's values

Example:
    source=logs | inner join left=l right=s on l.serviceName = s.name services | fields serviceName, team
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import datasets, expressions, lexer, operators, printer, windows
from treering.query.commands.head import positive
from treering.query.datasets import Dataset
from treering.query.lexer import Mode
from treering.query.relation import Column, Order, Relation, aliased, named, nested
from treering.query.scope import Scope, column_value
from treering.query.syntax import Binary, Name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.syntax import Node

KINDS = ("inner", "left", "right", "full", "cross", "semi", "anti")
KEEP_RIGHT = frozenset({"right", "full"})
SETTING = "plugins.calcite.all_join_types.allowed"
_HEAVY = KEEP_RIGHT | {"cross"}
NAMES = ("join", *KINDS)
_SQL = {
    "inner": {"kind": "INNER"},
    "left": {"side": "LEFT", "kind": "OUTER"},
    "right": {"side": "RIGHT", "kind": "OUTER"},
    "full": {"side": "FULL", "kind": "OUTER"},
    "cross": {"kind": "CROSS"},
    "semi": {"kind": "SEMI"},
    "anti": {"kind": "ANTI"},
}


@dataclass(frozen=True, slots=True)
class Join:
    """The kind, the right side, and the condition or the names that must be equal on both sides (none: all common)."""

    dataset: Dataset
    kind: str = "inner"
    condition: Node | None = None
    names: tuple[Name, ...] = ()
    left_alias: str = ""
    right_alias: str = ""
    overwrite: bool = True
    most: int = 0

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [f"{self.kind} join"]
        parts += [f"left={lexer.name(self.left_alias)}"] if self.left_alias else []
        parts += [f"right={lexer.name(self.right_alias)}"] if self.right_alias else []
        parts += [f"max={self.most}"] if self.most else []
        parts += ["overwrite=false"] if not self.overwrite else []
        if self.condition is not None:
            parts.append(f"on {printer.expression(self.condition)}")
        parts += [", ".join(map(printer.expression, self.names))] if self.names else []
        return " ".join([*parts, self.dataset.print()])

    def right(self, compiler: Compiler) -> Relation:
        """Return the right side's rows."""
        return self.dataset.relation(compiler)

    def allowed(self, compiler: Compiler) -> None:
        """Raise `UserError` when the query may not join this way."""
        if self.kind in _HEAVY and not compiler.context.all_joins:
            where = compiler.where(self.dataset.place)
            raise UserError(f"{self.kind} joins are not allowed", hint=f"set {SETTING} to true", where=where)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Join the rows; those of an equality come in the order of its left value."""
        self.allowed(compiler)
        right = self.right(compiler)
        left_names = frozenset({self.left_alias} if self.left_alias else ()) | relation.names
        right_names = frozenset({self.right_alias, self.dataset.alias} - {""}) | right.names
        # An alias means the side of this join, also where an earlier one has left columns under the same prefix.
        aliases = tuple(f"{alias}." for alias in (self.left_alias, self.right_alias, self.dataset.alias) if alias)
        own = {name: column for name, column in relation.columns.items() if not (aliases and name.startswith(aliases))}
        both = replace(
            relation,
            columns={**right.columns, **own},
            names=frozenset(),
            sides=(*right.sides, *relation.sides, (left_names, relation.columns), (right_names, right.columns)),
        )
        condition, keys = self._condition(relation, right, both, compiler)
        if self.most:
            right = self._first(right, [key for _, key in keys], compiler)
        select = exp.Select(expressions=[exp.Star()]).from_(nested(relation.sql), copy=False)
        table = exp.Subquery(this=right.sql, alias=exp.TableAlias(this=exp.to_identifier("u")))
        kind = "inner" if self.kind == "cross" and condition is not None else self.kind
        select.append("joins", exp.Join(this=table, on=condition, **_SQL[kind]))
        result = replace(both, sql=select, plain=False)
        if self.kind in {"semi", "anti"}:
            kept = (*relation.sides, (left_names, relation.columns))
            result = replace(result, columns=relation.columns, sides=kept, shuffled=relation.sequence is not None)
            if relation.sequence is not None:
                return result
            return replace(result, order=(*(Order(key) for key, _ in keys), *relation.order), unasked=True)
        columns = self._columns(relation.columns, right)
        order = [Order(right_key if kind == "right" else left_key) for left_key, right_key in keys]
        order += [*relation.order, *_stored(relation), *right.order, *_stored(right)]
        implicit = relation.implicit and right.implicit
        result = replace(result.ordered(order), columns=columns, sequence=None, implicit=implicit, unasked=True)
        return replace(result, merged=len(keys)) if kind == "left" else result

    def _columns(self, left: Mapping[str, Column], right: Relation) -> dict[str, Column]:
        if self.condition is None and self.kind != "cross":
            if self.overwrite:
                return {**{name: column for name, column in left.items() if name not in right.columns}, **right.columns}
            return {**right.columns, **left} if not left else {**left, **_missing(right.columns, left)}
        fallback = next(iter(sorted(right.names)), "right")
        prefix = self.right_alias or self.dataset.alias or fallback
        renamed = {f"{prefix}.{name}" if name in left else name: column for name, column in right.columns.items()}
        return {**left, **renamed}

    def _condition(
        self, left: Relation, right: Relation, both: Relation, compiler: Compiler
    ) -> tuple[exp.Expression | None, list[tuple[Column, Column]]]:
        """Return the condition's SQL and the pairs of columns that it demands to be equal."""
        if self.condition is not None and not isinstance(self.condition, Name):
            scope = Scope(both, compiler)
            keys = []
            for one, other in _equalities(self.condition):
                pair = [scope.column(one), scope.column(other)]
                if pair[1] in left.columns.values():
                    pair.reverse()
                keys.append((pair[0], pair[1]))
            return scope.condition(self.condition, "join"), keys
        if self.kind == "cross" and self.condition is None and not self.names:
            return None, []
        names = [self.condition] if isinstance(self.condition, Name) else list(self.names)
        names = names or [Name(name) for name in left.columns if name in right.columns]
        if not names:
            return exp.Boolean(this=True), []
        keys = [(Scope(left, compiler).column(name), Scope(right, compiler).column(name)) for name in names]
        tests = [_equal(one, other, compiler) for one, other in keys]
        both_sides = functools.reduce(lambda one, other: exp.And(this=one, expression=other), tests)
        return both_sides, keys

    def _first(self, right: Relation, keys: list[Column], compiler: Compiler) -> Relation:
        """Keep the first rows of each combination of keys."""
        if not keys:
            return right.limited(self.most)
        order = right.keys()
        number = exp.Window(
            this=exp.RowNumber(),
            partition_by=[key.raw for key in keys],
            order=exp.Order(expressions=order) if order else None,
        )
        ref = compiler.fresh()
        right = windows.shuffled(replace(right, sql=right.wrapped(aliased(number, ref))))
        return right.where(exp.LTE(this=named(ref), expression=exp.Literal.number(self.most)))


def _missing(columns: Mapping[str, Column], known: Mapping[str, Column]) -> dict[str, Column]:
    return {name: column for name, column in columns.items() if name not in known}


def _stored(relation: Relation) -> list[Order]:
    return [Order(relation.sequence)] if relation.sequence is not None else []


def _equal(left: Column, right: Column, compiler: Compiler) -> exp.Expression:
    return operators.compare("=", column_value(left), column_value(right), compiler.now_ns).sql


def _equalities(node: Node) -> Iterator[tuple[Name, Name]]:
    if isinstance(node, Binary) and node.op == "and":
        yield from _equalities(node.left)
        yield from _equalities(node.right)
    elif isinstance(node, Binary) and node.op == "=" and isinstance(node.left, Name) and isinstance(node.right, Name):
        yield node.left, node.right


def parse(parser: Parser) -> Join:
    """Read what follows `join` or the word before it."""
    kind = _kind(parser)
    options: dict[str, object] = {}
    while option := parser.option("left", "right", "type", "max", "overwrite"):
        match option:
            case "type":
                kind = parser.expect_word(*KINDS, "outer")
            case "max":
                options["most"] = positive(parser, "the number of matches")
            case "overwrite":
                options["overwrite"] = parser.boolean()
            case _:
                options[f"{option}_alias"] = parser.field().name
        parser.op(",")
    condition: Node | None = None
    names: tuple[Name, ...] = ()
    if parser.word("on", "where"):
        condition = expressions.expression(parser)
    else:
        names = _names(parser)
    dataset = datasets.read(parser)
    return Join(dataset, "left" if kind == "outer" else kind, condition, names, **options)  # type: ignore[arg-type]


def _kind(parser: Parser) -> str:
    word = parser.text[: parser.last_end].rsplit(None, 1)[-1].lower().lstrip("|[")
    if word == "join":
        return "inner"
    parser.word("outer")
    if word == "left" and (narrow := parser.word("semi", "anti")):
        word = narrow
    parser.expect_word("join")
    return word


def _names(parser: Parser) -> tuple[Name, ...]:
    """Take the names before the right side, which is a name too."""
    if parser.peek().is_op("["):
        return ()
    before = parser.position
    parser.take(Mode.SEARCH)
    alone = parser.at_end() or parser.peek().is_word("as")
    parser.position = before
    if alone:
        return ()
    found = [parser.field()]
    while parser.op(","):
        found.append(parser.field())
    return tuple(found)

"""`parse <field> '<pattern>'`: a text field per named group of a regular expression that matches the whole text.

Where it does not match the fields are empty texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, expressions, lexer, printer, regexes
from treering.query.commands.regex import text
from treering.query.function import Typed
from treering.query.relation import aliased, named
from treering.query.scope import Scope
from treering.query.template import call, literal, typed
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Literal, Node

NAMES = ("parse",)
_GROUP = re.compile(r"(?<!\\)(?:\\\\)*\(\?<(?![=!])([^>]*)>")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")


@dataclass(frozen=True, slots=True)
class Parse:
    """What is parsed, and the pattern."""

    source: Node
    pattern: Literal

    def print(self) -> str:
        """Return the command as PPL."""
        return f"parse {printer.expression(self.source)} {lexer.quote(self.pattern.value)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add a column per group."""
        value = source(self.source, relation, compiler)
        pattern = self.pattern.value
        try:
            groups = named_groups(pattern)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=compiler.where(self.pattern.place)) from None
        if regexes.beyond_re2(pattern):
            found = call("ppl_parse", Type.STRING, value, literal(pattern))
            return from_object(relation, compiler, found, list(groups))
        whole = literal(rf"\A(?:{regexes.named(pattern)})\z")
        values = {
            name: call("regexp_extract", Type.STRING, value, whole, literal(index)) for name, index in groups.items()
        }
        return compiler.extended(relation, values)


def source(node: Node, relation: Relation, compiler: Compiler) -> Typed:
    """Return what is parsed as a text, empty where it is null."""
    value = Scope(relation, compiler).typed(node)
    return typed(Type.STRING, "coalesce(:x, '')", x=coerce.text_of(value))


def named_groups(pattern: str) -> dict[str, int]:
    """Return the named groups and their numbers. Raises `UserError` for a bad name or pattern."""
    for name in _GROUP.findall(pattern):
        if not _NAME.fullmatch(name):
            raise UserError(f"invalid capture group name {name[:80]!r}", hint="letters and digits, a letter first")
    regexes.check(pattern)
    return dict(regexes.compiled(pattern).groupindex)


def from_object(relation: Relation, compiler: Compiler, found: Typed, names: Sequence[str]) -> Relation:
    """Return the relation with the members of a JSON object as text columns, empty where it has none."""
    ref = compiler.fresh()
    relation = replace(relation, sql=relation.wrapped(aliased(found.sql, ref)), plain=False)
    values = {name: _member(named(ref), name) for name in names}
    return compiler.extended(relation, values)


def _member(document: exp.Expression, name: str) -> Typed:
    path = literal('$."' + name.replace('"', "") + '"')
    return typed(Type.STRING, "coalesce(json_extract_string(:d, :p), '')", d=document, p=path)


def parse(parser: Parser) -> Parse:
    """Read what follows `parse`."""
    node = expressions.value(parser)
    return Parse(node, text(parser, "a regular expression in quotes"))

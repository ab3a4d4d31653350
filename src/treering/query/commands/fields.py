"""`fields [+|-] <field>, …` and `table`: choose or drop columns, by name or with `*`.

Syntax:
    fields [+|-] <field>, …
    table <field>, …

Arguments:
    +: these columns, in this order, which is so if not said
    -: all but these columns
    field: a name, or a pattern with *

Example:
    source=logs | fields @timestamp, serviceName, attributes.*
    source=logs | fields - body
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import lexer
from treering.query.lexer import Mode
from treering.query.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Column, Relation
    from treering.query.syntax import Name

NAMES = ("fields", "table")


@dataclass(frozen=True, slots=True)
class Fields:
    """Names or patterns, and whether they are dropped instead of kept."""

    names: tuple[Name, ...]
    dropped: bool = False

    def print(self) -> str:
        """Return the command as PPL."""
        return f"fields {'- ' if self.dropped else ''}{', '.join(printed(name.name) for name in self.names)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Keep or drop the columns."""
        if self.dropped:
            return self._drop(relation, compiler)
        kept: dict[str, Column] = {}
        scope = Scope(relation, compiler)
        for name in self.names:
            if "*" in name.name:
                found = self._matching(relation, name, compiler)
                kept.update({key: relation.columns[key] for key in found if key not in kept})
            else:
                kept.setdefault(compiler.shown_name(relation, name.name), scope.column(name))
        return replace(relation, columns=kept, plain=False, implicit=False)

    def _matching(self, relation: Relation, name: Name, compiler: Compiler) -> list[str]:
        found = matching(relation, name.name)
        if not found and len(self.names) == 1:
            raise UserError(f"no field matches {name.name!r}", where=compiler.where(name.place))
        return found

    def _drop(self, relation: Relation, compiler: Compiler) -> Relation:
        scope = Scope(relation, compiler)
        gone: set[str] = set()
        for name in self.names:
            if "*" in name.name:
                gone.update(self._matching(relation, name, compiler))
            else:
                scope.column(name)
                gone.add(name.name)  # members of an object stay, and stand for it
        kept = {key: column for key, column in relation.columns.items() if key not in gone}
        if not kept:
            raise UserError("no field is left", where=compiler.where(self.names[0].place))
        return relation.with_columns(kept)


def printed(name: str) -> str:
    """Return a name or pattern as PPL."""
    return name if re.fullmatch(r"[A-Za-z@_*][\w*]*(\.[\w*]+)*", name) and "*" in name else lexer.name(name)


def matching(relation: Relation, pattern: str) -> list[str]:
    """Return the columns that a pattern with `*` matches, in order; for `*` alone all that are shown."""
    from treering.query import output

    columns: Iterable[str] = output.visible(relation) if pattern == "*" else relation.columns
    form = re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)
    return [name for name in columns if form.fullmatch(name)]


def parse(parser: Parser) -> Fields:
    """Read what follows `fields`."""
    sign = parser.op("+", "-", mode=Mode.PATTERN)
    names = parser.patterns()
    return Fields(tuple(_every(name, parser.text) for name in names), sign == "-")


def _every(name: Name, text: str) -> Name:
    """Return a `*` between backticks as the pattern that matches members of objects, too."""
    return replace(name, name="**") if name.name == "*" and text[name.place[0]] == "`" else name

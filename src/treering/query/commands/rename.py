"""`rename <field> as <name>, …`: other names for columns; `*` stands for the same text on both sides.

Arguments:
    field: the column, or a pattern with *
    name: its new name

Example:
    source=logs | rename serviceName as service, severity* as level*
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query.commands.fields import printed
from treering.query.relation import METADATA

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Column, Relation
    from treering.query.syntax import Name

NAMES = ("rename",)


@dataclass(frozen=True, slots=True)
class Rename:
    """Old and new names or patterns, in order."""

    clauses: tuple[tuple[Name, Name], ...]

    def print(self) -> str:
        """Return the command as PPL."""
        return "rename " + ", ".join(f"{printed(old.name)} as {printed(new.name)}" for old, new in self.clauses)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Rename in place; a column that had the new name goes."""
        for old, new in self.clauses:
            if new.name in METADATA:
                raise UserError(f"cannot rename to metadata field {new.name!r}", where=compiler.where(new.place))
            if old.name.count("*") != new.name.count("*"):
                raise UserError(
                    "both names of a rename need the same number of *",
                    where=compiler.where((old.place[0], new.place[1])),
                )
            member = None if "*" in old.name or old.name in relation.columns else compiler.column(relation, old.name)
            if member is not None and member.path:
                # A member of a document gets a column of its own.
                relation = relation.with_columns({**relation.columns, new.name: member})
                continue
            relation = relation.with_columns(_renamed(relation, old.name, new.name))
        return relation


def _renamed(relation: Relation, old: str, new: str) -> dict[str, Column]:
    """Return the columns with new names; a name that matches nothing removes what has the new name."""
    form = re.compile("(.*?)".join(map(re.escape, old.split("*"))) if old.count("*") < 2 else _greedy(old), re.DOTALL)
    names: dict[str, str] = {}
    for name in relation.columns:
        if found := form.fullmatch(name):
            parts = iter(found.groups())
            names[name] = re.sub(r"\*", lambda _, parts=parts: next(parts), new)  # type: ignore[misc]
    if not names and "*" not in old and old != new:
        return {name: column for name, column in relation.columns.items() if name != new}
    gone = set(names.values()) - set(names)
    return {
        names.get(name, name): column for name, column in relation.columns.items() if name in names or name not in gone
    }


def _greedy(pattern: str) -> str:
    return "(.*)".join(map(re.escape, pattern.split("*")))


def parse(parser: Parser) -> Rename:
    """Read what follows `rename`."""
    clauses: list[tuple[Name, Name]] = []
    while True:
        old = parser.pattern()
        parser.expect_word("as")
        clauses.append((old, parser.pattern()))
        if not parser.op(",") and parser.at_end():
            return Rename(tuple(clauses))

"""`flatten <object> [as (<name>, …)]`: the members of an object as columns beside it, in the order of their names.

Arguments:
    object: a field that holds an object
    as: the names of the columns, in the order of the members' names

Example:
    source=logs | flatten status
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import lexer, printer

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("flatten",)


@dataclass(frozen=True, slots=True)
class Flatten:
    """The object, and names for its members."""

    name: Name
    aliases: tuple[str, ...] = ()

    def print(self) -> str:
        """Return the command as PPL."""
        names = f" as ({', '.join(map(lexer.name, self.aliases))})" if self.aliases else ""
        return f"flatten {printer.expression(self.name)}{names}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Show the members that are columns; what has none, as after `fields`, stays as it is."""
        prefix = f"{self.name.name}."
        columns = {key: column for key, column in relation.columns.items() if key.startswith(prefix)}
        members = sorted(columns)
        direct = [key for key in members if not any(key.startswith(f"{other}.") for other in members)]
        if self.aliases and len(self.aliases) != len(direct):
            raise UserError(
                f"{self.name.name!r} has {len(direct)} members, and {len(self.aliases)} names are given",
                where=compiler.where(self.name.place),
            )
        names = self.aliases or [key[len(prefix) :] for key in direct]
        added = {name: columns[key] for name, key in zip(names, direct, strict=True)}
        kept = {name: column for name, column in relation.columns.items() if name not in added}
        return relation.with_columns({**kept, **added})


def parse(parser: Parser) -> Flatten:
    """Read what follows `flatten`."""
    name = parser.field()
    aliases = []
    if parser.word("as"):
        bracket = parser.op("(")
        aliases.append(parser.field().name)
        while parser.op(","):
            aliases.append(parser.field().name)
        if bracket:
            parser.expect_op(")")
    return Flatten(name, tuple(aliases))

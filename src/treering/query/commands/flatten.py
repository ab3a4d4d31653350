"""`flatten <field> [as (<name>, …)]`: the members of an object as columns of their own, in the order of their names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import lexer, printer
from treering.query.commands.stats import unique

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("flatten",)


@dataclass(frozen=True, slots=True)
class Flatten:
    """The field, and other names for its members."""

    name: Name
    aliases: tuple[str, ...] = ()

    def print(self) -> str:
        """Return the command as PPL."""
        aliases = f" as ({', '.join(map(lexer.name, self.aliases))})" if self.aliases else ""
        return f"flatten {printer.expression(self.name)}{aliases}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Show the members at the end; what has no members stays as it is."""
        prefix = self.name.name + "."
        members = sorted(name for name in relation.columns if name.startswith(prefix))
        if self.aliases and len(self.aliases) != len(members):
            raise UserError(
                f"flatten needs {len(members)} names ({', '.join(members)[:200]}), not {len(self.aliases)}",
                where=compiler.where(self.name.place),
            )
        columns = dict(relation.columns)
        for name, alias in zip(members, self.aliases or [name[len(prefix) :] for name in members], strict=True):
            columns[unique(alias, columns)] = relation.columns[name]
        return relation.with_columns(columns)


def parse(parser: Parser) -> Flatten:
    """Read what follows `flatten`."""
    name = parser.field()
    if not parser.word("as"):
        return Flatten(name)
    if not parser.op("("):
        return Flatten(name, (parser.field().name,))
    aliases = [parser.field().name]
    while parser.op(","):
        aliases.append(parser.field().name)
    parser.expect_op(")")
    return Flatten(name, tuple(aliases))

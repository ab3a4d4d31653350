"""`addcoltotals [<field>, …] [labelfield=] [label=]`: a last row with the sum of each column of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from treering.query.commands.addtotals import TOTAL, Addtotals, printed, read

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name

NAMES = ("addcoltotals",)


@dataclass(frozen=True, slots=True)
class Addcoltotals:
    """The fields (none: every number), and where the label goes."""

    names: tuple[Name, ...] = ()
    labelfield: str = ""
    label: str = TOTAL

    def print(self) -> str:
        """Return the command as PPL."""
        return " ".join(["addcoltotals", *printed(self.names, self.labelfield, self.label)])

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add the row of sums."""
        whole = Addtotals(self.names, row=False, col=True, labelfield=self.labelfield, label=self.label)
        return whole.lower(relation, compiler)


def parse(parser: Parser) -> Addcoltotals:
    """Read what follows `addcoltotals`."""
    names, options = read(parser, ("label", "labelfield"))
    return Addcoltotals(names, **options)  # type: ignore[arg-type]

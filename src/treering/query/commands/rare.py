"""`rare [<count>] [countfield=] [showcount=] [usenull=] <field>, … [by <field>, …]`: the least frequent values.

Arguments:
    count: how many values, 10 if not said
    countfield: the name of the column of counts, count if not said
    showcount: false to leave counts out
    usenull: false to leave nulls out
    field: the values that are counted
    by: what makes a group

Example:
    source=logs | rare serviceName by severityText
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from treering.query.commands.top import Top, read

if TYPE_CHECKING:
    from treering.query.parser import Parser

NAMES = ("rare",)


@dataclass(frozen=True, slots=True)
class Rare(Top):
    """Like `top`, in ascending order of frequency."""

    word: ClassVar[str] = "rare"
    descending: ClassVar[bool] = False


def parse(parser: Parser) -> Top:
    """Read what follows `rare`."""
    return read(parser, Rare)

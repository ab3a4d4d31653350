"""`rare [<count>] [countfield=] [showcount=] [usenull=] <field>, … [by <field>, …]`: the least frequent values."""

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

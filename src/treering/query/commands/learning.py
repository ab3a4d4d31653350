"""`kmeans`, `ad` and `ml`, which OpenSearch's machine learning plugin has: refused by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from treering.core.errors import UserError

if TYPE_CHECKING:
    from treering.query.parser import Parser

NAMES = ("kmeans", "ad", "ml")


def parse(parser: Parser) -> NoReturn:
    """Refuse the command."""
    end = parser.last_end
    start = max(parser.text.rfind(" ", 0, end), parser.text.rfind("|", 0, end)) + 1
    raise UserError(
        f"{parser.text[start:end].strip().lower()} is not supported",
        hint="detectors find anomalies; stats, trendline and eventstats describe them",
        where=parser.where((start, end)),
    )

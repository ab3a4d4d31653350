"""Rows with typed columns."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Row: TypeAlias = "dict[str, Any]"
INT, BIGINT, DOUBLE, STRING, BOOLEAN = "int", "bigint", "double", "string", "boolean"
NUMBERS = (INT, BIGINT, DOUBLE)
UNDEFINED = "undefined"


@dataclass(frozen=True)
class Table:
    """Columns by name with their PPL types, in order, and rows that have a value or None under each.

    `stored` says that the rows are records that no command has counted, cut or joined: their aggregates of nothing are
    those of the index. `order` says whether the order of the rows is given by the query.
    """

    columns: Mapping[str, str]
    rows: Sequence[Row]
    stored: bool = True
    ordered: bool = True
    names: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def made(self, columns: Mapping[str, str], rows: Sequence[Row], *, ordered: bool = True) -> Table:
        """Return rows that a command has made."""
        return Table(columns, rows, stored=False, ordered=ordered)

    def with_rows(self, rows: Sequence[Row]) -> Table:
        """Return some of the rows, or others of the same columns."""
        return replace(self, rows=rows)


def key(value: Any) -> tuple[bool, Any]:
    """Return what values sort and group by: null comes first."""
    return (False, 0) if value is None else (True, value)


def wider(one: str, other: str) -> str:
    """Return the type that both can take."""
    if UNDEFINED in {one, other}:
        return one if other == UNDEFINED else other
    if one == other:
        return one
    if one in NUMBERS and other in NUMBERS:
        return max(one, other, key=NUMBERS.index)
    raise NotImplementedError(f"{one} beside {other}")

"""Literals of queries as values of the fields that they are compared with."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treering.query import addresses, coerce, instants
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.relation import Column
    from treering.query.syntax import Literal
    from treering.stage.condition import Value

_STAMP = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}([.,]\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?")
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,3})?")


def address(text: str) -> str | None:
    """Return an address as the store writes it, or None when the text is none."""
    try:
        return addresses.canonical(text)
    except ValueError:
        return None


def number(text: str, *, suffix: bool = False) -> int | float | None:
    """Return the number that a text is, or None; with `suffix`, it may say its type as `1.5f` does."""
    digits = text.strip().rstrip("fFdD") if suffix else text
    if not _NUMBER.fullmatch(digits):
        return None
    try:
        found: Any = int(digits) if digits.lstrip("+-").isdecimal() else float(digits)
    except (ValueError, OverflowError):
        return None
    return found if not isinstance(found, int) or -(2**63) <= found < 2**63 else None


def of_type(node: Literal, column: Column, now_ns: int, *, negative: bool) -> Value | None:  # noqa: PLR0911  by type
    """Return a literal as a value of the column's type, as a comparison of both converts it; None where it has none."""
    kind = column.type
    if kind in coerce.NUMBERS:
        value = number(str(node.value)) if node.kind not in {"boolean", "date", "time", "timestamp"} else None
        if value is None:
            return None
        if node.kind != "integer":
            value = float(value)
        return -value if negative else value
    if negative:
        return None
    if kind is Type.STRING:
        return str(node.value) if node.kind == "string" else None
    if kind is Type.BOOLEAN:
        return bool(node.value) if node.kind == "boolean" else None
    if kind is Type.IP:
        return address(str(node.value)) if node.kind == "string" else None
    if kind is Type.TIMESTAMP and node.kind in {"string", "timestamp", "date"} and _STAMP.fullmatch(str(node.value)):
        return instants.bound(str(node.value), now_ns, up=False, numbers=False)
    return None

"""From physical columns to the logical, typed columns that a scan hands to a query."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from treering.model.columns import ID, SEQUENCE, TIME, Kind
from treering.query.types import MAPPING, SQL, Type

if TYPE_CHECKING:
    from collections.abc import Collection

    from treering.model.schema import FieldType

_TEXTS = {Type.STRING, Type.IP, Type.BINARY, Type.UNDEFINED}
# The kinds whose values need no conversion for a type come first: values are tried in this order.
_ORDER = (Kind.TIME, Kind.STRING, Kind.LONG, Kind.DOUBLE, Kind.BOOLEAN, Kind.JSON)


def column(field: FieldType, available: Collection[str], stream: str) -> exp.Expression:
    """Return the SQL expression of `field` over a table that has the physical columns `available`."""
    if field.name in {ID, SEQUENCE, TIME}:
        return _named(field.name) if field.name in available else exp.cast(exp.Null(), "VARCHAR")
    if field.name == "_index":
        return exp.Literal.string(stream)
    kind = MAPPING.get(field.type, Type.STRING)
    target = "JSON" if field.holds_lists and kind is not Type.TIMESTAMP else SQL[kind]
    present = [name for name in field.physical if name in available]
    present.sort(key=lambda name: _ORDER.index(Kind(name[-1])))
    parts = [_converted(name, target) for name in present]
    if not parts:
        return exp.cast(exp.Null(), target)
    return parts[0] if len(parts) == 1 else exp.Coalesce(this=parts[0], expressions=parts[1:])


def _converted(name: str, target: str) -> exp.Expression:
    value = _named(name)
    kind = Kind(name[-1])
    if target == "JSON":
        return exp.cast(value, "JSON") if kind is Kind.JSON else exp.Anonymous(this="to_json", expressions=[value])
    same = {Kind.LONG: "BIGINT", Kind.DOUBLE: "DOUBLE", Kind.BOOLEAN: "BOOLEAN", Kind.TIME: "TIMESTAMP_NS"}
    if same.get(kind, "VARCHAR") == target:
        return value
    return exp.TryCast(this=value, to=exp.DataType.build(target, dialect="duckdb"))


def _named(name: str) -> exp.Column:
    return exp.column(exp.to_identifier(name, quoted=True))

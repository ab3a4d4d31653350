"""PPL's types, those of OpenSearch's mappings, and the SQL types that carry them."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from treering.model import dateformats

if TYPE_CHECKING:
    from treering.model.schema import FieldType


class Type(StrEnum):
    """A type as PPL prints it in an answer's schema."""

    BOOLEAN = "boolean"
    TINYINT = "tinyint"
    SMALLINT = "smallint"
    INT = "int"
    BIGINT = "bigint"
    FLOAT = "float"
    DOUBLE = "double"
    STRING = "string"
    TIMESTAMP = "timestamp"
    DATE = "date"
    TIME = "time"
    INTERVAL = "interval"
    IP = "ip"
    GEO_POINT = "geo_point"
    BINARY = "binary"
    STRUCT = "struct"
    ARRAY = "array"
    UNDEFINED = "undefined"


# OpenSearch mapping type -> PPL type (opensearch-project/sql, docs/user/ppl/general/datatypes).
MAPPING = {
    "boolean": Type.BOOLEAN,
    "byte": Type.TINYINT,
    "short": Type.SMALLINT,
    "integer": Type.INT,
    "long": Type.BIGINT,
    "unsigned_long": Type.BIGINT,
    "half_float": Type.FLOAT,
    "float": Type.FLOAT,
    "scaled_float": Type.DOUBLE,
    "double": Type.DOUBLE,
    "keyword": Type.STRING,
    "constant_keyword": Type.STRING,
    "wildcard": Type.STRING,
    "text": Type.STRING,
    "match_only_text": Type.STRING,
    "date": Type.TIMESTAMP,
    "date_nanos": Type.TIMESTAMP,
    "ip": Type.IP,
    "geo_point": Type.GEO_POINT,
    "binary": Type.BINARY,
    "object": Type.STRUCT,
    "flat_object": Type.STRUCT,
    "nested": Type.ARRAY,
}

# PPL type -> DuckDB type of the column that carries it. Lists and structs travel as JSON text, floats as
# doubles: an answer shows 6.2 where a record says so.
SQL = {
    Type.BOOLEAN: "BOOLEAN",
    Type.TINYINT: "TINYINT",
    Type.SMALLINT: "SMALLINT",
    Type.INT: "INTEGER",
    Type.BIGINT: "BIGINT",
    Type.FLOAT: "DOUBLE",
    Type.DOUBLE: "DOUBLE",
    Type.STRING: "VARCHAR",
    Type.TIMESTAMP: "TIMESTAMP_NS",
    Type.DATE: "DATE",
    Type.TIME: "TIME_NS",
    Type.INTERVAL: "INTERVAL",
    Type.IP: "VARCHAR",
    Type.GEO_POINT: "JSON",
    Type.BINARY: "VARCHAR",
    Type.STRUCT: "JSON",
    Type.ARRAY: "JSON",
    Type.UNDEFINED: "VARCHAR",
}


def type_of(field: FieldType) -> Type:
    """Return the PPL type of a field; a date's format decides whether it is a date, a time or a timestamp."""
    if field.type in {"date", "date_nanos"}:
        return Type(dateformats.kind(field.format)) if field.format else Type.TIMESTAMP
    return MAPPING.get(field.type, Type.STRING)

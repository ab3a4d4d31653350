"""PPL's types, those of OpenSearch's mappings, and the SQL types that carry them."""

from __future__ import annotations

from enum import StrEnum


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

# PPL type -> DuckDB type of the column that carries it. Lists and structs travel as JSON text.
SQL = {
    Type.BOOLEAN: "BOOLEAN",
    Type.TINYINT: "TINYINT",
    Type.SMALLINT: "SMALLINT",
    Type.INT: "INTEGER",
    Type.BIGINT: "BIGINT",
    Type.FLOAT: "FLOAT",
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

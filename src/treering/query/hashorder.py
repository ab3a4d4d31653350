"""The order in which OpenSearch's own engine hands out groups that the index did not make: that of a Java hash map.

Where the index aggregates, groups ascend. Where the engine does (after `head`, a join, a window, and for lists of
values), they come by bucket of a `java.util.HashMap`, then by first row. Clients see that order, so it is kept.
Hashes as in java.lang (`String`, `Integer`, `Long`, `Double`, `Boolean`) and `java.util.List`.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import coerce, members
from treering.query.template import literal, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.function import Typed
    from treering.query.relation import Column

_WORD = 0xFFFFFFFF
_NARROW = (Type.TINYINT, Type.SMALLINT, Type.INT)


def bucket(keys: Sequence[Typed], count: exp.Expression, *, start: int) -> exp.Expression | None:
    """Return the number of the bucket that `keys` fall into when the map has `count` keys; None for keys of documents.

    Several keys are hashed as a list is, from `start`: 1 for lists, 0 for records.
    """
    parts = [_hash(key) for key in keys]
    known = [part for part in parts if part is not None]
    if not known or len(known) < len(parts):
        return None
    found = known[0]
    if len(known) > 1:
        found = literal(start)
        for part in known:
            found = sql("(:h * 31 + :p) & :w", h=found, p=part, w=literal(_WORD))
    size = sql("CAST(16 * 2 ** greatest(0, ceil(log2(:n / 12.0))) AS BIGINT)", n=count)
    return sql("xor(:h, :h >> 16) & (:s - 1)", h=found, s=size)


def printed(value: Typed, column: Column | None) -> Typed:
    """Return the value of a nested field with the dates in it as they are answered, which is what is hashed."""
    if column is None or column.field is None or column.field.type != "nested" or column.path:
        return value
    dates = json.dumps(list(members.formats(column.field)))
    shown = sql("CAST(ppl_documents(CAST(:x AS VARCHAR), :f) AS JSON)", x=value.sql, f=literal(dates))
    return replace(value, sql=shown)


def of_partitions(keys: Sequence[Typed]) -> exp.Expression | None:
    """Return the bucket of each row's partition, where windows over `keys` make the partitions; None without hashes."""
    together = exp.Anonymous(this="row", expressions=[key.sql.copy() for key in keys])
    return bucket(keys, exp.Window(this=exp.Count(this=exp.Distinct(expressions=[together]))), start=0)


def _hash(key: Typed) -> exp.Expression | None:
    """A key's hash as an unsigned word."""
    if key.type in _NARROW:
        return sql("coalesce(CAST(:x AS BIGINT) & :w, 0)", x=key.sql, w=literal(_WORD))
    if key.type is Type.BIGINT:
        return sql("coalesce(xor(CAST(:x AS BIGINT), CAST(:x AS BIGINT) >> 32) & :w, 0)", x=key.sql, w=literal(_WORD))
    if key.type is Type.BOOLEAN:
        return sql("CASE WHEN :x THEN 1231 WHEN NOT :x THEN 1237 ELSE 0 END", x=key.sql)
    if key.type in {Type.DOUBLE, Type.FLOAT}:
        return sql("coalesce(ppl_double_hash(CAST(:x AS DOUBLE)), 0)", x=key.sql)
    if key.type in coerce.DOCUMENTS:
        return sql("coalesce(ppl_document_hash(CAST(:x AS VARCHAR)), 0)", x=key.sql)
    name = "ppl_address_hash" if key.type is Type.IP else "ppl_text_hash"
    found = exp.Anonymous(this=name, expressions=[coerce.text_of(key)])
    return sql("coalesce(:h, 0)", h=found)

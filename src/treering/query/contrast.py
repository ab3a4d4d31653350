"""The SQL of `diff`: two groups of rows, sampled, and of each field the counts or ranks that tests need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query.coerce import DOCUMENTS, INSTANTS, NUMBERS, sql_cast
from treering.query.gathering import rows_of
from treering.query.relation import Column, Relation, aliased, named
from treering.query.scope import column_value
from treering.query.template import literal, select, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.query.compiler import Compiler

SAMPLE, FIELDS, VALUES, FEW_NUMBERS, LENGTH = 100_000, 60, 100, 20, 400
TEMPLATE = "template.id"
RESULT = {
    "kind": Type.STRING,
    "field": Type.STRING,
    "value": Type.STRING,
    "count": Type.BIGINT,
    "baseline_count": Type.BIGINT,
    "share": Type.DOUBLE,
    "baseline_share": Type.DOUBLE,
    "median": Type.DOUBLE,
    "baseline_median": Type.DOUBLE,
    "measure": Type.STRING,
    "effect": Type.DOUBLE,
    "p_value": Type.DOUBLE,
    "example": Type.STRING,
}


@dataclass(frozen=True, slots=True)
class Field:
    """A field that is compared: its name, its SQL column in the sample, and whether it holds numbers."""

    name: str
    ref: str
    numeric: bool


def compared(
    relation: Relation, first: exp.Expression, second: exp.Expression, names: Mapping[str, Column],
    limits: tuple[float, int], compiler: Compiler,
) -> Relation:  # fmt: skip
    """Return the rows of `RESULT` for the rows where `first` holds against those where only `second` does.

    `limits` are the greatest corrected p-value and the number of rows.
    """
    fields, cells = _fields(names)
    example = relation.find("body")
    shown = sql_cast(column_value(example).sql, "VARCHAR") if example is not None else exp.Null()
    cells.append(aliased(sql("left(CAST(:x AS VARCHAR), :n)", x=shown, n=literal(LENGTH)), "#example"))
    side = exp.Case(ifs=[exp.If(this=first, true=literal(1)), exp.If(this=second, true=literal(0))])
    order = relation.sequence.raw if relation.sequence is not None else sql("row_number() OVER ()")
    rows = relation.wrapped(aliased(side, "#side"), aliased(order, "#order"))
    sides = select(_SIDES, tables={"rows": _table("#rows")})
    sample = select(_SAMPLE, tables={"rows": _table("#rows"), "sides": _table("#sides")}, n=literal(SAMPLE))
    sample.select(*cells, copy=False)
    parts = [part for field in fields for part in _summaries(field)]
    whole = select(
        _WHOLE, tables={"sides": _table("#sides"), "sample": _table("#sample"), "parts": _united(parts)},
        alpha=exp.Literal.number(repr(limits[0])), top=literal(limits[1]),
    )  # fmt: skip
    for name, query, kept in (("#rows", rows, False), ("#sides", sides, True), ("#sample", sample, True)):
        whole = whole.with_(exp.to_identifier(name, quoted=True), query, materialized=kept, copy=False)
    return rows_of(whole, RESULT, compiler)


# The rows are read twice, each time only the columns that are needed.
_SIDES = """
SELECT count(*) FILTER ("#side" = 1) AS a, count(*) FILTER ("#side" = 0) AS b FROM rows
"""
# The hash of a row's number decides alone: the same rows each time.
_SAMPLE = """
SELECT "#side" FROM rows, sides WHERE "#side" IS NOT NULL
AND hash("#order") % 1000000 < 1000000.0 * :n / greatest(CASE "#side" WHEN 1 THEN a ELSE b END, 1)
"""
_COUNTED = """
SELECT CAST(:value AS VARCHAR) AS v, count(*) FILTER ("#side" = 1) AS a, count(*) FILTER ("#side" = 0) AS b,
  min("#example") AS example FROM sample GROUP BY 1
"""
_TOP = """
SELECT *, count(v) OVER () AS kinds, sum(CASE WHEN v IS NULL THEN 0 ELSE a + b END) OVER () AS present FROM counted
ORDER BY a + b DESC, v LIMIT :n
"""
_VALUES = """
SELECT CAST(json_object('field', :field, 'template', :template, 'kinds', any_value(kinds),
  'present', any_value(present), 'values',
  list(json_array(left(v, 400), a, b, CASE WHEN :template THEN example END) ORDER BY a + b DESC, v)) AS VARCHAR)
  AS part, any_value(kinds) AS kinds FROM top
"""
_RANKED = """
SELECT v, a, b, sum(a) OVER (ORDER BY v) AS ca, sum(b) OVER (ORDER BY v) AS cb, sum(a) OVER () AS n,
  sum(b) OVER () AS m, count(*) OVER () AS kinds
FROM (SELECT CAST(:value AS DOUBLE) AS v, count(*) FILTER ("#side" = 1) AS a, count(*) FILTER ("#side" = 0) AS b
  FROM sample WHERE :value IS NOT NULL AND isfinite(CAST(:value AS DOUBLE)) GROUP BY 1)
"""
_NUMBERS = """
SELECT CAST(json_object('field', :field, 'numbers', json_object('a', any_value(n), 'b', any_value(m),
  'auc', sum(CAST(a AS DOUBLE) * (cb - b / 2.0)) / nullif(CAST(any_value(n) AS DOUBLE) * any_value(m), 0),
  'ks', max(abs(CAST(ca AS DOUBLE) / n - CAST(cb AS DOUBLE) / m)),
  'ties', sum(pow(a + b, 3) - (a + b)),
  'median', min(v) FILTER (ca * 2 >= n), 'baseline_median', min(v) FILTER (cb * 2 >= m))) AS VARCHAR) AS part,
  any_value(kinds) AS kinds FROM ranked
"""
_WHOLE = """
SELECT ppl_differences(CAST((SELECT to_json(list(CAST(part AS JSON) ORDER BY part)) FROM parts) AS VARCHAR),
  CAST(json_array((SELECT json_array(count(*) FILTER ("#side" = 1), count(*) FILTER ("#side" = 0)) FROM sample),
    json_array(a, b)) AS VARCHAR), CAST(:alpha AS DOUBLE), CAST(:top AS BIGINT)) AS found FROM sides
"""


def comparable(names: Mapping[str, Column]) -> dict[str, Column]:
    """Return the columns that can be compared, the first 60 of them: no instants, no documents, no lists."""
    left_out = {*INSTANTS, *DOCUMENTS}
    found = {name: column for name, column in names.items() if column.type not in left_out and not column.many}
    return dict(list(found.items())[:FIELDS])


def _fields(names: Mapping[str, Column]) -> tuple[list[Field], list[exp.Expression]]:
    refs = [f"#c{index}" for index in range(len(names))]
    fields = [Field(name, ref, names[name].type in NUMBERS) for name, ref in zip(names, refs, strict=True)]
    cells: list[exp.Expression] = [
        aliased(column_value(column).sql, ref) for column, ref in zip(names.values(), refs, strict=True)
    ]
    return fields, cells


def _summaries(field: Field) -> list[exp.Query]:
    """Return the counts of the field's values, and of numbers their ranks: which of the two, is decided by how many."""
    value, name = named(field.ref), literal(field.name)
    counted = select(_COUNTED, tables={"sample": _table("#sample")}, value=value)
    top = select(_TOP, tables={"counted": counted}, n=literal(VALUES))
    template = exp.Boolean(this=field.name == TEMPLATE)
    found = select(_VALUES, tables={"top": top}, field=name, template=template)
    if not field.numeric:
        return [found]
    ranked = select(_RANKED, tables={"sample": _table("#sample")}, value=value)
    numbers = select(_NUMBERS, tables={"ranked": ranked}, field=name)
    return [
        select("SELECT * FROM parts WHERE kinds <= :n", tables={"parts": found}, n=literal(FEW_NUMBERS)),
        select("SELECT * FROM parts WHERE kinds > :n", tables={"parts": numbers}, n=literal(FEW_NUMBERS)),
    ]


def _united(parts: list[exp.Query]) -> exp.Query:
    joined: exp.Query = select("SELECT NULL::VARCHAR AS part, 0 AS kinds WHERE false", tables={})
    for part in parts:
        joined = exp.Union(this=joined, expression=part, distinct=False)
    return joined


def _table(name: str) -> exp.Table:
    return exp.Table(this=exp.to_identifier(name, quoted=True))

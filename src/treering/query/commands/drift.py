"""`drift`: how far the values of fields moved from what they were at first, bucket by bucket.

The first buckets are the baseline (a third of them, or `baseline`). Of each later one, and of each of the first
against the others, `psi` is the population stability index less what chance alone gives, `distance` Kolmogorov and
Smirnov's for numbers (with `p_value`, corrected for how many were tested) and Jensen and Shannon's for values. Numbers
are put into 20 bins of equal size, of other fields the 50 most frequent values count and the rest together.

Syntax:
    drift <field>, … [span=<span>] [baseline=<span>] [threshold=<n>]

Arguments:
    field: what is measured
    span: the size of a bucket, 1h if not said
    baseline: how long the time is with which all is compared
    threshold: from which index on a bucket has drifted, 0.25 if not said; 0.1 is a small shift

Example:
    source=logs | drift durationInNanos, severityText span=1h | where drifted
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, gathering, printer, spans
from treering.query.coerce import sql_cast
from treering.query.lexer import Kind
from treering.query.relation import aliased, named, nested
from treering.query.scope import Scope
from treering.query.syntax import Name, Span
from treering.query.template import literal, select
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("drift",)
SPAN, THRESHOLD, MOST_FIELDS, VALUES, BINS = ("1", "h"), "0.25", 20, 50, 20
RESULT = {
    "time": Type.TIMESTAMP,
    "field": Type.STRING,
    "rows": Type.BIGINT,
    "psi": Type.DOUBLE,
    "distance": Type.DOUBLE,
    "p_value": Type.DOUBLE,
    "drifted": Type.BOOLEAN,
}
# The bounds of bins are those of all rows: a shift moves rows from one bin to another.
_NUMBERS = """
SELECT epoch_ns("#bucket") AS moment, :field AS field, true AS number,
  CAST(len(list_filter(bounds, x -> x < CAST(:v AS DOUBLE))) AS VARCHAR) AS bin
FROM rows, (SELECT list_distinct(quantile_disc(CAST(:v AS DOUBLE), :shares)) AS bounds FROM rows)
WHERE :v IS NOT NULL AND "#bucket" IS NOT NULL
"""
_TEXTS = """
SELECT epoch_ns("#bucket") AS moment, :field AS field, false AS number,
  CASE WHEN :v IS NULL THEN 'null' WHEN list_contains(usual, :v) THEN 'v' || :v ELSE 'rest' END AS bin
FROM rows, (SELECT list(v) AS usual FROM (SELECT :v AS v FROM rows WHERE :v IS NOT NULL GROUP BY 1
  ORDER BY count(*) DESC, 1 LIMIT :n)) WHERE "#bucket" IS NOT NULL
"""
_COUNTED = "SELECT field, moment, bin, count(*) AS n, number FROM binned GROUP BY ALL"
_WHOLE = """
SELECT ppl_drift(CAST(coalesce(to_json(list(json_array(field, moment, bin, n, number))), '[]') AS VARCHAR), :told)
  AS found FROM counted
"""


@dataclass(frozen=True, slots=True)
class Drift:
    """The fields, the size of a bucket, the length of the baseline (None: a third), and the limit of the index."""

    names: tuple[Name, ...]
    span: tuple[str, str] = SPAN
    baseline: tuple[str, str] | None = None
    threshold: str = THRESHOLD
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [f"drift {', '.join(map(printer.expression, self.names))}"]
        parts += [f"span={''.join(self.span)}"] if self.span != SPAN else []
        parts += [f"baseline={''.join(self.baseline)}"] if self.baseline is not None else []
        parts += [f"threshold={self.threshold}"] if self.threshold != THRESHOLD else []
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return a row per bucket and field."""
        scope = Scope(relation, compiler)
        bucket = scope.typed(Span(Name("@timestamp", place=self.place), *self.span, place=self.place))
        parts: exp.Query | None = None
        cells: list[exp.Expression] = [aliased(bucket.sql, "#bucket")]
        for index, name in enumerate(self.names):
            value = scope.typed(name)
            if value.type in {*coerce.DOCUMENTS, *coerce.INSTANTS}:
                raise UserError(f"drift cannot compare {value.type}", where=compiler.where(name.place))
            numeric = value.type in coerce.NUMBERS
            cells.append(aliased(value.sql if numeric else sql_cast(value.sql, "VARCHAR"), f"#v{index}"))
            part = _binned(name.name, f"#v{index}", numeric=numeric)
            parts = part if parts is None else exp.Union(this=parts, expression=part, distinct=False)
        assert parts is not None  # the reader took a field
        baseline = round(spans.length_ns(*self.baseline)) if self.baseline else 0
        told = literal(json.dumps({"baseline_ns": baseline, "threshold": float(self.threshold)}))
        counted = select(_COUNTED, tables={"binned": parts})
        whole = select(_WHOLE, tables={"counted": counted}, told=told)
        rows = exp.Select(expressions=cells).from_(nested(relation.sql), copy=False)
        whole = whole.with_(exp.to_identifier("#drift", quoted=True), rows, materialized=True, copy=False)
        return gathering.rows_of(whole, RESULT, compiler)


def _binned(name: str, ref: str, *, numeric: bool) -> exp.Select:
    """Return the bin of each row's value of one field."""
    rows = {"rows": exp.Table(this=exp.to_identifier("#drift", quoted=True))}
    if not numeric:
        return select(_TEXTS, tables=rows, field=literal(name), v=named(ref), n=literal(VALUES))
    shares = exp.Array(expressions=[exp.Literal.number(repr(n / BINS)) for n in range(1, BINS)])
    return select(_NUMBERS, tables=rows, field=literal(name), v=named(ref), shares=shares)


def parse(parser: Parser) -> Drift:
    """Read what follows `drift`."""
    start = parser.peek().start
    options = ("span", "baseline", "threshold")
    names = parser.names(*options)
    if len(names) > MOST_FIELDS:
        raise UserError(f"drift measures {MOST_FIELDS} fields at most", where=parser.where((start, parser.last_end)))
    found = Drift(names)
    while option := parser.option(*options):
        if option == "threshold":
            found = replace(found, threshold=_number(parser))
        else:
            found = replace(found, **{option: spans.length(parser, "1h")})  # type: ignore[arg-type]
    return replace(found, place=(start, parser.last_end))


def _number(parser: Parser) -> str:
    following = parser.peek()
    if following.kind is not Kind.NUMBER or not following.value.replace(".", "", 1).isdecimal():
        parser.fail("expected a number such as 0.25")
    return parser.take().value

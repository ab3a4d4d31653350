"""`diff`: what sets two groups of rows apart, ranked.

Rows are in two groups: where a condition holds against all others or those of a second one, or by time, the last
`window` against the `baseline` before it. Each field's values are counted and its numbers ranked in both, and what
differs significantly is listed, the greatest effect first: whole fields (Cramer's V), single values and message
templates (phi), numbers (Cliff's delta; Kolmogorov and Smirnov's distance where the shape differs more than the place).
P-values are corrected for how much was compared (Benjamini and Hochberg). At most 100,000 rows of each group are
looked at, always the same ones; counts are of all rows. Fields of a condition are left out; so are names of single
things.

Syntax:
    diff [ where <condition> ] [against [ where <condition> ]] [top=<n>] [alpha=<share>] [fields <field>, …]
    diff window=<span> [baseline=<span>] [top=<n>] [alpha=<share>] [fields <field>, …]

Arguments:
    where: the condition of the first group
    against: the condition of the second group; all other rows if not said
    window: how long the first group's time is, up to the end of the time range or now
    baseline: how long the second group's time before it is; as long as the window if not said
    top: at most so many differences, 20 if not said
    alpha: the greatest corrected p-value that is listed, 0.05 if not said
    fields: the fields that are compared; all if not said

Example:
    source=logs | diff [ where severityText = 'ERROR' ] against [ where severityText = 'INFO' ] top=10
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import contrast, expressions, instants, printer, pushdown, spans
from treering.query.commands.head import positive
from treering.query.lexer import Kind
from treering.query.scope import Scope
from treering.query.syntax import Name, walk
from treering.query.template import sql

if TYPE_CHECKING:
    from sqlglot import exp

    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Column, Relation
    from treering.query.syntax import Node, Place

NAMES = ("diff",)
OPENS = re.compile(r"diff\s*(?:$|[|\[]|\w+\s*=)", re.IGNORECASE)
TIME, TOP, MOST, ALPHA = "@timestamp", 20, 1000, "0.05"


@dataclass(frozen=True, slots=True)
class Diff:
    """Two conditions (no second one: all other rows), or two lengths of time, of which the window comes last."""

    first: Node | None = None
    second: Node | None = None
    window: tuple[str, str] | None = None
    baseline: tuple[str, str] | None = None
    fields: tuple[Name, ...] = ()
    top: int = TOP
    alpha: str = ALPHA
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        parts = ["diff"]
        parts += [f"[ where {printer.expression(self.first)} ]"] if self.first is not None else []
        parts += [f"against [ where {printer.expression(self.second)} ]"] if self.second is not None else []
        parts += [f"window={''.join(self.window)}"] if self.window is not None else []
        parts += [f"baseline={''.join(self.baseline)}"] if self.baseline is not None else []
        parts += [f"top={self.top}"] if self.top != TOP else []
        parts += [f"alpha={self.alpha}"] if self.alpha != ALPHA else []
        parts += [f"fields {', '.join(map(printer.expression, self.fields))}"] if self.fields else []
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return a row per difference."""
        scope = Scope(relation, compiler)
        if self.window is not None:
            first, second = self._windows(relation, compiler)
        else:
            assert self.first is not None  # the reader saw to it
            first = scope.condition(self.first, "diff")
            second = scope.condition(self.second, "diff") if self.second is not None else sql("true")
        names = contrast.comparable(self._columns(relation, compiler))
        if not names:
            raise UserError("there are no fields to compare", where=compiler.where(self.place))
        limits = (float(self.alpha), self.top)
        return contrast.compared(relation, first, second, names, limits, compiler)

    def _columns(self, relation: Relation, compiler: Compiler) -> dict[str, Column]:
        if self.fields:
            scope = Scope(relation, compiler)
            return {name.name: scope.column(name) for name in self.fields}
        asked = {
            node.name for tree in (self.first, self.second) if tree for node in walk(tree) if isinstance(node, Name)
        }
        template = relation.metadata.get(contrast.TEMPLATE)
        found = {contrast.TEMPLATE: template} if template is not None else {}
        return {name: column for name, column in {**found, **relation.columns}.items() if name not in asked}

    def _windows(self, relation: Relation, compiler: Compiler) -> tuple[exp.Expression, exp.Expression]:
        assert self.window is not None  # the caller looked
        stamp = Scope(relation, compiler).column(Name(TIME, place=self.place))
        source = relation.sequence.source if relation.sequence is not None else None
        end = source.end_ns if source is not None else None
        end = compiler.now_ns if end is None else end
        middle = end - round(spans.length_ns(*self.window))
        start = middle - round(spans.length_ns(*(self.baseline or self.window)))
        if source is not None and relation.plain:
            pushdown.narrow(source, start, end)
        bounds = {name: instants.literal(at) for name, at in (("s", start), ("m", middle), ("e", end))}
        first = sql(":t >= :m AND :t < :e", t=stamp.raw, m=bounds["m"], e=bounds["e"])
        return first, sql(":t >= :s AND :t < :m", t=stamp.raw, s=bounds["s"], m=bounds["m"])


def parse(parser: Parser) -> Diff:
    """Read what follows `diff`."""
    start = parser.peek().start
    found = Diff()
    if parser.peek().is_op("["):
        found = replace(found, first=_condition(parser))
        if parser.word("against"):
            found = replace(found, second=_condition(parser))
    while option := parser.option("window", "baseline", "top", "alpha"):
        match option:
            case "window" | "baseline":
                found = replace(found, **{option: spans.length(parser, "30m")})  # type: ignore[arg-type]
            case "top":
                found = replace(found, top=min(positive(parser, "the number of differences"), MOST))
            case _:
                found = replace(found, alpha=_share(parser))
    if parser.word("fields"):
        found = replace(found, fields=parser.names())
    if (found.first is None) == (found.window is None) or (found.baseline and not found.window):
        hint = "diff [ where … ] against [ where … ], or diff window=30m baseline=1h"
        raise UserError(
            "diff compares two conditions or two lengths of time",
            hint=hint,
            where=parser.where((start, parser.last_end)),
        )
    return replace(found, place=(start, parser.last_end))


def _condition(parser: Parser) -> Node:
    parser.expect_op("[")
    parser.expect_word("where")
    found = expressions.expression(parser)
    parser.expect_op("]")
    return found


def _share(parser: Parser) -> str:
    found = parser.peek()
    if found.kind is not Kind.NUMBER or not 0 < float(found.value.rstrip("dDfF")) <= 1:
        parser.fail("expected a share above 0 and up to 1")
    return parser.take().value

"""`streamstats [<options>] <aggregate>, … [by …]`: aggregates of the rows up to each row, in their order.

Syntax:
    streamstats [window=<n>] [current=] [global=] [reset_before=(…)] [reset_after=(…)] <aggregate>, … [by …]

Arguments:
    window: how many rows are looked at; all so far if not said
    current: false to look at the rows before only
    global: false for a window in each group
    reset_before: a condition at which counting begins again, with this row
    reset_after: the same, with the next row
    aggregate: an aggregate function, as in stats
    by: what makes a group

Example:
    source=logs | sort @timestamp | streamstats window=5 avg(durationInNanos) as moving by serviceName
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import aggregates, expressions, printer, windows
from treering.query.commands import stats
from treering.query.commands.eventstats import grouped_only
from treering.query.commands.head import positive
from treering.query.relation import aliased, named
from treering.query.scope import Scope

if TYPE_CHECKING:
    from treering.query.aggregates import Aggregate
    from treering.query.commands.stats import Group
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Column, Relation
    from treering.query.syntax import Node

NAMES = ("streamstats",)


@dataclass(frozen=True, slots=True)
class Streamstats:
    """The aggregates, the keys, and which rows count.

    `window` rows (0: all so far) of the stream, or with `same_group_only` of the row's own group; the row itself with
    `current`; none from before the row where `reset_before` was last true, or after which `reset_after` was.
    """

    aggregates: tuple[Aggregate, ...]
    groups: tuple[Group, ...] = ()
    bucket_nullable: bool = True
    current: bool = True
    window: int = 0
    same_group_only: bool = False
    reset_before: Node | None = None
    reset_after: Node | None = None

    def print(self) -> str:
        """Return the command as PPL."""
        parts = ["streamstats"]
        if not self.bucket_nullable:
            parts.append("bucket_nullable=false")
        if not self.current:
            parts.append("current=false")
        if self.window:
            parts.append(f"window={self.window}")
        if self.same_group_only:
            parts.append("global=false")
        for name, condition in (("reset_before", self.reset_before), ("reset_after", self.reset_after)):
            if condition is not None:
                parts.append(f"{name}=({printer.expression(condition)})")
        return f"{' '.join(parts)} {stats.printed(self.aggregates, self.groups)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Number the rows and add one column per aggregate."""
        relation, number = windows.numbered(relation, compiler)
        keys = [Scope(relation, compiler).typed(group.node).sql for group in self.groups]
        partition = list(keys)
        if self.reset_before is not None or self.reset_after is not None:
            relation, segment = self._segments(relation, compiler, number)
            partition.append(segment)
        window = self._window(partition, number)
        found = windows.values(self.aggregates, relation, compiler, window)
        if not self.bucket_nullable:
            found = {name: grouped_only(value, keys) for name, value in found.items()}
        return windows.shuffled(compiler.extended(relation, found))

    def _window(self, partition: list[exp.Expression], number: Column) -> exp.Window:
        until = 0 if self.current else 1
        if not self.window:
            return windows.window(partition, number.raw, until=until)
        # Over a window of the whole stream, the distance of rows counts, not how many of the group lie between.
        kind = "ROWS" if self.same_group_only or not self.groups else "RANGE"
        return windows.window(partition, number.raw, kind=kind, back=self.window - 1 + until, until=until)

    def _segments(self, relation: Relation, compiler: Compiler, number: Column) -> tuple[Relation, exp.Expression]:
        """Number the stretches of rows between resets."""
        scope = Scope(relation, compiler)
        counts: list[exp.Expression] = []
        for condition, until in ((self.reset_before, 0), (self.reset_after, 1)):
            if condition is None:
                continue
            hit = exp.Anonymous(this="count_if", expressions=[scope.condition(condition, "reset")])
            count = windows.over(hit, windows.window((), number.raw, until=until))
            counts.append(exp.Coalesce(this=count, expressions=[exp.Literal.number(0)]))
        total = counts[0] if len(counts) == 1 else exp.Add(this=counts[0], expression=counts[1])
        ref = compiler.fresh()
        return replace(relation, sql=relation.wrapped(aliased(total, ref))), named(ref)


_OPTIONS = ("bucket_nullable", "current", "window", "global", "reset_before", "reset_after")


def parse(parser: Parser) -> Streamstats:
    """Read what follows `streamstats`."""
    options: dict[str, object] = {}
    while option := parser.option(*_OPTIONS):
        match option:
            case "window":
                options[option] = positive(parser, "the number of rows")
            case "global":
                options["same_group_only"] = not parser.boolean()
            case "reset_before" | "reset_after":
                options[option] = expressions.expression(parser)
            case _:
                options[option] = parser.boolean()
    found = aggregates.parse_list(parser)
    groups = stats.parse_groups(parser) if parser.word("by") else ()
    return Streamstats(found, groups, **options)  # type: ignore[arg-type]

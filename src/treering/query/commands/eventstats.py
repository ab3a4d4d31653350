"""`eventstats <aggregate>, … [by <field>, … , span(…)]`: aggregates of each row's group beside the row.

Arguments:
    aggregate: an aggregate function, as in stats
    by: what makes a group

Example:
    source=logs | eventstats avg(durationInNanos) as mean by serviceName | where durationInNanos > 2 * mean
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import aggregates, windows
from treering.query.commands import stats
from treering.query.function import Typed
from treering.query.scope import Scope

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.aggregates import Aggregate
    from treering.query.commands.stats import Group
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation

NAMES = ("eventstats",)


@dataclass(frozen=True, slots=True)
class Eventstats:
    """The aggregates and the keys; without `bucket_nullable`, rows with a null key get nulls."""

    aggregates: tuple[Aggregate, ...]
    groups: tuple[Group, ...] = ()
    bucket_nullable: bool = True

    def print(self) -> str:
        """Return the command as PPL."""
        option = "" if self.bucket_nullable else "bucket_nullable=false "
        return f"eventstats {option}{stats.printed(self.aggregates, self.groups)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add one column per aggregate over the rows of the same group."""
        keys = [Scope(relation, compiler).typed(group.node) for group in self.groups]
        window = windows.window([key.sql for key in keys])
        found = windows.values(self.aggregates, relation, compiler, window)
        if not self.bucket_nullable:
            found = {name: grouped_only(value, [key.sql for key in keys]) for name, value in found.items()}
        named = dict(zip((group.column for group in self.groups), keys, strict=True))
        ordered = [named[name] for name in windows.placed(named, relation)]
        return windows.by_groups(windows.shuffled(compiler.extended(relation, found)), ordered, compiler)


def grouped_only(value: Typed, keys: Sequence[exp.Expression]) -> Typed:
    """Return the value, and null where a key is null."""
    if not keys:
        return value
    present = exp.and_(*(aggregates.present(key) for key in keys))
    return Typed(exp.Case(ifs=[exp.If(this=present, true=value.sql)]), value.type, element=value.element)


def parse(parser: Parser) -> Eventstats:
    """Read what follows `eventstats`."""
    nullable = True
    while parser.option("bucket_nullable"):
        nullable = parser.boolean()
    found = aggregates.parse_list(parser)
    groups = stats.parse_groups(parser) if parser.word("by") else ()
    return Eventstats(found, groups, nullable)

"""Names in a SELECT: tables become scans of streams, columns fields of these."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import output
from treering.query.relation import Relation, nested
from treering.query.scope import column_value
from treering.query.sql import allowed, conditions

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treering.query.compiler import Compiler
    from treering.query.relation import Column

MOST_COLUMNS = 2000


@dataclass(slots=True)
class Table:
    """Something in FROM: a stream with its relation and the fields used so far by their names, or rows of a query."""

    alias: str
    outputs: tuple[str, ...] = ()
    relation: Relation | None = None
    select: exp.Select | None = None
    used: dict[str, Column] = field(default_factory=dict)


class Resolver:
    """Gives names their meaning, from the outside in; `compiler` makes the scans."""

    def __init__(self, compiler: Compiler, text: str) -> None:
        """Resolve names of the statement `text`."""
        self.compiler = compiler
        self.text = text
        self.tables: list[Table] = []

    def query(self, node: exp.Expr, known: Mapping[str, tuple[str, ...]], outer: tuple[Table, ...]) -> tuple[str, ...]:
        """Resolve a query and return the names of its columns. `known` are names of WITH and their columns."""
        known = dict(known)
        if isinstance(with_ := node.args.get("with_"), exp.With):
            for each in with_.expressions:
                columns = self.query(each.this, known, outer)
                known[each.alias.lower()] = _renamed(each, columns)
                each.args["alias"].this.set("quoted", True)
        if isinstance(node, exp.Subquery):
            return _renamed(node, self.query(node.this, known, outer))
        if isinstance(node, exp.Select):
            return self._select(node, known, outer)
        if not isinstance(node, exp.SetOperation):
            raise allowed.refusal("expected a SELECT", node, self.text)
        found = self.query(node.this, known, outer)
        self.query(node.expression, known, outer)
        self._over(node, found, known, outer)
        return found

    def finish(self) -> None:
        """Give each stream's SELECT the columns that turned out to be used."""
        for table in self.tables:
            assert table.select is not None  # only streams are listed
            cells: list[exp.Expr] = [
                exp.alias_(column_value(column).sql, name, quoted=True) for name, column in table.used.items()
            ]
            table.select.set("expressions", cells or [exp.Literal.number(1)])

    def _select(
        self, node: exp.Select, known: Mapping[str, tuple[str, ...]], outer: tuple[Table, ...]
    ) -> tuple[str, ...]:
        tables: list[Table] = []
        from_ = node.args.get("from_")
        for holder in [*([from_] if from_ is not None else []), *(node.args.get("joins") or [])]:
            tables.append(self._table(holder.this, known, (*outer, *tables)))
        shared = self._shared(node, tables)
        self._expand(node, tables, shared)
        aliases = {each.alias for each in node.expressions if isinstance(each, exp.Alias)}
        names = [self._named(each, tables) for each in node.expressions]
        for part in _own(node):
            self._part(part, tables, known, outer, (aliases, shared))
        conditions.hint(node, tables, self.compiler)
        conditions.newest(node, tables)
        # Not copied: scans inside are filled in later.
        named = [
            each if isinstance(each, exp.Alias) else exp.Alias(this=each, alias=exp.to_identifier(name, quoted=True))
            for each, name in zip(node.expressions, names, strict=True)
        ]
        node.set("expressions", named)
        return tuple(names)

    def _over(
        self, node: exp.Expr, names: tuple[str, ...], known: Mapping[str, tuple[str, ...]], outer: tuple[Table, ...]
    ) -> None:
        """Resolve what stands behind a union: only the names of its columns are known there."""
        for key in ("order", "limit", "offset"):
            if isinstance(part := node.args.get(key), exp.Expr):
                self._part(part, [Table("", names)], known, outer, (set(), set()))

    # FROM

    def _table(self, node: exp.Expr, known: Mapping[str, tuple[str, ...]], before: tuple[Table, ...]) -> Table:
        if isinstance(node, exp.Subquery):
            columns = self.query(node, known, before)
            alias = node.args.get("alias")
            if alias is not None and alias.this is not None:
                alias.this.set("quoted", True)
            return Table(node.alias, columns)
        if not isinstance(node, exp.Table):
            raise allowed.refusal("FROM takes streams and queries", node, self.text)
        if not isinstance(node.this, exp.Identifier):
            raise allowed.refusal("FROM takes the name of a stream", node, self.text)
        name = ".".join(part.name for part in node.parts)
        alias = exp.to_identifier(node.alias or name, quoted=True)
        if len(node.parts) == 1 and name.lower() in known:
            node.this.set("quoted", True)
            node.set("alias", exp.TableAlias(this=alias))
            return Table(alias.name, known[name.lower()])
        relation = self.compiler.scan(tuple(part.strip() for part in name.split(",") if part.strip()))
        select = exp.Select().from_(nested(relation.sql), copy=False)
        node.replace(exp.Subquery(this=select, alias=exp.TableAlias(this=alias)))
        found = Table(alias.name, (), relation, select)
        self.tables.append(found)
        return found

    def _shared(self, node: exp.Select, tables: list[Table]) -> set[str]:
        """Return the columns that USING names, which are one column of both sides."""
        found: set[str] = set()
        for join in node.args.get("joins") or []:
            for each in join.args.get("using") or []:
                each.set("quoted", True)
                found.add(each.name)
                holders = [table for table in tables if self._has(table, each.name)]
                if not holders:
                    raise self._unknown(each.name, each, tables)
        return found

    # Columns

    def _expand(self, node: exp.Select, tables: list[Table], shared: set[str]) -> None:
        """Put the columns in the place of `*` and `t.*`."""
        found: list[exp.Expr] = []
        for each in node.expressions:
            if not (each.is_star and isinstance(each, exp.Star | exp.Column)):
                found.append(each)
                continue
            if isinstance(each, exp.Star) and any(each.args.values()):
                raise allowed.refusal("nothing can stand behind *", node, self.text)
            chosen = [table for table in tables if isinstance(each, exp.Star) or _same(table.alias, each.table)]
            if not chosen:
                raise allowed.refusal("there is no table for *", each, self.text)
            found += self._all(chosen, shared)
        if len(found) > MOST_COLUMNS:
            raise UserError(f"the statement has more than {MOST_COLUMNS} columns")
        node.set("expressions", found)

    def _all(self, tables: list[Table], shared: set[str]) -> Iterator[exp.Expr]:
        once: set[str] = set()
        for table in tables:
            names = table.outputs
            if table.relation is not None:
                names = tuple(output.visible(table.relation))
            for name in names:
                if name in shared and name in once:
                    continue
                once.add(name)
                yield exp.column(
                    exp.to_identifier(name, quoted=True), table=exp.to_identifier(table.alias, quoted=True)
                )

    def _named(self, each: exp.Expr, tables: list[Table]) -> str:
        """Return the name of a column of the answer: its alias, its field, or its own text."""
        if isinstance(each, exp.Alias):
            each.args["alias"].set("quoted", True)
            return each.alias
        if isinstance(each, exp.Column | exp.Dot):
            steps = _steps(each)
            qualified = len(steps) > 1 and any(_same(table.alias, steps[0]) for table in tables)
            return ".".join(steps[1:] if qualified else steps)
        return each.sql("duckdb", normalize_functions="lower")[:200]

    def _part(
        self,
        node: exp.Expr,
        tables: list[Table],
        known: Mapping[str, tuple[str, ...]],
        outer: tuple[Table, ...],
        names: tuple[set[str], set[str]],
    ) -> None:
        """Resolve all names in an expression, queries inside included."""
        if isinstance(node, exp.Select | exp.Union | exp.Except | exp.Intersect):
            self.query(node, known, (*tables, *outer))
            return
        if isinstance(node, exp.Column | exp.Dot):
            if not isinstance(node.this, exp.Star):
                node.replace(self._column(node, tables, outer, names))
            return
        for child in list(node.iter_expressions()):
            self._part(child, tables, known, outer, names)

    def _column(
        self, node: exp.Expr, tables: list[Table], outer: tuple[Table, ...], names: tuple[set[str], set[str]]
    ) -> exp.Expr:
        steps = _steps(node)
        aliases, shared = names
        whole = ".".join(steps)
        order = node.find_ancestor(exp.Order, exp.Select)
        sorts = isinstance(order, exp.Order) and isinstance(order.parent, exp.Query)
        if len(steps) == 1 and (whole in shared or (whole in aliases and sorts)):
            return exp.column(exp.to_identifier(whole, quoted=True))
        for place in (tables, list(outer)):
            found = [(table, name) for table in place for name in self._meant(table, steps)]
            if len(found) > 1:
                raise allowed.refusal(f"{whole} is in more than one table", node, self.text)
            if found:
                table, name = found[0]
                qualifier = exp.to_identifier(table.alias, quoted=True) if table.alias else None
                return exp.column(exp.to_identifier(name, quoted=True), table=qualifier)
        if whole in aliases:
            return exp.column(exp.to_identifier(whole, quoted=True))
        raise self._unknown(whole, node, tables)

    def _meant(self, table: Table, steps: list[str]) -> list[str]:
        """Return the name under which a table has the column that `steps` mean, if it has one."""
        whole = ".".join(steps)
        if len(steps) > 1 and _same(table.alias, steps[0]) and self._has(table, rest := ".".join(steps[1:])):
            return [rest]
        return [whole] if self._has(table, whole) else []

    def _has(self, table: Table, name: str) -> bool:
        if table.relation is None:
            return any(_same(name, each) for each in table.outputs)
        if name in table.used:
            return True
        column = self.compiler.column(table.relation, name)
        if column is None:
            return False
        if any(_same(name, each) for each in table.used):
            raise UserError(f"{name!r} differs from another field of the statement only by case", hint="ask in PPL")
        table.used[name] = column
        return True

    def _unknown(self, name: str, node: exp.Expr, tables: list[Table]) -> UserError:
        fields = [each for table in tables for each in (table.relation.columns if table.relation else table.outputs)]
        near = difflib.get_close_matches(name, fields, n=1, cutoff=0.6)
        error = allowed.refusal(f"unknown field {name!r}", node, self.text)
        return UserError(error.message, hint=f"did you mean {near[0]!r}?" if near else "", where=error.where)


def _own(node: exp.Select) -> Iterator[exp.Expr]:
    """Yield the parts of a SELECT in which its columns can stand."""
    yield from node.expressions
    for join in node.args.get("joins") or []:
        if isinstance(on := join.args.get("on"), exp.Expr):
            yield on
    for key in ("where", "group", "having", "qualify", "order", "distinct", "limit", "offset"):
        if isinstance(part := node.args.get(key), exp.Expr):
            yield part


def _renamed(node: exp.Expr, columns: tuple[str, ...]) -> tuple[str, ...]:
    alias = node.args.get("alias")
    given = [each.name for each in alias.args.get("columns") or []] if isinstance(alias, exp.TableAlias) else []
    return (*given, *columns[len(given) :])


def _same(left: str, right: str) -> bool:
    return left.lower() == right.lower()


def _steps(node: exp.Expr) -> list[str]:
    """Return the names that dots join."""
    if isinstance(node, exp.Dot):
        return [*_steps(node.this), node.expression.name]
    return [part.name for part in node.parts] if isinstance(node, exp.Column) else [node.name]

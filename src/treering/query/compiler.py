"""From a pipeline to a query the store can run."""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.model.columns import TIME
from treering.model.schema import FieldType
from treering.query import chain, coerce, counting, events, groups, instants, naming, output, pushdown
from treering.query.function import Context, Typed
from treering.query.relation import (
    METADATA,
    SEQUENCE,
    Column,
    Relation,
    Source,
    aliased,
    computed,
    first,
    named,
    nested,
)
from treering.query.scope import Scope
from treering.query.told import Told
from treering.query.types import Type, type_of
from treering.stage.condition import every
from treering.stage.store import Query, Scan

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treering.core.errors import Where
    from treering.model.schema import StreamSchema
    from treering.query.syntax import Command, Node, Pipeline, Place, Relevance, Subsearch

MAX_ROWS = 10_000
# Metadata of a relevance query and of a shard: there are none here.
_ABSENT = frozenset({"_score", "_maxscore", "_sort", "_routing"})


class Compiler:
    """Lowers one query: hands out names, scans and places for errors."""

    def __init__(
        self,
        pipeline: Pipeline,
        *,
        schema: Callable[[Sequence[str]], StreamSchema],
        context: Context,
        default_source: str | None = None,
        time_range: tuple[int | None, int | None] = (None, None),
        subsearch_rows: int = MAX_ROWS,
    ) -> None:
        """Prepare to lower `pipeline`; `schema` answers for streams, `time_range` bounds every scan's `_time`."""
        self.pipeline = pipeline
        self.schema = schema
        self.context = context
        self.default_source = default_source
        self.time_range = time_range
        self.subsearch_rows = subsearch_rows
        self.sources: list[Source] = []
        self._count = 0
        self._outer: list[Scope] = []
        self._starts: list[Command] = []

    @property
    def now_ns(self) -> int:
        """The instant that `now()` is."""
        return self.context.now_ns

    def where(self, place: Place) -> Where | None:
        """Return a place in the query's text as an error shows it."""
        from treering.core.errors import Where

        if place == (0, 0):
            return None
        return Where(self.pipeline.text, place[0], max(1, place[1] - place[0]))

    def fresh(self) -> str:
        """Return an SQL column name that nothing else has."""
        self._count += 1
        return f"#{self._count}"

    # Relations

    def relation(self, pipeline: Pipeline, outer: Scope | None = None) -> Relation:
        """Return what a pipeline makes; a subsearch may name columns of the relation `outer` around it."""
        from treering.query.commands.search import Search

        commands = list(pipeline.commands)
        if not commands or not (isinstance(commands[0], Search) or getattr(commands[0], "starts", False)):
            commands.insert(0, Search(()))
        if outer is not None:
            self._outer.append(outer)
        self._starts.append(commands[0])
        relation = self.continued(Relation(exp.Select(), {}), commands)
        self._starts.pop()
        if outer is not None:
            self._outer.pop()
        return relation

    def continued(self, relation: Relation, commands: Sequence[Command]) -> Relation:
        """Return the relation after more commands."""
        for command in commands:
            relation = command.lower(relation, self)
        return relation

    def start(self) -> Relation:
        """Return again what the pipeline being lowered starts with."""
        return self.continued(Relation(exp.Select(), {}), self._starts[-1:])

    def scan(self, streams: tuple[str, ...], place: Place = (0, 0)) -> Relation:
        """Return the records of streams. Raises `UserError` when no stream matches."""
        if not streams:
            if self.default_source is None:
                raise UserError("the query names no stream", hint="begin with source=<stream>")
            streams = (self.default_source,)
        asked, streams = streams, naming.streams(streams)
        try:
            schema = self.schema(streams)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=error.where or self.where(place)) from error
        name = f"s{len(self.sources)}"
        table = exp.Table(this=exp.Identifier(this=name, quoted=True))
        select = exp.Select().from_(table, copy=False)
        source = Source(name, streams, schema, select)
        source.start_ns, source.end_ns = self.time_range
        self.sources.append(source)
        columns = {field.name: self._field_column(source, field) for field in _placed(schema)}
        metadata = {name: _metadata(source, name, kind) for name, kind in METADATA.items()}
        metadata |= {field.name: columns.pop(field.name) for field in schema if "own" in field.options}
        sequence = _metadata(source, SEQUENCE, Type.BIGINT)
        return naming.restricted(Relation(select, columns, (), sequence, metadata, frozenset(asked)), asked)

    def _field_column(self, source: Source, field: FieldType) -> Column:
        target = source.schema.get(field.path) if field.type == "alias" and field.path else field
        if target is None:
            raise UserError(f"alias field [{field.name}] refers to unresolved path [{field.path}]")
        kind = type_of(target)
        many = target.holds_lists and kind not in coerce.DOCUMENTS and kind not in coerce.INSTANTS
        return Column(f"{source.name}.{target.name}", kind, None, source, target, target.name, many)

    def column(self, relation: Relation, name: str) -> Column | None:
        """Return the column that a field name means.

        That is itself, its GenAI synonyms, a multi-field's parent, or a member of an object.
        """
        found = naming.column(relation, name, relation.find(name))
        if found is not None:
            return events.column(relation, name, found, self.schema, self.sources.append)
        parent, _, last = name.rpartition(".")
        while parent:
            column = relation.find(parent)
            if column is not None:
                if column.field is not None and last in column.field.options.get("fields", {}):
                    return column
                if column.source is not None and column.field is not None:
                    member = column.source.schema.get(column.field.name + name[len(parent) :])
                    return self._field_column(column.source, member) if member is not None else None
                if column.type in {Type.STRUCT, Type.ARRAY}:
                    return replace(column, type=Type.STRING, path=name[len(parent) + 1 :])
                break  # a plain value has no members, but an alias may have its name
            parent, _, last = parent.rpartition(".")
        return self._around(relation, name)

    def _around(self, relation: Relation, name: str) -> Column | None:
        """Return a column by its stream's name or alias before it, or of the search around a subsearch."""
        if (qualified := self._qualified(relation, name)) is not None:
            return qualified
        if not self._outer or self._outer[-1].relation is relation:
            return None
        outer = self._outer.pop()
        try:
            return self.column(outer.relation, name)
        finally:
            self._outer.append(outer)

    def _qualified(self, relation: Relation, name: str) -> Column | None:
        """Return the column that a name means with a stream's name or an alias before it, of the latest join first."""
        prefix = name.rpartition(".")[0]
        while prefix:
            rest = name[len(prefix) + 1 :]
            for names, columns in reversed(relation.sides):
                if prefix in names:
                    side = Relation(relation.sql, columns, metadata=relation.metadata)
                    if (found := self.column(side, rest)) is not None:
                        return found
            if prefix in relation.names and (found := relation.find(rest)) is not None:
                return found
            prefix = prefix.rpartition(".")[0]
        return None

    def shown_name(self, relation: Relation, name: str) -> str:
        """Return the name of the column that a qualified name means; any other name as it is."""
        if "." not in name or relation.find(name) is not None:
            return name
        wanted = self._qualified(relation, name)
        return next((shown for shown, column in relation.columns.items() if column is wanted), name)

    def extended(self, relation: Relation, values: dict[str, Typed]) -> Relation:
        """Return the relation with computed columns, which replace columns of the same name at the end."""
        columns = dict(relation.columns)
        added: list[exp.Expression] = []
        for name, value in values.items():
            if relation.implicit and name in columns:
                # The object around a replaced member is not shown any more; its other members are.
                columns = {key: column for key, column in columns.items() if not name.startswith(f"{key}.")}
            ref = self.fresh()
            added.append(aliased(value.sql, ref))
            columns.pop(name, None)
            columns[name] = computed(ref, value)
        return replace(relation, sql=relation.wrapped(*added), columns=columns, plain=False)

    def aggregated(self, scope: Scope, node: Node) -> Typed:
        """Return the argument of an aggregate."""
        return scope.by_itself(scope.typed(node), node)

    # Parts of expressions that need more than a scope

    def relevance(self, relation: Relation, node: Relevance) -> Typed:
        """Return the condition of a full-text function."""
        from treering.query import relevance

        return relevance.lower(relation, node, self)

    def subsearch(self, scope: Scope, node: Subsearch) -> Typed:
        """Return the value or condition of a subsearch."""
        from treering.query import subsearch

        return subsearch.lower(scope, node, self)

    # The whole

    def query(self, rows: int) -> Query:
        """Return the query; its answer has at most `rows` rows."""
        relation = self.relation(self.pipeline)
        keys = relation.keys() if relation.order or relation.shuffled else []
        chain.limit(relation, rows)
        found = self._finished(relation, output.visible(relation), keys, rows)
        return replace(found, counts=counting.word(self.pipeline, self) if rows else None)

    def records(self, rows: int, *, ascending: bool, after: tuple[int, int] | None) -> Query:
        """Return a query for the stream, `_seq` and `_time` of matching records, by time; `after` is such a pair.

        Raises `UserError` unless the pipeline is of conditions only.
        """
        relation = self.relation(self.pipeline)
        sequence = relation.sequence
        if not relation.plain or sequence is None or sequence.source is None:
            raise UserError("only a query of search and where selects records")
        source = sequence.source
        time = _metadata(source, TIME, Type.TIMESTAMP)
        if after is not None:
            condition = _beyond(time, sequence, after, ascending=ascending)
            source.demand(condition)
            relation = replace(relation.where(condition), plain=True)
            pushdown.narrow(source, after[0] if ascending else None, None if ascending else after[0] + 1)
        source.newest = None if ascending else rows
        keys = [exp.Ordered(this=column.raw, desc=not ascending, nulls_first=ascending) for column in (time, sequence)]
        columns: dict[str, Column] = {"_index": relation.metadata["_index"], SEQUENCE: sequence, TIME: time}
        return self._finished(relation, columns, keys, rows)

    def _finished(
        self, relation: Relation, columns: Mapping[str, Column], keys: Sequence[exp.Expression], rows: int
    ) -> Query:
        expressions = [aliased(output.expression(column), name) for name, column in columns.items()]
        select = exp.Select(expressions=expressions).from_(nested(relation.sql), copy=False)
        if keys:
            select = select.order_by(*keys, copy=False)
        select.set("limit", first(rows))
        shown = tuple(output.result_column(name, column) for name, column in columns.items())
        chain.only_once(select, self.sources)
        scans = {source.name: scan(source) for source in self.sources}
        return Query(select, scans, shown, groups=groups.Offer(select, self.sources))


def _placed(schema: StreamSchema) -> list[FieldType]:
    """Return the fields in the order of their mapping; members of an object come by name, as the node keeps them."""
    tops = {name: place for place, name in enumerate(dict.fromkeys(field.name.split(".")[0] for field in schema))}
    return sorted(schema, key=lambda field: (tops[field.name.split(".")[0]], field.name.split(".")))


def _beyond(time: Column, sequence: Column, after: tuple[int, int], *, ascending: bool) -> exp.Expression:
    node = exp.GT if ascending else exp.LT
    stamp = instants.literal(after[0])
    later = node(this=time.raw, expression=stamp)
    same = exp.EQ(this=time.raw, expression=stamp.copy())
    further = node(this=sequence.raw, expression=exp.Literal.number(after[1]))
    return exp.Or(this=later, expression=exp.Paren(this=exp.And(this=same, expression=further)))


def _metadata(source: Source, name: str, kind: Type) -> Column:
    known = FieldType(name, "keyword") if name in {"_id", "_index"} else None
    return Column(f"{source.name}.{name}", kind, None, source, known, name)


def scan(source: Source) -> Scan:
    """Return what a source turned out to need, and fill in the SELECT over it."""
    expressions: list[exp.Expression] = [aliased(_value(source, stored), ref) for ref, stored in source.used.items()]
    source.select.set("expressions", expressions or [exp.Literal.number(1)])
    fields = tuple(dict.fromkeys(field for stored in source.used.values() for field in _read(source, stored)))
    if source.follows is not None:
        source.start_ns, source.end_ns = source.follows.start_ns, source.follows.end_ns
        if source.end_ns is not None:
            source.end_ns += events.LATEST_NS
    plain = [condition for condition in source.conditions if not events.needed(source, condition)]
    wanted = plain if source.newest is not None or source.joined is not None else []
    own: list[exp.Expression] = [exp.Paren(this=_own(source, condition)) for condition in wanted]
    where = functools.reduce(_and, own) if own else None
    newest = source.newest if len(plain) == len(source.conditions) and not _asks(where) else None
    if source.joined is not None:
        events.join(source, source.joined, None if _asks(where) else where)
        scan(source.joined.source)
    tokens = pushdown.every(source.tokens)
    bound = where if newest is not None else None
    sought = _sought(source) if source.joined is None else ()  # what is joined asks its conditions once more
    words = tuple(source.sought) if sought else ()
    demands = Told(plain, lambda condition: None if _asks(condition) else _own(source, condition))
    return Scan(
        source.streams, fields, source.start_ns, source.end_ns, tokens, bound, newest,
        every(source.filters), source.first, source.keys, source.per, sought, words, demands,
    )  # fmt: skip


def _sought(source: Source) -> tuple[str, ...]:
    """Return the fields that are only looked at for words."""
    if not source.sought:
        return ()
    stored = {
        ref: name for ref, name in source.used.items() if ref not in source.composed and name in source.schema.fields
    }
    seen = {source.used[ref] for ref in source.seen if ref in source.used}
    for composed in source.composed.values():
        seen.update(composed.fields)
    return tuple(dict.fromkeys(name for name in stored.values() if name not in seen))


def _asks(condition: exp.Expression | None) -> bool:
    """Whether a condition has a query of its own inside."""
    return condition is not None and condition.find(exp.Query) is not None


def _value(source: Source, stored: str) -> exp.Expression:
    if (composed := source.composed.get(stored)) is not None:
        return composed.sql.copy()
    return exp.Null() if stored in _ABSENT else named(stored)


def _read(source: Source, stored: str) -> tuple[str, ...]:
    if (composed := source.composed.get(stored)) is not None:
        return composed.fields
    return () if stored in _ABSENT else (stored,)


def _and(left: exp.Expression, right: exp.Expression) -> exp.Expression:
    return exp.And(this=left, expression=right)


def _own(source: Source, condition: exp.Expression) -> exp.Expression:
    """Return a condition with the names that the scan's own table has."""

    def renamed(node: exp.Expression) -> exp.Expression:
        stored = source.used.get(node.name) if isinstance(node, exp.Column) else None
        return _value(source, stored) if stored is not None else node

    return condition.copy().transform(renamed)

"""GenAI names in queries: any older or other dialect's name means the canonical field; views are streams of calls."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.model import semconv
from treering.model.schema import FieldType
from treering.query.relation import Column, Composed, named
from treering.query.types import SQL, Type, type_of
from treering.stage.condition import ANYTHING, OneOf
from treering.stage.store import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.relation import Relation, Source

# Begins the names of composed columns, which no field of a record does.
MARK = "\0"
_VIEW = semconv.PREFIX + semconv.VIEW
_CALLS = frozenset({"spans", *semconv.VIEWS})
_TELEMETRY = _CALLS | {"logs"}
_OURS = ("gen_ai.", "treering.")


def streams(asked: Sequence[str]) -> tuple[str, ...]:
    """Return the streams that hold the records of the streams and views asked for."""
    return tuple(dict.fromkeys(stream for name in asked for stream in semconv.VIEWS.get(name, (name,))))


def declared(asked: Sequence[str]) -> dict[str, str]:
    """Return the fields, with their types, that views among the streams asked for have before any record fills them."""
    if not any(name in semconv.VIEWS for name in asked):
        return {}
    return {semconv.PREFIX + name: kind for name, kind in semconv.fields().items()}


def restricted(relation: Relation, asked: Sequence[str]) -> Relation:
    """Return the relation without the records that are only there because a view is made of their stream."""
    views = [name for name in asked if name in semconv.VIEWS]
    source = relation.sequence.source if relation.sequence is not None else None
    if not views or source is None:
        return relation
    column = relation.find(_VIEW)
    inside: exp.Expression = exp.false()
    if column is not None:
        inside = exp.In(this=column.raw, expressions=[exp.Literal.string(view) for view in views])
    whole = [name for name in asked if name not in semconv.VIEWS]
    if whole:
        index = relation.metadata["_index"].raw
        viewed = [exp.Literal.string(name) for view in views for name in semconv.VIEWS[view] if name not in whole]
        inside = exp.Or(this=exp.Not(this=exp.Paren(this=exp.In(this=index, expressions=viewed))), expression=inside)
    elif len(views) == 1:
        source.tokens.append(Tokens("token", views[0], _VIEW))
    plain = column is not None and not whole and not column.many and column.stored == _VIEW
    source.demand(inside, OneOf(_VIEW, tuple(views)) if plain else ANYTHING)
    return replace(relation.where(inside), plain=True)


def column(relation: Relation, name: str, found: Column | None) -> Column | None:
    """Return the column that a name means in GenAI telemetry; `found` is the one that is called so, if any."""
    attribute = semconv.canonical(name)
    if attribute is None or (found is not None and not name.startswith(semconv.PREFIX)):
        return found
    if found is not None and found.type is Type.STRUCT and name != semconv.PREFIX + attribute:
        found = None  # `db.system` as the object around `db.system.name`
    known = {
        field: held
        for field in semconv.names(attribute)
        if (held := relation.find(field)) is not None and held.type is not Type.STRUCT
    }
    if found is not None:
        known = {name: found} | known
    source = relation.sequence.source if relation.sequence is not None else None
    parts = [held for held in known.values() if source is not None and held.source is source and held.stored]
    if len(known) == 1 or (known and len(parts) < 2):
        return next(iter(known.values()))
    if parts and source is not None:
        return _first_of(source, attribute, parts)
    if source is not None and relation.implicit and _may_lack(relation, attribute):
        return _missing(source, attribute)
    return None


def _first_of(source: Source, attribute: str, parts: Sequence[Column]) -> Column:
    kind = next((part for part in parts if part.stored == semconv.PREFIX + attribute), parts[0]).type
    values = [_typed(part, kind) for part in parts]
    name = MARK + "|".join(part.stored for part in parts)
    whole = exp.Coalesce(this=values[0], expressions=values[1:])
    source.composed[name] = Composed(whole, tuple(part.stored for part in parts))
    return Column(f"{source.name}.{name[1:]}", kind, None, source, None, name)


def _typed(part: Column, kind: Type) -> exp.Expression:
    value: exp.Expression = named(part.stored)
    if part.many and SQL[kind] != "JSON":
        value = exp.Anonymous(this="json_extract_string", expressions=[value, exp.Literal.string("$")])
    if part.type is kind and not part.many:
        return value
    return exp.TryCast(this=value, to=exp.DataType.build(SQL[kind], dialect="duckdb"))


def _may_lack(relation: Relation, attribute: str) -> bool:
    """Whether a query may name a canonical attribute before the first record has it."""
    if not relation.names <= _TELEMETRY or attribute not in semconv.fields():
        return False
    return attribute.startswith(_OURS) or relation.names <= _CALLS


def _missing(source: Source, attribute: str) -> Column:
    kind = type_of(FieldType(attribute, semconv.fields()[attribute]))
    name = MARK + attribute
    nothing = exp.Cast(this=exp.Null(), to=exp.DataType.build(SQL[kind], dialect="duckdb"))
    source.composed[name] = Composed(nothing)
    return Column(f"{source.name}.{attribute}", kind, None, source, None, name)

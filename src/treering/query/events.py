"""A call's content and scores where they are in log events: joined to the span when a query asks for them.

Instrumentations that follow the conventions up to 1.36 write each message as a log record of its own, and newer ones
may write all of them into one (`gen_ai.client.inference.operation.details`); both carry the span's `traceId` and
`spanId`. So do scores (`gen_ai.evaluation.result`). They arrive before or after the span, so they meet in the query
and not on the way in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.model import semconv
from treering.model.columns import SEQUENCE, TIME
from treering.query import coerce
from treering.query.relation import Column, Composed, Joined, Source, named
from treering.query.types import Type
from treering.stage.store import Tokens

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.model.schema import StreamSchema
    from treering.query.relation import Relation

STREAM = "logs"
# How long after a span's start its events, scores of reviewers among them, are looked for.
LATEST_NS = 24 * 3_600_000_000_000
_NAMES = (
    "gen_ai.system.message",
    "gen_ai.user.message",
    "gen_ai.assistant.message",
    "gen_ai.tool.message",
    "gen_ai.choice",
    "gen_ai.client.inference.operation.details",
    "gen_ai.evaluation.result",
)
_SCORE = "gen_ai.evaluation.score.value"
_CONTENT = (
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.system_instructions",
    "gen_ai.tool.definitions",
    "gen_ai.evaluation.name",
    "gen_ai.evaluation.score.label",
    "gen_ai.evaluation.explanation",
    _SCORE,
)
_KEYS = ("traceId", "spanId")
_MARK = "\0event|"


def column(
    relation: Relation, name: str, found: Column | None, schema: Callable[[Sequence[str]], StreamSchema],
    add: Callable[[Source], None],
) -> Column | None:  # fmt: skip
    """Return the column of a call's content with that of its events behind it; other columns as they are.

    `schema` answers for streams, `add` takes in the scan of the events.
    """
    attribute = semconv.canonical(name)
    source = relation.sequence.source if relation.sequence is not None else None
    if attribute not in _CONTENT or source is None or not relation.names <= semconv.VIEWS.keys():
        return found
    if found is None or found.source is not source:
        return found
    stored = _MARK + attribute
    if stored not in source.composed:
        if source.joined is None and (joined := _joined(source, schema)) is not None:
            source.joined = joined
            add(joined.source)
        source.composed[stored] = _whole(found, source, attribute)
    return Column(f"{source.name}.{stored[1:]}", _type(attribute), None, source, None, stored)


def _type(attribute: str) -> Type:
    return Type.DOUBLE if attribute == _SCORE else Type.STRING


def _whole(found: Column, source: Source, attribute: str) -> Composed:
    """Return the text that the record itself has, else that of its events."""
    composed = source.composed.get(found.stored)
    if composed is not None:
        text, fields = composed.sql.copy(), composed.fields
    else:
        text, fields = _value(named(found.stored), attribute, many=found.many), (found.stored,)
    if source.joined is None:
        return Composed(text, fields)
    return Composed(exp.Coalesce(this=text, expressions=[named(_alias(attribute))]), (*fields, *_KEYS))


def _value(value: exp.Expression, attribute: str, *, many: bool) -> exp.Expression:
    """Return a number, or a text, or the JSON of a list that some records have in its place."""
    if many:
        value = exp.Anonymous(this="json_extract_string", expressions=[value, exp.Literal.string("$")])
    return coerce.sql_cast(value, _type(attribute), safe=True)


def _alias(attribute: str) -> str:
    return f" {attribute}"


def _joined(source: Source, schema: Callable[[Sequence[str]], StreamSchema]) -> Joined | None:
    """Return the scan of the events, and the table with one row per span to join; None when there are no events."""
    try:
        known = schema((STREAM,))
    except UserError:
        return None
    held = {attribute: known.get(semconv.PREFIX + attribute) for attribute in _CONTENT}
    present = {attribute: field.holds_lists for attribute, field in held.items() if field is not None}
    keys = [*(known.get(key) for key in (*_KEYS, "eventName")), *(source.schema.get(key) for key in _KEYS)]
    if not present or not all(keys):
        return None
    inner = exp.Select()
    events = Source(f"{source.name}e", (STREAM,), known, inner)
    inner.from_(exp.Table(this=exp.Identifier(this=events.name, quoted=True)), copy=False)
    events.follows = source
    events.tokens.append(Tokens("token", "gen_ai", "eventName"))
    wanted = (*_KEYS, "eventName", TIME, SEQUENCE, *(semconv.PREFIX + attribute for attribute in present))
    events.used = {f"{events.name}.{field}": field for field in wanted}

    def ref(field: str) -> exp.Column:
        return named(f"{events.name}.{field}")

    chosen = [exp.alias_(ref(key), f" {key}", quoted=True) for key in _KEYS]
    chosen += [exp.alias_(_together(ref, name, many=many), _alias(name), quoted=True) for name, many in present.items()]
    absent = [name for name in _CONTENT if name not in present]
    chosen += [exp.alias_(coerce.sql_cast(exp.null(), _type(name)), _alias(name), quoted=True) for name in absent]
    rows = exp.Subquery(this=inner, alias=exp.TableAlias(this=exp.to_identifier("t")))
    named_so = exp.In(this=ref("eventName"), expressions=[exp.Literal.string(name) for name in _NAMES])
    table = exp.Select(expressions=chosen).from_(rows, copy=False).where(named_so, copy=False)
    return Joined(events, table.group_by(*(ref(key) for key in _KEYS), copy=False), _KEYS)


def _together(ref: Callable[[str], exp.Column], attribute: str, *, many: bool) -> exp.Expression:
    """Return what all events of a span say: messages as one JSON list in their order, scores on average."""
    text = _value(ref(semconv.PREFIX + attribute), attribute, many=many)
    if attribute.startswith("gen_ai.evaluation."):
        return exp.Anonymous(this="avg" if attribute == _SCORE else "any_value", expressions=[text])
    length = exp.Anonymous(this="length", expressions=[text.copy()])
    inside = exp.Anonymous(
        this="substring",
        expressions=[text.copy(), exp.Literal.number(2), exp.Sub(this=length, expression=exp.Literal.number(2))],
    )
    order = exp.Order(expressions=[exp.Ordered(this=ref(TIME)), exp.Ordered(this=ref(SEQUENCE))])
    joined = exp.Anonymous(
        this="string_agg", expressions=[inside, exp.Order(this=exp.Literal.string(","), expressions=order.expressions)]
    )
    some = exp.GT(this=exp.Anonymous(this="count", expressions=[text.copy()]), expression=exp.Literal.number(0))
    whole = exp.Anonymous(this="concat", expressions=[exp.Literal.string("["), joined, exp.Literal.string("]")])
    return exp.Case(ifs=[exp.If(this=some, true=whole)])


def needed(source: Source, condition: exp.Expression) -> bool:
    """Whether a condition looks at content that may be in events."""
    used = (source.used.get(column.name, "") for column in condition.find_all(exp.Column))
    return source.joined is not None and any(stored.startswith(_MARK) for stored in used)


def join(source: Source, joined: Joined, where: exp.Expression | None) -> None:
    """Join the events' content to the rows of a scan; only events of rows that satisfy `where` are put together."""
    spans = exp.Select(expressions=[_quoted("spanId")]).from_(exp.Table(this=_identifier(source.name)), copy=False)
    if where is not None:
        spans = spans.where(where.copy(), copy=False)
    inside = exp.In(this=named(f"{joined.source.name}.spanId"), query=exp.Subquery(this=spans))
    table = joined.table.where(inside, copy=False)
    keys = [
        exp.EQ(this=exp.Column(this=_identifier(key), table=_identifier(source.name)), expression=named(f" {key}"))
        for key in joined.keys
    ]
    alias = exp.TableAlias(this=exp.to_identifier(f"{joined.source.name}s"))
    source.select.join(exp.Subquery(this=table, alias=alias), on=exp.and_(*keys), join_type="left", copy=False)


def _quoted(name: str) -> exp.Column:
    return exp.Column(this=_identifier(name))


def _identifier(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)

"""Arrays, which travel as JSON (manual: functions/collection). Indexes count from 0."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, regexes
from treering.query.arguments import argument, takes
from treering.query.coerce import DOCUMENTS, sql_cast, string
from treering.query.function import Context, Function, Lambda, Typed
from treering.query.template import literal, sql, typed
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from collections.abc import Sequence


def element_type(array: Typed) -> Type:
    """Return the type of an array's items: what is not known is text."""
    return array.element if array.element not in {None, Type.UNDEFINED} else Type.STRING


def items(array: Typed) -> exp.Expression:
    """Return an array as an SQL list of its items' type."""
    return sql_cast(array.sql, f"{SQL[element_type(array)]}[]", safe=True)


def as_array(nodes: exp.Expression, element: Type | None) -> Typed:
    """Return an SQL list as an array."""
    return Typed(
        sql_cast(exp.Anonymous(this="to_json", expressions=[nodes.copy()]), Type.ARRAY), Type.ARRAY, element=element
    )


def _common(values: Sequence[Typed]) -> Type | None:
    found = coerce.common([value.type for value in values])
    if found is None and all(v.type in (*coerce.NUMBERS, *coerce.TEXTS, *coerce.INSTANTS) for v in values):
        return Type.STRING
    return found


def _list(values: Sequence[Typed], kind: Type, context: Context) -> exp.Expression:
    nodes = [sql_cast(coerce.cast(value, kind, context.now_ns).sql, kind) for value in values]
    return sql_cast(exp.Array(expressions=nodes), f"{SQL[kind]}[]")


def _array(*values: Typed, context: Context) -> Typed:
    kind = _common(values)
    if kind is None:
        raise UserError("array takes values of one type", hint="cast them to string first")
    kind = Type.STRING if kind is Type.UNDEFINED else kind
    return as_array(_list(values, kind, context), kind)


def _append(*values: Typed, context: Context) -> Typed:
    """Join arrays and values into one array; nulls are left out, and no value at all is null."""
    if not values:
        return coerce.null()
    kinds = {element_type(v) if v.type is Type.ARRAY else v.type for v in values if v.type is not Type.UNDEFINED}
    kind = coerce.common(kinds)
    if kind in {None, Type.UNDEFINED} or kind in DOCUMENTS:
        kind = Type.ARRAY  # of any JSON
    parts = [_part(value, kind or Type.ARRAY, context) for value in values]
    joined = exp.Anonymous(this="list_concat", expressions=parts)
    kept = typed(Type.ARRAY, "to_json(list_filter(:x, lambda v: v IS NOT NULL))", x=joined)
    found = typed(Type.ARRAY, "CASE WHEN json_array_length(:x) > 0 THEN :x END", x=kept)
    return Typed(found.sql, Type.ARRAY, element=None if kind is Type.ARRAY else kind)


def _part(value: Typed, kind: Type, context: Context) -> exp.Expression:
    target = f"{SQL[kind]}[]"
    if value.type is Type.ARRAY:
        return sql_cast(value.sql, target, safe=True)
    if kind is not Type.ARRAY:
        return sql_cast(exp.Array(expressions=[coerce.cast(value, kind, context.now_ns).sql.copy()]), target)
    plain = sql_cast(value.sql, value.type) if value.type is Type.DOUBLE else value.sql
    return sql_cast(sql("[CASE WHEN :x IS NOT NULL THEN to_json(:x) END]", x=plain), target)


def _length(array: Typed) -> Typed:
    return typed(Type.INT, "json_array_length(:x)", x=array)


def _lambda(function: str, value: Any, count: int) -> Lambda:
    if not isinstance(value, Lambda) or len(value.names) > count:
        raise UserError(f"{function} takes a lambda such as x -> x > 0")
    return value


def _parameter(name: str) -> exp.Column:
    """The column of a lambda's parameter, under a name that no field has by accident."""
    return exp.column(exp.to_identifier(f"lambda {name}", quoted=True))


def _node(body: exp.Expression, *names: str) -> exp.Lambda:
    return exp.Lambda(this=body, expressions=[_parameter(name).this for name in names], colon=True)


def _over(function: str, values: exp.Expression, node: exp.Lambda) -> exp.Expression:
    return exp.Anonymous(this=function, expressions=[values, node])


def _each(function: str, args: Sequence[Any], context: Context) -> tuple[Typed, exp.Lambda, Type]:
    """Bind a lambda over an array's items and, with two names, their indexes from 0; return also the body's type."""
    array = argument(function, "array", args[0], context)
    body = _lambda(function, args[1], 2)
    if not body.names:
        raise UserError(f"the first argument of {function} must be a field or an expression over one")
    index = sql_cast(exp.Sub(this=_parameter(body.names[-1]), expression=literal(1)), Type.INT)
    params = [Typed(_parameter(body.names[0]), element_type(array)), Typed(index, Type.INT)]
    found = body.lower(params[: len(body.names)])
    return array, _node(sql_cast(found.sql, found.type), *body.names), found.type


def _transform(name: str, *, each: int | None = None) -> Function:
    def lower(args: Sequence[Any], context: Context) -> Typed:
        array, node, kind = _each(name, args, context)
        return as_array(_over("list_transform", items(array), node), kind)

    return Function(2, 2, lower, each=each)


def _filter(args: Sequence[Any], context: Context) -> Typed:
    array, node, _ = _each("filter", args, context)
    return as_array(_over("list_filter", items(array), node), array.element)


def _holds(name: str, template: str) -> Function:
    def lower(args: Sequence[Any], context: Context) -> Typed:
        array, node, _ = _each(name, args, context)
        return typed(Type.BOOLEAN, template, x=_over("list_transform", items(array), node))

    return Function(2, 2, lower)


def _reduce(args: Sequence[Any], context: Context) -> Typed:
    """Fold the items into a start value; the result has the type of the step."""
    array = argument("reduce", "array", args[0], context)
    start, body = args[1], _lambda("reduce", args[2], 2)
    if isinstance(start, Lambda) or len(body.names) != 2:
        raise UserError("reduce takes an array, a start value and a lambda of two names")
    total, item = body.names
    kind, result = start.type, start
    for _ in range(2):  # the step may widen the total once: INT to BIGINT or to DOUBLE
        result = body.lower([Typed(_parameter(total), kind), Typed(_parameter(item), element_type(array))])
        kind = coerce.common([kind, result.type]) or result.type
    folded = _folded(array, body, sql_cast(start.sql, kind), kind)
    plain = coerce.common([start.type, element_type(array)])
    if kind is Type.BIGINT and plain is Type.INT:  # sums of INTs inside a lambda are not widened
        kind = plain
    found = Typed(sql_cast(folded, kind), kind)
    if len(args) < 4:
        return found
    last = _lambda("reduce", args[3], 1).lower([found])
    return typed(kind, ":x", x=last) if kind is Type.INT and last.type is Type.BIGINT else last


def _folded(array: Typed, body: Lambda, start: exp.Expression, kind: Type) -> exp.Expression:
    """Fold with list_reduce, which wants items and total of one type: each is a struct of both."""
    total, item = (_parameter(name) for name in body.names)
    of_item = element_type(array)
    entry = sql_cast(sql("{'t': NULL, 'i': :v}", v=_parameter("each")), f"STRUCT(t {SQL[kind]}, i {SQL[of_item]})")
    values = _over("list_transform", items(array), _node(entry, "each"))
    before, current = (
        exp.Anonymous(this="struct_extract", expressions=[x, literal(k)]) for x, k in ((total, "t"), (item, "i"))
    )
    result = body.lower([Typed(before, kind), Typed(current, of_item)])
    step = sql_cast(
        sql("{'t': :r, 'i': NULL}", r=sql_cast(result.sql, kind)), f"STRUCT(t {SQL[kind]}, i {SQL[of_item]})"
    )
    first = sql_cast(sql("{'t': :s, 'i': NULL}", s=start), f"STRUCT(t {SQL[kind]}, i {SQL[of_item]})")
    node = _node(step, *body.names)
    reduced = exp.Anonymous(this="list_reduce", expressions=[values, node, first])
    return exp.Anonymous(this="struct_extract", expressions=[reduced, literal("t")])


def _mvindex(array: Typed, start: Typed, end: Typed | None = None) -> Typed:
    kind = element_type(array)
    position = "CASE WHEN :i < 0 THEN :i ELSE :i + 1 END"
    first = typed(Type.BIGINT, position, i=start)
    if end is None:
        return typed(kind, "list_extract(:x, :i)", x=items(array), i=first)
    size = typed(Type.BIGINT, "len(:x)", x=items(array))
    one, last = (
        typed(Type.BIGINT, "CASE WHEN :i < 0 THEN :n + :i + 1 ELSE :i + 1 END", i=i, n=size) for i in (start, end)
    )
    # A range that ends beyond the array is empty.
    slice_ = "to_json(CASE WHEN :b <= len(:x) THEN list_slice(:x, :a, :b) ELSE [] END)"
    cut = typed(Type.ARRAY, slice_, x=items(array), a=one, b=last)
    return Typed(cut.sql, Type.ARRAY, element=array.element)


def _mvfind(array: Typed, pattern: Typed) -> Typed:
    """Return the index of the first item that the pattern finds, or null."""
    name = "regexp_matches"
    if isinstance(pattern.value, str):
        name = "ppl_regex_match" if regexes.beyond_re2(pattern.value) else name
        pattern = string(regexes.check(pattern.value))
    test = exp.Anonymous(this=name, expressions=[sql_cast(_parameter("item"), "VARCHAR"), pattern.sql.copy()])
    hits = _over("list_transform", items(array), _node(test, "item"))
    return typed(Type.INT, "nullif(coalesce(list_position(:x, TRUE), 0), 0) - 1", x=hits)


def _mvzip(left: Typed, right: Typed, by: Typed | None = None) -> Typed:
    """Join the items of two arrays pairwise; the longer array's rest is left out."""
    first, second = (sql_cast(side.sql, "VARCHAR[]") for side in (left, right))
    zipped = sql("list_zip(:a, :b, TRUE)", a=first, b=second)
    separator = string(",").sql if by is None else by.sql
    joined = sql("struct_extract(:p, 1) || :s || struct_extract(:p, 2)", p=_parameter("pair"), s=separator)
    return as_array(_over("list_transform", zipped, _node(joined, "pair")), Type.STRING)


def _mvdedup(array: Typed) -> Typed:
    """Keep the first of equal items, in order; nulls are left out."""
    values = sql_cast(array.sql, "JSON[]")
    test = sql("list_position(:x, :i) = :n", x=values, i=_parameter("item"), n=_parameter("place"))
    return as_array(_over("list_filter", values, _node(test, "item", "place")), array.element)


def _mvjoin(array: Typed, by: Typed) -> Typed:
    return typed(Type.STRING, "array_to_string(:x, :s)", x=sql_cast(array.sql, "VARCHAR[]", safe=True), s=by)


def _split(text: Typed, by: Typed) -> Typed:
    """Split; of an empty text nothing is left."""
    parts = "regexp_extract_all(:t, '(?s).')" if by.value == "" else "string_split(:t, :s)"
    template = f"CASE WHEN :t = '' THEN [] ELSE {parts} END"
    return as_array(sql(template, t=text.sql, s=by.sql), Type.STRING)


FUNCTIONS: dict[str, Function] = {
    "array": takes("array", "any*", _array, least=0),
    "array_length": takes("array_length", "array", _length),
    "mvappend": takes("mvappend", "any*", _append, least=0),
    "mvjoin": takes("mvjoin", "array text", _mvjoin),
    "mvindex": takes("mvindex", "array integer integer", _mvindex, least=2),
    "mvfind": takes("mvfind", "array text", _mvfind),
    "mvdedup": takes("mvdedup", "array", _mvdedup),
    "mvzip": takes("mvzip", "array array text", _mvzip, least=2),
    "split": takes("split", "text text", _split),
    "forall": _holds("forall", "coalesce(list_bool_and(:x), :x IS NOT NULL)"),
    "exists": _holds("exists", "coalesce(list_bool_or(:x), NOT (:x IS NOT NULL))"),
    "filter": Function(2, 2, _filter),
    "transform": _transform("transform"),
    "reduce": Function(3, 4, _reduce),
    "mvmap": _transform("mvmap", each=1),
}

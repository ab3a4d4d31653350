"""JSON written as text (manual: functions/json). Answers are texts, and so are nested results of these functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query.arguments import takes
from treering.query.coerce import sql_cast, text_of
from treering.query.function import Function, Typed
from treering.query.native.hashes import text_hash
from treering.query.native.json import steps
from treering.query.template import call, literal, typed
from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Sequence

_LENGTH = "CASE WHEN json_valid(:x) THEN CASE WHEN json_type(:x) = 'ARRAY' THEN json_array_length(:x) END END"
_KEYS = "CASE WHEN json_valid(:x) THEN CASE WHEN json_type(:x) = 'OBJECT' THEN to_json(json_keys(:x)) END END"


def _encoded(value: Typed) -> exp.Expression:
    """The value as JSON: a text is a JSON string, a number of type double has a fraction."""
    sql = sql_cast(value.sql, Type.DOUBLE) if value.type is Type.DOUBLE else value.sql
    return sql_cast(exp.Anonymous(this="to_json", expressions=[sql.copy()]), Type.STRING)


def _texts(nodes: Sequence[exp.Expression]) -> exp.Expression:
    return sql_cast(exp.Array(expressions=[node.copy() for node in nodes]), "VARCHAR[]")


def _path(value: Typed) -> exp.Expression:
    if isinstance(value.value, str):
        try:
            steps(value.value)
        except ValueError as error:
            raise UserError(str(error)) from None
    elif value.type is not Type.STRING:
        raise UserError(f"a json path is a text, not a value of type {value.type}")
    return value.sql


def _edit(kind: str, document: Typed, *pairs: Typed) -> Typed:
    if kind != "delete" and len(pairs) % 2:
        raise UserError(f"json_{kind} takes pairs of a path and a value")
    paths = pairs if kind == "delete" else pairs[::2]
    values = [] if kind == "delete" else [_encoded(value) for value in pairs[1::2]]
    found = call(
        "ppl_json_edit", Type.STRING, literal(kind), document, _texts([_path(path) for path in paths]), _texts(values)
    )
    return typed(Type.STRING, "CASE WHEN json_valid(:d) THEN :f END", d=document, f=found)


def _extract(document: Typed, *paths: Typed) -> Typed:
    return call("ppl_json_extract", Type.STRING, document, _texts([_path(path) for path in paths]))


def _object(*pairs: Typed) -> Typed:
    if len(pairs) % 2:
        raise UserError("json_object takes pairs of a key and a value")
    both = zip(pairs[::2], pairs[1::2], strict=True)
    nodes = [node for key, value in _members(list(both)) for node in (_key(key), _value(value))]
    return call("json_object", Type.STRING, *nodes)


def _members(pairs: list[tuple[Typed, Typed]]) -> list[tuple[Typed, Typed]]:
    """Members come as a hash map of Java gives them where their names are written out; of a name's values, the last."""
    named = {key.value: (key, value) for key, value in pairs}
    if not all(isinstance(name, str) for name in named):
        return pairs
    size = 16
    while len(named) > 0.75 * size:
        size *= 2
    hashes = {name: text_hash(name) for name in named}
    return [named[name] for name in sorted(named, key=lambda n: (hashes[n] ^ hashes[n] >> 16) & (size - 1))]


def _key(value: Typed) -> exp.Expression:
    if value.type not in {Type.STRING, Type.UNDEFINED}:
        raise UserError(f"a key of json_object is a text, not a value of type {value.type}")
    return value.sql


def _value(value: Typed) -> exp.Expression:
    return sql_cast(value.sql, Type.DOUBLE) if value.type is Type.DOUBLE else value.sql


def _array(*values: Typed) -> Typed:
    return call("json_array", Type.STRING, *(_value(value) for value in values))


def _named(name: str, kind: str) -> Function:
    return takes(name, "text any*", lambda document, *pairs: _edit(kind, document, *pairs), least=2)


FUNCTIONS: dict[str, Function] = {
    "json": takes("json", "text", lambda x: typed(Type.STRING, "CASE WHEN json_valid(:x) THEN :x END", x=x)),
    "json_valid": takes("json_valid", "text", lambda x: typed(Type.BOOLEAN, "json_valid(:x)", x=x)),
    "json_array_length": takes("json_array_length", "text", lambda x: typed(Type.INT, _LENGTH, x=x)),
    "json_keys": takes("json_keys", "any", lambda x: typed(Type.STRING, _KEYS, x=text_of(x))),
    "json_extract": takes("json_extract", "text any*", _extract),
    "json_object": takes("json_object", "any*", _object, least=0),
    "json_array": takes("json_array", "any*", _array, least=0),
    "json_set": _named("json_set", "set"),
    "json_append": _named("json_append", "append"),
    "json_extend": _named("json_extend", "extend"),
    "json_delete": _named("json_delete", "delete"),
}

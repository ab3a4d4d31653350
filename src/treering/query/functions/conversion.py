"""Between texts and numbers (manual: functions/conversion); `cast` is syntax and not a function."""

from __future__ import annotations

from treering.core.errors import UserError
from treering.query import coerce
from treering.query.arguments import takes
from treering.query.coerce import NUMBERS, sql_cast
from treering.query.function import Function, Typed
from treering.query.template import call, literal
from treering.query.types import Type

FORMS = ("binary", "hex", "commas", "duration", "duration_millis")


def _tonumber(text: Typed, base: Typed | None = None) -> Typed:
    if base is not None and isinstance(base.value, int) and not 2 <= base.value <= 36:
        raise UserError(f"tonumber takes a base from 2 to 36, not {base.value}")
    place = literal(10) if base is None else base.sql
    return call("ppl_tonumber", Type.DOUBLE, text, sql_cast(place, Type.BIGINT))


def _tostring(value: Typed, form: Typed | None = None) -> Typed:
    if form is None:
        return Typed(coerce.text_of(value), Type.STRING)
    if value.type not in NUMBERS and value.type not in {Type.STRING, Type.UNDEFINED}:
        raise UserError(f"tostring with a format takes a number, not a {value.type}")
    return call("ppl_tostring", Type.STRING, sql_cast(value.sql, Type.STRING), form)


FUNCTIONS: dict[str, Function] = {
    "tonumber": takes("tonumber", "text integer", _tonumber, least=1),
    "tostring": takes("tostring", "any text", _tostring, least=1),
}

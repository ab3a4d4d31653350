"""Text functions (manual: functions/string). Positions count from 1; a null argument gives null."""

from __future__ import annotations

import functools

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import operators, regexes
from treering.query.arguments import takes
from treering.query.coerce import string
from treering.query.function import Function, Typed
from treering.query.template import call, literal, typed
from treering.query.types import Type

T = Type.STRING
# Counts as Java does: a character beyond the basic plane (an emoji) is two. Plain ASCII takes the short way.
_LENGTH = (
    "CASE WHEN strlen(:x) = length(:x) THEN length(:x)"
    " ELSE length(:x) + length(regexp_replace(:x, '[^\\x{10000}-\\x{10FFFF}]', '', 'g')) END"
)
# Positions count the same way; only text beyond ASCII takes the slow one.
_PLAIN = "CASE WHEN strlen(:t) = length(:t) THEN"
_SLICE = "ELSE ppl_slice(:t, :a, :b) END"
_END = typed(Type.BIGINT, "2147483647")


def _concat(*args: Typed) -> Typed:
    if not args:
        return string("")
    joined = functools.reduce(lambda a, b: exp.DPipe(this=a, expression=b), (arg.sql for arg in args))
    return Typed(exp.Paren(this=joined) if len(args) > 1 else joined, T)


def _substring(text: Typed, start: Typed, length: Typed | None = None) -> Typed:
    """Characters before the first one count towards the length, as in SQL."""
    if length is None:
        return typed(T, f"{_PLAIN} substring(:t, greatest(:s, 1)) {_SLICE}", t=text, s=start, a=_from(start), b=_END)
    if isinstance(length.value, int) and length.value < 0:
        raise UserError("substring takes a length of 0 or more")
    count = typed(Type.BIGINT, "greatest(:n + least(:s - 1, 0), 0)", s=start, n=length)
    end = typed(Type.BIGINT, ":a + :n", a=_from(start), n=count)
    short = f"{_PLAIN} substring(:t, :a + 1, :n) {_SLICE}"
    return typed(T, short, t=text, n=count, a=_from(start), b=end)


def _from(start: Typed) -> Typed:
    return typed(Type.BIGINT, "greatest(:s, 1) - 1", s=start)


def _locate(part: Typed, text: Typed, start: Typed | None = None) -> Typed:
    first = typed(Type.BIGINT, "0") if start is None else _from(start)
    found = typed(Type.INT, "strpos(substring(:t, :a + 1), :p)", t=text, p=part, a=first)
    plain = f"{_PLAIN} CASE WHEN :f > 0 THEN :f + :a ELSE :f END ELSE ppl_locate(:t, :p, :a) END"
    return typed(Type.INT, plain, t=text, p=part, a=first, f=found)


def _replace(text: Typed, pattern: Typed, by: Typed) -> Typed:
    if isinstance(by.value, str):
        by = string(regexes.replacement(by.value))
    if isinstance(pattern.value, str):
        checked = string(regexes.check(pattern.value))
        if regexes.beyond_re2(pattern.value):
            return call("ppl_regex_replace", T, text, checked, by)
        pattern = checked
    return call("regexp_replace", T, text, pattern, by, literal("g"))


def match(text: Typed, pattern: Typed) -> Typed:
    """Return whether a part of the text matches the regular expression."""
    if isinstance(pattern.value, str):
        checked = string(regexes.check(pattern.value))
        if regexes.beyond_re2(pattern.value):
            return call("ppl_regex_match", Type.BOOLEAN, text, checked)
        return Typed(operators.searched(text.sql, checked.sql, pattern.value), Type.BOOLEAN)
    return call("regexp_matches", Type.BOOLEAN, text, pattern)


def _like(text: Typed, pattern: Typed, sensitive: Typed | None = None) -> Typed:
    return operators.like(text, pattern, case_sensitive=sensitive is not None and sensitive.value is True)


def _compare(left: Typed, right: Typed) -> Typed:
    return typed(Type.INT, "CASE WHEN :a < :b THEN -1 WHEN :a > :b THEN 1 WHEN :a = :b THEN 0 END", a=left, b=right)


def _join(separator: Typed, *args: Typed) -> Typed:
    """Join with the separator; what is null is left out, but the separator before a null at the end stays (Calcite)."""
    if not args:
        return string("")
    parts = [typed(T, "coalesce(:x || :s, '')", x=arg, s=separator).sql for arg in args[:-1]]
    parts += [typed(T, "coalesce(:x, '')", x=arg).sql for arg in args[-1:]]
    joined = functools.reduce(lambda a, b: exp.DPipe(this=a, expression=b), parts)
    return typed(T, "CASE WHEN :s IS NOT NULL THEN :j END", s=separator, j=exp.Paren(this=joined))


def _text(name: str, template: str) -> Function:
    return takes(name, "text", lambda x: typed(T, template, x=x))


def _left(text: Typed, count: Typed) -> Typed:
    end = typed(Type.BIGINT, "greatest(:n, 0)", n=count)
    return typed(T, f"{_PLAIN} left(:t, :b) {_SLICE}", t=text, a=typed(Type.BIGINT, "0"), b=end)


def _right(text: Typed, count: Typed) -> Typed:
    size = typed(Type.BIGINT, "greatest(:n, 0)", n=count)
    start = typed(Type.BIGINT, "greatest(:l - :n, 0)", l=typed(Type.BIGINT, _LENGTH, x=text), n=size)
    return typed(T, f"{_PLAIN} right(:t, :n) {_SLICE}", t=text, n=size, a=start, b=_END)


FUNCTIONS: dict[str, Function] = {
    "concat": takes("concat", "words words*", _concat, least=0),
    "concat_ws": takes("concat_ws", "words words*", _join, least=1),
    "length": takes("length", "text", lambda x: typed(Type.INT, _LENGTH, x=x)),
    "lower": _text("lower", "lower(:x)"),
    "upper": _text("upper", "upper(replace(:x, 'ß', 'SS'))"),
    "trim": _text("trim", "trim(:x, ' ')"),
    "ltrim": _text("ltrim", "ltrim(:x, ' ')"),
    "rtrim": _text("rtrim", "rtrim(:x, ' ')"),
    "reverse": _text("reverse", "reverse(:x)"),
    "substr": takes("substr", "text integer integer", _substring, least=2),
    "substring": takes("substring", "text integer integer", _substring, least=2),
    "left": takes("left", "text integer", _left),
    "right": takes("right", "text integer", _right),
    "ascii": takes("ascii", "text", lambda x: typed(Type.INT, "CASE WHEN :x = '' THEN 0 ELSE ord(:x) END", x=x)),
    "strcmp": takes("strcmp", "text text", _compare),
    "locate": takes("locate", "text text integer", _locate, least=2),
    "position": takes("position", "text text", _locate),
    "replace": takes("replace", "text text text", _replace),
    "regexp_replace": takes("regexp_replace", "text text text", _replace),
    "regexp_match": takes("regexp_match", "text text", match),
    "regex_match": takes("regex_match", "text text", match),
    "like": takes("like", "text text boolean", _like, least=2),
    "ilike": takes("ilike", "text text", operators.like),
}

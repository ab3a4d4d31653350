"""Columns out of a text by the named groups of a pattern, in Java's dialect."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, regexes
from treering.query.function import Typed
from treering.query.template import literal, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.scope import Scope
    from treering.query.syntax import Node, Place

_GROUP = re.compile(r"\(\?P?<(?![=!])([^>]*)>")
_MOST_GROUPS = 9  # that the engine's regexp_extract can tell apart
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def groups(pattern: str) -> tuple[str, ...]:
    """Return the names of a pattern's groups, in order. Raises `UserError` for a wrong name or pattern."""
    names = tuple(_GROUP.findall(pattern))
    for name in names:
        if not _NAME.fullmatch(name):
            raise UserError(f"invalid capture group name {name!r}", hint="a letter, then letters and digits")
    regexes.check(pattern)
    return names


def named(pattern: str, what: str, place: Place, compiler: Compiler, *, needed: bool = True) -> tuple[str, ...]:
    """Return a pattern's group names. Raises `UserError` with the place, also when there are none and one is needed."""
    try:
        found = groups(pattern)
    except UserError as error:
        raise UserError(error.message, hint=error.hint, where=compiler.where(place)) from None
    if needed and not found:
        hint = "as in (?<name>[a-z]+)"
        raise UserError(f"the pattern of {what} needs a named group", hint=hint, where=compiler.where(place))
    return tuple(dict.fromkeys(found))


def text(scope: Scope, node: Node, what: str) -> exp.Expression:
    """Return the text that a field or an expression holds. Raises `UserError` when it is none."""
    value = scope.typed(node)
    if value.type not in {Type.STRING, Type.BINARY, Type.UNDEFINED}:
        raise UserError(f"{what} works on texts, not on {value.type}", where=scope.compiler.where(node.place))
    return coerce.text_of(value)


def group(source: exp.Expression, pattern: str, name: str, *, whole: bool = False) -> exp.Expression:
    """Return what a group matched; null where the pattern is not found, or with `whole` does not match the whole."""
    full = rf"\A(?:{pattern})\z" if whole else pattern
    special = regexes.beyond_re2(pattern)
    if not special:
        full = _GROUP.sub(lambda found: found[0] if found[1] == name else "(?:", full)
    index = regexes.compiled(full).groupindex[name]
    if special or index > _MOST_GROUPS:
        parts = [source, literal(full), literal(index)]
        return exp.Anonymous(this="ppl_regex_group", expressions=parts)
    form = literal(regexes.named(full))
    found = exp.Anonymous(this="regexp_extract", expressions=[source.copy(), form, literal(index)])
    return sql("CASE WHEN regexp_matches(:t, :p) THEN :x END", t=source, p=form.copy(), x=found)


def listed(source: exp.Expression, pattern: str, name: str, most: int) -> Typed:
    """Return what a group matched each time, `most` times at most, as an array; null where it is never found."""
    index = regexes.compiled(pattern).groupindex[name]
    if regexes.beyond_re2(pattern):
        parts = [source, literal(pattern), literal(index), literal(most)]
        found: exp.Expression = exp.Anonymous(this="ppl_regex_groups", expressions=parts)
    else:
        parts = [source, literal(regexes.named(pattern)), literal(index)]
        every = exp.Anonymous(this="regexp_extract_all", expressions=parts)
        found = sql("CASE WHEN len(:x) > 0 THEN to_json(list_slice(:x, 1, :n)) END", x=every, n=literal(most))
    return Typed(coerce.sql_cast(found, Type.ARRAY), Type.ARRAY, element=Type.STRING)

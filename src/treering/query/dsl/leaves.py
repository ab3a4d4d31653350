"""What the query DSL asks of one field beyond Lucene's syntax: whole values, prefixes, regular expressions, ids.

A field's `.keyword` is the field as a whole, declared or not. A field whose texts are analysed is asked for a whole
value as well as for one of its words: streams without a mapping have no keyword fields, and clients expect them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import analyzer, naming, regexes
from treering.query.logic import any_of
from treering.query.lucene import Leaf, Lowering, Query, is_text, whole_text
from treering.query.pushdown import either, every, of_query, pieces
from treering.query.scope import as_list
from treering.query.types import Type
from treering.stage.store import Tokens

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.relation import Column

KEYWORD = ".keyword"


def found(lowering: Lowering, field: str) -> list[Column]:
    """Return the columns that a field name means; `x.keyword` is `x` where it is not declared."""
    columns = lowering.columns(field)
    return columns or (lowering.columns(field.removesuffix(KEYWORD)) if field.endswith(KEYWORD) else [])


def items(column: Column) -> exp.Expression:
    """Return the values of a field that may hold lists as a list of texts."""
    return exp.Anonymous(this="json_extract_string", expressions=[as_list(column), exp.Literal.string("$[*]")])


def _words(column: Column, field: str) -> bool:
    """Whether the field is also asked word by word."""
    return is_text(column) and not field.endswith(KEYWORD)


@dataclass(frozen=True, slots=True)
class Terms(Leaf):
    """One of `values`, exactly."""

    field: str
    values: tuple[str, ...]
    insensitive: bool = False

    def condition(self, lowering: Lowering) -> exp.Expression:
        """Return the condition."""
        return any_of([self._test(column, lowering) for column in found(lowering, self.field)])

    def _test(self, column: Column, lowering: Lowering) -> exp.Expression:
        if column.type is not Type.STRING:
            return any_of([lowering.value(value, column) for value in self.values])
        fold = str.lower if self.insensitive else str
        wanted: list[exp.Expression] = [exp.Literal.string(fold(value)) for value in self.values]
        if column.many:
            listed = items(column)
            if self.insensitive:
                step = exp.Lambda(this=exp.Lower(this=exp.column("x")), expressions=[exp.to_identifier("x")])
                listed = exp.Anonymous(this="list_transform", expressions=[listed, step])
            same: exp.Expression = exp.Anonymous(
                this="list_has_any", expressions=[listed, exp.Array(expressions=wanted)]
            )
        else:
            same = exp.In(this=exp.Lower(this=column.raw) if self.insensitive else column.raw, expressions=wanted)
        single = [value for value in map(fold, self.values) if analyzer.words(value) == [value]]
        if not single or not _words(column, self.field):
            return same
        lowered = exp.Lower(this=whole_text(column))
        return any_of([same, *(analyzer.matches(lowered.copy(), [word]) for word in single)])

    def tokens(self, lowering: Lowering) -> Tokens | None:
        """Return that the words of one of the values are there."""
        columns = found(lowering, self.field)
        if len(columns) != 1 or columns[0].type is not Type.STRING or columns[0].stored.startswith(naming.MARK):
            return None
        name = columns[0].stored
        return either([every([Tokens("token", piece, name) for piece in pieces(value)]) for value in self.values])


@dataclass(frozen=True, slots=True)
class Pattern(Leaf):
    """A whole value, or a word of a text, that a regular expression (RE2) describes from end to end."""

    field: str
    form: str
    insensitive: bool = False

    def condition(self, lowering: Lowering) -> exp.Expression:
        """Return the condition."""
        return any_of([self._test(column) for column in found(lowering, self.field)])

    def _test(self, column: Column) -> exp.Expression:
        if column.type is not Type.STRING:
            return exp.false()
        flags = "(?is)" if self.insensitive else "(?s)"
        form = exp.Literal.string(flags + self.form)
        if column.many:
            body = exp.Anonymous(this="regexp_full_match", expressions=[exp.column("x"), form])
            step = exp.Lambda(this=body, expressions=[exp.to_identifier("x")])
            kept = exp.Anonymous(this="list_filter", expressions=[items(column), step])
            whole: exp.Expression = exp.GT(
                this=exp.Anonymous(this="len", expressions=[kept]), expression=exp.Literal.number(0)
            )
        else:
            whole = exp.Anonymous(this="regexp_full_match", expressions=[column.raw, form])
        if not _words(column, self.field):
            return whole
        test = exp.Anonymous(this="regexp_full_match", expressions=[exp.column("w"), form.copy()])
        return any_of([whole, analyzer.any_word(exp.Lower(this=whole_text(column)), test)])

    def tokens(self, lowering: Lowering) -> Tokens | None:  # noqa: ARG002  nothing is known
        """Return None: a pattern's words are not looked for."""
        return None


@dataclass(frozen=True, slots=True)
class Ids(Leaf):
    """Documents by `_id`."""

    values: tuple[str, ...]

    def condition(self, lowering: Lowering) -> exp.Expression:
        """Return the condition."""
        column = lowering.relation.metadata["_id"]
        return exp.In(this=column.raw, expressions=[exp.Literal.string(value) for value in self.values])

    def tokens(self, lowering: Lowering) -> Tokens | None:  # noqa: ARG002  ids are no words
        """Return None."""
        return None


@dataclass(frozen=True, slots=True)
class Over(Leaf):
    """A query that names no field, asked over `fields` (patterns allowed)."""

    fields: tuple[str, ...]
    query: Query

    def _inner(self, lowering: Lowering) -> Lowering:
        return Lowering(lowering.relation, lowering.compiler, self.fields)

    def condition(self, lowering: Lowering) -> exp.Expression:
        """Return the condition."""
        return self._inner(lowering).condition(self.query)

    def tokens(self, lowering: Lowering) -> Tokens | None:
        """Return what the query needs in any field."""
        return of_query(self.query, self._inner(lowering))


_LUCENE = re.compile(r'\\.|"[^"]*"|\[(?:\\.|[^\]\\])*\]|<\d*-\d*>|.', re.DOTALL)


def from_lucene(pattern: str) -> str:
    """Return a Lucene regular expression as RE2 writes it. Raises `UserError` for operators that RE2 lacks."""
    out: list[str] = []
    for part in _LUCENE.findall(pattern):
        if part in "~&" or re.fullmatch(r"<\d*-\d*>", part):
            raise UserError(f"the operator {part} of regular expressions is not supported")
        if part == "@":
            out.append(".*")
        elif part == "#":
            out.append("[^\\x00-\\x{10FFFF}]")
        elif part in "^$":
            out.append("\\" + part)
        else:
            out.append(re.escape(part[1:-1]) if len(part) > 1 and part.startswith('"') else part)
    return regexes.check("".join(out))


def wildcards(pattern: str) -> str:
    """Return a pattern with `*` and `?` as a regular expression."""
    return analyzer.wildcard(pattern)


def texts(values: Sequence[object]) -> tuple[str, ...]:
    """Return JSON scalars as the texts that fields are asked for. Raises `UserError` for lists and objects."""
    return tuple(text(value) for value in values)


def text(value: object) -> str:
    """Return a JSON scalar as text. Raises `UserError` for null, lists and objects."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)
    raise UserError("a value is expected, not null, a list or an object")


def constant(value: Any) -> exp.Expression:
    """Return a JSON scalar as an SQL value."""
    found: Any = exp.convert(value)
    literal: exp.Expression = found
    return literal

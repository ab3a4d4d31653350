"""`replace '<pattern>' with '<text>', … in <field>, …`: other texts for texts.

Without `*` every place of the pattern is replaced; with `*` (any characters) the pattern is of the whole text, and a
`*` in the replacement is what the one at the same place stood for. A `*` itself is written `\\*`.

Arguments:
    pattern: the text, with * for any characters
    text: what stands there then
    in: the fields

Example:
    source=logs | replace 'ERROR' with 'E', 'INFO' with 'I' in severityText
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, lexer, printer
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import aliased, computed
from treering.query.scope import Scope
from treering.query.template import literal
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name, Place

NAMES = ("replace",)
_PIECE = re.compile(r"\\\\|\\\*|\*|[^\\*]+|\\")


@dataclass(frozen=True, slots=True)
class Replace:
    """Patterns with their replacements, in order, and the fields."""

    pairs: tuple[tuple[str, str], ...]
    names: tuple[Name, ...]
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        pairs = ", ".join(f"{lexer.quote(old)} with {lexer.quote(new)}" for old, new in self.pairs)
        return f"replace {pairs} in {', '.join(map(printer.expression, self.names))}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Change the fields in their places."""
        columns, added = dict(relation.columns), []
        if len({name.name for name in self.names}) < len(self.names):
            raise UserError("a field can be named only once", where=compiler.where(self.names[-1].place))
        for name in self.names:
            value = Scope(relation, compiler).typed(name)
            if value.type not in coerce.TEXTS and value.type not in coerce.INSTANTS:
                raise UserError(f"replace works on texts, not on {value.type}", where=compiler.where(name.place))
            text = coerce.text_of(value)
            for old, new in self.pairs:
                text = self._replaced(text, old, new, compiler)
            ref = compiler.fresh()
            added.append(aliased(text, ref))
            columns[name.name] = computed(ref, Typed(text, Type.STRING))
        return replace(relation, sql=relation.wrapped(*added), columns=columns, plain=False)

    def _replaced(self, text: exp.Expression, old: str, new: str, compiler: Compiler) -> exp.Expression:
        before, after = _PIECE.findall(old), _PIECE.findall(new)
        count = before.count("*")
        if count == 0:
            parts = [text, literal(_plain(before)), literal(_plain(after))]
            return exp.Anonymous(this="replace", expressions=parts)
        if after.count("*") not in {0, count} or count > 9:
            message = f"the replacement has {after.count('*')} * where the pattern has {count}"
            raise UserError(message, hint="none, or as many", where=compiler.where(self.place))
        form = "".join("(.*?)" if piece == "*" else re.escape(_plain([piece])) for piece in before)
        numbers = iter(range(1, count + 1))
        target = "".join(
            f"\\{next(numbers)}" if piece == "*" else _plain([piece]).replace("\\", "\\\\") for piece in after
        )
        parts = [text, literal(rf"\A{form}\z"), literal(target), literal("s")]
        return exp.Anonymous(this="regexp_replace", expressions=parts)


def _plain(pieces: list[str]) -> str:
    return "".join({"\\*": "*", "\\\\": "\\"}.get(piece, piece) for piece in pieces)


def parse(parser: Parser) -> Replace:
    """Read what follows `replace`."""
    start = parser.peek().start
    pairs = [_pair(parser)]
    while parser.op(","):
        pairs.append(_pair(parser))
    place = (start, parser.last_end)
    parser.expect_word("in")
    names = [parser.field()]
    while parser.op(","):
        names.append(parser.field())
    return Replace(tuple(pairs), tuple(names), place)


def _pair(parser: Parser) -> tuple[str, str]:
    old = _text(parser)
    parser.expect_word("with")
    return old, _text(parser)


def _text(parser: Parser) -> str:
    if parser.peek().kind is not Kind.STRING:
        parser.fail("expected a text between quotes")
    return parser.take().value

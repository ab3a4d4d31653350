"""`rex field=<field> [max_match=] [offset_field=] "<pattern>"`, or `mode=sed "s/…/…/"`: parts of a text, or another.

Syntax:
    rex field=<field> [max_match=<n>] [offset_field=<name>] '<pattern>'
    rex field=<field> mode=sed 's/<pattern>/<text>/<flags>'

Arguments:
    field: the text
    max_match: how many matches; with more than 1 columns are arrays
    offset_field: a column that says where the groups were found
    mode: sed for replacements
    pattern: a regular expression of Java with named groups, or s/what/text/g or y/abc/xyz/

Example:
    source=logs | rex field=body '(?<ms>[0-9]+) ms'
    source=logs | rex field=body mode=sed 's/[0-9]+/N/g'
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import extraction, lexer, printer, regexes
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.scope import Scope
from treering.query.template import literal
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Name, Place

NAMES = ("rex",)
MOST = 10


@dataclass(frozen=True, slots=True)
class Rex:
    """The field, the pattern or the sed expression, how many matches are kept, and the field for their places."""

    name: Name
    pattern: str
    sed: bool = False
    most: int = 1
    offsets: str = ""
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [f"rex field={printer.expression(self.name)}"]
        parts += ["mode=sed"] if self.sed else []
        parts += [f"max_match={self.most}"] if self.most != 1 else []
        parts += [f"offset_field={lexer.name(self.offsets)}"] if self.offsets else []
        return " ".join([*parts, lexer.quote(self.pattern)])

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add a column per group, or change the field."""
        text = extraction.text(Scope(relation, compiler), self.name, "rex")
        if self.sed:
            try:
                changed = _sed(text, self.pattern)
            except UserError as error:
                raise UserError(error.message, hint=error.hint, where=compiler.where(self.place)) from None
            return compiler.extended(relation, {self.name.name: Typed(changed, Type.STRING)})
        if self.most > MOST:
            raise UserError(f"max_match is {MOST} at most, not {self.most}", where=compiler.where(self.place))
        names = extraction.named(self.pattern, "rex", self.place, compiler)
        found = {name: self._group(text, name) for name in names}
        if self.offsets:
            spans = exp.Anonymous(this="ppl_regex_offsets", expressions=[text.copy(), literal(self.pattern)])
            found[self.offsets] = Typed(spans, Type.STRING)
        return compiler.extended(relation, found)

    def _group(self, text: exp.Expression, name: str) -> Typed:
        if self.most == 1:
            return Typed(extraction.group(text, self.pattern, name), Type.STRING)
        return extraction.listed(text.copy(), self.pattern, name, self.most or MOST)


def _sed(text: exp.Expression, program: str) -> exp.Expression:
    """Return the text after `s/<pattern>/<replacement>/[g|<n>]` or `y/<characters>/<characters>/`."""
    parts = _divided(program)
    if parts is None:
        raise UserError(f"{program[:80]!r} is no sed expression", hint="as in s/old/new/g or y/abc/xyz/")
    kind, before, after, flags = parts
    if kind == "y":
        if len(before) != len(after):
            raise UserError("both sides of y/…/…/ need the same number of characters")
        return exp.Anonymous(this="ppl_translate", expressions=[text, literal(before), literal(after)])
    if not re.fullmatch(r"g?i?|i?g?", flags):
        raise UserError(f"unknown flags {flags!r} of a sed expression", hint="g for every match, i for any case")
    pattern = regexes.check(before)
    arguments = [text, literal(pattern), literal(regexes.replacement(after)), literal(flags)]
    return exp.Anonymous(this="regexp_replace", expressions=arguments[: 4 if flags else 3])


def _divided(program: str) -> tuple[str, str, str, str] | None:
    if len(program) < 4 or program[0] not in "sy":
        return None
    sign = re.escape(program[1])
    part = rf"((?:\\.|(?!{sign}).)*)"
    found = re.fullmatch(rf"([sy]){sign}{part}{sign}{part}{sign}(\w*)", program, re.DOTALL)
    if found is None:
        return None
    kind, before, after, flags = found.groups()
    plain = "\\" + program[1]
    return kind, before.replace(plain, program[1]), after.replace(plain, program[1]), flags


def parse(parser: Parser) -> Rex:
    """Read what follows `rex`; options may stand before and after the pattern."""
    start = parser.peek().start
    found: dict[str, object] = {}
    while not parser.at_end():
        if parser.peek().kind is Kind.STRING:
            found["pattern"] = parser.take().value
            continue
        match parser.option("field", "mode", "max_match", "offset_field"):
            case "field":
                found["name"] = parser.field()
            case "mode":
                found["sed"] = parser.expect_word("extract", "sed") == "sed"
            case "max_match":
                found["most"] = _count(parser)
            case "offset_field":
                found["offsets"] = parser.field().name
            case _:
                parser.fail("expected field=, mode=, max_match=, offset_field= or a pattern between quotes")
    place = (start, parser.last_end)
    if "name" not in found or "pattern" not in found:
        missing = "a pattern between quotes" if "name" in found else "field="
        raise UserError(f"rex needs {missing}", where=parser.where(place))
    return Rex(place=place, **found)  # type: ignore[arg-type]


def _count(parser: Parser) -> int:
    from treering.query.commands.head import positive

    return positive(parser, "the number of matches")

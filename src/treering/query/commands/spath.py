"""`spath input=<field> [output=<name>] [[path=]<path>]`: a value of a JSON text, or all of it as one object.

Arguments:
    input: the field that holds JSON
    output: the name of the column; the path if not said
    path: what is taken: a.b{0}.c, a{}; without it all, as one object

Example:
    source=logs | spath input=payload path=user.id output=user
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, lexer, printer
from treering.query.coerce import sql_cast
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.scope import Scope, functions
from treering.query.syntax import Name
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("spath",)


@dataclass(frozen=True, slots=True)
class Spath:
    """The JSON text, the path in it ("": all), and the name of the result ("": the path's, or the field's own)."""

    name: Name
    path: str = ""
    output: str = ""
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [f"spath input={printer.expression(self.name)}"]
        parts += [f"output={lexer.name(self.output)}"] if self.output else []
        parts += [f"path={lexer.quote(self.path)}"] if self.path else []
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add or replace the column."""
        value = Scope(relation, compiler).typed(self.name)
        if value.type not in coerce.TEXTS and value.type not in coerce.DOCUMENTS:
            where = compiler.where(self.name.place)
            raise UserError(f"spath reads JSON texts, not {value.type}", where=where)
        text = Typed(coerce.text_of(value), Type.STRING)
        if self.path:
            extract = functions()["json_extract"]
            found = extract.lower([text, coerce.string(self.path)], compiler.context)
            return compiler.extended(relation, {self.output or self.path: found})
        whole = exp.Anonymous(this="ppl_flattened", expressions=[text.sql])
        members = Typed(sql_cast(whole, Type.STRUCT), Type.STRUCT, element=Type.STRING)
        return compiler.extended(relation, {self.output or self.name.name: members})


def parse(parser: Parser) -> Spath:
    """Read what follows `spath`."""
    start = parser.peek().start
    found: dict[str, object] = {}
    while not parser.at_end():
        match parser.option("input", "output", "path"):
            case "input":
                found["name"] = parser.field()
            case "output":
                found["output"] = parser.field().name
            case _:
                found["path"] = _path(parser)
    place = (start, parser.last_end)
    if "name" not in found:
        raise UserError("spath needs input=<field>", where=parser.where(place))
    return Spath(place=place, **found)  # type: ignore[arg-type]


def _path(parser: Parser) -> str:
    """Take a path such as a.b{0}.c, bare or quoted: words without space between."""
    if parser.peek().kind in {Kind.STRING, Kind.QUOTED} and not parser.next_is(".", "{"):
        return parser.take().value
    start = parser.peek().start
    text = ""
    while not parser.at_end() and (not text or parser.peek().start == parser.last_end):
        following = parser.peek()
        if following.kind in {Kind.NAME, Kind.QUOTED, Kind.NUMBER, Kind.SPAN, Kind.STRING} or following.is_op(
            ".", "{", "}"
        ):
            text += following.value
        else:
            break
        parser.take()
    if not text:
        parser.position = start
        parser.fail("expected input=, output=, path= or a path")
    return text

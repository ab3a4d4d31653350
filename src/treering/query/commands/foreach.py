"""`foreach [mode=] <field or pattern> … [ eval <template> ]`: the same `eval` for several fields, or a list's items.

In the template `<<FIELD>>` is the field's name and `<<MATCHSTR>>` what the pattern's `*` stood for; over a list,
`<<ITEM>>` is the item and `<<ITER>>` its index from 0, and each target, which exists before, is carried from one item
to the next (manual: cmd/foreach).
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import coerce, expressions, lexer, printer
from treering.query.coerce import sql_cast
from treering.query.commands import eval as evaluation
from treering.query.commands.fields import matching
from treering.query.function import Typed
from treering.query.functions.collection import element_type, items
from treering.query.lexer import Kind, Mode
from treering.query.scope import Scope
from treering.query.syntax import Binary, Call, Literal, Name, walk
from treering.query.template import sql
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Node, Place

NAMES = ("foreach",)
MODES = ("multifield", "multivalue", "json_array", "auto_collections")
_STRING = r"""'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"|`[^`]*`"""
_ITEM, _INDEX = "<<ITEM>>", "<<ITER>>"


@dataclass(frozen=True, slots=True)
class Foreach:
    """The mode, what is gone through, the template's text, and other names for the placeholders."""

    mode: str
    targets: tuple[Name, ...]
    collection: Node | None
    template: str
    renamed: tuple[tuple[str, str], ...] = ()
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [f"foreach mode={self.mode}"]
        parts += [f"{name}={lexer.quote(value)}" for name, value in self.renamed]
        parts += [_pattern(name.name) for name in self.targets]
        parts += [printer.expression(self.collection)] if self.collection is not None else []
        return " ".join([*parts, f"[ eval {self.template} ]"])

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Do the template for each field, or fold it over the items."""
        if self.mode == "multifield":
            return self._fields(relation, compiler)
        return self._items(relation, compiler)

    def _fields(self, relation: Relation, compiler: Compiler) -> Relation:
        names = dict(self.renamed)
        for target in self.targets:
            if "*" not in target.name:
                Scope(relation, compiler).column(target)
            for found in matching(relation, target.name) if "*" in target.name else [target.name]:
                part = _matched(target.name, found)
                known = {names.get("fieldstr", "<<FIELD>>"): found, names.get("matchstr", "<<MATCHSTR>>"): part}
                relation = self._clauses(_filled(self.template, known), compiler).lower(relation, compiler)
        return relation

    def _clauses(self, text: str, compiler: Compiler) -> evaluation.Eval:
        """Read the template as `eval` does. Raises `UserError` at the command's place."""
        from treering.query.parser import Parser

        parser = Parser(text)
        try:
            found = evaluation.parse(parser)
            if parser.peek().kind is not Kind.END:
                parser.fail("expected , or the end")
        except UserError as error:
            where = compiler.where(self.place)
            raise UserError(f"the template: {error.message}", hint=error.hint, where=where) from None
        return found

    def _items(self, relation: Relation, compiler: Compiler) -> Relation:
        names = dict(self.renamed)
        item, index = names.get("itemstr", _ITEM), names.get("iterstr", _INDEX)
        known = {item: item, index: index} | {_ITEM: item, _INDEX: index}
        clauses = self._clauses(_filled(self.template, known), compiler).clauses
        scope = Scope(relation, compiler)
        listed = self._listed(relation, scope, clauses, item)
        if listed is None:
            return relation
        written = {target.name for target, _ in clauses}
        for target, node in clauses:
            used = {part.name for part in walk(node) if isinstance(part, Name)} & written - {target.name}
            if used:
                message = f"foreach over a list carries each target by itself: {target.name!r} uses {min(used)!r}"
                raise UserError(message, where=compiler.where(self.place))
            start = scope.typed(target)
            folded = self._folded(scope, (item, index), listed, (target, node), start)
            relation = compiler.extended(relation, {target.name: folded})
        return relation

    def _listed(
        self, relation: Relation, scope: Scope, clauses: tuple[tuple[Name, Node], ...], item: str
    ) -> tuple[exp.Expression, Type] | None:
        """Return the items as an SQL list with their type; None where the mode and the value do not go together."""
        node = self.collection
        if node is None:
            found = next((name for name, column in relation.columns.items() if column.type is Type.ARRAY), None)
            if found is None:
                return None
            node = Name(found)
        value = scope.typed(node)
        if value.type is Type.ARRAY:
            return (items(value), element_type(value)) if self.mode != "json_array" else None
        if value.type is not Type.STRING or self.mode == "multivalue":
            return None
        kind = _json_type(node, clauses, item)
        texts = sql("json_extract_string(:x, '$[*]')", x=sql_cast(value.sql, "JSON", safe=True))
        return sql_cast(texts, f"{SQL[kind]}[]", safe=True), kind

    def _folded(
        self,
        scope: Scope,
        names: tuple[str, str],
        listed: tuple[exp.Expression, Type],
        clause: tuple[Name, Node],
        start: Typed,
    ) -> Typed:
        """Fold the clause over the indexes of the items; the total's type may widen once."""
        (values, kind), (target, node) = listed, clause
        total_name, at = exp.column("total", quoted=True), exp.column("at", quoted=True)
        number = sql_cast(at, Type.INT)
        found = sql("list_extract(:x, :i + 1)", x=values, i=number)
        result, wide = start, start.type
        for _ in range(2):
            bound = {names[0]: Typed(found, kind), names[1]: Typed(number, Type.INT)}
            bound[target.name] = Typed(sql_cast(total_name, wide), wide)
            result = Scope(scope.relation, scope.compiler, bound).typed(node)
            wide = coerce.common([wide, result.type]) or result.type
        indexes = sql_cast(sql("range(len(:x))", x=values), f"{SQL[wide]}[]")
        body = exp.Lambda(this=sql_cast(result.sql, wide), expressions=[total_name.this, at.this], colon=True)
        first = sql_cast(start.sql, wide)
        folded = exp.Anonymous(this="list_reduce", expressions=[indexes, body, first])
        whole = sql("CASE WHEN :x IS NULL THEN :s ELSE :f END", x=values, s=first, f=folded)
        return replace(result, sql=sql_cast(whole, wide), type=wide)


def _json_type(node: Node, clauses: tuple[tuple[Name, Node], ...], item: str) -> Type:
    """Return what a JSON list's items are: as written out, else numbers where the template counts with them."""
    if isinstance(node, Call) and all(isinstance(arg, Literal) for arg in node.args):
        return _all_numbers([arg.kind != "string" for arg in node.args])  # type: ignore[attr-defined]
    if isinstance(node, Literal):
        try:
            found = json.loads(str(node.value))
        except (ValueError, RecursionError):
            return Type.STRING
        return _all_numbers([not isinstance(each, str) for each in found] if isinstance(found, list) else [])
    parts = [part for _, clause in clauses for part in walk(clause) if isinstance(part, Binary) and part.op in "+-*/%"]
    sides = [side for part in parts for side in (part.left, part.right)]
    return Type.DOUBLE if any(isinstance(side, Name) and side.name == item for side in sides) else Type.STRING


def _all_numbers(tests: list[bool]) -> Type:
    if any(tests) and not all(tests):
        raise UserError("the list has texts and numbers")
    return Type.DOUBLE if tests and all(tests) else Type.STRING


def _matched(pattern: str, name: str) -> str:
    if "*" not in pattern:
        return ""
    form = "(.*)".join(map(re.escape, pattern.split("*")))
    found = re.fullmatch(form, name, re.DOTALL)
    return "".join(found.groups()) if found else ""


def _filled(template: str, known: dict[str, str]) -> str:
    """Return the template with its placeholders replaced: names between backticks, inside texts as they are."""
    marks = "|".join(map(re.escape, sorted(known, key=len, reverse=True)))
    marker = re.compile(marks)
    word = re.compile(rf"(?P<text>{_STRING})|(?<![\w.])(?P<name>[\w.@]*(?:{marks})(?:[\w.@]|{marks})*)")

    def use(found: re.Match[str]) -> str:
        if (text := found["text"]) is not None:
            body = lexer.unquote(text) if text[0] != "`" else text[1:-1]
            changed = marker.sub(lambda mark: known[mark[0]], body)
            return lexer.quote(changed) if text[0] != "`" else f"`{changed}`"
        changed = marker.sub(lambda mark: known[mark[0]], found["name"])
        return "`" + changed.replace("`", "``") + "`"

    return word.sub(use, template)


def _pattern(name: str) -> str:
    return name if re.fullmatch(r"[@\w*][\w.*@]*", name) and name.lower() not in lexer.RESERVED else lexer.name(name)


_OPTIONS = ("mode", "fieldstr", "matchstr", "itemstr", "iterstr")


def parse(parser: Parser) -> Foreach:
    """Read what follows `foreach`."""
    start = parser.peek().start
    mode, renamed = "", []
    while option := parser.option(*_OPTIONS):
        if option == "mode":
            mode = parser.expect_word(*MODES)
        else:
            renamed.append((option, parser.take().value))
    targets: list[Name] = []
    collection: Node | None = None
    called = parser.peek().kind is Kind.NAME and parser.next_is("(")
    if mode in {"", "multifield"} and not called:
        while not parser.peek(Mode.PATTERN).is_op("["):
            targets.append(parser.pattern())
            parser.op(",")
    elif not parser.peek().is_op("["):
        collection = expressions.value(parser)
    mode = mode or ("json_array" if called else "multifield")
    template = _template(parser)
    return Foreach(mode, tuple(targets), collection, template, tuple(renamed), (start, parser.last_end))


def _template(parser: Parser) -> str:
    """Take `[ eval … ]` and return what follows `eval`, as text: placeholders are no words yet."""
    parser.expect_op("[")
    parser.expect_word("eval")
    start = parser.position
    form = re.compile(rf"(?:{_STRING}|[^\]\['\"`]|\[(?:{_STRING}|[^\]\['\"`])*\])*")
    found = form.match(parser.text, start)
    end = found.end() if found else start
    template = parser.text[start:end].strip()
    parser.position = parser.last_end = end
    if not template:
        parser.fail("expected an assignment")
    parser.expect_op("]")
    return template

"""`foreach [mode=<mode>] [<option>=<name>] <target> … [ eval <template> = <expression>, … ]`: once per field or item.

Over fields (`multifield`) `<<FIELD>>` is the field and `<<MATCHSTR>>` what `*` stood for; over the items of an array
(`multivalue`) or of a JSON text (`json_array`) `<<ITEM>>` is the item, `<<ITER>>` its number from 0, and the targets,
which must be there, are carried from item to item.

Arguments:
    mode: multifield if not said, multivalue or json_array
    option: fieldstr, matchstr, itemstr or iterstr: another name of a place
    target: fields, patterns with *, or the array
    template: the column, with places in it

Example:
    source=logs | foreach duration* [ eval <<FIELD>>_ms = <<FIELD>> / 1000000 ]
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from treering.core.errors import UserError
from treering.query import expressions, foreach, lexer, printer
from treering.query.commands.eval import Eval
from treering.query.commands.fields import matching, printed
from treering.query.lexer import Kind, Mode
from treering.query.syntax import Call, Literal, Name, Node

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("foreach",)
MODES = ("multifield", "multivalue", "json_array", "auto_collections")
_OPTION = re.compile(r"mode|fieldstr|matchstr|matchseg\d+|itemstr|iterstr")
_HOLDER = re.compile(r"<<(\w+)>>")


@dataclass(frozen=True, slots=True)
class Foreach:
    """The mode ("" where none is said), other names for placeholders, what is gone through, and the clauses."""

    targets: tuple[Node, ...]
    clauses: tuple[tuple[Name, Node], ...]
    mode: str = ""
    options: tuple[tuple[str, str], ...] = ()
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        mode = [f"mode={self.mode}"] if self.mode else []
        options = [f"{name}={lexer.name(value)}" for name, value in self.options]
        targets = [printed(t.name) if isinstance(t, Name) else printer.expression(t) for t in self.targets]
        clauses = ", ".join(f"{printer.expression(t)} = {printer.expression(e)}" for t, e in self.clauses)
        return " ".join(["foreach", *mode, *options, *targets, f"[ eval {clauses} ]"])

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Run the clauses for each field, or fold them over the items."""
        mode = self.mode
        if not mode:
            first = self.targets[0] if self.targets else None
            mode = "json_array" if isinstance(first, Call) and first.name == "json_array" else "multifield"
        if mode == "multifield":
            return self._over_fields(relation, compiler)
        if len(self.targets) > 1 or (not self.targets and mode != "auto_collections"):
            raise UserError(f"foreach goes through one collection in mode {mode}", where=compiler.where(self.place))
        names = {
            value.upper().strip("<>"): {"itemstr": foreach.ITEM, "iterstr": foreach.ITER}[option]
            for option, value in self.options
            if option in {"itemstr", "iterstr"}
        }
        clauses = [(target.name, _bound(node, names)) for target, node in self.clauses]
        target = self.targets[0] if self.targets else None
        return foreach.over_items(relation, compiler, mode, target, clauses, self.place)

    def _over_fields(self, relation: Relation, compiler: Compiler) -> Relation:
        patterns = [target.name for target in self.targets if isinstance(target, Name)]
        found = dict.fromkeys(name for pattern in patterns for name in matching(relation, pattern))
        fields_said = frozenset(
            {"FIELD", *(said.upper().strip("<>") for key, said in self.options if key == "fieldstr")}
        )
        for name in found:
            values = self._placeholders(patterns, name)
            clauses = tuple(
                (_named(target, values), _filled(node, values, fields_said)) for target, node in self.clauses
            )
            relation = Eval(clauses).lower(relation, compiler)
        return relation

    def _placeholders(self, patterns: list[str], name: str) -> dict[str, str]:
        """Return what each placeholder stands for while `name` is the field."""
        values = {"FIELD": name}
        for pattern in sorted(patterns, key=lambda pattern: "*" in pattern):
            form = re.compile("(.*?)".join(map(re.escape, pattern.split("*"))), re.DOTALL)
            if (match := form.fullmatch(name)) is None:
                continue
            values["MATCHSTR"] = "".join(match.groups())
            values |= {f"MATCHSEG{index}": part for index, part in enumerate(match.groups(), 1)}
            break
        for option, given in self.options:
            holder = option.removesuffix("str").upper() if option == "fieldstr" else option.upper()
            if holder in values:
                values[given.upper().strip("<>")] = values[holder]
        return values


def _named(target: Name, values: Mapping[str, str]) -> Name:
    return replace(target, name=_text(target.name, values))


def _text(text: str, values: Mapping[str, str]) -> str:
    return _HOLDER.sub(lambda found: values.get(found[1].upper(), found[0]), text)


def _filled(node: Any, values: Mapping[str, str], said: frozenset[str]) -> Any:
    """Return an expression with its placeholders in place: those `said` to be the field as a name, others as texts."""
    if isinstance(node, Name):
        whole = _HOLDER.fullmatch(node.name)
        key = (whole[1] if whole else node.name).upper()
        if key in values and (whole or key not in {"FIELD", "MATCHSTR"}):
            value = values[key]
            return replace(node, name=value) if key in said else Literal(value, "string", place=node.place)
        return _named(node, values)
    if isinstance(node, Literal) and node.kind == "string":
        return replace(node, value=_text(node.value, values))
    return _mapped(node, lambda part: _filled(part, values, said))


def _bound(node: Any, names: Mapping[str, str]) -> Any:
    """Return an expression whose placeholders of an item are the names that `over_items` binds."""
    if isinstance(node, Name):
        whole = _HOLDER.fullmatch(node.name)
        key = (whole[1] if whole else node.name).upper()
        found = names.get(key) or ({"ITEM": foreach.ITEM, "ITER": foreach.ITER}.get(key) if whole else None)
        return replace(node, name=found) if found else node
    return _mapped(node, lambda part: _bound(part, names))


def _mapped(node: Any, change: Any) -> Any:
    if isinstance(node, tuple):
        return tuple(change(part) for part in node)
    if not isinstance(node, Node):
        return node
    parts = {each.name: getattr(node, each.name) for each in fields(node) if each.name != "place"}
    return replace(node, **{name: change(part) for name, part in parts.items() if isinstance(part, Node | tuple)})


def parse(parser: Parser) -> Foreach:
    """Read what follows `foreach`."""
    start, mode = parser.peek(Mode.PATTERN).start, ""
    options: list[tuple[str, str]] = []
    targets: list[Node] = []
    while not parser.peek(Mode.PATTERN).is_op("[") and not parser.at_end():
        following = parser.peek(Mode.PATTERN)
        if following.kind is Kind.NAME and "*" not in following.value and parser.next_is("="):
            option = parser.take().value.lower()
            if not _OPTION.fullmatch(option):
                raise UserError(f"unknown option {option!r}", where=parser.where((following.start, following.end)))
            parser.take()
            if option == "mode":
                mode = parser.expect_word(*MODES)
            else:
                options.append((option, parser.field().name))
        elif following.kind is Kind.STRING or ("*" not in following.value and parser.next_is("(")):
            targets.append(expressions.value(parser))
        else:
            targets.append(parser.pattern())
    place = (start, parser.last_end)
    if not targets and mode != "auto_collections":
        parser.fail("expected a field to go through")
    return Foreach(tuple(targets), _clauses(parser), mode, tuple(options), place)


def _clauses(parser: Parser) -> tuple[tuple[Name, Node], ...]:
    parser.expect_op("[")
    parser.expect_word("eval")
    clauses: list[tuple[Name, Node]] = []
    while True:
        target = parser.field()
        parser.expect_op("=")
        clauses.append((target, expressions.expression(parser)))
        if not parser.op(","):
            break
    parser.expect_op("]")
    return tuple(clauses)

"""`lookup <stream> <field> [as <name>], … [replace|append <field> [as <name>], …]`: fields of a table beside the rows.

The first names are the keys: the table's, and the rows' own after `as`. `replace` (which `output` is too) puts the
table's values in place of the rows', `append` only where these are null; without either all other fields replace.

Arguments:
    stream: the table
    field: a key: the table's name of it
    as: the rows' own name of it
    replace: the fields that replace those of the rows
    append: the fields that fill nulls of the rows

Example:
    source=logs | lookup services name as serviceName append team
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query import coerce, datasets, operators, printer
from treering.query.datasets import Dataset
from treering.query.function import Typed
from treering.query.relation import Order, nested
from treering.query.scope import Scope, column_value

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Column, Relation
    from treering.query.syntax import Name

NAMES = ("lookup",)
Pair = tuple["Name", "Name"]


@dataclass(frozen=True, slots=True)
class Lookup:
    """The table, pairs of its keys and the rows', and pairs of its fields and the rows' (none: all)."""

    dataset: Dataset
    keys: tuple[Pair, ...]
    fields: tuple[Pair, ...] = ()
    only_nulls: bool = False

    def print(self) -> str:
        """Return the command as PPL."""
        text = f"lookup {self.dataset.print()} {_printed(self.keys)}"
        if not self.fields:
            return text
        return f"{text} {'append' if self.only_nulls else 'replace'} {_printed(self.fields)}"

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Join the table on the left side's keys."""
        table = self.dataset.relation(compiler)
        left, right = Scope(relation, compiler), Scope(table, compiler)
        tests = [
            operators.compare("=", left.typed(own), right.typed(key), compiler.now_ns).sql for key, own in self.keys
        ]
        select = exp.Select(expressions=[exp.Star()]).from_(nested(relation.sql), copy=False)
        other = exp.Subquery(this=table.sql, alias=exp.TableAlias(this=exp.to_identifier("u")))
        select.append("joins", exp.Join(this=other, side="LEFT", kind="OUTER", on=exp.and_(*tests)))
        columns = self._columns(relation, right, compiler)
        joined = replace(relation, sql=select, plain=False, shuffled=relation.sequence is not None)
        if not relation.order:
            # The engine merges both sides by their keys, nulls last.
            keys = [Order(left.column(own), nulls_first=False) for _, own in self.keys]
            joined = replace(joined, order=tuple(keys), unasked=True, merged=len(keys))
        filled: dict[str, Typed] = {}
        for name, column in columns.items():
            current = compiler.column(relation, name)
            if self.only_nulls and current is not None:
                filled[name] = _either(column_value(current), column_value(column), compiler)
        kept = {name: column for name, column in relation.columns.items() if name not in columns}
        added = {name: column for name, column in columns.items() if name not in filled}
        return compiler.extended(joined.with_columns({**kept, **added}), filled)

    def _columns(self, relation: Relation, right: Scope, compiler: Compiler) -> dict[str, Column]:
        del relation, compiler
        if self.fields:
            return {target.name: right.column(name) for name, target in self.fields}
        keys = {key.name for key, _ in self.keys}
        return {name: column for name, column in right.relation.columns.items() if name not in keys}


def _either(current: Typed, value: Typed, compiler: Compiler) -> Typed:
    kind = coerce.common([current.type, value.type]) or current.type
    parts = [coerce.cast(each, kind, compiler.now_ns).sql for each in (current, value)]
    return Typed(exp.Coalesce(this=parts[0], expressions=parts[1:]), kind)


def _printed(pairs: tuple[Pair, ...]) -> str:
    texts = []
    for name, target in pairs:
        text = printer.expression(name)
        texts.append(text if name == target else f"{text} as {printer.expression(target)}")
    return ", ".join(texts)


def parse(parser: Parser) -> Lookup:
    """Read what follows `lookup`."""
    dataset = datasets.read(parser, several=False)
    keys = _pairs(parser)
    word = parser.word("replace", "append", "output")
    return Lookup(dataset, keys, _pairs(parser) if word else (), word == "append")


def _pairs(parser: Parser) -> tuple[Pair, ...]:
    found = []
    while True:
        name = parser.field()
        found.append((name, parser.field() if parser.word("as") else name))
        if not parser.op(","):
            return tuple(found)

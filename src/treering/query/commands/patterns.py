"""`patterns <field> [by <field>, …] [mode=label|aggregation] [pattern=] …`: texts with their variable parts as `<*>`.

With `mode=aggregation` a row per pattern with its count and samples. Only the method `simple_pattern` is built: what
the regular expression matches is variable (manual: cmd/patterns).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import extraction, lexer, printer, regexes
from treering.query.coerce import sql_cast
from treering.query.commands.stats import grouped
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import Relation, aliased, named
from treering.query.scope import Scope
from treering.query.template import literal, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.syntax import Name, Place

NAMES = ("patterns",)
WORDS, SAMPLES = "[a-zA-Z0-9]+", 10


@dataclass(frozen=True, slots=True)
class Patterns:
    """The field, the keys, whether rows are grouped, and how variable parts are found and shown."""

    name: Name
    by: tuple[Name, ...] = ()
    grouped: bool = False
    pattern: str = WORDS
    samples: int = SAMPLES
    numbered: bool = False
    column: str = "patterns_field"
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        parts = [f"patterns {printer.expression(self.name)}"]
        parts += [f"by {', '.join(map(printer.expression, self.by))}"] if self.by else []
        parts += ["mode=aggregation"] if self.grouped else []
        parts += [f"max_sample_count={self.samples}"] if self.samples != SAMPLES else []
        parts += ["show_numbered_token=true"] if self.numbered else []
        parts += [f"new_field={lexer.quote(self.column)}"] if self.column != "patterns_field" else []
        parts += [f"pattern={lexer.quote(self.pattern)}"] if self.pattern != WORDS else []
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add the pattern, or group by it."""
        text = extraction.text(Scope(relation, compiler), self.name, "patterns")
        try:
            label = self._label(text)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=compiler.where(self.place)) from None
        if self.grouped:
            return self._aggregated(relation, text, label, compiler)
        found = {self.column: Typed(self._shown(text, label), Type.STRING)}
        if self.numbered:
            found["tokens"] = self._tokens(sql("to_json([:x])", x=text))
        return compiler.extended(relation, found)

    def _label(self, text: exp.Expression) -> exp.Expression:
        pattern = regexes.check(self.pattern)
        if regexes.beyond_re2(self.pattern):
            parts = [text.copy(), literal(self.pattern), literal("<*>")]
            return exp.Anonymous(this="ppl_regex_replace", expressions=parts)
        parts = [text.copy(), literal(pattern), literal("<*>"), literal("g")]
        return exp.Anonymous(this="regexp_replace", expressions=parts)

    def _shown(self, text: exp.Expression, label: exp.Expression) -> exp.Expression:
        if not self.numbered:
            return label
        return exp.Anonymous(this="ppl_numbered", expressions=[text.copy(), literal(self.pattern)])

    def _tokens(self, texts: exp.Expression) -> Typed:
        found = exp.Anonymous(this="ppl_tokens", expressions=[sql_cast(texts, "VARCHAR"), literal(self.pattern)])
        return Typed(sql_cast(found, Type.STRUCT), Type.STRUCT, element=Type.STRING)

    def _aggregated(
        self, relation: Relation, text: exp.Expression, label: exp.Expression, compiler: Compiler
    ) -> Relation:
        scope = Scope(relation, compiler)
        keys = [(name.name, scope.typed(name)) for name in self.by]
        ref = compiler.fresh()
        relation = replace(relation, sql=relation.wrapped(aliased(label, ref)))
        order = relation.keys()
        listed: exp.Expression = exp.Order(this=text, expressions=order) if order else text
        listed = exp.Anonymous(this="list", expressions=[listed])
        samples = sql("list_slice(:x, 1, :n)", x=listed, n=literal(self.samples))
        values = [
            ("pattern_count", Typed(exp.Count(this=exp.Star()), Type.BIGINT)),
            (
                "sample_logs",
                Typed(sql_cast(sql("to_json(:x)", x=samples), Type.ARRAY), Type.ARRAY, element=Type.STRING),
            ),
        ]
        found = grouped(relation, compiler, values, [*keys, (self.column, Typed(named(ref), Type.STRING))], [])
        columns = dict(found.columns)
        count, logs, shown = columns.pop("pattern_count"), columns.pop("sample_logs"), columns.pop(self.column)
        result = found.with_columns({**columns, self.column: shown, "pattern_count": count})
        if self.numbered:
            first = sql("json_extract_string(:x, '$[0]')", x=logs.raw)
            numbers = Typed(self._shown(first, shown.raw), Type.STRING)
            extended = compiler.extended(result, {self.column: numbers, "tokens": self._tokens(logs.raw)})
            names = (*columns, self.column, "pattern_count", "tokens")
            result = extended.with_columns({name: extended.columns[name] for name in names})
        return result.with_columns({**result.columns, "sample_logs": logs})


_OPTIONS = (
    *("method", "mode", "max_sample_count", "buffer_limit", "show_numbered_token", "new_field", "pattern"),
    *("variable_count_threshold", "frequency_threshold_percentage"),
)


def parse(parser: Parser) -> Patterns:
    """Read what follows `patterns`."""
    start = parser.peek().start
    name = parser.field()
    by: tuple[Name, ...] = parser.names(*_OPTIONS) if parser.word("by") else ()
    found: dict[str, object] = {}
    while option := parser.option(*_OPTIONS):
        match option:
            case "method":
                _method(parser)
            case "mode":
                found["grouped"] = parser.expect_word("label", "aggregation") == "aggregation"
            case "max_sample_count":
                found["samples"] = parser.integer("the number of samples")
            case "show_numbered_token":
                found["numbered"] = parser.boolean()
            case "new_field":
                found["column"] = parser.take().value if parser.peek().kind is Kind.STRING else parser.field().name
            case "pattern":
                if parser.peek().kind is not Kind.STRING:
                    parser.fail("expected a pattern between quotes")
                found["pattern"] = parser.take().value
            case _:
                parser.fail(f"{option} belongs to the method brain, which is not built")
    return Patterns(name, by, place=(start, parser.last_end), **found)  # type: ignore[arg-type]


def _method(parser: Parser) -> None:
    if parser.peek().is_word("brain"):
        hint = "simple_pattern is; stored templates are in the field template.id"
        parser.fail("the method brain is not built", hint=hint)
    parser.expect_word("simple_pattern")

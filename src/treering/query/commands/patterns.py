"""`patterns`: texts with their variable parts as `<*>`.

`simple_pattern` takes as variable what a regular expression matches; `brain` what changes at its place among lines that
are alike otherwise (at most 500,000 rows). With `mode=aggregation` a row per pattern with its count and samples.
Without a field, a row per template that was mined when the records came: fast at any size.

Syntax:
    patterns <field> [by <field>, …] [method=simple_pattern|brain] [mode=label|aggregation] [<option>=<value> …]
    patterns [by <field>, …] [max_sample_count=<n>] [new_field=<name>]

Arguments:
    field: the text; without one, stored templates are counted
    by: groups in which patterns are sought for themselves
    method: simple_pattern if not said, or brain
    mode: label adds a column, aggregation gives a row per pattern; label if not said
    max_sample_count: how many texts a pattern shows, 10 if not said
    show_numbered_token: true for <token1>, <token2>, … and a column of what they stand for
    new_field: the name of the column, patterns_field if not said
    pattern: of simple_pattern, the regular expression of what is variable
    variable_count_threshold: of brain, from how many different words at a place on they are variable, 5 if not said
    frequency_threshold_percentage: of brain, the least share of a line's most frequent word that makes a group, 0.3
    buffer_limit: of brain, how many lines are looked at together, at least 50000, 100000 if not said

Example:
    source=logs | patterns body method=brain mode=aggregation | sort - pattern_count
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import aggregates, extraction, gathering, lexer, printer, regexes
from treering.query.coerce import sql_cast
from treering.query.commands.head import positive
from treering.query.commands.stats import grouped
from treering.query.function import Typed
from treering.query.lexer import Kind
from treering.query.relation import Order, Relation, aliased, named
from treering.query.scope import Scope, column_value
from treering.query.template import literal, sql
from treering.query.types import Type

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.syntax import Name, Place

NAMES = ("patterns",)
WORDS, SAMPLES = "[a-zA-Z0-9]+", 10
THRESHOLD, SHARE, BUFFER, LEAST_BUFFER = 5, "0.3", 100_000, 50_000
TEMPLATE, BODY = "template.id", "body"


@dataclass(frozen=True, slots=True)
class Patterns:
    """The field, the keys, whether rows are grouped, and how variable parts are found and shown."""

    name: Name | None
    by: tuple[Name, ...] = ()
    grouped: bool = False
    pattern: str = WORDS
    samples: int = SAMPLES
    numbered: bool = False
    column: str = "patterns_field"
    brain: bool = False
    threshold: int = THRESHOLD
    share: str = SHARE
    buffer: int = BUFFER
    place: Place = field(default=(0, 0), compare=False)

    def print(self) -> str:
        """Return the command as PPL."""
        parts = ["patterns" if self.name is None else f"patterns {printer.expression(self.name)}"]
        parts += [f"by {', '.join(map(printer.expression, self.by))}"] if self.by else []
        parts += ["method=brain"] if self.brain else []
        parts += ["mode=aggregation"] if self.grouped else []
        parts += [f"max_sample_count={self.samples}"] if self.samples != SAMPLES else []
        parts += ["show_numbered_token=true"] if self.numbered else []
        parts += [f"new_field={lexer.quote(self.column)}"] if self.column != "patterns_field" else []
        parts += [f"pattern={lexer.quote(self.pattern)}"] if self.pattern != WORDS else []
        parts += [f"variable_count_threshold={self.threshold}"] if self.threshold != THRESHOLD else []
        parts += [f"frequency_threshold_percentage={self.share}"] if self.share != SHARE else []
        parts += [f"buffer_limit={self.buffer}"] if self.buffer != BUFFER else []
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Add the pattern, or group by it."""
        if self.name is None:
            return self._templates(relation, compiler)
        text = extraction.text(Scope(relation, compiler), self.name, "patterns")
        if self.brain:
            return self._brain(relation, text, compiler)
        try:
            label = self._label(text)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=compiler.where(self.place)) from None
        if self.grouped:
            return self._aggregated(relation, text, label, compiler)
        shown = exp.Coalesce(this=self._shown(text, label), expressions=[literal("")])
        found = {self.column: Typed(shown, Type.STRING)}
        if self.numbered:
            found["tokens"] = self._tokens(sql("to_json([:x])", x=text))
        return compiler.extended(relation, found)

    def _brain(self, relation: Relation, text: exp.Expression, compiler: Compiler) -> Relation:
        """Find patterns in all rows of a group at once."""
        told = {
            "threshold": self.threshold, "share": float(self.share), "samples": self.samples, "buffer": self.buffer,
            "numbered": self.numbered,
        }  # fmt: skip
        scope = Scope(relation, compiler)
        texts, settings = [Typed(text, Type.STRING)], json.dumps(told)
        keys = {name.name: scope.typed(name) for name in self.by}
        tokens = {"tokens": Type.STRUCT} if self.numbered else {}
        if not self.grouped:
            results = {self.column: Type.STRING, **tokens}
            return gathering.applied(relation, compiler, "ppl_brain_label", texts, settings, results, [*keys.values()])
        results = {
            self.column: Type.STRING,
            "pattern_count": Type.BIGINT,
            "tokens": Type.STRUCT,
            "sample_logs": Type.ARRAY,
        }
        found = gathering.expanded(relation, compiler, "ppl_brain_patterns", texts, settings, results, keys)
        shown = {name: column for name, column in found.columns.items() if name != "tokens" or self.numbered}
        return found.with_columns(shown)

    def _templates(self, relation: Relation, compiler: Compiler) -> Relation:
        """Count the templates that were mined when the records came."""
        column, body = relation.find(TEMPLATE), compiler.column(relation, BODY)
        if column is None or body is None or relation.sequence is None:
            hint = f"name a text: patterns {BODY}"
            raise UserError("these rows have no stored templates", hint=hint, where=compiler.where(self.place))
        scope = Scope(relation, compiler)
        keys = [(name.name, scope.typed(name)) for name in self.by]
        bodies = sql_cast(column_value(body).sql, "VARCHAR")
        # The first ones: the engine keeps no more of them.
        first = sql(
            "arg_min(:x, :n, CAST(:k AS BIGINT))",
            x=bodies,
            n=relation.sequence.raw,
            k=literal(max(SAMPLES, self.samples)),
        )
        present = relation.where(aggregates.present(column.raw))
        samples = Typed(sql_cast(sql("to_json(:x)", x=first), Type.ARRAY), Type.ARRAY, element=Type.STRING)
        values = [("pattern_count", Typed(exp.Count(this=exp.Star()), Type.BIGINT)), ("sample_logs", samples)]
        key = (TEMPLATE, Typed(column.raw, Type.STRING))
        found = grouped(present, compiler, values, [*keys, key], [])
        held = found.columns
        logs = held["sample_logs"]
        common = exp.Anonymous(this="ppl_common", expressions=[sql_cast(logs.raw, "VARCHAR")])
        shown = sql("to_json(list_slice(CAST(:x AS JSON[]), 1, :n))", x=logs.raw, n=literal(self.samples))
        values_shown = {
            self.column: Typed(common, Type.STRING),
            "sample_logs": Typed(shown, Type.ARRAY, element=Type.STRING),
        }
        found = compiler.extended(found, values_shown)
        names = [*(name for name, _ in keys), self.column, "pattern_count", TEMPLATE, "sample_logs"]
        chosen = found.with_columns({name: found.columns[name] for name in names})
        order = [*found.order[: len(keys)], Order(held["pattern_count"], descending=True), found.order[-1]]
        return chosen.ordered(order)

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
    unnamed = parser.at_end() or parser.next_is("=") or parser.peek().is_word("by")
    name = None if unnamed else parser.field()
    by: tuple[Name, ...] = parser.names(*_OPTIONS) if parser.word("by") else ()
    found: dict[str, Any] = {}
    seen: list[str] = []
    while option := parser.option(*_OPTIONS):
        seen.append(option)
        _option(parser, option, found)
    place = (start, parser.last_end)
    of_brain = [option for option in seen if option in _BRAIN and not found.get("brain")]
    if of_brain and name is not None:
        raise UserError(f"{of_brain[0]} belongs to the method brain", where=parser.where(place))
    if name is None and set(seen) - {"max_sample_count", "new_field", "mode"}:
        raise UserError("without a field, stored templates are counted", hint="name a text", where=parser.where(place))
    if name is None and "mode" in seen and not found.get("grouped"):
        raise UserError("the label of a stored template is template.id", where=parser.where(place))
    if name is None:
        found.pop("grouped", None)
    return Patterns(name, by, place=place, **found)


_BRAIN = ("variable_count_threshold", "frequency_threshold_percentage", "buffer_limit")


def _option(parser: Parser, option: str, found: dict[str, Any]) -> None:  # noqa: C901  one branch per option
    match option:
        case "method":
            found["brain"] = parser.expect_word("simple_pattern", "brain") == "brain"
        case "mode":
            found["grouped"] = parser.expect_word("label", "aggregation") == "aggregation"
        case "max_sample_count":
            found["samples"] = positive(parser, "the number of samples")
        case "show_numbered_token":
            found["numbered"] = parser.boolean()
        case "new_field":
            found["column"] = parser.take().value if parser.peek().kind is Kind.STRING else parser.field().name
        case "pattern":
            if parser.peek().kind is not Kind.STRING:
                parser.fail("expected a pattern between quotes")
            found["pattern"] = parser.take().value
        case "variable_count_threshold":
            found["threshold"] = positive(parser, "the number of words")
        case "buffer_limit":
            if (limit := positive(parser, "the number of lines")) < LEAST_BUFFER:
                parser.fail(f"expected at least {LEAST_BUFFER} before this, not {limit}")
            found["buffer"] = limit
        case _:
            found["share"] = _share(parser)


def _share(parser: Parser) -> str:
    following = parser.peek()
    if following.kind is not Kind.NUMBER or not 0 <= float(following.value.rstrip("dDfF")) <= 1:
        parser.fail("expected a share from 0 to 1")
    return parser.take().value

"""`[search] [<text> …] source=<stream>, … [<text> …]`: the records of streams that match a full-text expression.

The expression is what OpenSearch's PPL turns into a Lucene query string: words and "phrases" over all fields,
comparisons of one field, `in`, `and`, `or`, `not`, and the time modifiers `earliest` and `latest`.

Arguments:
    text: words, "phrases", field=value, in ( ), and, or, not, earliest=, latest=
    source: streams, views or patterns; index= is the same

Example:
    search source=logs timeout severityText=ERROR earliest=-1h
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query import instants, lexer, printer, pushdown, querystring
from treering.query.lexer import Kind, Mode
from treering.query.lucene import Boolean, Clause, Exists, Lowering, Query, Range
from treering.query.syntax import Pipeline

if TYPE_CHECKING:
    from treering.query.compiler import Compiler
    from treering.query.parser import Parser
    from treering.query.relation import Relation
    from treering.query.syntax import Place

NAMES = ("search", "source", "index")
_SIGNS = ("=", "!=", "<", "<=", ">", ">=", "<>", "==")
# Words that mean something else than a field or a text here.
_MEANING = frozenset({"and", "or", "not", "in", "earliest", "latest", "source", "index", "search"})
_NAME = re.compile(r"[@A-Za-z_*][\w.\-@*]*")


@dataclass(frozen=True, slots=True)
class Value:
    """A word or a quoted text."""

    text: str
    quoted: bool = False

    def print(self) -> str:
        """Return the value as PPL."""
        return lexer.quote(self.text) if self.quoted else self.text


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field sign value`, or `field in (values)` with the sign "in"."""

    field: str
    sign: str
    values: tuple[Value, ...]

    def print(self) -> str:
        """Return the comparison as PPL."""
        name = f"`{self.field}`" if self.field.lower() in _MEANING else lexer.name(self.field)
        if self.sign == "in":
            return f"{name} in ({', '.join(value.print() for value in self.values)})"
        return f"{name}{self.sign}{self.values[0].print()}"


@dataclass(frozen=True, slots=True)
class Modifier:
    """`earliest=` or `latest=`."""

    name: str
    text: str

    def print(self) -> str:
        """Return the modifier as PPL."""
        return f"{self.name}={lexer.quote(self.text)}"


@dataclass(frozen=True, slots=True)
class Not:
    """`not term`."""

    term: Term

    def print(self) -> str:
        """Return the negation as PPL."""
        return f"NOT {self.term.print()}"


@dataclass(frozen=True, slots=True)
class Terms:
    """Terms with the words between them; each conjunction stands before its term ("" before the first)."""

    parts: tuple[tuple[str, Term], ...]

    def print(self, *, outer: bool = False) -> str:
        """Return the terms as PPL, in parentheses unless they are the whole."""
        text = " ".join(f"{word.upper()} {term.print()}" if word else term.print() for word, term in self.parts)
        return text if outer else f"({text})"


Term = Value | Comparison | Modifier | Not | Terms


@dataclass(frozen=True, slots=True)
class Search:
    """Streams (none: the default one) or a pipeline to read from, and what records must match."""

    sources: tuple[str, ...]
    terms: Terms | None = None
    inner: Pipeline | None = None
    alias: str = ""

    def print(self) -> str:
        """Return the command as PPL."""
        parts = ["search"] if not self.sources and self.inner is None else []
        if self.inner is not None:
            parts.append(f"source = [ {printer.pipeline(self.inner)} ]")
        elif self.sources:
            parts.append(f"source={', '.join(stream_name(name) for name in self.sources)}")
        if self.alias:
            parts.append(f"as {lexer.name(self.alias)}")
        if self.terms is not None:
            parts.append(self.terms.print(outer=True))
        return " ".join(parts)

    def lower(self, relation: Relation, compiler: Compiler) -> Relation:
        """Return the records that match."""
        if self.inner is not None:
            relation = replace(compiler.relation(self.inner), plain=False)
        else:
            relation = compiler.scan(self.sources)
        if self.alias:
            relation = replace(relation, names=frozenset({self.alias}))
        if self.terms is None:
            return relation
        query = lucene(self.terms, compiler.now_ns)
        lowering = Lowering(relation, compiler)
        condition = lowering.condition(query)
        if relation.plain:
            pushdown.absorb_query(relation, query, condition, lowering)
        return relation.where(condition)


def lucene(terms: Terms, now_ns: int) -> Query:
    """Return the full-text query that a search expression means: `not` binds before `or`, and `or` before `and`."""
    runs: list[tuple[bool, Query]] = []
    for word, term in terms.parts:
        operand = (isinstance(term, Not), _query(_bare(term), now_ns))
        if word == "or":
            runs[-1] = _joined("or", runs[-1], operand)
        else:
            runs.append(operand)
    whole = functools.reduce(lambda left, right: _joined("and", left, right), runs)
    return querystring.combine([("", *whole)])


def _joined(word: str, left: tuple[bool, Query], right: tuple[bool, Query]) -> tuple[bool, Query]:
    """Return two operands, each with whether it is negated, as the engine joins them: in parentheses of their own."""
    return False, querystring.combine([("", *left), (word, *right)])


def _bare(term: Term) -> Term:
    return term.term if isinstance(term, Not) else term


def _query(term: Term, now_ns: int) -> Query:
    match term:
        case Terms():
            return lucene(term, now_ns)
        case Not():
            return Boolean((Clause("not", _query(term.term, now_ns)),))
        case Value():
            return _value(term, None)
        case Modifier():
            moment = instants.modifier(term.text, now_ns)
            if moment is None:
                raise UserError(
                    f"{term.text!r} is no time", hint="for example -1h, -7d@d, now or '2026-11-24 08:00:00'"
                )
            stamp = _stamp(moment, term.text)
            return Range("@timestamp", stamp, None) if term.name == "earliest" else Range("@timestamp", None, stamp)
        case Comparison():
            return _comparison(term)


def _stamp(moment: int, text: str) -> str:
    """Write the instant: to the second for a written one, so that a bound takes the whole second as OpenSearch does."""
    from treering.model.times import format_ns

    written = format_ns(moment)
    return written if "." in written or re.match(r"\d{2,4}[-/]", text) else f"{written[:-1]}.000Z"


def _value(value: Value, field: str | None) -> Query:
    phrase = value.quoted and " " in value.text
    return querystring.term(value.text, field, quoted=phrase)


def _comparison(term: Comparison) -> Query:
    values, field = term.values, term.field
    match term.sign:
        case "in":
            return querystring.combine([("" if not i else "or", False, _value(v, field)) for i, v in enumerate(values)])
        case "!=" | "<>":
            return Boolean((Clause("must", Exists(field)), Clause("not", _value(values[0], field))))
        case ">" | ">=":
            return Range(field, values[0].text, None, term.sign == ">=")
        case "<" | "<=":
            return Range(field, None, values[0].text, high_included=term.sign == "<=")
        case _:
            return _value(values[0], field)


def parse(parser: Parser) -> Search:
    """Read the first command of a pipeline, `search` itself included."""
    following = parser.peek(Mode.SEARCH)
    if following.is_word("search"):
        parser.take(Mode.SEARCH)
    reader = _Reader(parser)
    terms = reader.terms(outer=True)
    if reader.sources is None and reader.inner is None:
        if parser.default_source is None:
            known = () if terms is None else ("source",)
            parser.fail("the query names no stream", known=known, hint="begin with source=<stream>", mode=Mode.SEARCH)
        reader.sources = ()
    return Search(reader.sources or (), terms, reader.inner, reader.alias)


def streams(parser: Parser) -> tuple[str, ...]:
    """Take the names of one or more streams, with commas between."""
    names = stream(parser)
    while parser.op(",", mode=Mode.SEARCH):
        names.extend(stream(parser))
    return tuple(names)


def stream(parser: Parser) -> list[str]:
    """Take one stream's name, or several in one word."""
    following = parser.peek(Mode.SEARCH)
    if following.kind not in {Kind.WORD, Kind.STRING, Kind.QUOTED}:
        parser.fail("expected a stream", mode=Mode.SEARCH)
    parser.take(Mode.SEARCH)
    return [name.strip() for name in following.value.split(",") if name.strip()]


def stream_name(name: str) -> str:
    """Return a stream's name as PPL."""
    return name if re.fullmatch(r"[\w.\-*:]+", name) else "`" + name.replace("`", "``") + "`"


class _Reader:
    """Reads a search expression; `source=` may stand anywhere at its top."""

    def __init__(self, parser: Parser) -> None:
        self.parser = parser
        self.sources: tuple[str, ...] | None = None
        self.inner: Pipeline | None = None
        self.alias = ""
        self.place: Place = (0, 0)

    def terms(self, *, outer: bool) -> Terms | None:
        parser = self.parser
        parts: list[tuple[str, Term]] = []
        while not self.ends():
            if outer and self.source():
                continue
            conjunction = "and" if parts else ""
            if parts and (word := parser.word("and", "or", mode=Mode.SEARCH)):
                conjunction = word
                if self.ends():
                    parser.fail(f"expected something after {word.upper()}", mode=Mode.SEARCH)
            parts.append((conjunction, self.term()))
        return Terms(tuple(parts)) if parts else None

    def ends(self) -> bool:
        following = self.parser.peek(Mode.SEARCH)
        return following.kind is Kind.END or following.is_op("|", ")", "]")

    def source(self) -> bool:
        parser = self.parser
        following = parser.peek(Mode.SEARCH)
        if not following.is_word("source", "index") or not self.sign_follows():
            return False
        if self.sources is not None:
            parser.fail("the query has a source already", mode=Mode.SEARCH)
        parser.take(Mode.SEARCH)
        parser.take(Mode.SEARCH)
        if parser.op("[", mode=Mode.SEARCH):
            parser.descend()
            self.inner = parser.pipeline()
            parser.ascend()
            parser.expect_op("]")
            self.sources = ()
            self.named()
            return True
        self.sources = streams(parser)
        self.named()
        return True

    def named(self) -> None:
        if self.parser.word("as", mode=Mode.SEARCH):
            self.alias = self.parser.field().name

    def sign_follows(self) -> bool:
        following = self.parser.peek(Mode.SEARCH)
        return lexer.token(self.parser.text, following.end, Mode.SEARCH).is_op("=")

    def term(self) -> Term:
        parser = self.parser
        parser.descend()
        try:
            if parser.word("not", mode=Mode.SEARCH):
                if self.ends():
                    parser.fail("expected something after NOT", mode=Mode.SEARCH)
                return Not(self.term())
            if parser.op("(", mode=Mode.SEARCH):
                inner = self.terms(outer=False)
                if inner is None:
                    parser.fail("expected something between ( and )", mode=Mode.SEARCH)
                parser.expect_op(")", Mode.SEARCH)
                return inner
            return self.single()
        finally:
            parser.ascend()

    def single(self) -> Term:
        parser = self.parser
        following = parser.peek(Mode.SEARCH)
        if following.kind not in {Kind.WORD, Kind.STRING, Kind.QUOTED}:
            parser.fail("expected a word, a quoted text or a comparison", mode=Mode.SEARCH)
        parser.take(Mode.SEARCH)
        if following.kind is Kind.WORD and ":" in following.value and (found := self.colon(following.value)):
            return found
        if following.kind is not Kind.STRING:
            name = self.name(following.value)
            if sign := parser.op(*_SIGNS, mode=Mode.SEARCH):
                if following.kind is Kind.WORD and following.is_word("earliest", "latest") and sign == "=":
                    return Modifier(following.value.lower(), self.moment())
                return Comparison(name, {"==": "=", "<>": "!="}.get(sign, sign), (self.value(),))
            if parser.peek(Mode.SEARCH).is_word("in") and self.opens_list():
                return self.listed(name)
        if following.kind is Kind.WORD and following.is_word("and", "or"):
            parser.position = following.start
            parser.fail("expected a word, a quoted text or a comparison", mode=Mode.SEARCH)
        return Value(following.value, following.kind is not Kind.WORD)

    def name(self, first: str) -> str:
        """Take the rest of a name whose steps are partly between backticks."""
        parser, name = self.parser, first
        while parser.peek(Mode.SEARCH).kind in {Kind.QUOTED, Kind.WORD} and (
            parser.peek(Mode.SEARCH).start == parser.last_end
        ):
            name += parser.take(Mode.SEARCH).value
        return name

    def colon(self, word: str) -> Term | None:
        """Take `field:value`, unless it looks like an address or a time."""
        name, _, rest = word.partition(":")
        if not _NAME.fullmatch(name) or rest.startswith("//"):
            return None
        if rest:
            return Comparison(name, "=", (Value(rest),))
        following = self.parser.peek(Mode.SEARCH)
        if following.kind is Kind.STRING and following.start == self.parser.last_end:
            return Comparison(name, "=", (self.value(),))
        return None

    def opens_list(self) -> bool:
        following = self.parser.peek(Mode.SEARCH)
        return lexer.token(self.parser.text, following.end, Mode.SEARCH).is_op("(")

    def listed(self, name: str) -> Comparison:
        parser = self.parser
        parser.take(Mode.SEARCH)
        parser.take(Mode.SEARCH)
        values = [self.value()]
        while parser.op(",", mode=Mode.SEARCH):
            values.append(self.value())
        parser.expect_op(")", Mode.SEARCH)
        return Comparison(name, "in", tuple(values))

    def value(self) -> Value:
        following = self.parser.peek(Mode.SEARCH)
        if following.kind not in {Kind.WORD, Kind.STRING, Kind.QUOTED}:
            self.parser.fail("expected a value", mode=Mode.SEARCH)
        self.parser.take(Mode.SEARCH)
        return Value(following.value, following.kind is not Kind.WORD)

    def moment(self) -> str:
        parser = self.parser
        text = self.value().text
        if text.lower() == "now" and parser.op("(", mode=Mode.SEARCH):
            parser.expect_op(")", Mode.SEARCH)
        return text

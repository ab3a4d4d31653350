"""Full-text queries: their tree, and what each node asks of a record.

Texts are asked word by word (`treering.query.analyzer`), keywords as a whole, numbers, dates, booleans and addresses by
value; a value that a field's type cannot have matches nothing. No field means all fields.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlglot import exp

from treering.core.errors import UserError
from treering.query import addresses, analyzer, coerce, instants
from treering.query.function import Typed
from treering.query.logic import all_of, any_of, at_least, known
from treering.query.minimum import least_of
from treering.query.scope import as_list, column_value
from treering.query.types import SQL, Type
from treering.stage.condition import Meaning

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from treering.query.compiler import Compiler
    from treering.query.relation import Column, Relation
    from treering.stage.condition import Condition
    from treering.stage.store import Tokens

_AUTO = 9
_TEXT_TYPES = frozenset({"text", "match_only_text"})


@dataclass(frozen=True, slots=True)
class Clause:
    """A member of a boolean query: how it came to stand there (`occur` "must", "should" or "not") and what it asks."""

    occur: str
    query: Query


@dataclass(frozen=True, slots=True)
class Boolean:
    """Clauses as Lucene combines them; `least` of the "should" ones have to match (None: one, if there is no must)."""

    clauses: tuple[Clause, ...]
    least: int | None = None


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a text, any or all of them; the last one may go on if `prefix`; `quoted` makes them a phrase.

    `fuzzy` edits are allowed in a word, behind its first `fixed` letters; 9 means one from `auto[0]` letters on and two
    from `auto[1]` on. `terms` are the words as an analyzer that the query names makes them; else they are those of the
    field's own.
    """

    text: str
    field: str | None = None
    operator: str = "or"
    quoted: bool = False
    prefix: bool = False
    slop: int = 0
    fuzzy: int = 0
    least: str = ""
    terms: tuple[str, ...] | None = None
    fixed: int = 0
    auto: tuple[int, int] = (3, 6)

    def words(self) -> list[str]:
        """Return the words to look for in texts."""
        return analyzer.words(self.text) if self.terms is None else list(self.terms)

    def stands_anywhere(self) -> bool:
        """Whether it makes no difference in which of several texts the words stand."""
        return len(self.words()) == 1 or (self.operator == "or" and not self.quoted and not self.least)


@dataclass(frozen=True, slots=True)
class Wildcard:
    """A pattern with `*` and `?` over words of texts or whole keywords."""

    pattern: str
    field: str | None = None


@dataclass(frozen=True, slots=True)
class Range:
    """Bounds of a value as text; None is open."""

    field: str
    low: str | None
    high: str | None
    low_included: bool = True
    high_included: bool = True


@dataclass(frozen=True, slots=True)
class Exists:
    """The field has a value."""

    field: str


@dataclass(frozen=True, slots=True)
class Everything:
    """Every record."""


class Leaf(ABC):
    """A question that Lucene's syntax has no form for; it lowers itself."""

    @abstractmethod
    def condition(self, lowering: Lowering) -> exp.Expression:
        """Return the condition that a record satisfies when it matches."""

    @abstractmethod
    def tokens(self, lowering: Lowering) -> Tokens | None:
        """Return what words a matching record cannot do without, or None."""


Query = Boolean | Words | Wildcard | Range | Exists | Everything | Leaf


class Lowering:
    """Lowers queries over one relation; `default` are the fields asked where a query names none."""

    def __init__(self, relation: Relation, compiler: Compiler, default: tuple[str, ...] = ()) -> None:
        """Ask `default` (patterns allowed), or all fields."""
        self.relation = relation
        self.compiler = compiler
        self.default = default

    def condition(self, query: Query) -> exp.Expression:  # noqa: PLR0911  one branch per kind of query
        """Return the condition that a record satisfies when it matches; NULL counts as not."""
        match query:
            case Boolean():
                return self._boolean(query)
            case Everything():
                return exp.true()
            case Leaf():
                return query.condition(self)
            case Exists():
                tests = [_not_null(column) for column in self.columns(query.field)]
                return any_of(tests)
            case Range():
                return any_of([self._range(query, column) for column in self.columns(query.field)])
            case Words():
                return self._of_columns(query, self._words, together=query.stands_anywhere())
            case Wildcard():
                return self._of_columns(query, self._wildcard, together=query.pattern.strip("*") != "")

    def _of_columns(
        self, query: Words | Wildcard, ask: Callable[[Any, Column], exp.Expression], *, together: bool
    ) -> exp.Expression:
        """Return whether one of the columns matches; a test of texts says what it means."""
        from treering.query import conditions

        with self._seeking(query):
            texts, others = _parted(self.columns(query.field), together=together)
            tests = []
            if texts:
                joined = _joined(texts)
                test = self._text_words(query, joined) if isinstance(query, Words) else _text_wildcard(query, joined)
                tests.append(_meaning(test, conditions.of_texts(query, texts, self)))
            for column in others:
                test = ask(query, column)
                is_string = column.type is Type.STRING
                tests.append(_meaning(test, conditions.of_texts(query, [column], self)) if is_string else test)
            return any_of(tests)

    @contextlib.contextmanager
    def _seeking(self, query: Words | Wildcard) -> Iterator[None]:
        """Tell the scan that its fields are looked at only for the words of `query`, if it has words."""
        from treering.query import pushdown

        sequence = self.relation.sequence
        source = sequence.source if sequence is not None else None
        tokens = pushdown.of_query(query, self) if source is not None and query.field is None else None
        if source is None or tokens is None or source.seeking:
            yield
            return
        source.sought.append(tokens)
        source.seeking = True
        try:
            yield
        finally:
            source.seeking = False

    def columns(self, field: str | None) -> list[Column]:
        """Return the columns that a query over `field` asks."""
        names = (field,) if field else self.default or ("*",)
        return [column for name in names for column in self._named(name)]

    def _named(self, name: str) -> Iterator[Column]:
        if "*" not in name:
            if (column := self.compiler.column(self.relation, name)) is not None:
                yield column
            return
        form = re.compile(".*".join(map(re.escape, name.split("*"))))
        for key, column in self.relation.columns.items():
            plain = column.source is not None and column.type not in coerce.DOCUMENTS
            if plain and form.fullmatch(key) and (column.field is None or column.field.physical):
                yield column

    def _boolean(self, query: Boolean) -> exp.Expression:
        by: dict[str, list[exp.Expression]] = {"must": [], "should": [], "not": []}
        for clause in query.clauses:
            by[clause.occur].append(self.condition(clause.query))
        parts = list(by["must"])
        least = query.least if query.least is not None else 0 if by["must"] or not by["should"] else 1
        if by["should"] and least == 1:
            parts.append(any_of(by["should"]))
        elif by["should"] and least > 1:
            parts.append(at_least(by["should"], least))
        parts.extend(exp.Not(this=known(test)) for test in by["not"])
        return all_of(parts)

    def _words(self, query: Words, column: Column) -> exp.Expression:
        if column.type is not Type.STRING:
            return self.value(query.text, column)
        if not is_text(column):
            return _keyword(query, column)
        return self._text_words(query, whole_text(column))

    def _text_words(self, query: Words, text: exp.Expression) -> exp.Expression:
        terms = query.words()
        if not terms:
            return exp.false()
        lowered = exp.Lower(this=text)
        if query.quoted:
            return analyzer.matches(lowered, terms, slop=query.slop, prefix=query.prefix)
        tests = [self._word(lowered, term, query) for term in terms]
        if query.prefix:
            tests[-1] = analyzer.matches(lowered, terms[-1:], prefix=True)
        if query.operator == "and":
            return all_of(tests)
        least = least_of(query.least, len(tests))
        return any_of(tests) if least <= 1 else at_least(tests, least)

    def _word(self, lowered: exp.Expression, term: str, query: Words) -> exp.Expression:
        edits = query.fuzzy if query.fuzzy < _AUTO else sum(len(term) >= letters for letters in query.auto)
        if edits <= 0:
            return analyzer.matches(lowered, [term])
        word = exp.column("w")
        distance = exp.Anonymous(this="damerau_levenshtein", expressions=[word, exp.Literal.string(term)])
        near: exp.Expression = exp.LTE(this=distance, expression=exp.Literal.number(edits))
        if query.fixed:
            begins = exp.Anonymous(this="starts_with", expressions=[word, exp.Literal.string(term[: query.fixed])])
            near = exp.And(this=begins, expression=near)
        return analyzer.any_word(lowered, near)

    def _wildcard(self, query: Wildcard, column: Column) -> exp.Expression:
        if query.pattern.strip("*") == "":
            return _not_null(column)
        if column.type is not Type.STRING:
            return exp.false()
        text = whole_text(column)
        if not is_text(column):
            form = exp.Literal.string(f"(?s){analyzer.wildcard(query.pattern)}")
            return exp.Anonymous(this="regexp_full_match", expressions=[text, form])
        return _text_wildcard(query, text)

    def value(self, text: str, column: Column) -> exp.Expression:
        """Return whether a number, date, boolean or address equals what the text says; of a date, the part it says."""
        if column.type in coerce.INSTANTS:
            return self._range(Range("", text, text), column)
        value = _parsed(text, column.type)
        if value is None:
            return exp.false()
        if column.type is Type.IP and "/" in text:
            return addresses.in_network(column.raw, text)
        if column.many:
            listed = exp.Anonymous(
                this="json_extract_string", expressions=[as_list(column), exp.Literal.string("$[*]")]
            )
            return exp.Anonymous(this="list_contains", expressions=[listed, coerce.text_of(value)])
        return exp.EQ(this=column.raw, expression=coerce.operand(value.sql))

    def _range(self, query: Range, column: Column) -> exp.Expression:
        bounds: list[exp.Expression] = []
        for text, above, included in ((query.low, True, query.low_included), (query.high, False, query.high_included)):
            if text is None:
                continue
            if column.type in coerce.INSTANTS:
                # A text that names a day or a second means its first instant or its last, as the bound needs it.
                bound = instants.bound(text, self.compiler.now_ns, up=above is not included)
                limit = None if bound is None else instants.literal(bound, column.type)
            else:
                value = _parsed(text, column.type) if column.type is not Type.STRING else coerce.string(text)
                limit = None if value is None else value.sql
            if limit is None:
                return exp.false()
            node: Any = {(True, True): exp.GTE, (True, False): exp.GT, (False, True): exp.LTE, (False, False): exp.LT}
            raw = whole_text(column) if column.type is Type.STRING else column_value(column).sql
            bounds.append(node[above, included](this=raw, expression=coerce.operand(limit)))
        return all_of(bounds)


def _meaning(test: exp.Expression, condition: Condition) -> exp.Expression:
    """Return a test that says what it means."""
    test.meta["leaf"] = Meaning(condition)
    return test


def _parted(columns: Sequence[Column], *, together: bool) -> tuple[list[Column], list[Column]]:
    """Return texts to be asked as one, and the other columns.

    The engine compiles a regular expression anew for each place it stands in, at some milliseconds each: asked one by
    one, the hundred texts of a stream cost more than reading them.
    """
    texts: list[Column] = []
    others: list[Column] = []
    for column in columns:
        (texts if column.type is Type.STRING and is_text(column) else others).append(column)
    return (texts, others) if together and len(texts) > 1 else ([], list(columns))


def _joined(texts: Sequence[Column]) -> exp.Expression:
    separator = exp.Literal.string(" \u0001 ")
    return exp.Anonymous(this="concat_ws", expressions=[separator, *(whole_text(column) for column in texts)])


def _text_wildcard(query: Wildcard, text: exp.Expression) -> exp.Expression:
    form = exp.Literal.string(f"(?s){analyzer.wildcard(query.pattern.lower())}")
    test = exp.Anonymous(this="regexp_full_match", expressions=[exp.column("w"), form])
    return analyzer.any_word(exp.Lower(this=text), test)


def is_text(column: Column) -> bool:
    """Whether the field is analysed into words."""
    return column.field is None or column.field.type in _TEXT_TYPES


def whole_text(column: Column) -> exp.Expression:
    """Return all text of a field, the items of a list one after the other."""
    if column.many:
        texts = exp.Anonymous(this="json_extract_string", expressions=[as_list(column), exp.Literal.string("$[*]")])
        return exp.Anonymous(this="array_to_string", expressions=[texts, exp.Literal.string(" \u0001 ")])
    return coerce.sql_cast(column.raw, "VARCHAR") if SQL[column.type] == "JSON" else column.raw


def _keyword(query: Words, column: Column) -> exp.Expression:
    value = exp.Literal.string(query.text)
    if column.many:
        texts = exp.Anonymous(this="json_extract_string", expressions=[as_list(column), exp.Literal.string("$[*]")])
        return exp.Anonymous(this="list_contains", expressions=[texts, value])
    if query.prefix:
        return exp.Anonymous(this="starts_with", expressions=[column.raw, value])
    return exp.EQ(this=column.raw, expression=value)


def _parsed(text: str, kind: Type) -> Typed | None:  # noqa: PLR0911  one branch per type
    """Return a literal of `kind`, or None when the text names none."""
    if kind in coerce.NUMBERS:
        if not re.fullmatch(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?[fFdD]?", text.strip()):
            return None
        digits = text.strip().rstrip("fFdD").lstrip("+")
        try:
            return coerce.number(digits, "integer" if digits.lstrip("-").isdecimal() else "double")
        except UserError:
            return None
    if kind is Type.BOOLEAN:
        return Typed(exp.Boolean(this=text == "true"), kind) if text in {"true", "false"} else None
    if kind is Type.IP:
        try:
            return coerce.string(
                addresses.canonical(text) if "/" not in text else str(ipaddress.ip_network(text, strict=False))
            )
        except ValueError:
            return None
    return None


def _not_null(column: Column) -> exp.Expression:
    return exp.Paren(this=exp.Not(this=exp.Paren(this=exp.Is(this=column.raw, expression=exp.Null()))))

"""Readers of Lucene's query string and of the simple query string, which never fails."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query.lucene import Boolean, Clause, Everything, Exists, Query, Range, Wildcard, Words

if TYPE_CHECKING:
    from collections.abc import Sequence

_TOKEN = re.compile(
    r"""\s+|(?P<and>&&|AND(?=[\s(]))|(?P<or>\|\||OR(?=[\s(]))|(?P<not>NOT(?=[\s(])|!)
    |(?P<sign>[+\-])|(?P<open>\()|(?P<close>\))
    |(?P<range>[\[{]\s*(?P<low>"[^"]*"|\S+)\s+TO\s+(?P<high>"[^"]*"|[^\s\]}]+)\s*[\]}])
    |(?P<quoted>"(?P<text>(?:\\.|[^"\\])*)")
    |(?P<compare>>=|<=|>|<)
    |(?P<word>(?:\\.|[^\s()"\[\]{}:^~\\])+)|(?P<colon>:)|(?P<fuzzy>~(?P<edits>\d*(?:\.\d+)?))|(?P<boost>\^[\d.]+)
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_DEPTH = 30


def combine(parts: Sequence[tuple[str, bool, Query]], default: str = "or") -> Query:
    """Return clauses as Lucene's classic parser combines them: (conjunction "", "and" or "or"; negated; query).

    There is no precedence: `and` makes its two neighbours necessary, and an optional one beside a necessary one
    changes nothing.
    """
    clauses: list[Clause] = []
    for conjunction, negated, query in parts:
        if conjunction == "and" and clauses and clauses[-1].occur == "should":
            clauses[-1] = Clause("must", clauses[-1].query)
        if conjunction == "or" and default == "and" and clauses and clauses[-1].occur == "must":
            clauses[-1] = Clause("should", clauses[-1].query)
        must = conjunction == "and" or (default == "and" and conjunction != "or")
        clauses.append(Clause("not" if negated else "must" if must else "should", query))
    if len(clauses) == 1 and clauses[0].occur != "not":
        return clauses[0].query
    return Boolean(tuple(clauses))


def term(text: str, field: str | None = None, *, quoted: bool = False, slop: int = 0, operator: str = "or") -> Query:
    r"""Return the query of one word or phrase as the classic parser makes it; `\` takes a wildcard's meaning away."""
    if not quoted:
        if re.search(r"(?<!\\)[*?]", text):
            return Wildcard(text, field)
        text = re.sub(r"\\(.)", r"\1", text)
    return Words(text, field, quoted=quoted, slop=slop, operator=operator)


class _Reader:
    def __init__(self, text: str, default: str) -> None:
        self.tokens = [found for found in _TOKEN.finditer(text) if found.lastgroup]
        self.default = default
        self.index = 0

    def peek(self) -> str | None:
        if self.index >= len(self.tokens):
            return None
        groups = self.tokens[self.index].groupdict()
        kinds = ("and", "or", "not", "sign", "open", "close", "range", "quoted", "compare", "word", "colon", "fuzzy")
        return next((kind for kind in (*kinds, "boost", "other") if groups[kind] is not None), None)

    def take(self) -> re.Match[str]:
        self.index += 1
        return self.tokens[self.index - 1]

    def clauses(self, field: str | None, depth: int) -> Query:
        if depth > _DEPTH:
            raise UserError(f"a query string nested deeper than {_DEPTH} levels")
        parts: list[tuple[str, bool, Query]] = []
        while (kind := self.peek()) not in {None, "close"}:
            conjunction, required, negated = "", False, False
            while kind in {"and", "or", "not", "sign"}:
                sign = self.take()[0]
                if kind in {"and", "or"}:
                    conjunction = kind or ""
                required = required or sign == "+"
                negated = negated or sign == "-" or kind == "not"
                kind = self.peek()
            if kind in {None, "close"}:
                break
            query = self.clause(field, depth)
            parts.append(("and" if required and not parts else conjunction, negated, query))
            if required and len(parts) > 1:
                parts[-1] = ("must", negated, query)
        return combine(parts, self.default) if parts else Boolean(())

    def clause(self, field: str | None, depth: int) -> Query:
        kind, found = self.peek(), self.take()
        if kind == "open":
            inner = self.clauses(field, depth + 1)
            if self.peek() == "close":
                self.take()
            self.skip_weight()
            return inner
        if kind == "word" and self.peek() == "colon":
            self.take()
            name = re.sub(r"\\(.)", r"\1", found[0])
            if name == "_exists_" and self.peek() == "word":
                return Exists(re.sub(r"\\(.)", r"\1", self.take()[0]))
            if name == "*" and self.peek() == "word" and self.tokens[self.index][0] == "*":
                self.take()
                return Everything()
            return self.clause(name, depth) if self.peek() else Boolean(())
        return self.simple(kind, found, field)

    def simple(self, kind: str | None, found: re.Match[str], field: str | None) -> Query:
        query: Query
        if kind == "range" and field:
            low, high = (value.strip('"') for value in (found["low"], found["high"]))
            query = Range(
                field,
                None if low == "*" else low,
                None if high == "*" else high,
                found[0][0] == "[",
                found[0][-1] == "]",
            )
        elif kind == "compare" and field and self.peek() in {"word", "quoted"}:
            following = self.take()
            text = following["text"] if following["quoted"] else re.sub(r"\\(.)", r"\1", following[0])
            included = "=" in found[0]
            query = (
                Range(field, text, None, included) if found[0][0] == ">" else Range(field, None, text, True, included)
            )
        elif kind == "quoted":
            text = re.sub(r"\\(.)", r"\1", found["text"])
            slop = self.edits(0)
            query = Words(text, field, quoted=True, slop=slop)
        else:
            query = term(found[0], field, operator=self.default)
            if self.peek() == "fuzzy" and isinstance(query, Words):
                query = Words(query.text, field, query.operator, fuzzy=self.edits(2))
        self.skip_weight()
        return query

    def edits(self, default: int) -> int:
        if self.peek() != "fuzzy":
            return 0
        return int(float(self.take()["edits"] or default))

    def skip_weight(self) -> None:
        while self.peek() in {"boost", "fuzzy"}:
            self.take()


def escaped(text: str) -> str:
    """Return the text as a query string in which no sign has a meaning."""
    return re.sub(r'([\\+\-!():^\[\]"{}~*?|&/])', r"\\\1", text)


def query_string(text: str, default: str = "or") -> Query:
    """Return what a query string asks. `default` joins words that stand side by side."""
    reader = _Reader(text, default)
    found = reader.clauses(None, 0)
    if reader.peek() == "close":
        raise UserError("a ) without its ( in the query string")
    return found


_SIMPLE = re.compile(r'"(?P<phrase>[^"]*)"(?:~(?P<slop>\d+))?|(?P<op>[+|\-()])|(?P<word>(?:\\.|[^\s+|()"])+)')


_FLAGS = {"AND": "+", "OR": "|", "NOT": "-", "PRECEDENCE": "()"}


def simple_query_string(text: str, default: str = "or", flags: str = "ALL") -> Query:
    """Return what a simple query string asks: words, "phrases", `+` and, `|` or, `-` not, `word*`, `word~1`, ( ).

    `flags` (joined with `|`) names the signs that have a meaning; others are part of the text.
    """
    given = {flag.strip().upper() for flag in flags.split("|")}
    if "ALL" not in given:
        for flag, signs in _FLAGS.items():
            if flag not in given or "NONE" in given:
                text = re.sub(f"[{re.escape(signs)}]", " ", text)
    tokens = list(_SIMPLE.finditer(text))
    query, _ = _simple(tokens, 0, default, 0)
    return query


def _simple(tokens: list[re.Match[str]], index: int, default: str, depth: int) -> tuple[Query, int]:
    parts: list[tuple[str, bool, Query]] = []
    conjunction, negated = default, False
    while index < len(tokens) and depth < _DEPTH:
        found = tokens[index]
        index += 1
        if found["op"] == ")":
            break
        if found["op"] in {"+", "|"}:
            conjunction = "and" if found["op"] == "+" else "or"
            continue
        if found["op"] == "-":
            negated = not negated
            continue
        if found["op"] == "(":
            query, index = _simple(tokens, index, default, depth + 1)
        else:
            query = _simple_word(found, default)
        parts.append((conjunction, negated, query))
        conjunction, negated = default, False
    return _simple_tree(parts), index


def _simple_word(found: re.Match[str], default: str) -> Query:
    if found["phrase"] is not None:
        return Words(found["phrase"], quoted=True, slop=int(found["slop"] or 0))
    text = re.sub(r"\\(.)", r"\1", found["word"])
    if text.endswith("*") and len(text) > 1:
        return Words(text[:-1], prefix=True)
    if fuzzy := re.fullmatch(r"(.+)~(\d?)", text):
        return Words(fuzzy[1], fuzzy=int(fuzzy[2] or 2))
    return Words(text, operator=default)


def _simple_tree(parts: list[tuple[str, bool, Query]]) -> Query:
    """Join from left to right, as SimpleQueryParser does: each operator takes all before it as its left side."""
    tree: Query | None = None
    for conjunction, negated, query in parts:
        piece: Query = Boolean((Clause("not", query),)) if negated else query
        occur = "must" if conjunction == "and" else "should"
        tree = piece if tree is None else Boolean((Clause(occur, tree), Clause(occur, piece)))
    return tree if tree is not None else Boolean(())

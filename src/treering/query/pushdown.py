"""What a scan may skip: instants out of bounds, blocks without necessary words, and all but the newest rows.

Everything here is conservative: a row that could be in the answer is never left out, and the query's own conditions
still decide.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.model import times
from treering.query import conditions, instants, naming, regexes, relevance
from treering.query.lucene import Boolean, Leaf, Query, Range, Wildcard, Words
from treering.query.required import required
from treering.query.syntax import TURNED, Between, Binary, Call, In, Literal, Name, Node, Relevance
from treering.query.types import Type
from treering.stage.condition import Meaning
from treering.stage.store import Tokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.query.compiler import Compiler
    from treering.query.lucene import Lowering
    from treering.query.relation import Column, Relation, Source

STAMP = "@timestamp"
_PIECE = re.compile(r"[a-z0-9_\u0080-\U0010ffff]+")
# Digits of a regular expression in the runs that it needs.
_DIGITS = "\0"
_ANY_DIGITS = re.compile(f"{_DIGITS}+")
_PIECE_OR_DIGITS = re.compile(rf"[{_DIGITS}a-z0-9_\u0080-\U0010ffff]+")
# Parts that are no longer are in too many words.
_FEW = 2
# A text that a number, a truth value, a date or an address could equal: in a field of those it is not an indexed word.
_VALUE = re.compile(r"[-+.:/0-9a-fA-FTZx]+|true|false|now.*", re.IGNORECASE)

_MINDS_NO_CASE = re.compile(r"\(\?\w*i")
# Where case is not minded, `s` also means a letter that has no other case in the index (U+017F).
_OTHER_CASES = re.compile(r"[sS\u0080-\U0010ffff]")


def absorb(relation: Relation, node: Node, condition: exp.Expression, compiler: Compiler) -> None:
    """Tell the scan what a condition right after it demands."""
    source = _source(relation)
    if source is None:
        return
    meaning = conditions.of_node(relation, node, compiler)
    if conditions.is_of_texts(meaning):
        condition.meta["leaf"] = Meaning(meaning)
    source.demand(condition, meaning)
    hint(relation, node, compiler)


def hint(relation: Relation, node: Node, compiler: Compiler) -> None:
    """Tell the scan which rows a condition that is asked elsewhere leaves out for certain."""
    source = _source(relation)
    if source is None:
        return
    for part in conjuncts(node):
        _bound(relation, source, part, compiler.now_ns)
        if (tokens := _tokens(relation, part, compiler)) is not None:
            source.tokens.append(tokens)


def absorb_query(relation: Relation, query: Query, condition: exp.Expression, lowering: Lowering) -> None:
    """Tell the scan what a search expression demands."""
    source = _source(relation)
    if source is None:
        return
    source.demand(condition, conditions.of_query(query, lowering))
    if (tokens := of_query(query, lowering)) is not None:
        source.tokens.append(tokens)
    for part in _necessary(query):
        if isinstance(part, Range) and part.field == STAMP and _stored_time(relation.find(STAMP)):
            now = lowering.compiler.now_ns
            low = None if part.low is None else instants.bound(part.low, now, up=not part.low_included)
            high = None if part.high is None else instants.bound(part.high, now, up=part.high_included)
            narrow(source, low, None if high is None else high + 1)


def newest(relation: Relation, count: int) -> None:
    """Tell the scan that only the newest rows are needed, when the rows are sorted so and nothing else came between."""
    source = _source(relation)
    if source is None or not relation.plain or not relation.order:
        return
    first = relation.order[0]
    if first.descending and first.column.stored == STAMP and _stored_time(first.column):
        source.newest = count


def narrow(source: Source, start_ns: int | None, end_ns: int | None) -> None:
    """Bound a scan's instants further; `end_ns` is not included."""
    if start_ns is not None and start_ns > times.MIN_NS:
        source.start_ns = start_ns if source.start_ns is None else max(source.start_ns, start_ns)
    if end_ns is not None and end_ns < times.MAX_NS:
        source.end_ns = end_ns if source.end_ns is None else min(source.end_ns, end_ns)


def _source(relation: Relation) -> Source | None:
    return relation.sequence.source if relation.sequence is not None else None


def _stored_time(column: Column | None) -> bool:
    """Whether the field is the instant by which the store bounds rows."""
    if column is None or column.stored != STAMP or column.type is not Type.TIMESTAMP or column.field is None:
        return False
    return all(name.endswith(":t") for name in column.field.physical)


# Conditions of `where`


def conjuncts(node: Node) -> Iterable[Node]:
    """Yield the conditions all of which have to be true for one to be."""
    if isinstance(node, Binary) and node.op == "and":
        yield from conjuncts(node.left)
        yield from conjuncts(node.right)
    else:
        yield node


def _bound(relation: Relation, source: Source, node: Node, now_ns: int) -> None:
    if not _stored_time(relation.find(STAMP)):
        return
    if isinstance(node, Between) and not node.negated and _is_stamp(node.operand):
        low, high = _instant(node.low, now_ns), _instant(node.high, now_ns)
        narrow(source, low, None if high is None else high + 1)
    if not isinstance(node, Binary) or node.op not in {"=", "<", "<=", ">", ">="}:
        return
    sign, left, right = node.op, node.left, node.right
    if _is_stamp(right):
        sign, left, right = TURNED[sign], right, left
    moment = _instant(right, now_ns) if _is_stamp(left) else None
    if moment is None:
        return
    starts = {"=": moment, ">=": moment, ">": moment + 1}
    ends = {"=": moment + 1, "<=": moment + 1, "<": moment}
    narrow(source, starts.get(sign), ends.get(sign))


def _is_stamp(node: Node) -> bool:
    return isinstance(node, Name) and node.name == STAMP


def _instant(node: Node, now_ns: int) -> int | None:
    """Return the instant of a literal, also inside timestamp(…); None when it is none."""
    if isinstance(node, Call) and node.name == "timestamp" and len(node.args) == 1:
        node = node.args[0]
    if not isinstance(node, Literal) or node.kind not in {"string", "timestamp", "date"}:
        return None
    return instants.bound(node.value, now_ns, up=False, numbers=False) if node.value[:4].isdigit() else None


def _tokens(relation: Relation, node: Node, compiler: Compiler) -> Tokens | None:  # noqa: PLR0911  one branch per kind of condition
    match node:
        case Binary(op="or"):
            return either([_tokens(relation, node.left, compiler), _tokens(relation, node.right, compiler)])
        case Binary(op="and"):
            return every([_tokens(relation, node.left, compiler), _tokens(relation, node.right, compiler)])
        case Binary(op="=", left=Name() as name, right=Literal(kind="string") as value):
            return _equal(relation, name, value.value, compiler)
        case Binary(op="=", left=Literal(kind="string") as value, right=Name() as name):
            return _equal(relation, name, value.value, compiler)
        case Binary(op="like" | "ilike" | "contains", left=Name() as name, right=Literal(kind="string") as value):
            pieces = re.split(r"\\.|[%_]", value.value) if node.op != "contains" else [value.value]
            return _parts(relation, name, pieces, compiler)
        case In(operand=Name() as name, negated=False) if all(_is_text(item) for item in node.items):
            return either([_equal(relation, name, item.value, compiler) for item in node.items])  # type: ignore[attr-defined]
        case Binary(op="regexp", left=Name() as name, right=Literal(kind="string") as value):
            return matching(relation, name, value.value, compiler)
        case Call(name="regexp_match" | "regex_match", args=(Name() as name, Literal(kind="string") as value)):
            return matching(relation, name, value.value, compiler)
        case Relevance():
            from treering.query.lucene import Lowering

            fields = tuple(field for field, _ in node.fields)
            return of_query(relevance.query_of(node), Lowering(relation, compiler, fields))
        case _:
            return None


def matching(relation: Relation, name: Name, pattern: str, compiler: Compiler) -> Tokens | None:
    """Return what words a text in which a regular expression is found cannot do without, or None."""
    column = _field(relation, name, compiler)
    if column is None:
        return None
    # Beyond RE2 Python looks, to whom digits of other scripts are digits too.
    branches = required(pattern, "" if regexes.beyond_re2(pattern) else _DIGITS)
    if _MINDS_NO_CASE.search(pattern):
        branches = [[part for run in runs for part in _OTHER_CASES.split(run)] for runs in branches]
    return either([_of_runs(runs, column.stored) for runs in branches])


def _of_runs(runs: Iterable[str], field: str) -> Tokens | None:
    """Return the words of runs of characters: whole ones between other characters, parts at the ends of a run."""
    found: list[Tokens] = []
    for run in runs:
        low = run.lower()
        for piece in _PIECE_OR_DIGITS.finditer(low):
            found += _of_piece(piece[0], field, begins=piece.start() > 0, ends=piece.end() < len(low))
    return every(found)


def _of_piece(piece: str, field: str, *, begins: bool, ends: bool) -> list[Tokens]:
    """Return the words that a piece of a run needs, which may begin or end a word."""
    if begins and ends:
        if _DIGITS not in piece:
            return [Tokens("token", piece, field)]
        if piece.isascii() and piece.strip(_DIGITS):
            return [Tokens("form", _ANY_DIGITS.sub("#", piece), field)]
    first, *others = piece.split(_DIGITS)
    known = [Tokens("prefix" if begins else "substring", first, field)] if len(first) > _FEW else []
    return known + [Tokens("substring", part, field) for part in others if len(part) > _FEW]


def _is_text(node: Node) -> bool:
    return isinstance(node, Literal) and node.kind == "string"


def _field(relation: Relation, name: Name, compiler: Compiler) -> Column | None:
    column = compiler.column(relation, name.name)
    if column is None or column.type is not Type.STRING or column.source is not _source(relation):
        return None
    if column.field is not None and column.field.options.get("lists"):
        return None  # its words may stand in a list of objects
    return None if column.stored.startswith(naming.MARK) else column


def _equal(relation: Relation, name: Name, value: str, compiler: Compiler) -> Tokens | None:
    column = _field(relation, name, compiler)
    if column is None:
        return None
    return every([Tokens("token", piece, column.stored) for piece in pieces(value)])


def _parts(relation: Relation, name: Name, pieces: list[str], compiler: Compiler) -> Tokens | None:
    column = _field(relation, name, compiler)
    if column is None:
        return None
    return every([Tokens("substring", part, column.stored) for part in _long_parts(pieces, certain=True)])


def _long_parts(pieces: Iterable[str], *, certain: bool) -> list[str]:
    """Return the parts worth asking for; where a number could be meant, not those that numbers have."""
    return [
        part
        for piece in pieces
        for part in _PIECE.findall(piece.lower())
        if len(part) > _FEW and (certain or not _VALUE.fullmatch(part))
    ]


# Full-text queries


def of_query(query: Query, lowering: Lowering) -> Tokens | None:
    """Return what words a full-text query cannot do without, or None."""
    match query:
        case Boolean():
            must = [of_query(clause.query, lowering) for clause in query.clauses if clause.occur == "must"]
            if must:
                return every(must)
            should = [of_query(clause.query, lowering) for clause in query.clauses if clause.occur == "should"]
            return either(should) if should else None
        case Words():
            return _of_words(query, lowering)
        case Wildcard():
            return _of_wildcard(query, lowering)
        case Leaf():
            return query.tokens(lowering)
        case _:
            return None


def pieces(text: str) -> list[str]:
    """Return the words of a whole value as the token index holds them."""
    return _PIECE.findall(text.lower())


def _of_words(query: Words, lowering: Lowering) -> Tokens | None:
    field = _only(query.field, lowering)
    if query.fuzzy or query.least or (field is None and _is_value(query, lowering)):
        return None
    if _elsewhere(query.field, lowering):
        return None
    words = [every([Tokens("token", piece, field) for piece in _PIECE.findall(word)]) for word in query.words()]
    if query.prefix and words:
        *_, last = query.words()
        words[-1] = every([Tokens("substring", piece, field) for piece in _PIECE.findall(last)])
    if not words:
        return None
    # A keyword field is asked for the whole text, which holds all words; a text field for any of them.
    return every(words) if query.quoted or query.operator == "and" else either(words)


def _is_value(query: Words, lowering: Lowering) -> bool:
    """Whether a field that holds no texts could have this value: then it is not an indexed word there."""
    from treering.query.counting import may_equal

    if _VALUE.fullmatch(query.text) is None:
        return False
    return any(may_equal(query.text, column, lowering) for column in lowering.columns(query.field))


def _of_wildcard(query: Wildcard, lowering: Lowering) -> Tokens | None:
    if _elsewhere(query.field, lowering):
        return None
    field = _only(query.field, lowering)
    parts = _long_parts(re.split(r"\\.|[*?]", query.pattern), certain=field is not None)
    return every([Tokens("substring", part, field) for part in parts])


def _elsewhere(field: str | None, lowering: Lowering) -> bool:
    """Whether what a field holds may come from other records than the one that is scanned."""
    column = lowering.compiler.column(lowering.relation, field) if field is not None and "*" not in field else None
    return column is not None and column.stored.startswith(naming.MARK)


def _only(field: str | None, lowering: Lowering) -> str | None:
    """Return the stored field that a query asks, if it is one."""
    if field is None or "*" in field:
        return None
    column = lowering.compiler.column(lowering.relation, field)
    if column is None or column.type is not Type.STRING or column.stored.startswith(naming.MARK):
        return None
    return column.stored


def every(parts: Iterable[Tokens | None]) -> Tokens | None:
    """Return that all known parts are necessary."""
    known = tuple(part for part in parts if part is not None)
    if not known:
        return None
    return known[0] if len(known) == 1 else Tokens("and", parts=known)


def either(parts: Iterable[Tokens | None]) -> Tokens | None:
    """Return that one of the parts is necessary; nothing is when one part is unknown."""
    listed = tuple(parts)
    known = tuple(part for part in listed if part is not None)
    if not known or len(known) < len(listed):
        return None
    return known[0] if len(known) == 1 else Tokens("or", parts=known)


def _necessary(query: Query) -> Iterable[Query]:
    if isinstance(query, Boolean):
        for clause in query.clauses:
            if clause.occur == "must":
                yield from _necessary(clause.query)
    else:
        yield query

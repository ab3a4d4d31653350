"""The grammar of expressions, read by precedence climbing.

Loosest first: or, xor, and, not; comparison, like, in, between, is; + and -; * / %; sign; values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.core.errors import UserError
from treering.query.lexer import Kind
from treering.query.syntax import (
    Between,
    Binary,
    Call,
    Case,
    Cast,
    In,
    Interval,
    IsNull,
    Keyword,
    LambdaNode,
    Literal,
    Name,
    Node,
    Relevance,
    Subsearch,
    Unary,
)

if TYPE_CHECKING:
    from treering.query.parser import Parser
    from treering.query.syntax import Pipeline

LOGIC = ("or", "xor", "and")
COMPARISONS = {"=": "=", "==": "=", "!=": "!=", "<>": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
PATTERNS = ("like", "ilike", "regexp", "contains")
ARITHMETIC = (("+", "-"), ("*", "/", "%"))
SINGLE_FIELD = frozenset({"match", "match_phrase", "matchphrase", "match_phrase_prefix", "match_bool_prefix"})
MULTI_FIELD = frozenset({"multi_match", "multimatch", "simple_query_string", "query_string"})
RELEVANCE_OPTIONS = (
    "allow_leading_wildcard analyzer analyze_wildcard auto_generate_synonyms_phrase_query boost cutoff_frequency "
    "default_field default_operator enable_position_increments escape fields flags fuzziness fuzzy_max_expansions "
    "fuzzy_prefix_length fuzzy_rewrite fuzzy_transpositions lenient low_freq_operator max_determinized_states "
    "max_expansions minimum_should_match operator phrase_slop prefix_length quote_analyzer quote_field_suffix "
    "rewrite slop tie_breaker time_zone type zero_terms_query"
).split()
_SIMPLE_UNITS = "microsecond millisecond second minute hour day week month quarter year"
UNITS = frozenset(
    f"{_SIMPLE_UNITS} second_microsecond minute_microsecond minute_second hour_microsecond hour_second hour_minute "
    "day_microsecond day_second day_minute day_hour year_month".split()
)
# Functions whose first argument is a bare word, and the words it may be.
WORD_FIRST = {
    "timestampadd": UNITS,
    "timestampdiff": UNITS,
    "get_format": frozenset({"date", "datetime", "time", "timestamp"}),
}
CAST_TARGETS = frozenset(
    {"date", "time", "timestamp", "int", "integer", "double", "long", "float", "string", "boolean", "ip", "json"}
)


def expression(parser: Parser) -> Node:
    """Take a logical expression."""
    parser.descend()
    found = _logic(parser, 0)
    parser.ascend()
    return found


def value(parser: Parser) -> Node:
    """Take a value: an expression without comparison or logic."""
    parser.descend()
    found = _arithmetic(parser, 0)
    parser.ascend()
    return found


def _logic(parser: Parser, level: int) -> Node:
    if level == len(LOGIC):
        return _negation(parser)
    start = parser.peek().start
    left = _logic(parser, level + 1)
    while parser.word(LOGIC[level]):
        left = Binary(LOGIC[level], left, _logic(parser, level + 1), place=(start, parser.last_end))
    return left


def _negation(parser: Parser) -> Node:
    start = parser.peek().start
    if parser.word("not"):
        parser.descend()
        operand = _negation(parser)
        parser.ascend()
        return Unary("not", operand, place=(start, parser.last_end))
    return _comparison(parser)


def _comparison(parser: Parser) -> Node:
    start = parser.peek().start
    left = _arithmetic(parser, 0)
    while True:
        found = _comparison_tail(parser, left, start)
        if found is None:
            return left
        left = found


def _comparison_tail(parser: Parser, left: Node, start: int) -> Node | None:
    if sign := parser.op(*COMPARISONS):
        return Binary(COMPARISONS[sign], left, _arithmetic(parser, 0), place=(start, parser.last_end))
    if parser.word("is"):
        negated = parser.word("not") is not None
        parser.expect_word("null")
        return IsNull(left, negated, place=(start, parser.last_end))
    before = parser.position
    negated = parser.word("not") is not None
    if parser.word("in"):
        return _in(parser, (left,), start, negated=negated)
    if parser.word("between"):
        low = _arithmetic(parser, 0)
        parser.expect_word("and")
        return Between(left, low, _arithmetic(parser, 0), negated, place=(start, parser.last_end))
    if word := parser.word(*PATTERNS):
        found: Node = Binary(word, left, _arithmetic(parser, 0), place=(start, parser.last_end))
        return Unary("not", found, place=(start, parser.last_end)) if negated else found
    parser.position = before
    return None


def _in(parser: Parser, operands: tuple[Node, ...], start: int, *, negated: bool) -> Node:
    if parser.peek().is_op("["):
        pipeline = subsearch(parser)
        return Subsearch("in", pipeline, operands, negated, place=(start, parser.last_end))
    if len(operands) > 1:
        parser.fail("expected [ and a subsearch")
    parser.expect_op("(")
    items = [_constant(parser)]
    while parser.op(","):
        items.append(_constant(parser))
    parser.expect_op(")")
    return In(operands[0], tuple(items), negated, place=(start, parser.last_end))


def _constant(parser: Parser) -> Node:
    """Take a value that is written out, as the items of `in` are."""
    start = parser.peek().start
    found = expression(parser)
    if not isinstance(found, Literal | Interval):
        where = parser.where((start, parser.last_end))
        raise UserError("the items of in are values that are written out", where=where)
    return found


def subsearch(parser: Parser) -> Pipeline:
    """Take a pipeline between brackets."""
    parser.expect_op("[")
    parser.descend()
    pipeline = parser.pipeline()
    parser.ascend()
    parser.expect_op("]")
    return pipeline


def _arithmetic(parser: Parser, level: int) -> Node:
    if level == len(ARITHMETIC):
        return _signed(parser)
    start = parser.peek().start
    left = _arithmetic(parser, level + 1)
    while sign := parser.op(*ARITHMETIC[level]):
        left = Binary(sign, left, _arithmetic(parser, level + 1), place=(start, parser.last_end))
    return left


def _signed(parser: Parser) -> Node:
    start = parser.peek().start
    if sign := parser.op("-", "+"):
        if parser.peek().kind is Kind.NUMBER:
            return _number(parser, start, "-" if sign == "-" else "")
        parser.descend()
        operand = _signed(parser)
        parser.ascend()
        return operand if sign == "+" else Unary("-", operand, place=(start, parser.last_end))
    return _primary(parser)


def _number(parser: Parser, start: int, sign: str = "") -> Literal:
    text = parser.take().value.lower()
    kind = "integer" if text.isdecimal() else "double" if "e" in text else "decimal"
    if text[-1] in "df":
        kind = "double" if text[-1] == "d" else "float"
        text = text[:-1]
    return Literal(sign + ("0" + text if text.startswith(".") else text), kind, place=(start, parser.last_end))


def _primary(parser: Parser) -> Node:  # noqa: PLR0911  one branch per kind of value
    following = parser.peek()
    start = following.start
    if following.kind is Kind.STRING:
        return Literal(parser.take().value, "string", place=(start, parser.last_end))
    if following.kind is Kind.NUMBER:
        return _number(parser, start)
    if following.is_op("["):
        pipeline = subsearch(parser)
        return Subsearch("scalar", pipeline, place=(start, parser.last_end))
    if following.is_op("("):
        return _parenthesis(parser)
    if following.kind is Kind.NAME:
        word = following.value.lower()
        if parser.next_is("("):
            return _call(parser, word)
        if (found := _worded(parser, word)) is not None:
            return found
    if following.kind not in {Kind.NAME, Kind.QUOTED} and not following.is_op("."):
        parser.fail("expected a value")
    if parser.next_is("->"):
        name = parser.take().value
        parser.take()
        return LambdaNode((name,), expression(parser), place=(start, parser.last_end))
    return parser.field()


def _worded(parser: Parser, word: str) -> Node | None:
    """Take a literal or a form that begins with a word and no parenthesis."""
    start, before = parser.peek().start, parser.position
    if word in {"true", "false"} and not parser.next_is("."):
        parser.take()
        return Literal(word == "true", "boolean", place=(start, parser.last_end))
    if word in {"date", "time", "timestamp"}:
        parser.take()
        if parser.peek().kind is Kind.STRING:
            return Literal(parser.take().value, word, place=(start, parser.last_end))
    elif word == "interval":
        parser.take()
        if not (parser.at_end() or parser.peek().is_op("=", ",", ")")):
            amount = value(parser)
            unit = parser.expect_word(*UNITS)
            return Interval(amount, unit.upper(), place=(start, parser.last_end))
    elif word == "exists":
        parser.take()
        if parser.peek().is_op("["):
            return Subsearch("exists", subsearch(parser), place=(start, parser.last_end))
    parser.position = before
    return None


def _parenthesis(parser: Parser) -> Node:
    start = parser.peek().start
    if (names := _parameters(parser)) is not None:
        return LambdaNode(names, expression(parser), place=(start, parser.last_end))
    parser.expect_op("(")
    operands = [expression(parser)]
    while parser.op(","):
        operands.append(expression(parser))
    parser.expect_op(")")
    if len(operands) == 1:
        return operands[0]
    negated = parser.word("not") is not None
    parser.expect_word("in")
    return _in(parser, tuple(operands), start, negated=negated)


def _parameters(parser: Parser) -> tuple[str, ...] | None:
    """Take `(a, b) ->`, or nothing."""
    before = parser.position
    parser.take()
    names: list[str] = []
    while parser.peek().kind in {Kind.NAME, Kind.QUOTED}:
        names.append(parser.take().value)
        if not parser.op(","):
            break
    if names and parser.op(")") and parser.op("->"):
        return tuple(names)
    parser.position = before
    return None


def _call(parser: Parser, name: str) -> Node:
    start = parser.take().start
    parser.take()
    if name in SINGLE_FIELD or name in MULTI_FIELD:
        return _relevance(parser, name, start)
    if name == "case":
        return _case(parser, start)
    if name == "cast":
        operand = expression(parser)
        parser.expect_word("as")
        target = parser.expect_word(*CAST_TARGETS)
        parser.expect_op(")")
        return Cast(operand, "int" if target == "integer" else target, place=(start, parser.last_end))
    args: list[Node] = []
    if words := UNITS if name == "extract" else WORD_FIRST.get(name):
        place_start = parser.peek().start
        word = parser.expect_word(*sorted(words))
        args.append(Keyword(word.upper(), place=(place_start, parser.last_end)))
        if name == "extract":
            parser.expect_word("from")
        else:
            parser.expect_op(",")
    if not parser.peek().is_op(")"):
        args.append(value(parser) if name == "position" else expression(parser))
        if name == "position" and parser.word("in"):
            args.append(value(parser))
        while parser.op(","):
            args.append(expression(parser))
    parser.expect_op(")")
    return Call(name, tuple(args), place=(start, parser.last_end))


def _case(parser: Parser, start: int) -> Case:
    branches: list[tuple[Node, Node]] = []
    otherwise: Node | None = None
    while True:
        condition = expression(parser)
        parser.expect_op(",")
        branches.append((condition, expression(parser)))
        if parser.word("else"):
            otherwise = expression(parser)
            break
        if not parser.op(","):
            break
        if parser.word("else"):
            otherwise = expression(parser)
            break
    parser.expect_op(")")
    return Case(tuple(branches), otherwise, place=(start, parser.last_end))


def _relevance(parser: Parser, name: str, start: int) -> Relevance:
    fields: list[tuple[str, str | None]] = []
    if name in SINGLE_FIELD:
        fields.append((_plain(parser), None))
        parser.expect_op(",")
    elif parser.op("["):
        while True:
            field = _plain(parser)
            parser.op("^")
            fields.append((field, parser.take().value if parser.peek().kind is Kind.NUMBER else None))
            if not parser.op(","):
                break
        parser.expect_op("]")
        parser.expect_op(",")
    query = _plain(parser)
    options: list[tuple[str, str]] = []
    while parser.op(","):
        if not (option := parser.word(*RELEVANCE_OPTIONS)):
            parser.fail("expected an option of full-text search", known=RELEVANCE_OPTIONS)
        parser.expect_op("=")
        options.append((option, _plain(parser)))
    parser.expect_op(")")
    canonical = {"matchphrase": "match_phrase", "multimatch": "multi_match"}.get(name, name)
    return Relevance(canonical, tuple(fields), query, tuple(options), place=(start, parser.last_end))


def _plain(parser: Parser) -> str:
    """Take a string, a number or a name, as text."""
    sign = parser.op("-", "+") or ""
    if parser.peek().kind in {Kind.STRING, Kind.NUMBER, Kind.SPAN}:
        return sign + parser.take().value
    name: Name = parser.field()
    return name.name

"""What a query demands of records, as a tree for stores that have a query language of their own.

Each form means exactly what the SQL of the same part means (`operators`, `lucene`); what has none is `ANYTHING`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.query import coerce, constants, instants, relevance
from treering.query.lucene import (
    Boolean,
    Everything,
    Exists,
    Lowering,
    Query,
    Range,
    Wildcard,
    Words,
    is_text,
)
from treering.query.minimum import least_of
from treering.query.required import required
from treering.query.syntax import TURNED, Between, Binary, Call, In, IsNull, Literal, Name, Node, Relevance, Unary
from treering.query.types import Type
from treering.stage.condition import (
    ANY,
    ANYTHING,
    FALSE,
    ONE,
    TRUE,
    Condition,
    Constant,
    Either,
    Every,
    Gap,
    HasForm,
    HasWords,
    Known,
    Negated,
    Network,
    OneOf,
    Present,
    Value,
    Within,
    either,
    every,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.query.compiler import Compiler
    from treering.query.relation import Column, Relation

_PRESENCE = {"isnotnull": False, "ispresent": False, "isnull": True}


def of_node(relation: Relation, node: Node, compiler: Compiler) -> Condition:
    """Return the condition that an expression is."""
    return _Reader(relation, compiler).node(node)


def of_query(query: Query, lowering: Lowering) -> Condition:
    """Return the condition that a full-text query is."""
    return _Reader(lowering.relation, lowering.compiler).query(query, lowering)


def is_of_texts(condition: Condition) -> bool:
    """Whether a condition asks for words or parts of texts, and for nothing else than texts."""
    match condition:
        case Every() | Either():
            return any(map(is_of_texts, condition.parts)) and all(
                is_of_texts(part) or isinstance(part, OneOf) for part in condition.parts
            )
        case Known():
            return is_of_texts(condition.part)
        case _:
            # Texts that a regular expression may be found in have to be read anyway.
            return isinstance(condition, HasWords) or (isinstance(condition, HasForm) and condition.exact)


def of_texts(query: Words | Wildcard, columns: Sequence[Column], lowering: Lowering) -> Condition:
    """Return the condition that a query of words over one of `columns` is."""
    return _Reader(lowering.relation, lowering.compiler).of_texts(query, columns)


def stored(relation: Relation, column: Column | None) -> bool:
    """Whether a column is a field of the relation's own records, unchanged."""
    if column is None or column.source is None or column.field is None or column.path:
        return False
    if column.field.options.get("lists"):
        return False  # it may stand in a list of objects, of which each counts
    inside = relation.sequence is not None and column.source is relation.sequence.source
    return inside and column.stored not in column.source.composed and column.stored != "_index"


class _Reader:
    def __init__(self, relation: Relation, compiler: Compiler) -> None:
        self.relation = relation
        self.compiler = compiler

    def node(self, node: Node) -> Condition:  # noqa: PLR0911  one branch per kind of node
        match node:
            case Binary(op="and"):
                return every([self.node(node.left), self.node(node.right)])
            case Binary(op="or"):
                return either([self.node(node.left), self.node(node.right)])
            case Unary(op="not"):
                return Negated(self._asked_not(node.operand))
            case Literal(kind="boolean"):
                return Constant(bool(node.value))
            case Binary():
                return self._binary(node)
            case In() | Between():
                return self._membership(node)
            case IsNull():
                return self._present(node.operand, absent=not node.negated)
            case Relevance():
                query, fields = relevance.meaning(node)
                return self.query(query, Lowering(self.relation, self.compiler, fields))
            case _:
                return self._simple(node)

    def _asked_not(self, node: Node) -> Condition:
        """Return the condition under `not`; of a truth value compared with one, it may be that it is none too."""
        found = self.node(node)
        either_way = isinstance(node, Binary) and any(
            isinstance(side, Literal) and side.kind == "boolean" for side in (node.left, node.right)
        )
        return Every((found, ANYTHING)) if either_way else found

    def _simple(self, node: Node) -> Condition:
        match node:
            case Name():
                column = self._field(node)
                return ANYTHING if column is None or column.many else _one_of(column, [True])
            case Call(name=name, args=(arg,)) if name in _PRESENCE:
                return self._present(arg, absent=_PRESENCE[name])
            case Call(name="regexp_match" | "regex_match", args=(text, pattern)):
                return self._regexp(text, pattern)
            case Call(name="like", args=(text, form, *more)):
                sensitive = [part.value is True if isinstance(part, Literal) else None for part in more]
                return ANYTHING if None in sensitive else self._like("like", text, form, any_case=not any(sensitive))
            case Call(name="cidrmatch", args=(Name() as name, Literal(kind="string") as block)):
                column = self._field(name)
                return ANYTHING if column is None or column.many else _network(column, block.value)
            case _:
                return ANYTHING

    def _field(self, node: Node) -> Column | None:
        if not isinstance(node, Name):
            return None
        column = self.compiler.column(self.relation, node.name)
        return column if stored(self.relation, column) else None

    def _present(self, node: Node, *, absent: bool) -> Condition:
        column = self._field(node)
        if column is None or column.type in coerce.DOCUMENTS:
            return ANYTHING
        found = Present(column.stored)
        return Negated(found) if absent else found

    def _binary(self, node: Binary) -> Condition:  # noqa: C901, PLR0911  one branch per operator
        sign, left, right = node.op, node.left, node.right
        if sign in {"like", "ilike", "contains"}:
            return self._like(sign, left, right)
        if sign == "regexp":
            return self._regexp(left, right)
        if not isinstance(left, Name):
            sign, left, right = TURNED.get(sign, sign), right, left
        column, value = self._field(left), None
        if column is not None:
            value = self._literal(right, column)
        if column is None or value is None:
            return ANYTHING
        match sign:
            case "=":
                return _one_of(column, [value])
            case "!=":
                # The first item of a list is asked, not any; what is not true is false or missing.
                same = _one_of(column, [value])
                if column.many or (column.type is Type.BOOLEAN and node.left is not left):
                    return ANYTHING
                return Negated(Known(same) if column.type is Type.BOOLEAN else same)
            case "<" | "<=":
                return self._within(column, None, value, high_included=sign == "<=")
            case ">" | ">=":
                return self._within(column, value, None, low_included=sign == ">=")
            case _:
                return ANYTHING

    def _within(self, column: Column, low: Value | None, high: Value | None, **included: bool) -> Condition:
        if column.type in {Type.IP, Type.BOOLEAN} or column.many:
            return ANYTHING
        return Within(column.stored, low, high, **included)

    def _membership(self, node: In | Between) -> Condition:
        column = self._field(node.operand)
        if column is None or (column.many and node.negated):
            return ANYTHING
        bounds = node.items if isinstance(node, In) else (node.low, node.high)
        values = [self._literal(item, column) for item in bounds]
        if any(value is None for value in values) or len({isinstance(value, str) for value in values}) > 1:
            return ANYTHING
        known = [value for value in values if value is not None]
        found = _one_of(column, known) if isinstance(node, In) else self._within(column, known[0], known[1])
        return Negated(found) if node.negated else found

    def _literal(self, node: Node, column: Column) -> Value | None:
        """Return a literal as a value of the column's type, as a comparison of both converts it."""
        negative = isinstance(node, Unary) and node.op == "-"
        if isinstance(node, Unary):
            node = node.operand
        if isinstance(node, Call) and node.name == "timestamp" and len(node.args) == 1 and not negative:
            node = node.args[0]
            if not isinstance(node, Literal) or node.kind != "string" or column.type is not Type.TIMESTAMP:
                return None
        if not isinstance(node, Literal) or (negative and node.kind in {"string", "boolean"}):
            return None
        return constants.of_type(node, column, self.compiler.now_ns, negative=negative)

    def _like(self, sign: str, left: Node, right: Node, *, any_case: bool = True) -> Condition:
        column = self._text(left)
        if column is None or not isinstance(right, Literal) or right.kind != "string":
            return ANYTHING
        if sign == "contains":
            return HasForm(column.stored, (ANY, right.value, ANY) if right.value else (ANY,), any_case=True)
        pieces = re.findall(r"\\.|.", right.value, re.DOTALL)
        return HasForm(column.stored, _parts(pieces, "_", "%"), any_case=any_case)

    def _regexp(self, left: Node, right: Node) -> Condition:
        column = self._text(left)
        if column is None or not isinstance(right, Literal) or right.kind != "string":
            return ANYTHING
        # A pattern may say that it minds no case.
        any_case = "(?" in right.value
        forms: list[Condition] = []
        for branch in required(right.value):
            parts: list[str | Gap] = [ANY]
            for piece in branch:
                parts += [piece, ANY]
            forms.append(HasForm(column.stored, tuple(parts), any_case=any_case, exact=False))
        return either(forms)

    def _text(self, node: Node) -> Column | None:
        column = self._field(node)
        return column if column is not None and column.type is Type.STRING and not column.many else None

    # Full-text queries

    def query(self, query: Query, lowering: Lowering) -> Condition:  # noqa: PLR0911  one branch per kind of query
        match query:
            case Boolean():
                return self._boolean(query, lowering)
            case Everything():
                return TRUE
            case Exists():
                columns = lowering.columns(query.field)
                return either(self._known(column, Present(column.stored)) for column in columns)
            case Range():
                return either(self._known(each, self._range(query, each)) for each in lowering.columns(query.field))
            case Words():
                return self._of_columns(query, lowering, apart=not query.stands_anywhere())
            case Wildcard():
                return self._of_columns(query, lowering, apart=query.pattern.strip("*") == "")
            case _:
                return ANYTHING

    def _known(self, column: Column, condition: Condition) -> Condition:
        return condition if stored(self.relation, column) else ANYTHING

    def _boolean(self, query: Boolean, lowering: Lowering) -> Condition:
        by: dict[str, list[Condition]] = {"must": [], "should": [], "not": []}
        for clause in query.clauses:
            by[clause.occur].append(self.query(clause.query, lowering))
        parts = list(by["must"])
        least = query.least if query.least is not None else 0 if by["must"] or not by["should"] else 1
        if by["should"] and least == 1:
            parts.append(either(by["should"]))
        elif by["should"] and least > 1:
            parts.append(Every((either(by["should"]), ANYTHING)))
        parts.extend(Negated(Known(part)) for part in by["not"])
        return every(parts)

    def _of_columns(self, query: Words | Wildcard, lowering: Lowering, *, apart: bool) -> Condition:
        columns = lowering.columns(query.field)
        are_texts = [column.type is Type.STRING and is_text(column) for column in columns]
        if apart or sum(are_texts) < 2:
            return either(self._known(column, self._asked(query, column)) for column in columns)
        # Several texts are asked as one, which is never null.
        asked = [self._known(column, self._asked(query, column)) for column in columns]
        together = Known(either(one for one, is_one in zip(asked, are_texts, strict=True) if is_one))
        return either([together, *(one for one, is_one in zip(asked, are_texts, strict=True) if not is_one)])

    def of_texts(self, query: Words | Wildcard, columns: Sequence[Column]) -> Condition:
        return either(self._known(column, self._asked(query, column)) for column in columns)

    def _asked(self, query: Words | Wildcard, column: Column) -> Condition:
        if isinstance(query, Words):
            return self._words(query, column)
        if query.pattern.strip("*") == "":
            return Present(column.stored)
        if column.type is not Type.STRING:
            return FALSE
        if column.many and not is_text(column):
            return ANYTHING  # the items are asked as one text
        pieces = re.findall(r"\\.|.", query.pattern.lower() if is_text(column) else query.pattern, re.DOTALL)
        return HasForm(column.stored, _parts(pieces, "?", "*"), word=is_text(column))

    def _words(self, query: Words, column: Column) -> Condition:  # noqa: PLR0911  one branch per kind of field and query
        if column.type is not Type.STRING:
            return self._value(query.text, column)
        if not is_text(column):
            return _prefixed(column, query.text) if query.prefix and not column.many else _one_of(column, [query.text])
        words = tuple(query.words())
        if not words:
            return FALSE
        if query.fuzzy:
            return ANYTHING
        if query.quoted:
            if query.slop > 0 or column.many:
                return Every((HasWords(column.stored, words[:-1] or words, len(words[:-1] or words)), ANYTHING))
            return HasWords(column.stored, words, phrase=True, prefix=query.prefix)
        least = len(words) if query.operator == "and" else max(1, least_of(query.least, len(words)))
        return FALSE if least > len(words) else HasWords(column.stored, words, least, prefix=query.prefix)

    def _value(self, text: str, column: Column) -> Condition:
        if column.type in coerce.INSTANTS:
            return self._range(Range("", text, text), column)
        if column.type is Type.IP and "/" in text:
            return _network(column, text)
        if column.type is Type.BOOLEAN:
            return _one_of(column, [text == "true"]) if text in {"true", "false"} else FALSE
        value = (
            constants.number(text, suffix=True)
            if column.type in coerce.NUMBERS
            else constants.address(text)
            if column.type is Type.IP
            else None
        )
        return FALSE if value is None else _one_of(column, [value])

    def _range(self, query: Range, column: Column) -> Condition:
        if column.many or column.type in {Type.IP, Type.BOOLEAN, Type.DATE, Type.TIME}:
            return ANYTHING
        bounds: list[Value | None] = []
        for text, above, included in ((query.low, True, query.low_included), (query.high, False, query.high_included)):
            value: Value | None = text
            if text is not None and column.type is Type.TIMESTAMP:
                value = instants.bound(text, self.compiler.now_ns, up=above is not included)
            elif text is not None and column.type is not Type.STRING:
                value = constants.number(text, suffix=True)
            if text is not None and value is None:
                return FALSE
            bounds.append(value)
        if bounds == [None, None]:
            return TRUE
        return Within(column.stored, bounds[0], bounds[1], query.low_included, query.high_included)


def _one_of(column: Column, values: Sequence[Value]) -> Condition:
    return OneOf(column.stored, tuple(values))


def _prefixed(column: Column, text: str) -> Condition:
    return HasForm(column.stored, (text, ANY) if text else (ANY,))


def _network(column: Column, text: str) -> Condition:
    import ipaddress

    try:
        return Network(column.stored, str(ipaddress.ip_network(text, strict=False)))
    except ValueError:
        return ANYTHING


def _parts(pieces: Sequence[str], one: str, some: str) -> tuple[str | Gap, ...]:
    """Join the characters of a pattern to its parts."""
    parts: list[str | Gap] = []
    for piece in pieces:
        part: str | Gap = {one: ONE, some: ANY}.get(piece) or (piece[1:] if len(piece) > 1 else piece)
        if isinstance(part, str) and parts and isinstance(parts[-1], str):
            parts[-1] += part
        elif not (part is ANY and parts and parts[-1] is ANY):
            parts.append(part)
    return tuple(parts) or ("",)

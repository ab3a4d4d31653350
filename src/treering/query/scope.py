"""From expressions to typed SQL: names are looked up in a relation, functions in their registry."""

from __future__ import annotations

import difflib
import functools
from typing import TYPE_CHECKING, Any, NoReturn

from sqlglot import exp

from treering.core import registry
from treering.core.errors import UserError
from treering.query import coerce, operators
from treering.query.function import Function, Lambda, Typed
from treering.query.logic import any_of
from treering.query.relation import Column
from treering.query.syntax import (
    TURNED,
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
    Span,
    Subsearch,
    Unary,
    walk,
)
from treering.query.types import SQL, Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treering.query.compiler import Compiler
    from treering.query.relation import Relation

_FUNCTIONS = "treering.query.functions"
_FORMS = frozenset({"like", "ilike", "contains"})


@functools.cache
def functions() -> Mapping[str, Function]:
    """Return all scalar functions by lower-case name."""
    found: dict[str, Function] = {}
    for name in registry.names(_FUNCTIONS):
        found.update(registry.load(_FUNCTIONS, name).FUNCTIONS)
    return found


class Scope:
    """The columns that an expression may read, and lambda parameters in force."""

    def __init__(self, relation: Relation, compiler: Compiler, bound: Mapping[str, Typed] | None = None) -> None:
        """Look names up in `relation`, after `bound`."""
        self.relation = relation
        self.compiler = compiler
        self.bound = bound or {}
        self.lenient = False

    # Entry points

    def typed(self, node: Node) -> Typed:
        """Return the value of an expression. Raises `UserError` pointing at the part that is wrong."""
        try:
            return self._typed(node)
        except UserError as error:
            if error.where is None:
                raise UserError(error.message, hint=error.hint, where=self.compiler.where(node.place)) from error
            raise

    def condition(self, node: Node, what: str = "where") -> exp.Expression:
        """Return the SQL of a condition. Raises `UserError` when the expression is no boolean."""
        value = self.typed(node)
        try:
            return operators.truth(value, what)
        except UserError as error:
            raise UserError(error.message, hint=error.hint, where=self.compiler.where(node.place)) from None

    def by_itself(self, value: Typed, node: Node) -> Typed:
        """Return a value that needs no other row. Raises `UserError` for `rand(3)`, which needs the row's place."""
        if not any(isinstance(part, Call) and part.name == "rand" and part.args for part in walk(node)):
            return value
        where = self.compiler.where(node.place)
        hint = "give it a name before, as in eval r = rand(3)"
        raise UserError("what depends on a row's place cannot stand here", hint=hint, where=where)

    def column(self, name: Name) -> Column:
        """Return the column that `name` names. Raises `UserError` with the nearest name when there is none."""
        if (found := self.compiler.column(self.relation, name.name)) is not None:
            return found
        return self.unknown(name)

    def unknown(self, name: Name) -> NoReturn:
        """Raise the error about a field that does not exist."""
        near = difflib.get_close_matches(name.name, self.relation.columns, n=1, cutoff=0.6)
        if near:
            hint = f"did you mean {near[0]!r}?"
        elif "-" in name.name:
            hint = "put spaces around - to subtract"
        else:
            hint = ""
        raise UserError(f"unknown field {name.name!r}", hint=hint, where=self.compiler.where(name.place))

    # Nodes

    def _typed(self, node: Node) -> Typed:  # noqa: C901, PLR0911  one branch per kind of node
        match node:
            case Literal():
                return self._literal(node)
            case Name():
                return self._name(node)
            case Call():
                return self._call(node)
            case Binary():
                return self._binary(node)
            case Unary(op="-"):
                return operators.negative(self.typed(node.operand))
            case Unary(operand=Binary(op="=", left=Name(), right=Literal(kind="boolean")) as equal):
                return self._binary(Binary("!=", equal.left, equal.right, place=equal.place))
            case Unary():
                operand = self.condition(node.operand, "not")
                return Typed(exp.Not(this=coerce.operand(operand)), Type.BOOLEAN)
            case In() | Between():
                return self._membership(node)
            case IsNull():
                test: exp.Expression = exp.Is(this=coerce.operand(self.typed(node.operand).sql), expression=exp.Null())
                return Typed(exp.Not(this=coerce.operand(test)) if node.negated else test, Type.BOOLEAN)
            case Case():
                return self._case(node)
            case Cast():
                value = self.typed(node.operand)
                return coerce.explicit(value, coerce.CAST_TYPES[node.target], self.compiler.now_ns)
            case _:
                return self._special(node)

    def _special(self, node: Node) -> Typed:
        match node:
            case Keyword():
                return coerce.string(node.word)
            case Interval():
                amount = self.typed(node.amount)
                return Typed(amount.sql, Type.INTERVAL, amount.value, None, node.unit)
            case Relevance():
                return self.compiler.relevance(self.relation, node)
            case Subsearch():
                return self.compiler.subsearch(self, node)
            case Span():
                from treering.query.spans import bucket

                return bucket(self, node)
            case LambdaNode():
                raise UserError("a lambda can only stand where a function takes one")
            case _:
                raise UserError("this cannot stand in an expression")

    def _literal(self, node: Literal) -> Typed:
        match node.kind:
            case "string":
                return coerce.string(node.value)
            case "boolean":
                return Typed(exp.Boolean(this=node.value), Type.BOOLEAN, node.value)
            case "date" | "time" | "timestamp":
                return coerce.instant(node.value, Type(node.kind))
            case _:
                return coerce.number(node.value, node.kind)

    def _name(self, node: Name) -> Typed:
        if (found := self.bound.get(node.name)) is not None:
            return found
        column = self.compiler.column(self.relation, node.name)
        if column is None:
            if self.lenient:
                return coerce.null()
            self.unknown(node)
        return column_value(column)

    def _binary(self, node: Binary) -> Typed:  # noqa: PLR0911  one branch per operator
        if node.op in {"and", "or", "xor"}:
            left, right = self.condition(node.left, node.op), self.condition(node.right, node.op)
            sql: Any = {"and": exp.And, "or": exp.Or, "xor": exp.NEQ}[node.op]
            return Typed(sql(this=coerce.operand(left), expression=coerce.operand(right)), Type.BOOLEAN)
        if node.op == "=" and (either := self._any_of_list(node.left, [node.right])) is not None:
            return either
        left_value, right_value = self.typed(node.left), self.typed(node.right)
        if (some := self._some_item(node, left_value, right_value)) is not None:
            return some
        match node.op:
            case "+" | "-" | "*" | "/" | "%":
                return operators.arithmetic(node.op, left_value, right_value)
            case "like" | "ilike":
                return operators.like(left_value, right_value)
            case "regexp":
                return operators.regexp(left_value, right_value)
            case "contains":
                return operators.contains(left_value, right_value)
            case _:
                return operators.compare(node.op, left_value, right_value, self.compiler.now_ns)

    def _some_item(self, node: Binary, left: Typed, right: Typed) -> Typed | None:
        """A comparison of a field that holds lists with a constant holds when it does for one of its items."""
        from treering.query import listed

        if node.op not in TURNED and node.op not in _FORMS:
            return None
        if isinstance(node.left, Name) and node.left.name not in self.bound:
            return listed.any_item(node.op, node.left, right, self.relation, self.compiler)
        if node.op in _FORMS:
            return None
        if isinstance(node.right, Name) and node.right.name not in self.bound:
            return listed.any_item(TURNED[node.op], node.right, left, self.relation, self.compiler)
        return None

    def _membership(self, node: In | Between) -> Typed:
        if isinstance(node, In):
            found = self._any_of_list(node.operand, node.items) or operators.member(
                self.typed(node.operand), [self.typed(item) for item in node.items], self.compiler.now_ns
            )
        else:
            value, low, high = self.typed(node.operand), self.typed(node.low), self.typed(node.high)
            found = operators.between(value, low, high, self.compiler.now_ns)
        return Typed(exp.Not(this=coerce.operand(found.sql)), Type.BOOLEAN) if node.negated else found

    def _any_of_list(self, operand: Node, items: Sequence[Node]) -> Typed | None:
        """A field that holds lists equals a value when one of its items does, as an inverted index sees it."""
        if not isinstance(operand, Name) or operand.name in self.bound:
            return None
        column = self.compiler.column(self.relation, operand.name)
        if column is None or not column.many:
            return self._any_in_objects(operand, items)
        values = [coerce.text_of(self.typed(item)) for item in items]
        texts = exp.Anonymous(this="json_extract_string", expressions=[as_list(column), exp.Literal.string("$[*]")])
        wanted = exp.Anonymous(this="list_value", expressions=values)
        return Typed(exp.Anonymous(this="list_has_any", expressions=[texts, wanted]), Type.BOOLEAN)

    def _any_in_objects(self, operand: Name, items: Sequence[Node]) -> Typed | None:
        """The same of a member of objects in a list."""
        from treering.query import listed

        tests = [listed.any_item("=", operand, self.typed(item), self.relation, self.compiler) for item in items]
        known = [test.sql for test in tests if test is not None]
        if not known or len(known) < len(tests):
            return None
        return Typed(any_of(known), Type.BOOLEAN)

    def _case(self, node: Case) -> Typed:
        conditions = [self.condition(condition, "case") for condition, _ in node.branches]
        values = [self.typed(value) for _, value in node.branches]
        if node.otherwise is not None:
            values.append(self.typed(node.otherwise))
        kind = coerce.common([value.type for value in values])
        if kind is None:
            kinds = ", ".join(dict.fromkeys(value.type for value in values))
            raise UserError(f"the values of case have no common type: {kinds}")
        sqls = [coerce.implicit(value, kind, self.compiler.now_ns).sql for value in values]
        ifs = [exp.If(this=condition, true=sql) for condition, sql in zip(conditions, sqls, strict=False)]
        return Typed(exp.Case(ifs=ifs, default=sqls[-1] if node.otherwise is not None else None), kind)

    def _call(self, node: Call) -> Typed:
        if node.name in _FORMS and len(node.args) == 2:
            left, right = node.args
            form = Binary(node.name, left, right, place=node.place)
            if (some := self._some_item(form, self.typed(left), self.typed(right))) is not None:
                return some
        function = functions().get(node.name)
        if function is None:
            near = difflib.get_close_matches(node.name, functions(), n=1)
            raise UserError(f"unknown function {node.name!r}", hint=f"did you mean {near[0]!r}?" if near else "")
        if len(node.args) < function.least or (function.most is not None and len(node.args) > function.most):
            raise UserError(f"{node.name} takes {_arity(function)}, not {len(node.args)}")
        before, self.lenient = self.lenient, self.lenient or function.lenient
        try:
            args = [self._argument(node, function, index) for index in range(len(node.args))]
        finally:
            self.lenient = before
        return function.lower(args, self.compiler.context)

    def _argument(self, node: Call, function: Function, index: int) -> Typed | Lambda:
        arg = node.args[index]
        if isinstance(arg, LambdaNode):
            return Lambda(arg.names, functools.partial(self._body, arg.names, arg.body))
        if function.each == index:
            names = tuple(part.name for part in walk(node.args[0]) if isinstance(part, Name))[:1]
            if not names:
                raise UserError(f"the first argument of {node.name} must name a field")
            return Lambda(names, functools.partial(self._body, names, arg))
        return self.typed(arg)

    def _body(self, names: tuple[str, ...], body: Node, values: Sequence[Typed]) -> Typed:
        inner = Scope(self.relation, self.compiler, {**self.bound, **dict(zip(names, values, strict=False))})
        return inner.typed(body)


def column_value(column: Column) -> Typed:
    """Return the value of a column as an expression sees it: of a list in an ordinary field, its first item."""
    if not column.many or SQL[column.type] == "JSON":
        return Typed(column.raw, column.type, element=column.element)
    first = exp.Anonymous(this="json_extract_string", expressions=[as_list(column), exp.Literal.string("$[0]")])
    if column.type is Type.STRING:
        return Typed(first, Type.STRING)
    return Typed(coerce.sql_cast(first, column.type, safe=True), column.type)


def as_list(column: Column) -> exp.Expression:
    """Return the column as a JSON list: a single value is a list of one."""
    is_list = exp.EQ(
        this=exp.Anonymous(this="json_type", expressions=[column.raw]), expression=exp.Literal.string("ARRAY")
    )
    one = exp.Anonymous(this="json_array", expressions=[column.raw])
    return exp.Case(ifs=[exp.If(this=is_list, true=column.raw)], default=one)


def _arity(function: Function) -> str:
    if function.most is None:
        return f"at least {function.least} arguments"
    if function.least == function.most:
        return f"{function.least} argument{'s' if function.least != 1 else ''}"
    return f"{function.least} to {function.most} arguments"

"""The contract of scalar functions: typed arguments in, a typed SQL expression out.

Each module of `treering.query.functions` has `FUNCTIONS`, a mapping from lower-case PPL name (aliases included) to
`Function`. A function sees only types and syntax nodes; it never sees rows, and never builds SQL from text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlglot import exp

from treering.query.types import Type

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MISSING = object()


@dataclass(frozen=True, slots=True)
class Typed:
    """An SQL expression and its PPL type.

    `value` is the Python value of a literal, else `MISSING`; `element` is the type of an array's items where known.
    Timestamps are TIMESTAMP_NS, dates DATE, times TIME_NS, arrays and structs JSON (see `treering.query.types.SQL`).
    `INTERVAL 3 DAY` has the type INTERVAL, the amount as `sql` (and `value`) and "DAY" as `unit`. Bare words that some
    functions take (`extract(YEAR FROM x)`, `timestampadd(DAY, …)`) arrive as upper-case string literals.
    """

    sql: exp.Expression
    type: Type
    value: Any = MISSING
    element: Type | None = None
    unit: str | None = None


@dataclass(frozen=True, slots=True)
class Lambda:
    """An argument with parameters, such as `(acc, x) -> acc + x`.

    `lower` takes one `Typed` per name in `names` and returns the body with them in place, so a function may bind the
    parameters to whatever SQL it needs (`exp.column(…)` of a DuckDB lambda). It raises `UserError` like any expression.
    """

    names: tuple[str, ...]
    lower: Callable[[Sequence[Typed]], Typed]


Argument: TypeAlias = Typed | Lambda


@dataclass(frozen=True, slots=True)
class Context:
    """What a function may know of the query: the instant it started (`now()`) and its time zone name.

    Without `all_joins`, right, full and cross joins are refused, as OpenSearch does until a setting allows them.
    """

    now_ns: int
    zone: str = "UTC"
    all_joins: bool = True


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function: how many arguments it takes, and how it is lowered.

    `most` None means any number. `lower` may raise `UserError` (without a place: the caller adds it). An argument
    written as a lambda arrives as `Lambda`. With `each` set, the argument at that position is an expression over one
    item of the first argument (`mvmap(items, items * 2)`): it arrives as a `Lambda` of one name, the first field that
    the first argument reads. With `lenient` set, fields that do not exist are NULL of type UNDEFINED (`coalesce`).
    """

    least: int
    most: int | None
    lower: Callable[[Sequence[Any], Context], Typed]
    each: int | None = None
    lenient: bool = False

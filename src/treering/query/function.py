"""The contract of scalar functions: typed arguments in, a typed SQL expression out.

Each module of `treering.query.functions` has `FUNCTIONS`, a mapping from lower-case PPL name (aliases included) to
`Function`. A function sees only types and syntax nodes; it never sees rows, and never builds SQL from text.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

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
    """

    sql: exp.Expression
    type: Type
    value: Any = MISSING
    element: Type | None = None


@dataclass(frozen=True, slots=True)
class Context:
    """What a function may know of the query: the instant it started (`now()`) and its time zone name."""

    now_ns: int
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Function:
    """A scalar function: how many arguments it takes, and how it is lowered.

    `most` None means any number. `lower` may raise `UserError` (without a place: the caller adds it).
    """

    least: int
    most: int | None
    lower: Callable[[Sequence[Typed], Context], Typed]

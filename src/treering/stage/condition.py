"""Conditions on the fields of a scan, as a tree that a store can put into its own language.

They mean what the query's SQL means: a condition on a field without a value is neither true nor false, `Negated` leaves
it so, and a row is wanted when the whole is true. `ANYTHING` stands for a part that has no form here: it may be true,
false or neither for any row. A store that cannot answer a part exactly may answer it by more rows, never by fewer; the
query's own SQL decides about each row again.

Values are those of the field's type in PPL (`treering.query.types`): texts, numbers, truth values, addresses as texts
and instants as whole nanoseconds since the epoch.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

Value: TypeAlias = str | int | float | bool


class Gap(Enum):
    """What may stand between texts in a form: one character, or any number of them."""

    ONE = "one"
    ANY = "any"


ONE, ANY = Gap.ONE, Gap.ANY


@dataclass(frozen=True, slots=True)
class Constant:
    """True or false for every row; None says that nothing is known."""

    truth: bool | None


ANYTHING = Constant(None)
TRUE, FALSE = Constant(True), Constant(False)


@dataclass(frozen=True, slots=True)
class Every:
    """All parts are true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """One of the parts is true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Negated:
    """The part is false."""

    part: Condition


@dataclass(frozen=True, slots=True)
class Known:
    """The part is true; where it is neither, this is false."""

    part: Condition


@dataclass(frozen=True, slots=True)
class OneOf:
    """The field's value, or in a list one of its items, equals one of the values."""

    field: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """The field's value lies between two bounds; None is open. Texts are ordered by their bytes in UTF-8."""

    field: str
    low: Value | None = None
    high: Value | None = None
    low_included: bool = True
    high_included: bool = True


@dataclass(frozen=True, slots=True)
class Present:
    """The field has a value."""

    field: str


@dataclass(frozen=True, slots=True)
class Network:
    """The address lies in a network such as `10.0.0.0/8`."""

    field: str
    network: str


@dataclass(frozen=True, slots=True)
class HasWords:
    """A text has words of the standard analyzer, given in lower case: `least` of them, or all in a row if `phrase`.

    With `prefix` the last one may go on.
    """

    field: str
    words: tuple[str, ...]
    least: int = 1
    phrase: bool = False
    prefix: bool = False


@dataclass(frozen=True, slots=True)
class HasForm:
    """A text is made of these parts in this order: texts, `ONE` for one character, `ANY` for any number of them.

    The text is the whole value, or with `word` (of an analysed text) one of its words. `exact` says that it is no more
    than that; otherwise what is asked for has this form, but not all that has this form is asked for.
    """

    field: str
    parts: tuple[str | Gap, ...]
    any_case: bool = False
    word: bool = False
    exact: bool = True


Condition: TypeAlias = (
    Constant | Every | Either | Negated | Known | OneOf | Within | Present | Network | HasWords | HasForm
)


class Meaning:
    """What a node of SQL means, to be kept with it; copies of the node share it."""

    __slots__ = ("condition",)

    def __init__(self, condition: Condition) -> None:
        """Mean `condition`."""
        self.condition = condition

    def __deepcopy__(self, memo: object) -> Meaning:
        """Return itself: it never changes."""
        return self


def every(parts: Iterable[Condition]) -> Condition:
    """Return that all parts are true, without those that always are."""
    kept = tuple(dict.fromkeys(part for part in parts if part != TRUE))
    if not kept:
        return TRUE
    return kept[0] if len(kept) == 1 else Every(kept)


def either(parts: Iterable[Condition]) -> Condition:
    """Return that one of the parts is true, without those that never are."""
    kept = tuple(dict.fromkeys(part for part in parts if part != FALSE))
    if not kept:
        return FALSE
    return kept[0] if len(kept) == 1 else Either(kept)

"""Conditions that a store may decide by itself, made only when a store asks for them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from sqlglot import exp

if TYPE_CHECKING:
    from collections.abc import Callable


class Told(Sequence[exp.Expression]):
    """Those of some conditions that have nodes whose meaning is told, each as `form` gives it."""

    def __init__(
        self, conditions: Sequence[exp.Expression], form: Callable[[exp.Expression], exp.Expression | None]
    ) -> None:
        """Ask `form` when somebody asks; None leaves a condition out."""
        self._conditions, self._form = tuple(conditions), form
        self._made: tuple[exp.Expression, ...] | None = None

    def _all(self) -> tuple[exp.Expression, ...]:
        if self._made is None:
            told = [
                condition for condition in self._conditions if any("leaf" in node.meta for node in condition.walk())
            ]
            self._made = tuple(made for made in map(self._form, told) if made is not None)
        return self._made

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._all())

    @overload
    def __getitem__(self, place: int) -> exp.Expression: ...

    @overload
    def __getitem__(self, place: slice) -> Sequence[exp.Expression]: ...

    def __getitem__(self, place: int | slice) -> exp.Expression | Sequence[exp.Expression]:
        """Return one of them."""
        return self._all()[place]

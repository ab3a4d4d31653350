"""Which shapes of messages are worth mining: those of programs' statements, not those of prose.

What a program prints comes again; what people and models write does not. A new shape is admitted at its first
appearance while few shapes are on trial, that is have not come a second time; else at its second. So prose soon fills
the trial and costs next to nothing, while a new statement in a log is known at once. Mining is paid from a credit that
grows with the rows, which bounds it whatever the log says.
"""

from __future__ import annotations

ROWS_A_SHAPE = 64
MOST_CREDIT = 2048
MOST_TRIALS = 1024
_MOST_ONCE = 100_000
_PATIENCE = 1024


class Admission:
    """Decides about unknown shapes, each named by a hash."""

    def __init__(self) -> None:
        """Begin with full credit and an empty trial."""
        self._credit = float(MOST_CREDIT)
        self._trial: dict[int, None] = {}
        self._once: dict[int, None] = {}
        self._waited = 0

    def earn(self, rows: int) -> None:
        """Add the credit of `rows` messages; who was long on trial makes room for others."""
        self._credit = min(MOST_CREDIT, self._credit + rows / ROWS_A_SHAPE)
        self._waited += rows
        while self._waited >= _PATIENCE:
            self._waited -= _PATIENCE
            if self._trial:
                del self._trial[next(iter(self._trial))]

    def seen(self, shape: int) -> None:
        """Note that an admitted shape came again."""
        self._trial.pop(shape, None)

    def admits(self, shape: int, *, repeated: bool, likely: bool) -> bool:
        """Whether to mine an unknown shape.

        `repeated` says that it is there more than once already, `likely` that it looks like a program's statement.
        """
        if self._credit < 1:
            return False
        if not repeated and shape not in self._once:
            if not likely or len(self._trial) >= MOST_TRIALS:
                self._once[shape] = None
                if len(self._once) > _MOST_ONCE:
                    del self._once[next(iter(self._once))]
                return False
            self._trial[shape] = None
        self._once.pop(shape, None)
        self._credit -= 1
        return True

"""Bulk bodies as most senders write them: documents that are alike, without ids, all with the same action.

Such a body is decoded by the shape that earlier documents of the same index had. Anything else about a body, or in it,
sends it the general way.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.model.batch import shaped_batch
from treering.model.columns import MILLISECOND
from treering.model.shapes import Learner
from treering.receive import _bulk_lines
from treering.receive._bulk_plan import Group, Place, Plan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.batch import Batch
    from treering.model.shapes import Shape
    from treering.receive._bulk_lines import Action, Item
    from treering.receive._bulk_plan import Failure
    from treering.receive._indices import Indices

_WORTH_IT = 32  # documents; fewer are decoded as fast without a shape
_MOST_SHAPES = 256


class Shapes:
    """The shapes of the documents of each index; safe to use from any thread."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._known: dict[str, Learner] = {}

    def read(self, body: bytes, default_index: str | None) -> tuple[Action, list[Any], Shape] | None:
        """Return a body's one action and its decoded documents, or None when it is not of that kind."""
        lines = body.split(b"\n")
        if len(lines) < 2 * _WORTH_IT or lines.pop() or len(lines) % 2 or not lines[0].strip():
            return None
        if len(set(lines[::2])) > 1:
            return None
        action = _bulk_lines.read_action(lines[0], 1, default_index)
        if action.id is not None or action.operation not in ("index", "create"):
            return None
        known = self._known.get(action.target)
        shape = known.shape if known else None
        if known is None or shape is None:
            return None
        rows = shape.decode(lines[1::2])
        if rows is None:
            known.missed()
            return None
        known.fitted()
        return action, rows, shape

    def learn(self, items: Sequence[Item]) -> None:
        """Learn from a body that went the general way."""
        action = items[0].action
        if len(items) < _WORTH_IT or any(item.action is not action for item in items):
            return
        known = self._known.get(action.target)
        if known is None:
            if len(self._known) >= _MOST_SHAPES:
                return
            known = self._known[action.target] = Learner()
        known.learn([item.document for item in items if item.document is not None])


class _Rows(Group):
    """The documents of a body, as structs."""

    __slots__ = ("_rows", "_shape")

    def __init__(self, action: Action, rows: list[Any], shape: Shape, indices: Indices | None, now_ns: int) -> None:
        super().__init__(action.target, indices, now_ns)
        self._rows = rows
        self._shape = shape

    def batch(self, now_ns: int) -> Batch | None:
        if self.problem:
            return None
        return shaped_batch(self.stream, self._rows, self._shape, received_ns=now_ns, unit_ns=MILLISECOND)


class AlikePlan(Plan):
    """A plan of documents that all go to one index and were all decoded."""

    def __init__(self, action: Action, rows: list[Any], shape: Shape, indices: Indices | None, now_ns: int) -> None:
        """Make one batch of all rows."""
        self._all = _Rows(action, rows, shape, indices, now_ns)
        super().__init__([_bulk_lines.Item(action)] * len(rows), indices, now_ns)

    def place_all(self) -> list[Place | Failure]:
        """Return nothing yet: mostly nobody asks for places one by one."""
        self.groups[self.items[0].action.target] = self._all
        return []

    @property
    def places(self) -> list[Place | Failure]:
        """What becomes of each item."""
        if self._all.problem:
            return [self.place(action, document, problem) for action, document, problem in self.items]
        return [Place(self._all, row) for row in range(len(self.items))]

    @property
    def failures(self) -> int:
        """How many items are not done: all or none."""
        return len(self.items) if self._all.problem else 0

    @property
    def seqs(self) -> range:
        """The `_seq` of each item, once the batch is stored."""
        return range(self._all.first, self._all.first + len(self.items))

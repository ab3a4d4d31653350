"""What a bulk request does to the streams: rows to append by stream, and what becomes of each item."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treering.core.errors import UserError
from treering.model.batch import Batch, batch
from treering.model.columns import MILLISECOND
from treering.receive import _elastic, _index_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.receive._bulk_lines import Action, Item
    from treering.receive._indices import Indices


class Failure(NamedTuple):
    """An item that is not done: its status and the error's inner object."""

    status: int
    cause: dict[str, Any]


class Place(NamedTuple):
    """An item that is done: its row in `group`, or (without a group) the `_seq` it is about."""

    group: Group | None
    row: int
    result: str = "created"
    status: int = 201
    version: int = 1

    @property
    def seq(self) -> int:
        """The `_seq` of the item's row, once the batches are stored."""
        return self.row if self.group is None else self.group.seq(self.row)


class Group:
    """The documents of a request that go to one stream."""

    __slots__ = ("_moved", "first", "ids", "problem", "records", "stream")

    def __init__(self, index: str, indices: Indices | None, now_ns: int) -> None:
        """Find out which stream `index` means; `problem` says why none."""
        self.records: list[Mapping[str, Any] | None] = []
        self.ids: list[str | None] = []
        self.first = 0
        self.stream = index
        self.problem: str | None = None
        self._moved: list[int] = []
        try:
            if indices is not None:
                self.stream = indices.resolve(index)
                indices.ensure(self.stream)
            else:
                self.stream = _index_names.resolve(index, now_ns)
                if problem := _index_names.problem(self.stream):
                    self.problem = f"Invalid index name [{index[:255]}], {problem}"
        except UserError as error:
            self.problem = error.message

    def add(self, document: Mapping[str, Any], identifier: str | None) -> int:
        """Append a document; returns its row."""
        self.records.append(document)
        self.ids.append(identifier)
        return len(self.records) - 1

    def replace(self, row: int) -> None:
        """Take a row out again: a later item of the same request has replaced or deleted it."""
        self.records[row] = None

    def batch(self, now_ns: int) -> Batch | None:
        """Return the rows as a batch, None without any."""
        kept = self.records
        if None in kept:
            place = 0
            for record in kept:
                self._moved.append(place)
                place += record is not None
            self.ids = [one for one, record in zip(self.ids, kept, strict=True) if record is not None]
            kept = [record for record in kept if record is not None]
        rows: Any = kept
        return batch(self.stream, rows, received_ns=now_ns, ids=self.ids, unit_ns=MILLISECOND) if kept else None

    def seq(self, row: int) -> int:
        """Return the `_seq` of a row."""
        return self.first + (self._moved[row] if self._moved else row)


class Plan:
    """A request's items, where each went, and what to store."""

    def __init__(self, items: list[Item], indices: Indices | None, now_ns: int) -> None:
        """Place every item."""
        self.items = items
        self.indices = indices
        self.now_ns = now_ns
        self.groups: dict[str, Group] = {}
        self.tombstones: dict[str, list[int]] = {}
        self._places = self.place_all()
        made = [(group, group.batch(now_ns)) for group in self.groups.values()]
        self._stored = [(group, rows) for group, rows in made if rows is not None]

    @property
    def places(self) -> list[Place | Failure]:
        """What becomes of each item."""
        return self._places

    @property
    def batches(self) -> list[Batch]:
        """What is to be appended."""
        return [rows for _, rows in self._stored]

    @property
    def failures(self) -> int:
        """How many items are not done."""
        return sum(type(place) is Failure for place in self.places)

    def number(self, first: int) -> None:
        """Tell each group the `_seq` of its first row; batches are numbered in their order."""
        for group, rows in self._stored:
            group.first = first
            first += rows.rows

    def place_all(self) -> list[Place | Failure]:
        """Return what becomes of each item."""
        return [self.place(action, document, problem) for action, document, problem in self.items]

    def place(self, action: Action, document: dict[str, Any] | None, problem: str | None) -> Place | Failure:
        """Return what becomes of one item that creates a document."""
        group = self.group(action.target)
        if group.problem:
            return Failure(400, _elastic.cause(_elastic.BAD_NAME, group.problem))
        if document is None:
            reason = problem or f"{action.operation} needs a store that finds documents by id"
            return Failure(400, _elastic.cause(_elastic.PARSING, reason))
        return Place(group, group.add(document, action.id))

    def group(self, target: str) -> Group:
        """Return the group of an index name."""
        group = self.groups.get(target)
        if group is None:
            group = self.groups[target] = Group(target, self.indices, self.now_ns)
        return group

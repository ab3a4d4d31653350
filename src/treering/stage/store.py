"""The store's contract: batches in, durable; scans and queries out.

Must: make every row of `append` durable before returning, or raise and keep none of them; show appended rows to the
next query; answer `Retryable` when it has no room now and `Permanent` when it never will; survive a killed process with
exactly the acknowledged rows. Must not: reorder the rows of one stream as `_seq` counts them; block `append` behind a
query. May: keep rows in any form and place; merge, sort and index them later.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from treering.stage.condition import ANYTHING

if TYPE_CHECKING:
    import threading
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from sqlglot import exp

    from treering.model.batch import Batch
    from treering.model.schema import StreamSchema
    from treering.stage.condition import Condition


@dataclass(frozen=True, slots=True)
class Tokens:
    """A necessary condition on the words of a row, used only to skip blocks that cannot match.

    `op` is "and", "or" (over `parts`) or "token" / "prefix" / "substring" (with lower-case `text`, one token or a part
    of one) or "form" (one token of ASCII in which each # is one or more digits), in any string field, or in `field` if
    given. A token is a run of ASCII letters, digits and underscores, or
    of characters beyond ASCII. A row that does not satisfy the condition is never in the answer; a row that does may
    still be filtered by the query itself.
    """

    op: str
    text: str = ""
    field: str | None = None
    parts: tuple[Tokens, ...] = ()


@dataclass(frozen=True, slots=True)
class SortKey:
    """A field that orders rows."""

    field: str
    descending: bool = False
    nulls_first: bool = True


@dataclass(frozen=True, slots=True)
class Scan:
    """What a query reads of the store.

    `streams` are names or patterns with `*`; a leading `-` excludes. `fields` are logical names; the scan's table has
    exactly these columns, typed by the mapping (see `treering.query.types`), NULL where a record lacks them. `_id`,
    `_seq`, `_time` and `_index` can be asked for by name. `start_ns` (included) and `end_ns` (excluded) bound `_time`.
    With `newest` set, only the rows with the greatest `_time` are needed: the store may stop once it has that many that
    satisfy `where`, an expression over the scan's own columns. The fields in `sought` are looked at only for the words
    of `sought_for`: where none of those words can be in such a field, it may be NULL.

    `filter` is what the query demands of a row, for stores with a query language of their own (see
    `treering.stage.condition`): rows for which it is not true are not needed. It is `ANYTHING` where nothing is
    said. With `first` set, of the rows for which it is true only that many are needed, the first ones in the order of
    `keys` and then of `_seq`; with `per`, so many of each combination of the values of these fields, and none that
    lacks one of them.

    `demands` are conditions over the scan's own columns that every needed row satisfies. Nodes in them have their
    meaning as `meta["leaf"]`, a `treering.stage.condition.Meaning`. A store that sees to a demand by itself puts true
    in its place in the query's SQL, where the node has the same `meta["demand"]`.
    """

    streams: tuple[str, ...]
    fields: tuple[str, ...]
    start_ns: int | None = None
    end_ns: int | None = None
    tokens: Tokens | None = None
    where: exp.Expression | None = None
    newest: int | None = None
    filter: Condition = ANYTHING
    first: int | None = None
    keys: tuple[SortKey, ...] = ()
    per: tuple[str, ...] = ()
    sought: tuple[str, ...] = ()
    sought_for: tuple[Tokens, ...] = ()
    demands: Sequence[exp.Expr] = ()


@dataclass(frozen=True, slots=True)
class ResultColumn:
    """A column of an answer: its name and its type as PPL prints it (`bigint`, `timestamp`, …).

    With `json` set its values are JSON texts: lists and objects, also in a field whose declared type is a scalar's.
    An `optional` column is left out of an answer in which it has no value. `nested` has the dates among the members of
    a nested field's items, as path and format; None where items are no such objects.
    """

    name: str
    type: str
    json: bool = False
    optional: bool = False
    nested: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Word:
    """A word, and the fields of a scan in which it is looked for: in `texts` among the words, in `wholes` as the value.

    It is one lower-case run of ASCII letters, digits and underscores, and a word of Lucene's standard analyzer.
    """

    text: str
    texts: frozenset[str]
    wholes: frozenset[str]


@dataclass(frozen=True, slots=True)
class GroupKey:
    """A field that rows are grouped by, null being a value, and the group table's column of the same name.

    With a `step`, values are rounded down to the nearest of `origin` and its neighbours `step` apart: nanoseconds of
    instants, whole numbers of numbers.
    """

    field: str
    step: int | None = None
    origin: int = 0


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of the group table about the rows of a group.

    `kind` is "rows" (how many), or of a field's values "count", and where there are any "sum", "min" or "max", null
    otherwise.
    """

    column: str
    kind: str
    field: str = ""


@dataclass(frozen=True, slots=True)
class Groups:
    """What may stand in a query for the rows of a scan: groups of them, for stores that can make those by themselves.

    The group table has a row for each combination of `keys` that some wanted row has, without keys one row if there is
    any. Where the query's SQL has a SELECT with `table` as its `meta["groups"]`, `sql` over the group table gives the
    same rows, provided that the groups are of exactly the rows for which `sure` is true, and of all rows that the
    scan's `filter` asks for.
    """

    scan: str
    table: str
    keys: tuple[GroupKey, ...]
    metrics: tuple[Metric, ...]
    sure: Condition
    sql: exp.Select

    def put_into(self, sql: exp.Query) -> exp.Query:
        """Return a query with the SQL over groups in the place of that over rows."""

        def step(node: exp.Expression) -> exp.Expression:
            return self.sql.copy() if node.meta.get("groups") == self.table else node

        return sql.copy().transform(step)  # type: ignore[return-value]


@dataclass(frozen=True, slots=True)
class Query:
    """A query ready to run: an SQL syntax tree over the tables that `scans` name; `groups` may take their place.

    `text` is what a person wrote, where a person did. With `counts` the answer is one number, that of the rows of the
    only scan that have the word in one of its fields: a store that keeps counts need not look at the rows.
    """

    sql: exp.Query
    scans: Mapping[str, Scan]
    columns: tuple[ResultColumn, ...]
    text: str = ""
    groups: Sequence[Groups] = ()
    counts: Word | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one query may use; beyond it the store raises `UserError` naming the limit.

    `scanned_bytes` are those of the files it would read by the plan's estimate; None sets no limit.
    """

    rows: int = 10_000
    seconds: float = 60.0
    memory_bytes: int = 1 << 30
    scanned_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """An answer: columns and rows of Python values; timestamps are nanoseconds since the epoch (int)."""

    columns: tuple[ResultColumn, ...]
    rows: list[tuple[Any, ...]]
    rows_scanned: int = 0
    bytes_scanned: int = 0
    cpu_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class StreamInfo:
    """What `_cat/indices` and the page's stream list show."""

    name: str
    rows: int
    bytes: int
    first_ns: int | None = None
    last_ns: int | None = None
    mapping: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class Claimed(Protocol):
    """A store that several machines can reach, of which one may write."""

    def claim(self) -> None:
        """Become the one writer. Raises `UserError` naming the process that is."""
        ...


class Store(Protocol):
    """Keeps records and answers queries. All methods may be called from any thread."""

    def append(self, batches: Sequence[Batch], tombstones: Mapping[str, Sequence[int]] = ...) -> int:
        """Make all rows durable and return the `_seq` of the first one, the others following in order.

        `tombstones` maps streams to the `_seq`s of records that cease to be in the same step: a document that replaces
        another names it here. Raises `Retryable` when there is no room now; nothing of the call is kept then.
        """
        ...

    def find_ids(self, stream: str, ids: Collection[str]) -> Mapping[str, int]:
        """Return the `_seq` of the live record of each `_id` that has one.

        Who decides by the answer what to append must not let another writer of ids in between.
        """
        ...

    def erase(self, scan: Scan) -> int:
        """Delete the records that are in `scan` and satisfy its `where`; returns how many."""
        ...

    def streams(self, pattern: str = "*") -> list[StreamInfo]:
        """Return the streams that match, by name."""
        ...

    def schema(self, streams: Sequence[str]) -> StreamSchema:
        """Return the merged schema of the streams that match. Raises `UserError` when none does."""
        ...

    def run(self, query: Query, limits: Limits, cancel: threading.Event | None = None) -> Result:
        """Answer a query. Raises `UserError` at a limit or a value the query cannot handle."""
        ...

    def create(self, stream: str, mapping: Mapping[str, Any]) -> None:
        """Create an empty stream with an OpenSearch mapping. Raises `UserError` when it exists."""
        ...

    def put_mapping(self, stream: str, mapping: Mapping[str, Any]) -> None:
        """Add fields to a stream's mapping. Raises `UserError` on a change of type."""
        ...

    def delete(self, stream: str) -> bool:
        """Delete a stream with all its records; returns whether it existed."""
        ...

    def record(self, stream: str, seq: int) -> Mapping[str, Any] | None:
        """Return one record as its sender wrote it, or None."""
        ...

    def records(self, stream: str, seqs: Sequence[int]) -> Mapping[int, Mapping[str, Any]]:
        """Return the records with these numbers as their senders wrote them, by number; those gone are left out."""
        ...

    def newest_seq(self) -> int:
        """Return the `_seq` of the record appended last, -1 before the first."""
        ...

    def tail(self, after_seq: int) -> Iterator[Batch]:
        """Yield appended batches newer than `after_seq` that are still in memory, with their `_seq` column."""
        ...

    def since(self, after_seq: int, most: int, streams: Sequence[str] = ("*",)) -> tuple[int, list[Batch]]:
        """Return a position and all rows of `streams` numbered above `after_seq` up to it, wherever they are kept.

        At most `most` numbers are covered, so that a follower that is far behind reads in bounded steps. The batches
        carry their `_seq` column, one batch a stream, in the order of their first row. A position equal to `after_seq`
        says that there is nothing newer. Rows that were deleted meanwhile are left out.
        """
        ...

    def health(self) -> Mapping[str, Any]:
        """Return rows, bytes, files, damaged parts and their reasons, for `treering doctor`."""
        ...

    def close(self) -> None:
        """Write what is only in memory and release the directory."""
        ...

"""Records to typed columns and back, without losing a value.

A leaf of a record is stored in the physical column `<pointer>:<kind>`. The pointer is the path to it as a JSON Pointer
(RFC 6901) without its first slash, so `{"a.b": 1}` and `{"a": {"b": 1}}` stay different; the field's logical name, as
queries use it, joins the same path with dots. The kind is one letter (see `Kind`): a name that carries two types has
two columns. What no column can hold (explicit nulls, empty objects, names beyond the limit) is in `_rest`, a JSON
object from pointer to value.

Every table also has `_time` (nanoseconds; the record's `@timestamp`, else when it was received) and may have `_id`.

What treering itself finds out about a record on its way in (`treering.stage.enricher`) is in columns of our own: their
pointers begin with `~/`, which no escaped name of a sender's can. Queries find them under the rest of the pointer, and
no record that is read back contains them. Where a sender's value was moved to another name, `_origin` tells which it
had: a JSON object from the pointer as stored to the pointer as sent.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec
from arro3.core import Array, DataType, Field, RecordBatch, Schema

from treering.model.times import MAX_NS, MIN_NS, instants, parse_texts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

TIME, ID, SEQUENCE, REST, ORIGIN = "_time", "_id", "_seq", "_rest", "_origin"
OWN = "~/"
MAX_COLUMNS = 1024
MAX_DEPTH = 32
NANOSECOND, MILLISECOND = 1, 1_000_000
_I64 = 2**63


class Kind(StrEnum):
    """The physical type of a column."""

    LONG = "l"
    DOUBLE = "d"
    STRING = "s"
    BOOLEAN = "b"
    TIME = "t"
    JSON = "j"


ARROW: dict[Kind, DataType] = {
    Kind.LONG: DataType.int64(),
    Kind.DOUBLE: DataType.float64(),
    Kind.STRING: DataType.utf8(),
    Kind.BOOLEAN: DataType.bool(),
    Kind.TIME: DataType.timestamp("ns"),
    Kind.JSON: DataType.utf8(),
}
SYSTEM: dict[str, DataType] = {
    TIME: DataType.timestamp("ns"),
    ID: DataType.utf8(),
    SEQUENCE: DataType.int64(),
    REST: DataType.utf8(),
    ORIGIN: DataType.utf8(),
}
_OF_TIMES = frozenset({Kind.STRING, Kind.LONG})
_SCALARS = {bool: Kind.BOOLEAN, int: Kind.LONG, float: Kind.DOUBLE, str: Kind.STRING}


def escape(name: str) -> str:
    """Return one path step as a JSON Pointer token."""
    return name.replace("~", "~0").replace("/", "~1") if "~" in name or "/" in name else name


def unescape(token: str) -> str:
    """Return the path step of a JSON Pointer token."""
    return token.replace("~1", "/").replace("~0", "~") if "~" in token else token


def split(physical: str) -> tuple[str, Kind]:
    """Return pointer and kind of a physical column name such as `attributes/http.route:s`."""
    pointer, _, letter = physical.rpartition(":")
    return pointer, Kind(letter)


def logical(pointer: str) -> str:
    """Return the field name that queries use for a pointer: its steps joined with dots."""
    pointer = pointer.removeprefix(OWN)
    if "/" not in pointer and "~" not in pointer:
        return pointer
    return ".".join(unescape(token) for token in pointer.split("/"))


def of_sender(physical: str) -> bool:
    """Whether a physical column holds what senders wrote, rather than what every table has or we found out."""
    return physical not in SYSTEM and not physical.startswith(OWN)


class Spreader:
    """Collects the columns of one set of records; those that are whole Arrow arrays already stay so."""

    def __init__(self, count: int, is_time: Callable[[str], bool], unit_ns: int, max_columns: int) -> None:
        """Take in `count` records; the other arguments are those of `from_records`."""
        self.count = count
        self.is_time = is_time
        self.unit_ns = unit_ns
        self.max_columns = max_columns
        self.columns: dict[str, Any] = {}
        self.rest: dict[int, dict[str, Any]] = {}

    def spread(self, prefix: str, rows: Sequence[Mapping[str, Any] | None]) -> None:
        """Turn the members of each row's object, if it has one, into columns."""
        found: dict[str, list[Any]] = {}
        sparse: dict[str, list[tuple[int, Any]]] = {}
        for index, row in enumerate(rows):
            for name, value in row.items() if row else ():
                column = found.get(name)
                if column is None:
                    if len(found) >= self.max_columns:
                        sparse.setdefault(name, []).append((index, value))
                        continue
                    found[name] = column = [None] * self.count
                column[index] = value
                if value is None:
                    self.rest.setdefault(index, {})[prefix + escape(name)] = None
        for name, column in found.items():
            self.place(prefix + escape(name), column)
        for name, items in sparse.items():
            for index, value in items:
                self.rest.setdefault(index, {})[prefix + escape(name)] = value

    def place(self, pointer: str, values: list[Any]) -> None:
        """Put one member's values into the columns of their kinds."""
        kinds = set(map(type, values))
        kinds.discard(type(None))
        if kinds == {str} and self.is_time(logical(pointer)):
            self.place_times(pointer, values)
        elif len(kinds) == 1 and (kind := _SCALARS.get(next(iter(kinds)))) and kind is not Kind.LONG:
            self.put(pointer, kind, values)
        elif kinds == {int} and self.is_time(logical(pointer)):
            self.place_numbers(pointer, values)
        elif kinds == {int} and _fits(values, 1):
            self.put(pointer, Kind.LONG, values)
        elif kinds == {dict} and all(value or value is None for value in values):
            self.place_objects(pointer, values)
        elif kinds:
            self.place_mixed(pointer, values)

    @property
    def has_room(self) -> bool:
        """Whether one more column is allowed."""
        return len(self.columns) < self.max_columns

    def keep(self, index: int, pointer: str, value: Any) -> None:
        """Put what no column can hold, of row `index`, into the rest."""
        self.rest.setdefault(index, {})[pointer] = value

    def place_alike(self, pointer: str, values: Sequence[Any], kind: Kind) -> None:
        """Put values that are all of one scalar kind, or None, into its column; faster than `place`."""
        try:
            column = Array(values, ARROW[kind])
        except OverflowError:
            self.place(pointer, list(values))
            return
        self.place_array(pointer, column, kind)

    def place_array(self, pointer: str, column: Array, kind: Kind) -> None:
        """Put an Arrow array of one scalar kind into its column."""
        time = kind in _OF_TIMES and self.is_time(logical(pointer))
        if not self.has_room or (time and (kind is Kind.STRING or self.unit_ns != 1)):
            self.place(pointer, list(column.to_pylist()))
        elif column.null_count < len(column):
            held = Kind.TIME if time else kind
            self.columns[f"{pointer}:{held.value}"] = column.cast(ARROW[held]) if time else column

    def place_times(self, pointer: str, values: list[Any]) -> None:
        """Convert texts that name an instant; the others stay texts."""
        if self.has_room and (whole := instants(values)) is not None:
            self.columns[f"{pointer}:{Kind.TIME.value}"] = whole
            return
        places = [index for index, value in enumerate(values) if value is not None]
        parsed = parse_texts([values[index] for index in places], self.unit_ns)
        times: list[int | None] = [None] * self.count
        texts: list[str | None] = [None] * self.count
        for index, instant in zip(places, parsed, strict=True):
            if instant is None:
                texts[index] = values[index]
            else:
                times[index] = instant
        if None in parsed:
            self.put(pointer, Kind.STRING, texts)
        if any(instant is not None for instant in parsed):
            self.put(pointer, Kind.TIME, times)

    def place_numbers(self, pointer: str, values: list[Any]) -> None:
        """Convert numbers of the sender's unit to instants."""
        if not _fits(values, self.unit_ns):
            self.place_mixed(pointer, values)
        elif self.unit_ns == 1:
            self.put(pointer, Kind.TIME, values)
        else:
            scaled = [None if value is None else value * self.unit_ns for value in values]
            self.put(pointer, Kind.TIME, scaled)

    def place_mixed(self, pointer: str, values: list[Any]) -> None:
        """Split values of several types, objects and lists among them."""
        split: dict[Kind, list[Any]] = {}
        objects: list[Mapping[str, Any] | None] = [None] * self.count
        time = self.is_time(logical(pointer))
        for index, value in enumerate(values):
            if value is None:
                continue
            if isinstance(value, dict):
                if value:
                    objects[index] = value
                else:
                    self.rest.setdefault(index, {})[pointer] = value
                continue
            kind, stored = self.classify(value, time=time)
            split.setdefault(kind, [None] * self.count)[index] = stored
        for kind, column in split.items():
            self.put(pointer, kind, column)
        if any(objects):
            self.place_objects(pointer, objects)

    def place_objects(self, pointer: str, objects: Sequence[Mapping[str, Any] | None]) -> None:
        """Spread objects that have members, or keep them whole where columns or levels run out."""
        if len(self.columns) < self.max_columns and pointer.count("/") < MAX_DEPTH:
            self.spread(pointer + "/", objects)
            return
        for index, value in enumerate(objects):
            if value is not None:
                self.rest.setdefault(index, {})[pointer] = value

    def classify(self, value: Any, *, time: bool) -> tuple[Kind, Any]:
        """Return the kind of one value and the value as its column holds it."""
        if time and isinstance(value, int) and not isinstance(value, bool):
            instant = value * self.unit_ns
            if MIN_NS <= instant <= MAX_NS:
                return Kind.TIME, instant
        if time and isinstance(value, str) and (parsed := parse_texts([value], self.unit_ns)[0]) is not None:
            return Kind.TIME, parsed
        kind = _SCALARS.get(type(value))
        if kind is None or (kind is Kind.LONG and not -_I64 <= value < _I64):
            return Kind.JSON, msgspec.json.encode(value).decode()
        return kind, value

    def put(self, pointer: str, kind: Kind, values: list[Any]) -> None:
        """Keep a column; two spellings of one pointer and columns beyond the limit go to the rest."""
        name = f"{pointer}:{kind.value}"
        # Arrow hands names on as C strings, which end at a NUL.
        if (len(self.columns) >= self.max_columns and name not in self.columns) or "\0" in name:
            for index, value in enumerate(values):
                if value is not None:
                    held = msgspec.Raw(value.encode()) if kind is Kind.JSON else value
                    self.rest.setdefault(index, {})[pointer] = held
            return
        self.columns[name] = values

    def finish(self, received_ns: int, ids: Sequence[str | None] | None = None) -> RecordBatch:
        """Return the columns with the system's; rows without a time have that of receipt."""
        columns: dict[str, tuple[DataType, Any]] = {TIME: (SYSTEM[TIME], self._stamps(received_ns))}
        if ids is not None and any(ids):
            columns[ID] = (SYSTEM[ID], list(ids))
        for name, values in self.columns.items():
            columns[name] = (ARROW[Kind(name[-1])], values)
        if self.rest:
            encoded = [
                None if (left := self.rest.get(index)) is None else msgspec.json.encode(left).decode()
                for index in range(self.count)
            ]
            columns[REST] = (SYSTEM[REST], encoded)
        schema = Schema([Field(name, kind) for name, (kind, _) in columns.items()])
        return RecordBatch.from_arrays([_array(values, kind) for kind, values in columns.values()], schema=schema)

    def _stamps(self, received_ns: int) -> Any:
        stamps = self.columns.get("@timestamp:t")
        if stamps is None:
            return [received_ns] * self.count
        if isinstance(stamps, Array):
            if not stamps.null_count:
                return stamps
            stamps = stamps.cast(DataType.int64()).to_pylist()
        return [received_ns if stamp is None else stamp for stamp in stamps]


def _fits(values: Sequence[int | None], unit: int) -> bool:
    present = [value for value in values if value is not None]
    return min(present) * unit >= -_I64 and max(present) * unit < _I64


def from_records(
    records: Sequence[Mapping[str, Any]],
    *,
    received_ns: int,
    ids: Sequence[str | None] | None = None,
    is_time: Callable[[str], bool] = "@timestamp".__eq__,
    unit_ns: int = NANOSECOND,
    max_columns: int = MAX_COLUMNS,
) -> RecordBatch:
    """Return one row per record as typed columns.

    `is_time` tells which logical names hold instants: their RFC 3339 texts, and numbers of `unit_ns` nanoseconds since
    the epoch, become timestamps; a text that names no instant stays a text. Values must be what JSON has, or floats
    that JSON lacks (NaN, infinities).
    """
    spreader = Spreader(len(records), is_time, unit_ns, max_columns)
    spreader.spread("", records)
    return spreader.finish(received_ns, ids)


def _array(values: Any, kind: DataType) -> Array:
    if isinstance(values, Array):
        return values
    if kind == ARROW[Kind.TIME]:
        return Array(values, DataType.int64()).cast(kind)
    return Array(values, kind)


def to_record(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of one row as its sender wrote it (physical column to value); instants are integers."""
    moved = _moved(text) if (text := row.get(ORIGIN)) else None
    record: dict[str, Any] = {}
    for pointer, value in _leaves(row):
        if moved and (sent := moved.get(pointer)) is not None:
            _insert(record, sent, value)
        elif not pointer.startswith(OWN):
            _insert(record, pointer, value)
    return record


def as_stored(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the record of one row with the names and values that queries see, those we found out included."""
    leaves = list(_leaves(row))
    record: dict[str, Any] = {}
    for pointer, value in leaves:
        if not pointer.startswith(OWN):
            _insert(record, pointer, value)
    for pointer, value in leaves:
        if pointer.startswith(OWN):
            _insert(record, pointer.removeprefix(OWN), value)
    return record


@lru_cache(4096)
def _moved(text: str) -> Mapping[str, str]:
    moved: dict[str, str] = msgspec.json.decode(text)
    return moved


def _leaves(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in row.items():
        if value is None or name in SYSTEM:
            continue
        pointer, kind = split(name)
        yield pointer, msgspec.json.decode(value) if kind is Kind.JSON else value
    if rest := row.get(REST):
        yield from msgspec.json.decode(rest).items()


def _insert(record: dict[str, Any], pointer: str, value: Any) -> None:
    *parents, last = [unescape(token) for token in pointer.split("/")]
    for step in parents:
        below = record.setdefault(step, {})
        if not isinstance(below, dict):  # ours beside a scalar of the sender's
            below = record[step] = {}
        record = below
    record[last] = value

"""The logical schema of a stream: field names and OpenSearch mapping types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treering.model.columns import Kind

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_TIME_FIELDS = {
    "logs": frozenset({"@timestamp", "time", "observedTime"}),
    "spans": frozenset({"@timestamp", "startTime", "endTime", "traceGroupFields.endTime"}),
    "metrics": frozenset({"@timestamp", "time", "startTime"}),
}
_ANY_STREAM = frozenset({"@timestamp"})

# What OpenSearch's dynamic mapping makes of JSON values; instants keep our nanoseconds.
DYNAMIC_TYPES = {
    Kind.STRING: "text",
    Kind.LONG: "long",
    Kind.DOUBLE: "float",
    Kind.BOOLEAN: "boolean",
    Kind.TIME: "date_nanos",
    Kind.JSON: "text",
}


def is_time_field(stream: str, name: str) -> bool:
    """Whether values under the logical `name` in `stream` are instants whatever their spelling."""
    return name in _TIME_FIELDS.get(stream, _ANY_STREAM)


@dataclass(frozen=True, slots=True)
class FieldType:
    """A field as queries see it.

    `type` is an OpenSearch mapping type; `physical` are the columns that its values are read from (empty when only
    mapped; of an object, those of all its members); `format` is a date format of the mapping; `path` is the target of
    an `alias` field. `options` holds what else the mapping says, the `members` of an object, and the `lists` of objects
    (physical columns) in which the field may stand.
    """

    name: str
    type: str
    physical: tuple[str, ...] = ()
    format: str | None = None
    path: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def holds_lists(self) -> bool:
        """Whether some record may hold a list or another non-scalar under this name."""
        return any(name.endswith(f":{Kind.JSON.value}") for name in self.physical if name not in self._above)

    @property
    def _above(self) -> tuple[str, ...]:
        """Lists of objects among whose members this field is; they are read for it, but are not its own."""
        above: tuple[str, ...] = self.options.get("lists", ())
        return above


@dataclass(frozen=True, slots=True)
class StreamSchema:
    """The fields of one or several streams in mapping order, then by first appearance."""

    fields: Mapping[str, FieldType]

    def __iter__(self) -> Iterator[FieldType]:
        """Iterate over the fields."""
        return iter(self.fields.values())

    def get(self, name: str) -> FieldType | None:
        """Return the field called `name`, or None."""
        return self.fields.get(name)

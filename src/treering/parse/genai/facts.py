"""What a dialect is told about one record."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treering.model.times import parse_texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

# Before the name of a derived attribute: it stands instead of what the sender has under that name.
INSTEAD = "!"


@dataclass(frozen=True, slots=True)
class Facts:
    """A record's attributes (dotted names), its span events, and when it started (nanoseconds since the epoch)."""

    attributes: Mapping[str, Any]
    events: Sequence[Any] = ()
    start_ns: int | None = None
    name: str = ""
    body: Any = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    def get(self, *names: str) -> Any:
        """Return the first attribute of these that there is."""
        return next((value for name in names if (value := self.attributes.get(name)) is not None), None)

    def since_start(self, moment: Any) -> float | None:
        """Return the seconds from the start to an instant: nanoseconds, or a text of RFC 3339."""
        if isinstance(moment, str):
            (moment,) = parse_texts([moment], 1)
        if self.start_ns is None or type(moment) is not int or moment < self.start_ns:
            return None
        return (moment - self.start_ns) / 1e9

    def event(self, *names: str) -> float | None:
        """Return the seconds from the start to the first span event of one of these names."""
        for event in self.events:
            if isinstance(event, dict) and event.get("name") in names:
                return self.since_start(event.get("time"))
        return None

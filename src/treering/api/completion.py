"""What could come next in a query: commands after a pipe, streams after `source=`, else fields, functions and words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treering.core import registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from treering.model.schema import FieldType

MOST = 60
_WORD = re.compile(r"[@\w.\-*]*$")
_COMMAND = re.compile(r"(?:^|\|)\s*$")
_SOURCE = re.compile(r"(?:source|index)\s*=\s*(?:[\w.\-*]+\s*,\s*)*$", re.IGNORECASE)
_AGGREGATING = re.compile(r"\|\s*(?:stats|timechart|eventstats|streamstats|chart)\b[^|]*$", re.IGNORECASE)
_AGGREGATES = ("avg", "count", "distinct_count", "first", "last", "max", "min", "percentile", "sum")
_KEYWORDS = (
    "and",
    "as",
    "asc",
    "by",
    "desc",
    "false",
    "in",
    "is null",
    "is not null",
    "like",
    "not",
    "null",
    "or",
    "span",
    "true",
)
_STARTS = ("search", "source=")


def in_text(text: str) -> bool:
    """Whether the end of `text` is inside a quoted text, where nothing is suggested."""
    inside = ""
    skip = False
    for character in text:
        if skip:
            skip = False
        elif inside:
            skip = character == "\\"
            inside = "" if character == inside else inside
        elif character in "\"'":
            inside = character
    return bool(inside)


def complete(text: str, cursor: int, streams: Sequence[str], fields: Iterable[FieldType]) -> dict[str, Any]:
    """Return suggestions at `cursor` and the characters `from` … `to` that one of them would replace (docs/api.md)."""
    before = text[:cursor]
    if in_text(before):
        return {"from": cursor, "to": cursor, "suggestions": []}
    word = found[0] if (found := _WORD.search(before)) else ""
    head = before[: len(before) - len(word)]
    wanted = word.lower()
    matching = [item for item in _candidates(head, streams, fields) if wanted in item["text"].lower()]
    matching.sort(key=lambda item: not item["text"].lower().startswith(wanted))
    return {"from": cursor - len(word), "to": cursor, "suggestions": matching[:MOST]}


def _candidates(head: str, streams: Sequence[str], fields: Iterable[FieldType]) -> Iterator[dict[str, str]]:
    if _SOURCE.search(head):
        yield from (_item(name, "stream") for name in streams)
        return
    if _COMMAND.search(head):
        if "|" not in head:
            yield from (_item(text, "keyword") for text in _STARTS)
        yield from (_item(name, "command", _about(name)) for name in commands())
        if "|" in head:
            return
    yield from (_item(_quoted(field.name), "field", field.type) for field in fields)
    if _AGGREGATING.search(head):
        yield from (_item(f"{name}()", "function", "aggregate") for name in _AGGREGATES)
    elif "|" in head:
        yield from (_item(f"{name}()", "function") for name in functions())
    if "|" in head:
        yield from (_item(word, "keyword") for word in _KEYWORDS)


def _item(text: str, kind: str, detail: str = "") -> dict[str, str]:
    return {"text": text, "kind": kind, "detail": detail}


def _quoted(name: str) -> str:
    return name if re.fullmatch(r"[@A-Za-z_][\w.]*", name) else f"`{name}`"


def commands() -> list[str]:
    """Return the names of the commands that may follow a pipe."""
    return [name for name in registry.names("treering.query.commands") if name != "search"]


def _about(name: str) -> str:
    """Return the first line of what a command says about itself."""
    return (registry.load("treering.query.commands", name).__doc__ or "").strip().partition("\n")[0]


def functions() -> list[str]:
    """Return the names of the scalar functions."""
    group = "treering.query.functions"
    return sorted({name for family in registry.names(group) for name in registry.load(group, family).FUNCTIONS})

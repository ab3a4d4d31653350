"""Who said what in a batch of AI telemetry: messages, instructions, documents, tool calls, each with its role.

Names are the canonical ones of the GenAI semantic conventions (`gen_ai.input.messages` in the parts schema, `gen_ai.*`
message events). Texts that a prompt carries in tags (`<document id="…">…</document>`) are the document's, not the
user's.
"""

from __future__ import annotations

import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.rows import Rows

USER, SYSTEM, ASSISTANT, TOOL, DOCUMENT = "user", "system", "assistant", "tool", "document"
MAX_TEXT = 1_000_000
_ROLES = {
    "user": USER, "human": USER, "system": SYSTEM, "developer": SYSTEM, "assistant": ASSISTANT, "ai": ASSISTANT,
    "model": ASSISTANT, "tool": TOOL, "function": TOOL,
}  # fmt: skip
_MESSAGES = (
    ("attributes.gen_ai.system_instructions", SYSTEM),
    ("attributes.gen_ai.retrieval.documents", DOCUMENT),
    ("attributes.gen_ai.retrieval.query.text", USER),
    ("attributes.gen_ai.input.messages", USER),
    ("attributes.gen_ai.tool.call.arguments", ASSISTANT),
    ("attributes.gen_ai.tool.call.result", TOOL),
    ("attributes.gen_ai.output.messages", ASSISTANT),
)
_EVENTS = {
    "gen_ai.user.message": USER, "gen_ai.system.message": SYSTEM, "gen_ai.assistant.message": ASSISTANT,
    "gen_ai.tool.message": TOOL, "gen_ai.choice": ASSISTANT,
}  # fmt: skip
_CALLS = {"tool_call": ("arguments", ASSISTANT), "tool_call_response": ("response", TOOL)}
_DEPTH = 8
_MOST_DOCUMENTS = 200
_OPENING = re.compile(r"<(document|doc|passage|source|context|search_result|article)\b([^>]{0,300})>")
_ID = re.compile(r"""\b(?:id|name|source|title)=["']?([^"'\s>]{1,120})""")


class Text(NamedTuple):
    """`text` of record number `row`, found in `field`; `source` names its document or tool if the record does."""

    row: int
    role: str
    text: str
    field: str
    source: str = ""


_read_of: WeakKeyDictionary[Rows, tuple[Text, ...]] = WeakKeyDictionary()


def texts(rows: Rows) -> tuple[Text, ...]:
    """Return every text of the batch, field by field, none longer than `MAX_TEXT`. Never raises for odd content.

    They are read once a batch: several detectors look at the same ones.
    """
    found = _read_of.get(rows)
    if found is None:
        found = _read_of[rows] = tuple(_all(rows))
    return found


def _all(rows: Rows) -> Iterator[Text]:
    for name, role in _MESSAGES:
        if rows.has(name):
            for index, value in enumerate(rows.values(name)):
                if value:
                    yield from _read(index, role, name, value)
    for name in ("eventName", "attributes.event.name"):
        if rows.has(name) and (rows.has("body") or any(field.startswith("body.") for field in rows.names)):
            yield from _events(rows, name)


def _events(rows: Rows, name: str) -> Iterator[Text]:
    bodies: Sequence[Any] = rows.values("body") if rows.has("body") else rows.values("body.content")
    for index, event in enumerate(rows.values(name)):
        role = _EVENTS.get(event) if isinstance(event, str) else None
        if role and (body := bodies[index]):
            yield from _read(index, role, "body", body)


def _read(index: int, role: str, field: str, value: object) -> Iterator[Text]:
    if isinstance(value, str) and value[0] in "[{":
        with suppress(msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            value = msgspec.json.decode(value)
    if isinstance(value, str):
        yield from _said(index, role, field, value)
        return
    for item in value if isinstance(value, list) else [value]:
        yield from _item(index, role, field, item)


def _item(index: int, role: str, field: str, item: object, depth: int = 0) -> Iterator[Text]:
    """Read a message, a part of one, or a document."""
    if isinstance(item, str):
        yield from _said(index, role, field, item)
    if not isinstance(item, dict) or depth > _DEPTH:
        return
    named = item.get("role")
    role = _ROLES.get(named, role) if isinstance(named, str) else role
    if item.get("type") in _CALLS:
        yield from _call(index, field, item)
        return
    inner = item.get("parts", item.get("content", item.get("text", item.get("message"))))
    if isinstance(inner, str):
        source = item.get("id", item.get("name", ""))
        yield from _said(index, role, field, inner, source if isinstance(source, str) else "")
    elif isinstance(inner, list | dict):
        for part in inner if isinstance(inner, list) else [inner]:
            yield from _item(index, role, field, part, depth + 1)
    elif role in (TOOL, ASSISTANT) and item:
        yield from _said(index, role, field, _json(item))


def _call(index: int, field: str, item: dict[str, Any]) -> Iterator[Text]:
    key, role = _CALLS[item["type"]]
    inner, source = item.get(key, item.get("result")), item.get("name")
    text = inner if isinstance(inner, str) else _json(inner) if inner else ""
    yield from _said(index, role, field, text, source if isinstance(source, str) else "")


def _json(value: object) -> str:
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return ""


def _said(index: int, role: str, field: str, text: str, source: str = "") -> Iterator[Text]:
    text = text[:MAX_TEXT]
    if role == USER and "</" in text:
        left = []
        at = 0
        for named, start, low, high, end in _tagged(text):
            yield Text(index, DOCUMENT, text[low:high], field, named)
            left.append(text[at:start])
            at = end
        text = "\n".join((*left, text[at:])) if left else text
    if text and not text.isspace():
        yield Text(index, role, text, field, source)


def _tagged(text: str) -> Iterator[tuple[str, int, int, int, int]]:
    """Yield name, start, start and end of the content, end of each document in tags."""
    at = 0
    for _ in range(_MOST_DOCUMENTS):
        opening = _OPENING.search(text, at)
        if opening is None:
            return
        closing = f"</{opening[1]}>"
        found = text.find(closing, opening.end())
        if found < 0:
            return
        named = _ID.search(opening[2])
        at = found + len(closing)
        yield named[1] if named else "", opening.start(), opening.end(), found, at

"""Who said what in a batch of AI telemetry: messages, instructions, documents, tool calls, each with its role.

Names are the canonical ones of the GenAI semantic conventions (`gen_ai.input.messages` in the parts schema, `gen_ai.*`
message events). Texts that a prompt carries in tags (`<document id="…">…</document>`) are the document's, not the
user's.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

import msgspec

from treering.detect._derived import derived

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

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


_SPOKEN = frozenset(name for name, _ in _MESSAGES)
_SENT = (
    "query", "url", "header", "command", "message", "error", "exception", "stack", "config", "env", "payload", "prompt",
    "question",
)  # fmt: skip


Said: TypeAlias = tuple[str, str, str]
"""A role, what it says, and the document or tool that it says it for."""
LIST = msgspec.json.Decoder(list[msgspec.Raw])
"""Reads a list in JSON without reading what is in it."""


class _Part(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["text"]
    content: str


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    role: str
    parts: tuple[_Part]


_MESSAGE = msgspec.json.Decoder(_Message)
"""Reads what nearly all messages are: one text."""


class Text(NamedTuple):
    """`text` of record number `row`, found in `field`; `source` names its document or tool if the record does."""

    row: int
    role: str
    text: str
    field: str
    source: str = ""


@lru_cache(4096)
def is_sent(name: str) -> bool:
    """Whether a field is one of a log record that often holds what was sent."""
    last = name.rpartition("attributes.")[2].lower()
    sent = name.startswith("attributes.") and "gen_ai." not in name and any(part in last for part in _SENT)
    return sent or name == "body"


@lru_cache(4096)
def holds_text(name: str) -> bool:
    """Whether people or models may speak in a field, or it may hold what was sent: those that are looked through."""
    return name in _SPOKEN or name == "body.content" or is_sent(name)


class Source(NamedTuple):
    """Where texts are: a column, what evidence calls it, and who speaks there unless a message says otherwise.

    `roles` are those of each record where that is not the same throughout, None where a record says nothing.
    """

    column: str
    field: str
    role: str
    roles: tuple[str | None, ...] = ()


def sources(rows: Rows) -> list[Source]:
    """Return what of a batch holds texts, in the order in which they are read."""
    return derived(rows, _sources)


def texts(rows: Rows, wanted: Callable[[Source], Iterable[int]] | None = None) -> list[Text]:
    """Return the texts of the batch, field by field, none longer than `MAX_TEXT`. Never raises for odd content.

    `wanted` says of which records of a source, ascending; all if it is not given. What was read for one detector is
    not read again for another.
    """
    return [
        text
        for source in sources(rows)
        for held in _held(rows, source, range(rows.count) if wanted is None else wanted(source))
        for text in held
    ]


def instructing(rows: Rows, column: str, places: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Yield what the system says in messages of the records at `places`, for those in which it says something.

    The other messages are not read; what several records have in common is read once.
    """
    read: dict[tuple[bytes, ...], str] = {}
    for place, value in zip(places, rows.at(column, places) if places else (), strict=True):
        try:
            items = LIST.decode(value) if isinstance(value, str) else [msgspec.Raw(msgspec.json.encode(value))]
        except (msgspec.DecodeError, TypeError, ValueError, RecursionError):
            continue
        chosen = tuple(raw for raw in map(bytes, items) if b'"system"' in raw or b'"developer"' in raw)
        if chosen not in read:
            said = (one for raw in chosen for one in read_item(USER, msgspec.json.decode(raw)))
            read[chosen] = "\n".join(text for role, text, _ in said if role == SYSTEM)
        if read[chosen]:
            yield place, read[chosen]


def every(places: Sequence[int]) -> Callable[[Source], Iterable[int]]:
    """Return what `texts` is to be asked for all texts of the records at `places`."""
    return lambda _: places


def only(source: Source, places: Iterable[int]) -> Callable[[Source], Iterable[int]]:
    """Return what `texts` is to be asked for the records at `places` of one source."""
    return lambda other: places if other == source else ()


class _Read:
    """The texts of a batch that were read: by source and record, of a source by what stands there, and by message."""

    def __init__(self, _: Rows) -> None:
        self.held: dict[tuple[str, str, int], tuple[Text, ...]] = {}
        self.same: dict[tuple[str, str, str], tuple[Text, ...]] = {}
        self.said: dict[tuple[str, bytes], tuple[Said, ...]] = {}

    def items(self, role: str, listed: str) -> list[Said]:
        """Return what a list of messages in JSON says; calls of a conversation repeat what was said before."""
        found: list[Said] = []
        for item in LIST.decode(listed):
            key = role, bytes(item)
            said = self.said.get(key)
            if said is None:
                said = self.said[key] = read_raw(role, key[1])
            found += said
        return found


def _held(rows: Rows, source: Source, places: Iterable[int]) -> list[tuple[Text, ...]]:
    """Return the texts of a source; what several records have in common, as instructions, is read once."""
    known, places = derived(rows, _Read), list(places)
    name = source.column, source.role
    new = [place for place in places if (*name, place) not in known.held]
    for place, value in zip(new, rows.at(source.column, new) if new else (), strict=True):
        role = source.roles[place] if source.roles else source.role
        if not value or not role:
            known.held[*name, place] = ()
        elif isinstance(value, str):
            texts_ = known.same.get((source.column, role, value))
            if texts_ is None:
                texts_ = known.same[source.column, role, value] = _read(known, place, role, source.field, value)
            elif texts_ and texts_[0].row != place:
                texts_ = tuple(text._replace(row=place) for text in texts_)
            known.held[*name, place] = texts_
        else:
            known.held[*name, place] = _read(known, place, role, source.field, value)
    return [known.held[*name, place] for place in places]


def _sources(rows: Rows) -> list[Source]:
    found = [Source(name, name, role) for name, role in _MESSAGES if rows.has(name)]
    for name in ("eventName", "attributes.event.name"):
        if rows.has(name) and (rows.has("body") or any(field.startswith("body.") for field in rows.names)):
            roles = tuple(_EVENTS.get(event) if isinstance(event, str) else None for event in rows.values(name))
            if any(roles):
                found.append(Source("body" if rows.has("body") else "body.content", "body", name, roles))
    return found


def _read(known: _Read, index: int, role: str, field: str, value: object) -> tuple[Text, ...]:
    said: Iterable[Said] | None = None
    if isinstance(value, str) and value[0] == "[":
        with suppress(msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            said = known.items(role, value)
    if said is None:
        said = read_value(role, value)
    return tuple(Text(index, who, text, field, source) for who, text, source in said)


def read_value(role: str, value: object) -> Iterator[Said]:
    """Yield what a value says in which no list of messages is: an object in JSON, a decoded value, plain text."""
    if isinstance(value, str) and value[0] == "{":
        with suppress(msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return read_item(role, msgspec.json.decode(value))
    items = value if isinstance(value, list) else (value,)
    return (one for item in items for one in read_item(role, item))


def read_raw(role: str, raw: bytes) -> tuple[Said, ...]:
    """Read a message, a part or a document in JSON. Raises `msgspec.DecodeError` for what is none."""
    message = None
    if raw.count(b'"content"') == 1 and b'"parts"' in raw:
        with suppress(msgspec.ValidationError):
            message = _MESSAGE.decode(raw)
    if message is None:
        return tuple(read_item(role, msgspec.json.decode(raw)))
    role, text = _ROLES.get(message.role, role), message.parts[0].content
    if role == USER and "</" in text:
        return tuple(_said(role, text))
    return ((role, text[:MAX_TEXT], ""),) if text and not text.isspace() else ()


def read_item(role: str, item: object, depth: int = 0) -> Iterator[Said]:
    """Read a message, a part of one, or a document."""
    if isinstance(item, str):
        yield from _said(role, item)
    if not isinstance(item, dict) or depth > _DEPTH:
        return
    named = item.get("role")
    role = _ROLES.get(named, role) if isinstance(named, str) else role
    if item.get("type") in _CALLS:
        yield from _call(item)
        return
    inner = item.get("parts", item.get("content", item.get("text", item.get("message"))))
    if isinstance(inner, str):
        source = item.get("id", item.get("name", ""))
        yield from _said(role, inner, source if isinstance(source, str) else "")
    elif isinstance(inner, list | dict):
        for part in inner if isinstance(inner, list) else [inner]:
            plain = _plain(part)
            if plain and (role != USER or "</" not in plain):  # what nearly all parts are
                if not plain.isspace():
                    yield role, plain[:MAX_TEXT], ""
            else:
                yield from read_item(role, part, depth + 1)
    elif role in (TOOL, ASSISTANT) and item:
        yield from _said(role, as_json(item))


def _plain(part: object) -> str:
    """Return the text of a part that is nothing else, an empty text for any other."""
    if isinstance(part, dict) and len(part) == 2 and part.get("type") == "text":
        text = part.get("content")
        return text if isinstance(text, str) else ""
    return ""


def _call(item: dict[str, Any]) -> Iterator[Said]:
    key, role = _CALLS[item["type"]]
    inner, source = item.get(key, item.get("result")), item.get("name")
    text = inner if isinstance(inner, str) else as_json(inner) if inner else ""
    yield from _said(role, text, source if isinstance(source, str) else "")


def as_json(value: object) -> str:
    """Return a value as JSON, an empty text for one that JSON has no form for."""
    try:
        return msgspec.json.encode(value).decode()
    except (TypeError, ValueError, RecursionError):
        return ""


def _said(role: str, text: str, source: str = "") -> Iterator[Said]:
    text = text[:MAX_TEXT]
    if role == USER and "</" in text:
        left = []
        at = 0
        for named, start, low, high, end in _tagged(text):
            yield DOCUMENT, text[low:high], named
            left.append(text[at:start])
            at = end
        text = "\n".join((*left, text[at:])) if left else text
    if text and not text.isspace():
        yield role, text, source


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

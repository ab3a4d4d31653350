"""What drift looks at in model calls, tool calls and retrievals."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from treering.detect._language import language

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.model.rows import Rows

NUMERIC = frozenset({"input_tokens", "output_tokens", "answer_length", "retrieval_score", "retrieved_documents"})
FIELDS = {
    "model": "attributes.gen_ai.request.model",
    "input_tokens": "attributes.gen_ai.usage.input_tokens",
    "output_tokens": "attributes.gen_ai.usage.output_tokens",
    "answer_length": "attributes.gen_ai.output.messages",
    "answer_language": "attributes.gen_ai.output.messages",
    "tool": "attributes.gen_ai.tool.name",
    "retrieval_score": "attributes.gen_ai.retrieval.documents",
    "retrieved_documents": "attributes.gen_ai.retrieval.documents",
}
OPERATION = "attributes.gen_ai.operation.name"
_CALLS = frozenset({"chat", "text_completion", "generate_content"})
_MOST_TEXT = 4000
_DEEPEST = 6


class Seen(NamedTuple):
    """One value of one feature in one record; `scope` is the collection it was retrieved from, if any."""

    place: int
    scope: str
    feature: str
    value: str
    shown: str


def features(rows: Rows, index: int, operation: str) -> Iterable[Seen]:
    """Yield the features of one call."""
    if operation in _CALLS:
        yield from _call(rows, index)
    elif operation == "execute_tool":
        if name := rows.text(FIELDS["tool"], index):
            yield Seen(index, "", "tool", name[:100], name)
    elif operation == "retrieval":
        yield from _retrieval(rows, index)


def _call(rows: Rows, index: int) -> Iterable[Seen]:
    if model := rows.text(FIELDS["model"], index):
        yield Seen(index, "", "model", model[:100], model)
    for name in ("input_tokens", "output_tokens"):
        if (number := _number(rows.value(FIELDS[name], index))) is not None:
            yield Seen(index, "", name, _logarithmic(number), f"{number:.0f}")
    text = answer(rows.value(FIELDS["answer_length"], index))
    if text:
        yield Seen(index, "", "answer_length", _logarithmic(float(len(text))), text[:200])
        if (spoken := language(text)) != "?":
            yield Seen(index, "", "answer_language", spoken, text[:200])


def _retrieval(rows: Rows, index: int) -> Iterable[Seen]:
    field = FIELDS["retrieval_score"]
    value = rows.value(field, index)
    documents = _decoded(value)
    if not isinstance(documents, list):
        return
    source = rows.text("attributes.gen_ai.data_source.id", index) or rows.text("attributes.db.collection.name", index)
    scope = (source or rows.text("name", index) or "")[:100]
    yield Seen(index, scope, "retrieved_documents", str(min(len(documents), 100)), str(len(documents)))
    found = (_number(item.get("score")) for item in documents[:100] if isinstance(item, dict))
    scores = [score for score in found if score is not None]
    if scores:
        best = max(scores)
        bin_ = math.floor(best * 20) / 20 if best <= 1 else math.floor(math.log(best) * 4) + 2
        yield Seen(index, scope, "retrieval_score", f"{bin_:g}", f"{best:.4g}")


def answer(value: Any) -> str:
    """Return the text in a list of messages, or what a text that is none says itself."""
    found: list[str] = []
    _gather(_decoded(value), found, _DEEPEST)
    return "\n".join(found)[:_MOST_TEXT]


def _decoded(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if value[:1] not in {"[", "{"}:
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError, UnicodeError):
        return value[:_MOST_TEXT]


def _gather(value: Any, found: list[str], deep: int) -> None:
    if isinstance(value, str):
        found.append(value[:_MOST_TEXT])
    elif isinstance(value, list) and deep:
        for item in value[:20]:
            _gather(item, found, deep - 1)
    elif isinstance(value, dict) and deep:
        for name in ("parts", "content", "text", "message"):
            if name in value:
                _gather(value[name], found, deep - 1)


def _number(value: Any) -> float | None:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e15:
        return float(value)
    return None


def _logarithmic(value: float) -> str:
    """Return the bin of a count: about a quarter wider each."""
    return str(math.floor(math.log(max(value, 0.5)) * 4))

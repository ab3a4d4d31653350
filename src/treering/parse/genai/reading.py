"""From a record to a `Call`: canonical records at once, those as their senders wrote them after normalising."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.model import semconv
from treering.model.batch import Batch, batch
from treering.model.columns import ARROW, Kind, as_stored
from treering.model.genai import Call, Document, Evaluation, Message, Part, Tokens, ToolCall
from treering.parse.genai import content, values
from treering.parse.genai.normalise import Normaliser

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

MOST_MESSAGES = 2000
MOST_PARTS = 500
MOST_TEXT = 1_000_000
_MOST_METADATA = 200
_MODALITIES = ("text", "image", "audio", "video")
_normaliser = Normaliser()


def call(record: Mapping[str, Any]) -> Call | None:
    """Return what a record says about a model call, a tool, a retrieval or an agent; None when it is of none.

    `record` may have canonical names (as `columns.as_stored` gives it) or any dialect's. Longer conversations than
    `MOST_MESSAGES`, messages than `MOST_PARTS` and texts than `MOST_TEXT` characters are cut. Never raises for what a
    record says.
    """
    attributes = record.get("attributes")
    if not isinstance(attributes, dict):
        return None
    if semconv.DIALECT not in attributes:
        record = _normalised(record)
        attributes = record.get("attributes")
    if not isinstance(attributes, dict):
        return None
    operation = _text(attributes.get("gen_ai.operation.name"))
    if operation is None and "gen_ai.evaluation.name" not in attributes:
        return None
    return _call(record, attributes, operation or "evaluate")


def calls(rows: Batch) -> Iterator[tuple[int, Call]]:
    """Yield row number and call of each row of a normalised batch that is a model call."""
    names = rows.data.schema.names
    marks = rows.data.column(f"~/attributes/{semconv.VIEW}:s").to_pylist() if _has(names, semconv.VIEW) else ()
    for place, mark in enumerate(marks):
        if mark == semconv.LLM and (found := call(_stored(rows, place))) is not None:
            yield place, found


def _has(names: list[str], attribute: str) -> bool:
    return f"~/attributes/{attribute}:s" in names


def _stored(rows: Batch, place: int) -> dict[str, Any]:
    one = rows.data.slice(place, 1)
    values = {
        name: (column.cast(ARROW[Kind.LONG]) if column.type == ARROW[Kind.TIME] else column).to_pylist()[0]
        for name, column in zip(one.schema.names, one.columns, strict=True)
    }
    return as_stored(values)


def _normalised(record: Mapping[str, Any]) -> dict[str, Any]:
    made = _normaliser(batch("spans", [record], received_ns=0))
    return _stored(made, 0)


def _call(record: Mapping[str, Any], attributes: Mapping[str, Any], operation: str) -> Call:
    found: dict[str, Any] = {}
    for part in (_models, _content, _tools, _measures, _failure, _people):
        found |= part(record, attributes)
    return Call(operation, attributes.get(semconv.VIEW) == semconv.LLM, **found)


def _models(_record: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "provider": _text(attributes.get("gen_ai.provider.name")),
        "request_model": _text(attributes.get("gen_ai.request.model")),
        "response_model": _text(attributes.get("gen_ai.response.model")),
        "response_id": _text(attributes.get("gen_ai.response.id")),
    }


def _content(_record: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    asked = _messages(attributes.get("gen_ai.input.messages"))
    answered = _messages(attributes.get("gen_ai.output.messages"), "assistant")
    system = [*_instructions(attributes.get("gen_ai.system_instructions"))]
    while asked and asked[0].role == "system":
        system.append(asked.pop(0).text)
    finish = _texts(attributes.get("gen_ai.response.finish_reasons"))
    return {
        "system": tuple(system),
        "input": tuple(asked),
        "output": tuple(message for message in answered if message.parts),
        "finish_reasons": finish or tuple(message.finish for message in answered if message.finish),
    }


def _tools(_record: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "tools": _definitions(attributes.get("gen_ai.tool.definitions")),
        "tool": _tool(attributes),
        "tool_result": _said(attributes.get("gen_ai.tool.call.result")),
        "query": _said(attributes.get("gen_ai.retrieval.query.text")),
        "documents": _documents(attributes.get("gen_ai.retrieval.documents")),
        "evaluation": _evaluation(attributes),
    }


def _measures(record: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    duration = _count(record.get("durationInNanos"))
    return {
        "tokens": _tokens(attributes),
        "cost_usd": _number(attributes.get(semconv.COST)),
        "time_to_first_chunk": _number(attributes.get("gen_ai.response.time_to_first_chunk")),
        "duration": None if duration is None else duration / 1e9,
        "started_ns": _count(record.get("startTime")),
    }


def _failure(record: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    status = record.get("status")
    wrong = isinstance(status, dict) and status.get("code") == 2
    error = _text(attributes.get("error.type"))
    return {
        "error": error or ("_OTHER" if wrong else None),
        "error_message": _said(status.get("message")) if wrong and isinstance(status, dict) else None,
    }


def _people(record: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "conversation": _text(attributes.get("gen_ai.conversation.id")),
        "user": _text(attributes.get("user.id")),
        "agent": _text(attributes.get("gen_ai.agent.name")),
        "dialect": _text(attributes.get(semconv.DIALECT)),
        "service": _text(record.get("serviceName")),
        "trace_id": _text(record.get("traceId")),
        "span_id": _text(record.get("spanId")),
        "parent_span_id": _text(record.get("parentSpanId")),
    }


def _messages(value: Any, unknown: str = "user") -> list[Message]:
    found = content.messages(content.read(value)) or []
    return [
        Message(
            _role(item["role"], unknown),
            tuple(_part(part) for part in item["parts"][:MOST_PARTS]),
            values.finish(finish) if (finish := _text(item.get("finish_reason"))) else None,
        )
        for item in found[:MOST_MESSAGES]
    ]


def _role(name: Any, unknown: str) -> str:
    return unknown if name in {"", "unknown"} else str(name)


def _part(part: Mapping[str, Any]) -> Part:
    kind = str(part.get("type") or "text")
    if kind == "tool_call":
        return Part(kind, call=ToolCall(str(part.get("name") or ""), part.get("arguments"), _text(part.get("id"))))
    if kind == "tool_call_response":
        return Part(kind, _said(part.get("response")) or "", id=_text(part.get("id")))
    if kind in {"text", "reasoning"}:
        return Part(kind, _said(part.get("content")) or "")
    return Part(kind, data=dict(part))


def _instructions(value: Any) -> Iterator[str]:
    held = content.read(value)
    if held is None and isinstance(value, str) and value:
        held = value
    for part in (held if isinstance(held, list) else [held])[:MOST_PARTS]:
        said = part.get("content", part.get("text")) if isinstance(part, dict) else part
        if said:
            yield _said(said) or ""


def _definitions(value: Any) -> tuple[Mapping[str, Any], ...]:
    held = content.read(value)
    found = [_definition(item) for item in held if isinstance(item, dict)] if isinstance(held, list) else []
    return tuple(found[:MOST_PARTS])


def _definition(item: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tool as the conventions have it, also from the form of OpenAI's API."""
    function = item.get("function")
    return {"type": "function", **function} if isinstance(function, dict) else item


def _tool(attributes: Mapping[str, Any]) -> ToolCall | None:
    name = _text(attributes.get("gen_ai.tool.name"))
    arguments = attributes.get("gen_ai.tool.call.arguments")
    if name is None and arguments is None:
        return None
    held = content.literal(arguments)
    return ToolCall(name or "", arguments if held is None else held, _text(attributes.get("gen_ai.tool.call.id")))


def _documents(value: Any) -> tuple[Document, ...]:
    held = content.read(value)
    return tuple(_document(item) for item in held[:MOST_PARTS]) if isinstance(held, list) else ()


def _document(item: Any) -> Document:
    if not isinstance(item, dict):
        return Document(content=_said(item) or "")
    said = next((item[key] for key in ("content", "page_content", "text", "document") if key in item), "")
    identity = item.get("id")
    score = next((found for key in ("score", "distance") if (found := _number(item.get(key))) is not None), None)
    metadata = item.get("metadata")
    few = dict(list(metadata.items())[:_MOST_METADATA]) if isinstance(metadata, dict) else {}
    return Document(None if identity is None else str(identity), _said(said) or "", score, few)


def _evaluation(attributes: Mapping[str, Any]) -> Evaluation | None:
    name = _text(attributes.get("gen_ai.evaluation.name"))
    if name is None:
        return None
    return Evaluation(
        name,
        _number(attributes.get("gen_ai.evaluation.score.value")),
        _text(attributes.get("gen_ai.evaluation.score.label")),
        _said(attributes.get("gen_ai.evaluation.explanation")),
    )


def _tokens(attributes: Mapping[str, Any]) -> Tokens:
    def count(name: str) -> int | None:
        return _count(attributes.get(f"gen_ai.usage.{name}"))

    modalities = {
        f"{modality}.{side}": found
        for modality in _MODALITIES
        for side in ("input", "output")
        if (found := count(f"{modality}.{side}_tokens")) is not None
    }
    return Tokens(
        count("input_tokens"),
        count("output_tokens"),
        count("total_tokens"),
        count("cache_read.input_tokens"),
        count("cache_write.input_tokens"),
        count("reasoning.output_tokens"),
        modalities,
        attributes.get(semconv.ESTIMATED) is True,
    )


def _text(value: Any) -> str | None:
    return value[:MOST_TEXT] if isinstance(value, str) and value else None


def _said(value: Any) -> str | None:
    """Return text as it is and data as JSON."""
    if value is None:
        return None
    return (value if isinstance(value, str) else content.text(value))[:MOST_TEXT]


def _texts(value: Any) -> tuple[str, ...]:
    held = content.read(value) if isinstance(value, str) and value[:1] == "[" else value
    if isinstance(held, str):
        return (held,)
    return tuple(item for item in held[:MOST_PARTS] if isinstance(item, str)) if isinstance(held, list) else ()


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None

"""LangChain's messages as the parts of OpenTelemetry's GenAI conventions (`gen_ai.input.messages` and its kin)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.client.otlp import cut, text, to_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from langchain_core.messages import BaseMessage

Part = dict[str, Any]
_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool", "function": "tool"}
_TEXTS = ("text", "input_text", "output_text")
_REASONING = ("reasoning", "thinking", "reasoning_content")
_CALLS = ("tool_use", "tool_call", "function_call", "input_json_delta", "tool_call_chunk")
_MEDIA = {"image": "image", "image_url": "image", "input_image": "image", "audio": "audio", "input_audio": "audio",
          "video": "video", "file": "file", "document": "file"}  # fmt: skip


def split(messages: Iterable[BaseMessage]) -> tuple[list[Part], list[Part]]:
    """Return the parts of the system messages that come first, and all other messages."""
    instructions: list[Part] = []
    others: list[Part] = []
    for one in messages:
        if one.type == "system" and not others:
            instructions += parts(one)
        else:
            others.append(message(one))
    return instructions, others


def message(one: BaseMessage, finish_reason: str | None = None) -> Part:
    """Return a message as role and parts."""
    role = _ROLES.get(one.type) or str(getattr(one, "role", one.type))
    found: Part = {"role": role, "parts": parts(one)}
    if name := getattr(one, "name", None):
        found["name"] = name
    if finish_reason:
        found["finish_reason"] = finish_reason
    return found


def plain(role: str, content: str) -> Part:
    """Return a message of one text."""
    return {"role": role, "parts": [{"type": "text", "content": cut(content)}]}


def parts(one: BaseMessage) -> list[Part]:
    """Return what a message holds: texts, reasoning, calls of tools, answers of tools, media by their kind."""
    if one.type in ("tool", "function"):
        answer = {"type": "tool_call_response", "id": getattr(one, "tool_call_id", None)}
        return [{**answer, "response": _response(one.content)}]
    found = _content(one.content)
    extra = getattr(one, "additional_kwargs", None) or {}
    if isinstance(thought := extra.get("reasoning_content"), str) and thought:
        found.insert(0, {"type": "reasoning", "content": cut(thought)})
    for call in [*(getattr(one, "tool_calls", None) or ()), *(getattr(one, "invalid_tool_calls", None) or ())]:
        found.append(
            {"type": "tool_call", "id": call.get("id"), "name": call.get("name"), "arguments": call.get("args")}
        )
    return found


def _response(content: Any) -> Any:
    return cut(content) if isinstance(content, str) else _content(content)


def _content(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [{"type": "text", "content": cut(content)}] if content else []
    blocks = content if isinstance(content, list) else [content]
    return [part for block in blocks if (part := _block(block)) is not None]


def _block(block: Any) -> Part | None:
    if not isinstance(block, dict):
        return {"type": "text", "content": cut(text(block))}
    kind = str(block.get("type", "text"))
    if kind in _CALLS:
        return None  # in `tool_calls` as well
    if kind in _MEDIA:
        return _medium(_MEDIA[kind], block)
    if kind in _REASONING:
        thought = next((block[name] for name in _REASONING if isinstance(block.get(name), str)), "")
        return {"type": "reasoning", "content": cut(thought)}
    content = text(block.get("text", "")) if kind in _TEXTS else to_json(block)
    return {"type": "text" if kind in _TEXTS else kind, "content": cut(content)}


def _medium(modality: str, block: Mapping[str, Any]) -> Part:
    """Return where a medium is, or how large it is: its bytes stay with the program."""
    held = next(
        (block[name] for name in ("image_url", "url", "source", "data", "base64", "file_id") if name in block), None
    )
    address = held.get("url", held.get("data")) if isinstance(held, dict) else held
    kind = block.get("mime_type") or (held.get("media_type") if isinstance(held, dict) else None)
    if isinstance(address, str) and address.startswith(("http://", "https://", "gs://", "s3://")):
        return {"type": "uri", "modality": modality, "mime_type": kind, "uri": cut(address)}
    size = len(address) if isinstance(address, str) else None
    if isinstance(address, str) and address.startswith("data:"):
        kind = address[5:64].partition(";")[0]
    return {"type": "blob", "modality": modality, "mime_type": kind, "encoded_length": size}

"""Messages in the shape of the GenAI conventions (their JSON schema of parts), made of what other dialects write.

Everything here takes text of strangers: whatever is not understood is left out, nothing raises, depth is bounded.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import msgspec

from treering.parse.genai import values

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_LONGEST_REPR = 200_000
_encode = msgspec.json.Encoder().encode
_ROLES = {
    "human": "user",
    "humanmessage": "user",
    "ai": "assistant",
    "aimessage": "assistant",
    "aimessagechunk": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "systemmessage": "system",
    "developer": "system",
    "toolmessage": "tool",
    "function": "tool",
}
# Items of the Responses API that are no messages, and whose they are.
_ITEMS = {"function_call": "assistant", "reasoning": "assistant", "function_call_output": "tool"}


def text(value: Any) -> str:
    """Return a value as JSON text."""
    return _encode(value).decode()


def read(value: Any) -> Any:
    """Return what a JSON text says, the value itself when it is no text, None when it cannot be read."""
    if not isinstance(value, str):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None


def members(value: Any) -> Mapping[str, Any]:
    """Return the object that a value or its JSON text is, an empty one for anything else."""
    held = read(value)
    return held if isinstance(held, dict) else {}


def literal(value: Any) -> Any:
    """Return what a JSON text or the `repr` of Python data says; None when it is neither."""
    found = read(value)
    if found is not None or not isinstance(value, str) or len(value) > _LONGEST_REPR:
        return found
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return None


def reasons(finishes: Iterable[Any]) -> list[str] | None:
    """Return why a model stopped, in the conventions' words; None when nobody said."""
    words = [word for finish in finishes if isinstance(finish, str) and (word := values.finish(finish))]
    return words or None


def role(name: Any) -> str:
    """Return a role by the conventions' names; those not known stay as they are."""
    lower = str(name or "").lower()
    return _ROLES.get(lower, lower)


def message(who: Any, parts: list[dict[str, Any]], finish: Any = None) -> dict[str, Any]:
    """Return one message."""
    made: dict[str, Any] = {"role": role(who), "parts": parts}
    if finish:
        made["finish_reason"] = str(finish)
    return made


def text_part(content: Any) -> dict[str, Any]:
    """Return a part of text."""
    return {"type": "text", "content": content if isinstance(content, str) else text(content)}


def call_part(name: Any, arguments: Any, identity: Any = None) -> dict[str, Any]:
    """Return a part in which the model asks for a tool; arguments as data where they are JSON."""
    held = literal(arguments)
    part = {"type": "tool_call", "name": str(name or ""), "arguments": arguments if held is None else held}
    return {**part, "id": str(identity)} if identity else part


def answer_part(result: Any, identity: Any = None) -> dict[str, Any]:
    """Return a part with what a tool answered."""
    part = {"type": "tool_call_response", "response": result}
    return {**part, "id": str(identity)} if identity else part


def messages(value: Any) -> list[dict[str, Any]] | None:
    """Return the messages of a chat as the OpenAI, Anthropic, Vercel or LangChain APIs write them, or None."""
    if isinstance(value, str):
        return [message("user", [text_part(value)])] if value else None
    if isinstance(value, dict):
        value = next((value[key] for key in ("messages", "input") if isinstance(value.get(key), list)), [value])
    if not isinstance(value, list):
        return None
    if len(value) == 1 and isinstance(value[0], list):
        value = value[0]
    return [made for item in value if (made := _message(item)) is not None] or None


def _message(item: Any) -> dict[str, Any] | None:
    if isinstance(item, str):
        return message("user", [text_part(item)])
    if not isinstance(item, dict):
        return None
    if isinstance(item.get("message"), dict):  # a choice
        item = {**item["message"], "finish_reason": item.get("finish_reason")}
    elif isinstance(item.get("kwargs"), dict):  # LangChain's serialised constructor
        item = {"role": (item.get("id") or [""])[-1] if isinstance(item.get("id"), list) else "", **item["kwargs"]}
    elif isinstance(item.get("data"), dict):
        item = {"role": item.get("type"), **item["data"]}
    if isinstance(item.get("parts"), list):
        parts = [part for part in item["parts"] if isinstance(part, dict)]
        return message(item.get("role"), [_part(part) for part in parts], item.get("finish_reason"))
    if (speaker := _ITEMS.get(str(item.get("type")))) is not None and "role" not in item:
        return message(speaker, [_part(item)])
    who = role(item.get("role") or item.get("type"))
    if not who and "content" not in item:
        return None
    parts = list(_content(item.get("content"), who, item))
    parts += [_tool_call(call) for call in item.get("tool_calls") or () if isinstance(call, dict)]
    finish = item.get("finish_reason") or (item.get("response_metadata") or {}).get("finish_reason")
    return message(who, parts, finish)


def _content(value: Any, who: str, item: Mapping[str, Any]) -> Iterable[dict[str, Any]]:
    if who == "tool" and not isinstance(value, list):
        yield answer_part(value, item.get("tool_call_id") or item.get("id"))
        return
    for part in value if isinstance(value, list) else (value,):
        if isinstance(part, dict):
            yield _part(part)
        elif part is not None and part != "":
            yield text_part(part)


def _tool_call(call: Mapping[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    held = function if isinstance(function, dict) else call
    arguments = next((held[key] for key in ("arguments", "args", "input") if key in held), None)
    name = held.get("name") or call.get("toolName")
    return call_part(name, arguments, call.get("call_id") or call.get("id") or call.get("toolCallId"))


def _part(part: Mapping[str, Any]) -> dict[str, Any]:
    kind = part.get("type")
    if kind in {"text", "input_text", "output_text"} or (kind is None and "text" in part):
        return text_part(part.get("content", part.get("text", "")))
    if kind in {"tool_call", "tool_use", "tool-call", "function_call"}:
        return _tool_call(part)
    if kind in {"tool_call_response", "tool_result", "tool-result", "function_call_output"}:
        result = next((part[key] for key in ("response", "result", "content", "output") if key in part), None)
        identities = (part.get(key) for key in ("call_id", "id", "tool_use_id", "toolCallId"))
        return answer_part(result, next((one for one in identities if one), None))
    if kind in {"thinking", "reasoning"}:
        return {"type": "reasoning", "content": part.get("content") or part.get("thinking") or part.get("text") or ""}
    if kind in {"image_url", "image", "input_image", "audio", "input_audio", "file", "video"}:
        return _media(str(kind), part)
    return _block(part)


def _block(part: Mapping[str, Any]) -> dict[str, Any]:
    """Return a block of Bedrock's Converse as a part; others as they are."""
    if isinstance(asked := part.get("toolUse"), dict):
        return call_part(asked.get("name"), asked.get("input"), asked.get("toolUseId"))
    if isinstance(told := part.get("toolResult"), dict):
        return answer_part(told.get("content"), told.get("toolUseId"))
    return dict(part)


def _media(kind: str, part: Mapping[str, Any]) -> dict[str, Any]:
    modality = kind.removeprefix("input_").removesuffix("_url")
    url = part.get("image_url") or part.get("url")
    if isinstance(url, dict):
        url = url.get("url")
    if isinstance(url, str):
        return {"type": "uri", "modality": modality, "uri": url}
    return {**part, "type": "blob", "modality": modality}

"""Exchanges with a model as applications log them: one JSON object with OpenAI's request, its answer, or both.

Known are the bodies of Chat Completions, Responses and legacy Completions, beside each other (`messages`, `response`),
under `request` and `response`, and the lines of a Batch output file. Source: OpenAI's API reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content, langfuse
from treering.parse.genai.documents import Found, Kindred

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMES = ("@timestamp", "timestamp", "time", "created", "created_at", "ts", "start_time")
_MILLIS = ("latency_ms", "duration_ms", "response_ms", "elapsed_ms", "response_time_ms")
_SECONDS = ("latency_s", "duration_s", "elapsed_s")
_FIRST = ("ttft_ms", "time_to_first_token_ms")
_USERS = ("user", "user_id", "userId", "end_user")
_SESSIONS = ("session_id", "sessionId", "conversation_id", "conversationId", "thread_id", "chat_id")


def read(document: Mapping[str, Any]) -> Found | None:
    """Return what a logged exchange says; None for other documents."""
    if "call_type" in document or "run_type" in document or "schemaType" in document:
        return None
    asked, answered = _sides(document)
    told, question = answered or {}, _question(asked)
    said = content.messages(_answer(told))
    model = _text(asked.get("model")) or _text(document.get("model"))
    if question is None or not (model or said):
        return None
    error = told.get("error") or document.get("error")
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": "chat" if "prompt" not in asked else "text_completion",
        "gen_ai.provider.name": _text(document.get("provider")),
        "gen_ai.request.model": model,
        "gen_ai.response.model": _text(told.get("model")),
        "gen_ai.response.id": _text(told.get("id")),
        "gen_ai.input.messages": content.text(question),
        "gen_ai.conversation.id": _first(document, _SESSIONS, str),
        "user.id": _first({**document, **asked}, _USERS, str),
        "gen_ai.request.stream": asked.get("stream") if type(asked.get("stream")) is bool else None,
        "error.type": _error(error),
        **langfuse.usage(told.get("usage") or document.get("usage")),
    }
    if (waited := _first(document, _FIRST, (int, float))) is not None:
        attributes["gen_ai.response.time_to_first_chunk"] = waited / 1000
    if said:
        attributes["gen_ai.output.messages"] = content.text(said)
        attributes["gen_ai.response.finish_reasons"] = content.reasons(one.get("finish_reason") for one in said)
    began = next((document[name] for name in _TIMES if document.get(name) is not None), None)
    return Found(attributes, began or told.get("created"), seconds=_duration(document), failed=bool(error))


def _sides(document: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any] | None]:
    asked, answered = _dict(document.get("request")), _dict(document.get("response"))
    if body := _dict(answered.get("body")):  # of a batch
        answered = body
    if body := _dict(asked.get("body")):
        asked = body
    if not answered and ("choices" in document or "output" in document):
        answered = document
    if not answered and isinstance(text := document.get("response", document.get("completion")), str):
        answered = {"choices": [{"message": {"role": "assistant", "content": text}}]}
    return asked or document, answered or None


def _question(asked: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """Return the messages to the model, of texts or of objects that have a role."""
    held = next((asked[name] for name in ("messages", "input", "prompt") if asked.get(name)), None)
    if isinstance(held, list) and not all(isinstance(one, dict) and "role" in one for one in held):
        return None
    found = content.messages(held) if isinstance(held, list | str) else None
    if found and (system := _text(asked.get("instructions")) or _text(asked.get("system"))):
        return [content.message("system", [content.text_part(system)]), *found]
    return found


def _answer(told: Mapping[str, Any]) -> Any:
    choices = told.get("choices")
    if isinstance(choices, list):
        return [_spoken(one) for one in choices if isinstance(one, dict)]
    output = told.get("output")
    if isinstance(output, list):
        return [one for one in output if isinstance(one, dict) and one.get("type", "message") == "message"]
    return [told] if told.get("role") == "assistant" else None  # Anthropic's answer is the message itself


def _spoken(choice: Mapping[str, Any]) -> Mapping[str, Any]:
    if isinstance(text := choice.get("text"), str):
        return {"role": "assistant", "content": text, "finish_reason": choice.get("finish_reason")}
    return choice


def _duration(document: Mapping[str, Any]) -> float | None:
    millis, seconds = _first(document, _MILLIS, (int, float)), _first(document, _SECONDS, (int, float))
    found = millis / 1000 if millis is not None else seconds
    return float(found) if found is not None and found >= 0 else None


def _error(error: Any) -> str | None:
    held = error.get("code") or error.get("type") if isinstance(error, dict) else error
    return str(held).partition(":")[0][:200] if held else None


def _first(document: Mapping[str, Any], names: tuple[str, ...], kind: type | tuple[type, ...]) -> Any:
    found = (document.get(name) for name in names)
    return next((one for one in found if isinstance(one, kind) and not isinstance(one, bool) and one != ""), None)


def _dict(value: Any) -> Mapping[str, Any]:
    held = content.read(value) if isinstance(value, str) and value[:1] == "{" else value
    return held if isinstance(held, dict) else {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


KIND = Kindred("openai", (), read, (("messages",), ("request.messages",), ("request.input",), ("response.body",),
                                    ("prompt", "completion"), ("prompt", "response")))  # fmt: skip

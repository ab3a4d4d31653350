"""The conventions before 1.37 on a span itself: prompt and completion as attributes or as span events.

Pydantic AI writes such events as the JSON list `events`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.parse.genai.facts import Facts

NAME = "gen_ai"
# Rows without any of these have nothing hidden.
COLUMNS = ("events:j",)
ATTRIBUTES = ("gen_ai.prompt", "gen_ai.completion", "request_data", "response_data", "events")
_ROLES = {"gen_ai.system.message": "system", "gen_ai.user.message": "user", "gen_ai.assistant.message": "assistant",
          "gen_ai.tool.message": "tool"}  # fmt: skip


def derive(facts: Facts) -> dict[str, Any]:
    """Return messages, and the time of the first chunk where an event marks it."""
    asked, answered = _attributes(facts)
    for event in facts.events:
        held = event.get("attributes") if isinstance(event, dict) else None
        if isinstance(held, dict):
            _event(str(event.get("name")), held, asked, answered)
    listed = content.read(facts.get("events"))
    for event in listed if isinstance(listed, list) else ():
        if isinstance(event, dict):
            _event(str(event.get("event.name")), event, asked, answered)
    found: dict[str, Any] = {"gen_ai.response.time_to_first_chunk": facts.event("gen_ai.content.completion.chunk")}
    if asked:
        found["gen_ai.input.messages"] = content.text(asked)
    if answered:
        found["gen_ai.output.messages"] = content.text(answered)
    return found


def _attributes(facts: Facts) -> tuple[list[Any], list[Any]]:
    request, response = content.read(facts.get("request_data")), content.read(facts.get("response_data"))
    asked = facts.get("gen_ai.prompt")
    held = content.read(asked)
    said = content.messages(asked if held is None else held)
    if not said and isinstance(request, dict):
        said = content.messages(request.get("messages") or request.get("input"))
    answered = facts.get("gen_ai.completion")
    held = content.read(answered)
    told = content.messages(held if isinstance(held, dict | list) else _assistant(answered))
    if not told and isinstance(response, dict):
        told = content.messages(response.get("message")) or content.messages(
            _assistant(response.get("combined_chunk_content"))
        )
    return said or [], told or []


def _assistant(text: Any) -> Any:
    return {"role": "assistant", "content": text} if isinstance(text, str) and text else None


def _event(name: str, held: Mapping[str, Any], asked: list[Any], answered: list[Any]) -> None:
    if name in _ROLES:
        body = {key.removeprefix("gen_ai.event."): content.literal(value) or value for key, value in held.items()}
        asked += content.messages({"role": _ROLES[name], **body}) or []
    elif name == "gen_ai.choice":
        body = {key: content.literal(value) or value for key, value in held.items()}
        said = body.get("message")
        if not isinstance(said, dict):
            body = {"role": "assistant", "content": said, **body}
        answered += content.messages(body) or []
    elif name == "gen_ai.content.prompt":
        asked += content.messages(content.read(held.get("gen_ai.prompt"))) or []
    elif name == "gen_ai.content.completion":
        answered += content.messages(content.read(held.get("gen_ai.completion"))) or []
    elif name == "gen_ai.client.inference.operation.details":
        asked += content.messages(content.read(held.get("gen_ai.input.messages"))) or []
        answered += content.messages(content.read(held.get("gen_ai.output.messages"))) or []

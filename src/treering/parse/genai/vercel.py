"""The Vercel AI SDK: `ai.*`. A call is a span `….doGenerate`, `….doStream` or `….doEmbed`; those around it are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content

if TYPE_CHECKING:
    from treering.parse.genai.facts import Facts

NAME = "vercel"
_METADATA = "ai.telemetry.metadata."


def derive(facts: Facts) -> dict[str, Any]:
    """Return what the span says, under canonical names."""
    name = str(facts.get("ai.operationId") or "")
    found: dict[str, Any] = {
        "gen_ai.conversation.id": facts.get(
            _METADATA + "sessionId", _METADATA + "conversationId", _METADATA + "chatId"
        ),
        "user.id": facts.get(_METADATA + "userId"),
        "gen_ai.operation.name": None,
    }
    if name.endswith(".doEmbed"):
        found["gen_ai.operation.name"] = "embeddings"
    elif name.endswith((".doGenerate", ".doStream")):
        found["gen_ai.operation.name"] = "chat"
        found |= _call(facts)
    elif name == "ai.toolCall":
        found["gen_ai.operation.name"] = "execute_tool"
    return found


def _call(facts: Facts) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if made := content.messages(content.read(facts.get("ai.prompt.messages"))):
        found["gen_ai.input.messages"] = content.text(made)
    parts = []
    if said := facts.get("ai.response.text", "ai.response.object", "ai.result.text"):
        parts.append(content.text_part(said))
    calls = content.read(facts.get("ai.response.toolCalls", "ai.result.toolCalls"))
    for call in calls if isinstance(calls, list) else ():
        if isinstance(call, dict):
            arguments = call.get("args", call.get("input"))
            parts.append(content.call_part(call.get("toolName"), arguments, call.get("toolCallId")))
    finish = facts.get("ai.response.finishReason", "ai.finishReason")
    if parts:
        found["gen_ai.output.messages"] = content.text([content.message("assistant", parts, finish)])
    found["gen_ai.response.finish_reasons"] = content.reasons([finish])
    waited = facts.get("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk")
    found["gen_ai.response.time_to_first_chunk"] = waited / 1000 if isinstance(waited, int | float) else None
    found["gen_ai.request.stream"] = True if str(facts.get("ai.operationId")).endswith(".doStream") else None
    tools = facts.get("ai.prompt.tools")
    if isinstance(tools, list):
        found["gen_ai.tool.definitions"] = content.text([content.read(tool) for tool in tools])
    return found

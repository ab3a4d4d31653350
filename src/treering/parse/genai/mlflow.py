"""MLflow: `mlflow.*`, every value of which is JSON, texts in quotes included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content, langfuse

if TYPE_CHECKING:
    from treering.parse.genai.facts import Facts

NAME = "mlflow"
_OPERATIONS = {
    "CHAT_MODEL": "chat",
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "RETRIEVER": "retrieval",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
    "WORKFLOW": "invoke_workflow",
    "RERANKER": "rerank",
}


def derive(facts: Facts) -> dict[str, Any]:
    """Return what the span says, under canonical names."""
    kind = content.read(facts.get("mlflow.spanType"))
    asked, answered = content.read(facts.get("mlflow.spanInputs")), content.read(facts.get("mlflow.spanOutputs"))
    operation = _OPERATIONS.get(str(kind).upper())
    found: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": _text(content.read(facts.get("mlflow.llm.provider"))),
        "gen_ai.conversation.id": _text(content.read(facts.get("mlflow.trace.session"))),
        "user.id": _text(content.read(facts.get("mlflow.trace.user"))),
    }
    if operation in {"chat", "embeddings"}:
        found |= _call(facts, asked, answered)
    elif operation == "retrieval":
        found["gen_ai.retrieval.documents"] = content.text(answered) if isinstance(answered, list) else None
        found["gen_ai.retrieval.query.text"] = _query(asked)
    elif operation == "execute_tool":
        found["gen_ai.tool.name"] = facts.name
        found["gen_ai.tool.call.arguments"] = None if asked is None else content.text(asked)
        found["gen_ai.tool.call.result"] = answered if isinstance(answered, str) else content.text(answered)
    elif operation == "invoke_agent":
        found["gen_ai.agent.name"] = facts.name
    return found


def _call(facts: Facts, asked: Any, answered: Any) -> dict[str, Any]:
    held = asked if isinstance(asked, dict) else {}
    said = answered if isinstance(answered, dict) else {}
    model = _text(content.read(facts.get("mlflow.llm.model"))) or _text(held.get("model"))
    found: dict[str, Any] = {
        "gen_ai.request.model": _text(held.get("model")) or model,
        "gen_ai.response.model": _text(said.get("model")),
        "gen_ai.response.id": _text(said.get("id")),
        **langfuse.usage(content.read(facts.get("mlflow.chat.tokenUsage")) or said.get("usage")),
    }
    if made := content.messages(held.get("messages", held.get("input", asked))):
        found["gen_ai.input.messages"] = content.text(made)
    choices = said.get("choices")
    if made := content.messages(choices if isinstance(choices, list) else answered):
        found["gen_ai.output.messages"] = content.text(made)
        finishes = [item["finish_reason"] for item in made if item.get("finish_reason")]
        found["gen_ai.response.finish_reasons"] = content.reasons(finishes)
    tools = content.read(facts.get("mlflow.chat.tools")) or held.get("tools")
    found["gen_ai.tool.definitions"] = content.text(tools) if isinstance(tools, list) else None
    return found


def _query(asked: Any) -> str | None:
    if isinstance(asked, dict):
        return next((value for value in asked.values() if isinstance(value, str)), None)
    return _text(asked)


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

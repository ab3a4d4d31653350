"""LangSmith: its spans over OpenTelemetry (`langsmith.span.kind`), and its runs as JSON (exports, webhooks)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content, langfuse, official, openinference, openllmetry
from treering.parse.genai.documents import Found, Kindred

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treering.parse.genai.facts import Facts

NAME = "langsmith"
_OPERATIONS = {
    "llm": "chat",
    "embedding": "embeddings",
    "retriever": "retrieval",
    "tool": "execute_tool",
}


def derive(facts: Facts) -> dict[str, Any]:
    """Return what a span says, under canonical names."""
    kind = str(facts.get("langsmith.span.kind") or "").lower()
    found = official.derive(facts) | openllmetry.flat(facts.attributes)
    answered = content.members(facts.get("gen_ai.completion"))
    if isinstance(answered.get("generations"), list):
        found |= _answered(answered) | openinference.response(answered)
    return {
        **found,
        "gen_ai.operation.name": _OPERATIONS.get(kind),
        "gen_ai.conversation.id": facts.get(
            "langsmith.trace.session_id", "langsmith.metadata.session_id", "langsmith.metadata.thread_id"
        ),
        "user.id": facts.get("langsmith.metadata.user_id"),
    }


def read(run: Mapping[str, Any]) -> Found | None:
    """Return what a run says; None for other documents."""
    kind = run.get("run_type")
    operation = _OPERATIONS.get(str(kind))
    if operation is None and kind not in {"chain", "prompt", "parser"}:
        return None
    asked, answered = content.members(run.get("inputs")), content.members(run.get("outputs"))
    metadata = content.members(content.members(run.get("extra")).get("metadata"))
    error = run.get("error")
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": metadata.get("ls_provider"),
        "gen_ai.conversation.id": metadata.get("thread_id") or metadata.get("session_id"),
        "user.id": metadata.get("user_id"),
        "error.type": str(error).partition("(")[0].partition(":")[0].strip()[:200] if error else None,
        **_scores(run),
    }
    if operation in {"chat", "embeddings"}:
        attributes |= _call(run, asked, answered, metadata)
    elif operation == "retrieval":
        attributes["gen_ai.retrieval.query.text"] = _text(asked.get("query"))
        held = answered.get("documents")
        attributes["gen_ai.retrieval.documents"] = content.text(held) if isinstance(held, list) else None
    elif operation == "execute_tool":
        attributes["gen_ai.tool.name"] = _text(run.get("name"))
        attributes["gen_ai.tool.call.arguments"] = content.text(run.get("inputs"))
        attributes["gen_ai.tool.call.result"] = content.text(run.get("outputs"))
    fields = {"traceId": _text(run.get("trace_id")), "spanId": _text(run.get("id"))}
    fields["parentSpanId"] = _text(run.get("parent_run_id"))
    return Found(attributes, run.get("start_time"), run.get("end_time"), failed=bool(error), fields=fields)


def _call(
    run: Mapping[str, Any], asked: Mapping[str, Any], answered: Mapping[str, Any], metadata: Mapping[str, Any]
) -> dict[str, Any]:
    parameters = content.members(content.members(run.get("extra")).get("invocation_params"))
    told = content.members(answered.get("llm_output"))
    usage = {key: run.get(key) for key in ("prompt_tokens", "completion_tokens", "total_tokens") if run.get(key)}
    found: dict[str, Any] = {
        "gen_ai.request.model": _text(
            parameters.get("model") or parameters.get("model_name") or metadata.get("ls_model_name")
        ),
        "gen_ai.response.model": _text(told.get("model_name")),
        **langfuse.usage(usage or told.get("token_usage") or answered.get("usage_metadata")),
    }
    if said := content.messages(asked.get("messages") or asked.get("prompts") or asked.get("input")):
        found["gen_ai.input.messages"] = content.text(said)
    return found | _answered(answered)


def _answered(answered: Mapping[str, Any]) -> dict[str, Any]:
    said = content.messages(_generations(answered))
    if not said:
        return {}
    finishes = content.reasons(item.get("finish_reason") for item in said)
    return {"gen_ai.output.messages": content.text(said), "gen_ai.response.finish_reasons": finishes}


def _generations(answered: Mapping[str, Any]) -> Any:
    held = answered.get("generations")
    if not isinstance(held, list):
        return answered.get("choices") or answered.get("messages") or answered.get("output")
    flat = [one for item in held for one in (item if isinstance(item, list) else [item]) if isinstance(one, dict)]
    return [one.get("message") or {"role": "assistant", "content": one.get("text", "")} for one in flat]


def _scores(run: Mapping[str, Any]) -> dict[str, Any]:
    for name, held in content.members(run.get("feedback_stats")).items():
        value = content.members(held).get("avg")
        if isinstance(value, int | float):
            return {"gen_ai.evaluation.name": str(name), "gen_ai.evaluation.score.value": float(value)}
    return {}


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


KIND = Kindred("langsmith", ("run_type", "inputs"), read)

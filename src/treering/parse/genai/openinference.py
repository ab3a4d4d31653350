"""OpenInference (Arize): `openinference.span.kind`, messages, documents and tools flattened into indexed attributes.

Source: the specification in Arize-ai/openinference, spec/semantic_conventions.md.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from treering.parse.genai import answers, content
from treering.parse.genai.facts import INSTEAD

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treering.parse.genai.facts import Facts

NAME = "openinference"
_OPERATIONS = {
    "LLM": "chat",
    "EMBEDDING": "embeddings",
    "RETRIEVER": "retrieval",
    "TOOL": "execute_tool",
    "AGENT": "invoke_agent",
    "RERANKER": "rerank",
    "GUARDRAIL": "run_guardrail",
    "EVALUATOR": "evaluate",
}
_MOST = 2000
_MOST_TOKENS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "maxTokens")
_HEADS = (
    "llm.input_messages.",
    "llm.output_messages.",
    "retrieval.documents.",
    "reranker.output_documents.",
    "llm.tools.",
)


def derive(facts: Facts) -> dict[str, Any]:
    """Return what the span says, under canonical names."""
    attributes = facts.attributes
    kind = str(attributes.get("openinference.span.kind", "")).upper()
    found: dict[str, Any] = {"gen_ai.operation.name": _OPERATIONS.get(kind)}
    found |= _who(attributes)
    trees = _trees(attributes)
    if kind == "LLM":
        found |= _call(attributes, trees)
        found["gen_ai.response.time_to_first_chunk"] = facts.event("First Token Stream Event")
    elif kind == "EMBEDDING":
        found |= _parameters(attributes.get("embedding.invocation_parameters"))
        found["gen_ai.request.model"] = next(iter(_models(attributes, found, {})), None)
    elif kind in {"RETRIEVER", "RERANKER"}:
        found |= _documents(attributes, trees)
    elif kind == "TOOL":
        found |= {
            "gen_ai.tool.name": attributes.get("tool.name"),
            "gen_ai.tool.description": attributes.get("tool.description"),
            "gen_ai.tool.call.arguments": attributes.get("input.value"),
            "gen_ai.tool.call.result": _result(attributes.get("output.value")),
        }
    elif kind == "AGENT":
        found["gen_ai.agent.name"] = attributes.get("agent.name") or facts.name
    return found


def _call(attributes: Mapping[str, Any], trees: Mapping[str, Any]) -> dict[str, Any]:
    found = _parameters(attributes.get("llm.invocation_parameters"))
    request = content.members(attributes.get("input.value"))
    found["gen_ai.request.model"] = next(iter(_models(attributes, found, request)), None)
    finish = attributes.get("llm.finish_reason")
    asked = _listed(trees.get("llm.input_messages"), "message")
    answered = _listed(trees.get("llm.output_messages"), "message")
    if asked:
        found["gen_ai.input.messages"] = content.text([_message(item) for item in asked])
    if answered:
        found["gen_ai.output.messages"] = content.text([_message(item, finish) for item in answered])
    if finish:
        found["gen_ai.response.finish_reasons"] = content.reasons([finish])
    offered = [tool.get("json_schema") for tool in _listed(trees.get("llm.tools"), "tool")] or request.get("tools")
    if isinstance(offered, list) and offered:
        found["gen_ai.tool.definitions"] = content.text([_tool(tool) for tool in offered])
    output = content.read(attributes.get("output.value"))
    answer = answers.read(output)
    # Where the sender has one name for both, the model in it is often the one that was asked for.
    answer[f"{INSTEAD}gen_ai.response.model"] = answer.pop("gen_ai.response.model", None)
    return answer | {name: value for name, value in (found | response(output)).items() if value is not None}


def _models(attributes: Mapping[str, Any], found: Mapping[str, Any], request: Mapping[str, Any]) -> Iterator[str]:
    """Yield what may be the model that was asked for, the surest first."""
    names = ("llm.request.model_name", "llm.model_name", "embedding.model_name")
    told = (found.get("gen_ai.request.model"), _who(attributes)["gen_ai.request.model"], request.get("model"))
    yield from (name for name in (*told, *map(attributes.get, names)) if isinstance(name, str) and name)


def _who(attributes: Mapping[str, Any]) -> dict[str, Any]:
    held = content.read(attributes.get("metadata"))
    metadata = held if isinstance(held, dict) else {}
    return {
        "gen_ai.conversation.id": attributes.get("session.id") or metadata.get("thread_id"),
        "user.id": metadata.get("user_id"),
        "gen_ai.agent.name": metadata.get("lc_agent_name"),
        "gen_ai.request.model": metadata.get("ls_model_name"),
    }


def response(output: Any) -> dict[str, Any]:
    """Return what only the whole answer says: its id, and counts that the flattened attributes leave out."""
    if not isinstance(output, dict):
        return {}
    generations = output.get("generations")
    while isinstance(generations, list) and generations:
        generations = generations[0]
    message = generations.get("message") if isinstance(generations, dict) else None
    held = message.get("kwargs", message.get("data")) if isinstance(message, dict) else None
    message = held if isinstance(held, dict) else {}
    metadata = message.get("response_metadata")
    told = output.get("llm_output")
    identities = [part.get("id") for part in (output, told, metadata) if isinstance(part, dict)]
    return {
        "gen_ai.response.id": next((one for one in identities if isinstance(one, str)), None),
        **_details(message.get("usage_metadata")),
    }


def _details(usage: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for side, key, name in (
        ("input_token_details", "cache_read", "gen_ai.usage.cache_read.input_tokens"),
        ("input_token_details", "cache_creation", "gen_ai.usage.cache_write.input_tokens"),
        ("output_token_details", "reasoning", "gen_ai.usage.reasoning.output_tokens"),
    ):
        details = usage.get(side) if isinstance(usage, dict) else None
        value = details.get(key) if isinstance(details, dict) else None
        found[name] = value if type(value) is int else None
    return found


def _result(value: Any) -> Any:
    """Return what a tool answered, out of LangChain's message if it is in one."""
    held = content.read(value)
    data = held.get("data") if isinstance(held, dict) and held.get("type") == "tool" else None
    said = data.get("content") if isinstance(data, dict) else None
    return said if isinstance(said, str) else value


def _tool(schema: Any) -> Any:
    held = content.literal(schema)
    function = held.get("function") if isinstance(held, dict) else None
    return {"type": "function", **function} if isinstance(function, dict) else held


def _parameters(value: Any) -> dict[str, Any]:
    held = content.read(value)
    if not isinstance(held, dict):
        return {}
    wanted = {
        "gen_ai.request.model": (str, held.get("model") or held.get("model_name")),
        "gen_ai.request.temperature": (float, held.get("temperature")),
        "gen_ai.request.top_p": (float, held.get("top_p")),
        "gen_ai.request.max_tokens": (int, next((held[key] for key in _MOST_TOKENS if held.get(key)), None)),
        "gen_ai.request.seed": (int, held.get("seed")),
        "gen_ai.request.stream": (bool, held.get("stream")),
    }
    typed = {name: _typed(kind, value) for name, (kind, value) in wanted.items()}
    return {name: value for name, value in typed.items() if value is not None}


def _typed(kind: type, value: Any) -> Any:
    if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    return value if type(value) is kind else None


def _message(item: Mapping[str, Any], finish: Any = None) -> dict[str, Any]:
    who = content.role(item.get("role"))
    held = item.get("content")
    parts: list[dict[str, Any]] = []
    if who == "tool":
        parts.append(content.answer_part(held, item.get("tool_call_id")))
    elif held:
        parts.append(content.text_part(held))
    for piece in _listed(item.get("contents"), "message_content"):
        kind = piece.get("type")
        image = piece.get("image")
        if isinstance(image, dict):
            url = image["image"].get("url") if isinstance(image.get("image"), dict) else image.get("url")
            parts.append({"type": "uri", "modality": "image", "uri": str(url)})
        elif held is None or piece.get("text") != held:  # some write the text in both places
            parts.append({"type": kind or "text", "content": piece.get("text", "")})
    for call in _listed(item.get("tool_calls"), "tool_call"):
        function = call.get("function")
        if isinstance(function, dict):
            parts.append(content.call_part(function.get("name"), function.get("arguments"), call.get("id")))
    return content.message(who, parts, finish)


def _documents(attributes: Mapping[str, Any], trees: Mapping[str, Any]) -> dict[str, Any]:
    held = _listed(trees.get("retrieval.documents") or trees.get("reranker.output_documents"), "document")
    shown = content.read(attributes.get("output.value"))
    whole = shown.get("documents") if isinstance(shown, dict) else None
    documents = []
    for place, item in enumerate(held):
        document: dict[str, Any] = {key: item[key] for key in ("id", "score", "content") if key in item}
        if "metadata" in item:
            document["metadata"] = content.literal(item["metadata"])
        if "id" not in document and isinstance(whole, list) and place < len(whole) and isinstance(whole[place], dict):
            document["id"] = whole[place].get("id")
        documents.append(document)
    query = attributes.get("reranker.query") or attributes.get("input.value")
    return {
        "gen_ai.retrieval.query.text": query,
        "gen_ai.retrieval.documents": content.text(documents) if documents else None,
    }


def _trees(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the flattened attributes as nested dicts, under the name before the first index."""
    trees: dict[str, Any] = {}
    for name, value in attributes.items():
        steps = _steps(name)
        if steps is None:
            continue
        node: dict[str, Any] = trees
        for step in steps[:-1]:
            below = node.get(step)
            if not isinstance(below, dict):
                below = node[step] = {}
            node = below
        node[steps[-1]] = value
    return trees


@lru_cache(16_384)
def _steps(name: str) -> tuple[str, ...] | None:
    """Return the way to a flattened attribute, None for others."""
    for head in _HEADS:
        if name.startswith(head):
            return (head[:-1], *name[len(head) :].split(".")[:16])
    return None


def _listed(tree: Any, wrapper: str) -> list[dict[str, Any]]:
    """Return the objects of an indexed tree in order, each without its `wrapper`."""
    if not isinstance(tree, dict):
        return []
    places = sorted((int(key), key) for key in tree if key.isdecimal() and len(key) < 7)[:_MOST]
    items = [tree[key] for _, key in places]
    return [found for item in items if isinstance(item, dict) and isinstance(found := item.get(wrapper, item), dict)]

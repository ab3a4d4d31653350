"""Azure OpenAI's diagnostic logs (category `RequestResponse`): who called which deployment, how long, with what result.

They carry no content and no token counts. Source: Azure Monitor's reference for Microsoft.CognitiveServices/accounts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import content
from treering.parse.genai.documents import Found, Kindred

if TYPE_CHECKING:
    from collections.abc import Mapping

_OPERATIONS = {
    "ChatCompletions_Create": "chat",
    "Completions_Create": "text_completion",
    "Embeddings_Create": "embeddings",
    "Responses_Create": "chat",
}


def read(document: Mapping[str, Any]) -> Found | None:
    """Return what a diagnostic log says; None for other documents."""
    operation = _OPERATIONS.get(str(document.get("operationName")))
    held = content.read(document.get("properties"))
    if operation is None or not isinstance(held, dict):
        return None
    model, version = held.get("modelName"), held.get("modelVersion")
    result = str(document.get("resultSignature") or held.get("resultSignature") or "")
    failed = result.isdecimal() and int(result) >= 400
    waited = content.read(document.get("durationMs"))
    attributes: dict[str, Any] = {
        "gen_ai.operation.name": operation,
        "gen_ai.provider.name": "azure.ai.openai",
        "gen_ai.request.model": held.get("modelDeploymentName"),
        "gen_ai.response.model": f"{model}-{version}" if model and version else model,
        "gen_ai.response.id": document.get("correlationId"),
        "gen_ai.request.stream": True if held.get("streamType") == "Streaming" else None,
        "user.id": held.get("objectId") or None,
        "error.type": result if failed else None,
    }
    seconds = waited / 1000 if isinstance(waited, int | float) else None
    return Found(attributes, started=document.get("time"), seconds=seconds, failed=failed)


KIND = Kindred("azure", ("operationName", "resourceId", "properties"), read)

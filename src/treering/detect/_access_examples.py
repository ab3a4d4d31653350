"""The examples that `vector_access` carries: audit lines of Weaviate."""

from __future__ import annotations

from treering.stage.detector import Example

_S = 1_000_000_000
_AT = 1_795_000_000 * _S


def _line(second: float, user: str, collection: str, *, refused: bool = False, action: str = "R") -> dict[str, object]:
    resource = f"[Domain: data, Collection: {collection}, Tenant: *, Object: *]"
    attributes = {
        "component": "RBAC", "action": "authorize", "user": user, "request_action": action, "source_ip": "192.0.2.7",
        "permissions": [] if refused else [{"resource": resource, "results": "success"}],
    }  # fmt: skip
    body = "authorization denied" if refused else ""
    return {"@timestamp": int(_AT + second * _S), "body": body, "serviceName": "weaviate", "attributes": attributes}


def _reason(second: float, user: str, collection: str) -> dict[str, object]:
    error = f"rbac: authorization, forbidden action: user '{user}' has insufficient permissions to read_data"
    attributes = {"action": "requests_total", "class_name": collection, "error": error}
    return {
        "@timestamp": int(_AT + second * _S),
        "body": "unexpected error",
        "serviceName": "weaviate",
        "attributes": attributes,
    }


_PROBES = [line for n in range(7) for line in (_line(n, "bot-a", "", refused=True), _reason(n, "bot-a", "Salaries"))]
_THEFT = [*_PROBES, _line(60, "bot-a", "Salaries")]
EXAMPLES = (
    Example("a key is refused again and again", "logs", _PROBES, ["refused_burst"]),
    Example("then it reads what it was refused", "logs", _THEFT, ["refused_burst", "foreign_collection_read"]),
    Example("a refused deletion", "logs", [_line(1, "bot-b", "", refused=True, action="D")], ["forbidden_change"]),
    Example("a single honest refusal", "logs", [_line(n, "bot-a", "Tickets", refused=n == 4) for n in range(9)]),
)

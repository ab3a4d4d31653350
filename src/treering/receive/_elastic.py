"""What all OpenSearch and Elasticsearch answers share: content types, the product header, the shape of errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import Retryable, UserError
from treering.receive import _filter_path
from treering.stage.source import Response

if TYPE_CHECKING:
    from treering.core.errors import TreeringError
    from treering.stage.source import Request

JSON = "application/json; charset=UTF-8"
_VENDOR = "application/vnd.elasticsearch+json"
# A browser can send these to another origin without asking first, so no content type in this set is taken.
_BODY_TYPES = ("application/json", "application/x-ndjson", "application/vnd.elasticsearch+", "application/yaml")
ILLEGAL, PARSING = "illegal_argument_exception", "mapper_parsing_exception"
REJECTED, CONFLICT = "rejected_execution_exception", "version_conflict_engine_exception"
BAD_NAME, NO_INDEX = "invalid_index_name_exception", "index_not_found_exception"


def answer(request: Request, body: Any, status: int = 200) -> Response:
    """Return `body` as the JSON answer to `request`: filtered, pretty and in the vendor type if it asks so."""
    if path := request.query.get("filter_path"):
        body = _filter_path.apply(body, path)
    data = msgspec.json.encode(body)
    if request.query.get("pretty", "false") != "false":
        data = msgspec.json.format(data, indent=2) + b"\n"
    return Response(status, data, headers(request))


def headers(request: Request) -> dict[str, str]:
    """Return the headers that the asking client needs to accept an answer."""
    accept = request.headers.get("accept", "")
    out = {"content-type": accept if accept.startswith(_VENDOR) and accept.isascii() else JSON}
    if "opensearch" not in request.headers.get("user-agent", "").lower():
        out["x-elastic-product"] = "Elasticsearch"  # Elastic's clients refuse any server that does not say this
    return out


def body_type_problem(request: Request) -> Response | None:
    """Return the refusal of a body whose content type OpenSearch does not take, or None."""
    kind = request.headers.get("content-type", "").strip().lower()
    if kind.startswith(_BODY_TYPES):
        return None
    said = f"Content-Type header [{kind[:80]}] is not supported" if kind else "Content-Type header is missing"
    return answer(request, {"error": said, "status": 406}, 406)


def cause(kind: str, reason: str, **more: Any) -> dict[str, Any]:
    """Return the inner object of an error."""
    return {"type": kind, "reason": reason, **more}


def failure(request: Request, status: int, kind: str, reason: str, **more: Any) -> Response:
    """Return an error about a whole request in OpenSearch's shape."""
    inner = cause(kind, reason, **more)
    return answer(request, {"error": {"root_cause": [inner], **inner}, "status": status}, status)


def refusal(request: Request, error: TreeringError) -> Response:
    """Return the answer to `error`: 429 for what may succeed later, 400 otherwise."""
    if not isinstance(error, Retryable):
        return failure(request, 400, ILLEGAL, error.message)
    response = failure(request, 429, REJECTED, error.message)
    wait = {"retry-after": str(max(1, round(error.retry_after_s)))}
    return Response(429, response.body, {**response.headers, **wait})


def acknowledged(request: Request) -> Response:
    """Return the answer to a change that was made."""
    return answer(request, {"acknowledged": True})


def json_object(request: Request) -> dict[str, Any]:
    """Return the body as an object, an empty one without a body. Raises `UserError`."""
    if not request.body.strip():
        return {}
    try:
        body = msgspec.json.decode(request.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UserError(f"failed to parse: {error}") from error
    if not isinstance(body, dict):
        raise UserError("failed to parse: a json object is expected")
    return body

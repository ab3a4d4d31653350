"""The answer to a bulk request: one object per item, as text, because there are thousands of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import Retryable
from treering.core.ids import row_id
from treering.receive import _elastic, _filter_path
from treering.receive._bulk_alike import AlikePlan
from treering.receive._bulk_plan import Failure
from treering.stage.source import Response

if TYPE_CHECKING:
    from treering.core.errors import TreeringError
    from treering.receive._bulk_plan import Plan
    from treering.stage.source import Request

_SHARDS = '"_shards":{"total":1,"successful":1,"failed":0}'
_VARYING = frozenset({"_id", "_seq_no"})


def respond(request: Request, plan: Plan, failed: TreeringError | None, took_ms: int) -> Response:
    """Return the answer to a request whose plan is done, or was refused by the store with `failed`."""
    forced = ',"forced_refresh":true' if request.query.get("refresh") in ("", "true") else ""
    errors = failed is not None or plan.failures > 0
    items = refused_items(plan, failed) if failed else done_items(plan, forced)
    head = {"took": took_ms, "errors": errors}
    pretty = request.query.get("pretty", "false") != "false"
    if path := request.query.get("filter_path"):
        head = _filter_path.apply(head, path)
        items = _filtered(plan, items, path)
    body: dict[str, Any] = dict(head)
    if items or "filter_path" not in request.query:
        body["items"] = msgspec.Raw(f"[{','.join(items)}]".encode())
    data = msgspec.json.encode(body)
    return Response(200, msgspec.json.format(data, indent=2) if pretty else data, _elastic.headers(request))


def _filtered(plan: Plan, items: list[str], path: str) -> list[str]:
    """Return what `filter_path` keeps of the items.

    Items that differ in nothing but their ids are filtered once, unless their ids are wanted: the Collector's exporter
    asks for index and status of thousands of items.
    """
    out = []
    known: dict[tuple[str, str, str, int], str] = {}
    for (action, _, _), place, text in zip(plan.items, plan.places, items, strict=True):
        alike = None if isinstance(place, Failure) else (action.operation, action.target, place.result, place.status)
        kept = known.get(alike) if alike else None
        if kept is None:
            item = msgspec.json.decode(text)
            shown = _filter_path.apply({"items": [item]}, path).get("items", [])
            kept = msgspec.json.encode(shown[0]).decode() if shown else ""
            (parts,) = shown[0].values() if shown else ({},)
            if alike and _VARYING.isdisjoint(parts):
                known[alike] = kept
        if kept:
            out.append(kept)
    return out


def done_items(plan: Plan, forced: str = "") -> list[str]:
    """Return the answer of each item as JSON, `forced` being a part to put into it."""
    if isinstance(plan, AlikePlan) and not plan.failures:
        return _alike_items(plan, forced)
    out = []
    heads: dict[tuple[str, str], str] = {}
    for (action, _, _), place in zip(plan.items, plan.places, strict=True):
        operation, target, identifier = action
        if isinstance(place, Failure):
            out.append(_failed_item(operation, target, identifier, place))
            continue
        head = heads.get((operation, target))
        if head is None:
            head = heads[operation, target] = _head(plan, operation, target)
        seq = place.seq
        shown = f'"{row_id(seq)}"' if identifier is None else _quote(identifier)
        _, _, result, status, version = place
        out.append(
            f'{head}{shown},"_version":{version},"result":"{result}"{forced},{_SHARDS},'
            f'"_seq_no":{seq},"_primary_term":1,"status":{status}}}}}'
        )
    return out


def _head(plan: Plan, operation: str, target: str) -> str:
    return f'{{"{operation}":{{"_index":{_quote(plan.group(target).stream)},"_id":'


def _alike_items(plan: AlikePlan, forced: str) -> list[str]:
    operation, target, _ = plan.items[0].action
    head = f'{_head(plan, operation, target)}"'
    middle = f'","_version":1,"result":"created"{forced},{_SHARDS},"_seq_no":'
    return [f'{head}{row_id(seq)}{middle}{seq},"_primary_term":1,"status":201}}}}' for seq in plan.seqs]


def refused_items(plan: Plan, failed: TreeringError) -> list[str]:
    """Return the answer of each item of a request that the store refused: later, or never."""
    if isinstance(failed, Retryable):
        failure = Failure(429, _elastic.cause(_elastic.REJECTED, failed.message))
    else:
        failure = Failure(400, _elastic.cause(_elastic.ILLEGAL, failed.message))
    return [
        _failed_item(*action, place if isinstance(place, Failure) else failure)
        for (action, _, _), place in zip(plan.items, plan.places, strict=True)
    ]


def _failed_item(operation: str, target: str, identifier: str | None, failure: Failure) -> str:
    inner: dict[str, Any] = {"_index": target, "_id": identifier, "status": failure.status, "error": failure.cause}
    return msgspec.json.encode({operation: inner}).decode()


def _quote(text: str) -> str:
    return msgspec.json.encode(text).decode()

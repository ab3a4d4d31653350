"""Single documents: each is a bulk request of one item, answered in the shape of its own call."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.errors import TreeringError
from treering.receive import _elastic
from treering.receive._bulk_answer import done_items, refused_items
from treering.receive._bulk_keyed import find, source
from treering.receive._bulk_lines import Action, Item
from treering.receive._opensearch_indices import no_index

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from treering.receive._indices import Indices
    from treering.receive.bulk import Bulk
    from treering.stage.source import Request, Response


def write(bulk: Bulk, operation: str) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of `_doc`, `_create` and `_update` (PUT and POST), or of DELETE."""

    async def handle(request: Request) -> Response:
        document: dict[str, Any] | None = None
        if operation != "delete":
            if problem := _elastic.body_type_problem(request):
                return problem
            try:
                document = _elastic.json_object(request)
            except TreeringError as error:
                return _elastic.failure(request, 400, _elastic.PARSING, error.message)
        wanted = "create" if request.query.get("op_type") == "create" else operation
        action = Action(wanted, request.params["index"], request.params.get("id"))
        plan, failed = await bulk.apply(lambda: [Item(action, document)], len(request.body))
        (text,) = refused_items(plan, failed) if failed else done_items(plan)
        answer = msgspec.json.decode(text)[wanted]
        status = answer.pop("status")
        if "error" in answer:
            inner = answer["error"]
            return _elastic.failure(request, status, inner["type"], inner["reason"])
        return _elastic.answer(request, answer, status)

    return handle


def read(indices: Indices, *, bare: bool = False) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of `GET /{index}/_doc/{id}`, or of `_source` when `bare`."""

    def handle(request: Request) -> Response:
        name, identifier = request.params["index"], request.params["id"]
        stream = indices.resolve(name)
        if not indices.exists(stream):
            return no_index(request, name)
        seq = find(indices.store, stream, [identifier]).get(identifier)
        record = None if seq is None else indices.store.record(stream, seq)
        head: dict[str, Any] = {"_index": stream, "_id": identifier}
        if record is None:
            return _elastic.answer(request, {**head, "found": False}, 404)
        document = source(stream, record)
        if bare:
            return _elastic.answer(request, document)
        about = {"_version": 1, "_seq_no": seq, "_primary_term": 1, "found": True}
        return _elastic.answer(request, {**head, **about, "_source": document})

    async def run(request: Request) -> Response:
        try:
            return await asyncio.to_thread(handle, request)
        except TreeringError as error:
            return _elastic.refusal(request, error)

    return run

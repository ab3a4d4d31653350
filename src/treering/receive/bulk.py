"""`_bulk` of OpenSearch and Elasticsearch: many documents in one request, each answered by itself.

Under pressure the answer is 200 with status 429 on each item: rsyslog and the Collector drop a request that is
answered 503, and nearly all clients resend items that were answered 429. The Collector's OpenSearch exporter resends
only one of them, so the store is first asked again for a while.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Annotated

from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.core.errors import TreeringError, UserError
from treering.receive import _bulk_answer, _bulk_lines, _elastic
from treering.receive._bulk_alike import AlikePlan, Shapes
from treering.receive._bulk_keyed import KeyedPlan, is_keyed
from treering.receive._bulk_plan import Plan
from treering.receive._intake import off_loop, refuse, store
from treering.stage.source import Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from treering.receive._bulk_lines import Item
    from treering.receive._indices import Indices
    from treering.stage.source import Context, Request, Response

    # A plan, or the items of one that has to look documents up first.
    Begun = Plan | tuple[list[Item], Indices]

NAME = "bulk"
_METHODS = frozenset({"POST", "PUT"})


class Config(BaseConfig, frozen=True):
    """How `_bulk` treats senders while the store is busy."""

    patience_s: Annotated[float, Meta(ge=0, description="seconds to go on trying before items are answered 429")] = 5.0


def build(config: Config, context: Context, indices: Indices | None = None) -> tuple[Route, ...]:
    """Return the routes of `_bulk`. Without `indices` documents are only appended: no update, no delete."""
    bulk = Bulk(context, indices, config.patience_s)
    return (
        Route(_METHODS, "/_bulk", bulk.handle, role="ingest"),
        Route(_METHODS, "/{index}/_bulk", bulk.handle, role="ingest"),
    )


class Bulk:
    """Does what bulk items say."""

    def __init__(self, context: Context, indices: Indices | None, patience_s: float = 0.0) -> None:
        """Store what comes through `context`; find names and documents through `indices`."""
        self._patience_s = patience_s
        self._context = context
        self._indices = indices
        self._shapes = Shapes()

    async def handle(self, request: Request) -> Response:
        """Store the documents of one request and answer for each."""
        if problem := _elastic.body_type_problem(request):
            refuse(self._context, NAME, "content type")
            return problem
        clock = self._context.clock
        started = clock.monotonic()

        begin = partial(self._read, request.body, request.params.get("index"))
        try:
            plan, failed = await self._apply(begin, len(request.body))
        except UserError as error:
            refuse(self._context, NAME, "unreadable")
            return _elastic.failure(request, 400, _elastic.ILLEGAL, error.message)
        took_ms = int((clock.monotonic() - started) * 1000)
        return _bulk_answer.respond(request, plan, failed, took_ms)

    async def apply(self, parse: Callable[[], list[Item]], size: int) -> tuple[Plan, TreeringError | None]:
        """Do what the items of `parse()` say; `size` is about how many bytes they have.

        The error, if any, is the store's, and then nothing was done. Raises what `parse` raises.
        """
        return await self._apply(lambda now_ns: self._begin(parse(), now_ns), size)

    async def _apply(self, begin: Callable[[int], Begun], size: int) -> tuple[Plan, TreeringError | None]:
        now = self._context.clock.now_ns()
        items_or_plan = await off_loop(size, partial(begin, now))
        if isinstance(items_or_plan, Plan):
            return items_or_plan, await self._finish(items_or_plan)
        # Between looking an id up and appending, nobody else may write it.
        items, indices = items_or_plan
        async with indices.writing:
            plan = await asyncio.to_thread(KeyedPlan, items, indices, now)
            return plan, await self._finish(plan)

    def _read(self, body: bytes, index: str | None, now_ns: int) -> Begun:
        if (alike := self._shapes.read(body, index)) is not None:
            return AlikePlan(*alike, self._indices, now_ns)
        items = _bulk_lines.parse(body, index)
        self._shapes.learn(items)
        return self._begin(items, now_ns)

    def _begin(self, items: list[Item], now_ns: int) -> Begun:
        if self._indices is not None and any(is_keyed(item.action) for item in items):
            return items, self._indices
        return Plan(items, self._indices, now_ns)

    async def _finish(self, plan: Plan) -> TreeringError | None:
        append = partial(self._context.sink.append, tombstones=plan.tombstones) if plan.tombstones else None
        try:
            first = await store(
                self._context,
                NAME,
                plan.batches,
                rejected=plan.failures,
                append=append,
                patience_s=self._patience_s,
            )
        except TreeringError as error:
            return error
        plan.number(first)
        return None

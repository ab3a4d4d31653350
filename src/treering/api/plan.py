"""How a query is answered: what `explain` and `/_plugins/_ppl/_explain` say."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec

from treering.api import language
from treering.api.service import DEFAULT_SOURCE
from treering.stage.plan import Planner

if TYPE_CHECKING:
    from treering.api.service import Service
    from treering.query.commands.explain import Explain
    from treering.stage.plan import Plan
    from treering.stage.store import Query

COLUMN = "plan"


async def explained(service: Service, text: str, mode: str, range_ns: language.Range = (None, None)) -> dict[str, Any]:
    """Return the plan of `text` as text for people (`plan`) and as values for programs.

    `mode` is one of those of the command `explain`; `analyze` runs the query. Raises `UserError` as the query would.
    """
    from treering.query.explain import explain

    compiled = await language.compiled(service, text, range_ns, service.limits.rows)
    plan = None if mode == "simple" else await _planned(service, compiled, measure=mode == "analyze")
    scans: dict[str, Any] = {
        name: {
            "streams": scan.streams,
            "fields": scan.fields,
            "newest": scan.newest,
            "reads": None if plan is None else msgspec.to_builtins(plan.readings.get(name)),
        }
        for name, scan in compiled.scans.items()
    }
    measured = None if plan is None or plan.measured is None else msgspec.to_builtins(plan.measured)
    about = {"sql": compiled.sql.sql(dialect="duckdb"), "scans": scans, "measured": measured}
    if plan is not None and plan.sent:
        about["sent"] = [msgspec.to_builtins(one) | {"body": msgspec.json.decode(one.body)} for one in plan.sent]
    steps = [] if plan is None else msgspec.to_builtins(plan.operators)
    lines = explain(compiled, plan, mode)
    return {COLUMN: lines, "root": {"name": plan.engine if plan else "", "description": about, "children": steps}}


async def asked(service: Service, text: str) -> tuple[str, str] | None:
    """Return the query that `text` wants explained, and how; None when it wants an answer. Raises `UserError`."""

    def work() -> tuple[str, str] | None:
        from treering import query
        from treering.query.commands.explain import Explain

        if not text.lstrip().lower().startswith("explain"):
            return None
        first = query.parse(text, DEFAULT_SOURCE).commands[:1]
        found: Explain | None = next((command for command in first if isinstance(command, Explain)), None)
        return None if found is None else (query.print(found.inner), found.mode)

    return await service.call(work)


async def table(service: Service, text: str, range_ns: language.Range) -> dict[str, Any] | None:
    """Return the plan as an answer of one column, a row a line, when `text` is an `explain`; else None."""
    if (found := await asked(service, text)) is None:
        return None
    lines = (await explained(service, *found, range_ns))[COLUMN].splitlines()
    schema = [{"name": COLUMN, "type": "string"}]
    return {"schema": schema, "datarows": [[line] for line in lines], "total": len(lines), "size": len(lines)}


async def _planned(service: Service, query: Query, *, measure: bool) -> Plan | None:
    store = service.store
    if not isinstance(store, Planner) or not any(
        [await service.call(store.streams, name) for scan in query.scans.values() for name in scan.streams]
    ):
        return None
    cancel = threading.Event()
    try:
        return await service.call(lambda: store.plan(query, replace(service.limits), measure=measure, cancel=cancel))
    except asyncio.CancelledError:
        cancel.set()
        raise

"""What the operations work with, for whoever calls them: HTTP, the command line, another program."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from treering.core.clock import Clock, SystemClock
from treering.core.telemetry import Telemetry
from treering.stage.store import Limits, Result

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from treering.api.querylog import QueryLog
    from treering.app.alerts import AlertDesk
    from treering.app.drill.drills import Drills
    from treering.app.incidents import Desk
    from treering.app.ledger import Ledger
    from treering.app.playbooks import Playbooks
    from treering.app.rule_desk import RuleDesk
    from treering.app.scan import Scans
    from treering.app.templating import Templates
    from treering.stage.store import Query, Store

T = TypeVar("T")
DEFAULT_SOURCE = "logs"
# What OpenTelemetry fills. A query over these is answered before anything has come.
USUAL = frozenset({"logs", "spans", "metrics"})


@dataclass(frozen=True, slots=True)
class Listener:
    """An address the server listens on, or why it does not."""

    name: str
    address: str
    state: str


def _no_listeners() -> list[Listener]:
    return []


@dataclass(slots=True)
class Service:
    """A store and the bounds under which it is asked. All operations of `treering.api` take one."""

    store: Store
    limits: Limits = field(default_factory=Limits)
    clock: Clock = field(default_factory=SystemClock)
    telemetry: Telemetry = field(default_factory=Telemetry)
    pool: Executor = field(default_factory=lambda: ThreadPoolExecutor(4, thread_name_prefix="query"))
    listeners: Callable[[], list[Listener]] = _no_listeners
    ready: Callable[[], bool] = lambda: True
    started: float = 0.0
    dashboards: Path | None = None
    caller: Callable[[str], str] = lambda _header: "someone on this machine"
    incidents: Desk | None = None
    alerts: AlertDesk | None = None
    playbooks: Playbooks | None = None
    ledger: Ledger | None = None
    scans: Scans | None = None
    drills: Drills | None = None
    rules: RuleDesk | None = None
    detection: Callable[[], Mapping[str, Any] | None] = lambda: None
    templates: Templates | None = None
    # What OpenSearch's clients have set up for the cluster, by scope.
    settings: Callable[[], Mapping[str, Mapping[str, Any]]] = dict
    # What operations know from a moment ago, by what they asked.
    remembered: dict[tuple[Any, ...], tuple[float, Any]] = field(default_factory=dict)
    log: QueryLog | None = None

    async def call(self, function: Callable[..., T], *args: object) -> T:
        """Return what the blocking `function` returns, without blocking the event loop."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, function, *args)

    async def run(self, query: Query, rows: int | None = None) -> Result:
        """Answer `query`; a caller that goes away cancels it. Raises `UserError` at a limit.

        Before the first record has come the usual streams are empty rather than unknown.
        """
        read = {stream for scan in query.scans.values() for stream in scan.streams}
        if read and read <= USUAL and not any([await self.call(self.store.streams, stream) for stream in read]):
            return Result(query.columns, [])
        cancel = threading.Event()
        limits = self.limits if rows is None else replace(self.limits, rows=rows)
        began, outcome, result = self.clock.monotonic(), "refused", None
        try:
            result = await self.call(self.store.run, query, limits, cancel)
            outcome = "answered"
        except asyncio.CancelledError:
            cancel.set()
            outcome = "cancelled"
            raise
        finally:
            self._note(query, self.clock.monotonic() - began, outcome, result)
        return result

    def _note(self, query: Query, took_s: float, outcome: str, result: Result | None) -> None:
        """Have a slow query noted, without waiting for it."""
        if self.log is not None and self.log.is_slow(took_s):
            self.pool.submit(self.log.note, query, took_s, outcome, result)

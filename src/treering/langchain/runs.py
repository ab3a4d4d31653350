"""Runs that have begun, and the spans they become when they end."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from treering.client import otlp
from treering.client.handler import current_span, exception

if TYPE_CHECKING:
    from collections.abc import Mapping
    from uuid import UUID

INTERNAL, CLIENT = 1, 3
_MAX_OPEN = 50_000  # runs that nobody ends are forgotten from here on, oldest first
_CONVERSATION = ("conversation_id", "session_id", "thread_id")
_USER = ("user_id", "user", "userId", "langfuse_user_id")
# LangGraph ends runs by exception to wait for people or to go elsewhere: no errors (langgraph.errors.GraphBubbleUp).
_CONTROL = frozenset({"GraphBubbleUp", "GraphInterrupt", "NodeInterrupt", "ParentCommand", "GraphDelegate"})


@dataclass(slots=True)
class Run:
    """A run between its beginning and its end."""

    name: str
    kind: int
    trace: str
    span: str
    parent: str
    start_ns: int
    attributes: dict[str, Any] = field(default_factory=dict)
    hidden: bool = False
    first_chunk_ns: int | None = None
    agent: str | None = None


class Runs:
    """The open runs of one callback, safe from any thread."""

    def __init__(self) -> None:
        """Start with none."""
        self.forgotten = 0
        self._open: OrderedDict[UUID, Run] = OrderedDict()
        self._lock = threading.Lock()

    def begin(
        self,
        run_id: UUID,
        parent_run_id: UUID | None,
        name: str,
        kind: int,
        attributes: dict[str, Any],
        *,
        hidden: bool = False,
    ) -> Run:
        """Begin a run below its parent, below the span that is current in OpenTelemetry, or in a trace of its own."""
        with self._lock:
            above = self._open.get(parent_run_id) if parent_run_id is not None else None
        if above is not None:
            trace, parent = above.trace, above.parent if above.hidden else above.span
        else:
            trace, parent = current_span() or (run_id.hex, "")
        run = Run(name, kind, trace, run_id.hex[16:], parent, time.time_ns(), attributes, hidden)
        run.agent = attributes.get("gen_ai.agent.name") or (above.agent if above else None)
        if run.agent:
            attributes.setdefault("gen_ai.agent.name", run.agent)
        with self._lock:
            self._open[run_id] = run
            if len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)
                self.forgotten += 1
        return run

    def get(self, run_id: UUID) -> Run | None:
        """Return an open run."""
        return self._open.get(run_id)

    def end(self, run_id: UUID) -> Run | None:
        """Return a run and close it; None for one that never began."""
        with self._lock:
            return self._open.pop(run_id, None)


def who(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Return conversation and user that a run's metadata names."""
    conversation = next((metadata[name] for name in _CONVERSATION if metadata.get(name)), None)
    user = next((metadata[name] for name in _USER if metadata.get(name)), None)
    return {
        "gen_ai.conversation.id": None if conversation is None else str(conversation),
        "user.id": None if user is None else str(user),
    }


def span(run: Run, error: BaseException | None = None) -> dict[str, Any]:
    """Return the span of a run that ends now."""
    end = max(time.time_ns(), run.start_ns)
    out: dict[str, Any] = {
        "traceId": run.trace, "spanId": run.span, "name": run.name, "kind": run.kind,
        "startTimeUnixNano": str(run.start_ns), "endTimeUnixNano": str(end), "status": {},
    }  # fmt: skip
    if run.parent:
        out["parentSpanId"] = run.parent
    if error is not None:
        about = exception(error)
        if type(error).__name__ in _CONTROL:
            run.attributes["langgraph.interrupted"] = type(error).__name__
        else:
            run.attributes["error.type"] = about["exception.type"]
            out["status"] = {"code": 2, "message": otlp.cut(about["exception.message"])}
            event = {"timeUnixNano": str(end), "name": "exception", "attributes": otlp.attributes(about)}
            out["events"] = [event]
    out["attributes"] = otlp.attributes(run.attributes)
    return out

"""`TreeringHandler`: Python's `logging` to treering, with the trace that is current in OpenTelemetry."""

from __future__ import annotations

import logging
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

from treering.client import otlp
from treering.client.sender import shared

if TYPE_CHECKING:
    from treering.client.sender import Sender

# What every LogRecord has (docs.python.org/3/library/logging.html); the rest came by `extra`.
_STANDARD = frozenset(logging.LogRecord("", 0, "", 0, "", (), None).__dict__) | {"message", "asctime", "taskName"}
_LEVELS = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5), (0, 1))
_NAMES = {"WARNING": "WARN", "CRITICAL": "FATAL"}


class TreeringHandler(logging.Handler):
    """Sends records in the background: `logging.getLogger().addHandler(TreeringHandler())`."""

    def __init__(self, sender: Sender | None = None, level: int = logging.NOTSET) -> None:
        """Send through `sender`, else the process's own to `TREERING_ENDPOINT`."""
        super().__init__(level)
        self.sender = sender or shared()
        self._inside = threading.local()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record. Never blocks, never raises; the sender's own records are left out."""
        if record.name.startswith("treering.client") or getattr(self._inside, "busy", False):
            return
        self._inside.busy = True
        try:
            self.sender.log(_record(record), record.name)
        except Exception:  # noqa: BLE001  logging must not break the program
            self.sender.dropped += 1
        finally:
            self._inside.busy = False


def _record(record: logging.LogRecord) -> dict[str, Any]:
    try:
        body = record.getMessage()
    except Exception:  # noqa: BLE001  arguments that do not fit their format: the format is still worth keeping
        body = otlp.text(record.msg)
    number = next(number for level, number in _LEVELS if record.levelno >= level or level == 0)
    out = {
        "timeUnixNano": str(round(record.created * 1e6) * 1000),
        "observedTimeUnixNano": str(round(record.created * 1e6) * 1000),
        "severityNumber": number,
        "severityText": _NAMES.get(record.levelname, record.levelname),
        "body": {"stringValue": otlp.cut(body)},
        "attributes": otlp.attributes(_attributes(record)),
    }
    if (span := current_span()) is not None:
        out["traceId"], out["spanId"] = span
    return out


def _attributes(record: logging.LogRecord) -> dict[str, Any]:
    found: dict[str, Any] = {
        "code.file.path": record.pathname,
        "code.function.name": record.funcName,
        "code.line.number": record.lineno,
        "thread.name": record.threadName,
    }
    if record.exc_info and record.exc_info[0] is not None:
        found |= exception(record.exc_info[1])
    elif record.exc_text:
        found["exception.stacktrace"] = record.exc_text
    found |= {name: held for name, held in record.__dict__.items() if name not in _STANDARD}
    return found


def exception(error: BaseException | None) -> dict[str, Any]:
    """Return the `exception.*` attributes of an error."""
    if error is None:
        return {}
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    trace = "".join(traceback.format_exception(kind, error, error.__traceback__, limit=-50))
    return {"exception.type": name, "exception.message": otlp.text(error), "exception.stacktrace": otlp.cut(trace)}


def current_span() -> tuple[str, str] | None:
    """Return trace and span id that are current in OpenTelemetry, if the program has loaded it and is in a span."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    context = trace.get_current_span().get_span_context()
    return (f"{context.trace_id:032x}", f"{context.span_id:016x}") if context.is_valid else None

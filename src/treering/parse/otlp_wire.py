"""OTLP spans and log records from protobuf to MessagePack, by a small WebAssembly program (`wasm/otlp.c`).

The records are those of `treering.parse.otlp`, ten times faster. Requests that are damaged or out of the ordinary are
refused here, and then read the general way.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np

from treering.core.wasm import Instance, Trap
from treering.parse.otlp import Signal

PROGRAM = Path(__file__).parent / "wasm" / "otlp.wasm"
SIGNALS = frozenset({Signal.TRACES, Signal.LOGS})
LEAST_BYTES = 4096  # below, calling the program costs more than it saves
_GROWTH, _SLACK = 4, 1 << 20
_MOST_KEPT = 64 << 20
_held = threading.local()


def packed(signal: Signal, body: bytes, received_ns: int) -> memoryview | None:
    """Return a MessagePack array of a request's records, valid until this thread's next call, or None when refused.

    Texts may not be UTF-8: who decodes them has to check.
    """
    program = _program()
    try:
        place = program.call("room", len(body), _GROWTH * len(body) + _SLACK)
        program.memory(place, len(body))[:] = np.frombuffer(body, dtype=np.uint8)
        end = program.call("decode", place, len(body), int(signal is Signal.TRACES), received_ns)
    except Trap:
        _held.program = None
        return None
    start = place + len(body)
    return memoryview(program.memory(start, end - start)) if end else None


def _program() -> Any:
    held = getattr(_held, "program", None)
    if held is None or held.size > _MOST_KEPT:
        held = _held.program = Instance(PROGRAM)
    return held

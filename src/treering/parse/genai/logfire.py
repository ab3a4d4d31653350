"""Logfire: of a streamed answer the span ends when the stream begins; a log at its end has the text and the counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.parse.genai import official
from treering.parse.genai.facts import INSTEAD

if TYPE_CHECKING:
    from treering.parse.genai.facts import Facts

NAME = "logfire"


def derive(facts: Facts) -> dict[str, Any]:
    """Return messages, and of the log of a stream when the call began and how long it took."""
    found = official.derive(facts)
    took, ended = facts.get("duration"), facts.start_ns
    if facts.get("logfire.span_type") == "log" and isinstance(took, int | float) and ended is not None and took >= 0:
        nanos = round(took * 1e9)
        found |= {f"{INSTEAD}/startTime": ended - nanos, f"{INSTEAD}/durationInNanos": nanos}
    return found

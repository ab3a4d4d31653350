"""OpenLIT: the conventions' names, with the time to first token as an attribute, and invented counts on streams."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.model import semconv
from treering.parse.genai import official

if TYPE_CHECKING:
    from treering.parse.genai.facts import Facts

NAME = "openlit"


def derive(facts: Facts) -> dict[str, Any]:
    """Return messages in events, time to first token, and whether the token counts may be guesses.

    OpenLIT counts words itself when a stream carries no usage, and does not say so: counts of any stream are marked.
    """
    stream = facts.get("gen_ai.request.is_stream", "gen_ai.request.stream")
    counted = facts.get("gen_ai.usage.input_tokens") is not None
    return {
        **official.derive(facts),
        "gen_ai.request.stream": stream if isinstance(stream, bool) else None,
        semconv.ESTIMATED: True if stream is True and counted else None,
    }

"""A model call as numbers: what an isolation forest looks at."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from treering.detect._calls import calls

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treering.model.rows import Rows

NAMES = ("seconds", "input_tokens", "output_tokens", "cost_usd", "first_chunk_s", "seconds_a_token")
_INPUT, _OUTPUT = "attributes.gen_ai.usage.input_tokens", "attributes.gen_ai.usage.output_tokens"
_FIRST = "attributes.gen_ai.response.time_to_first_chunk"


def points(rows: Rows, places: Iterable[int]) -> Iterable[tuple[int, tuple[float, ...]]]:
    """Yield place and values of the calls that took time or tokens."""
    batch = calls(rows)
    read, written, first = rows.numbers(_INPUT), rows.numbers(_OUTPUT), rows.numbers(_FIRST)
    for place in places:
        seconds = batch.seconds[place] or 0.0
        given, made = _positive(float(read[place])), _positive(float(written[place]))
        if not seconds and not given and not made:
            continue
        cost = batch.costs[place] or 0.0
        pace = seconds / made if made else 0.0
        raw = (seconds, given, made, cost * 1000, _positive(float(first[place])), pace)
        yield place, tuple(math.log1p(min(value, 1e12)) for value in raw)


def _positive(value: float) -> float:
    return value if 0 < value < math.inf else 0.0

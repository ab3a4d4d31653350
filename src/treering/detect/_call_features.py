"""A model call as numbers: what an isolation forest looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from treering.detect._calls import calls

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treering.model.rows import Rows

NAMES = ("seconds", "input_tokens", "output_tokens", "cost_usd", "first_chunk_s", "seconds_a_token")
_INPUT, _OUTPUT = "attributes.gen_ai.usage.input_tokens", "attributes.gen_ai.usage.output_tokens"
_FIRST = "attributes.gen_ai.response.time_to_first_chunk"


def points(rows: Rows, places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the values of each of these calls by the order of `NAMES`: logarithms, 0 for what nobody said."""
    batch = calls(rows)
    seconds, costs = np.nan_to_num(batch.seconds[places]), np.nan_to_num(batch.costs[places])
    read, made, first = (rows.numbers(name)[places] for name in (_INPUT, _OUTPUT, _FIRST))
    made = _positive(made)
    pace = np.divide(seconds, made, out=np.zeros_like(seconds), where=made > 0)
    table = np.stack([seconds, _positive(read), made, costs * 1000, _positive(first), pace], axis=1)
    found: NDArray[np.float64] = np.log1p(np.minimum(table, 1e12))
    return found


def _positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where((values > 0) & np.isfinite(values), values, 0.0)

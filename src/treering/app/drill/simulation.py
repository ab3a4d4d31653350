"""A drill in this process: the records go through decoding, normalising and detection, and nothing stays."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.app.drill.corpus import cases
from treering.app.drill.lane import Lane
from treering.app.drill.line import requests
from treering.app.drill.score import Result, scored

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.app.config import Settings
    from treering.app.drill.corpus import Technique
    from treering.core.clock import Clock
    from treering.model.batch import Batch
    from treering.stage.enricher import Enricher

_RUN = "simulation"
_BETWEEN_NS, _AFTER_NS = 180 * 10**9, 900 * 10**9


def simulate(
    settings: Settings, techniques: Sequence[Technique], clock: Clock, told: Callable[[int], None] = lambda _: None
) -> Result:
    """Return how the techniques go with the detectors of `settings`, which begin without history.

    `told` is called with how many cases are done. Raises `UserError` for settings or corpora that are wrong.
    """
    from treering.app.pipeline import enrichers
    from treering.app.templating import Templates

    lane = Lane(settings.detect, clock)
    try:
        attacks = [case for technique in techniques for case in cases(technique, lane.canary)]
        steps = enrichers(settings, Templates())
        # The newest record is of now: what is to come is taken for a wrong clock by some that look.
        total_s = sum(case.span_s for case in attacks)
        at_ns = clock.now_ns() - int(total_s * 1e9) - (len(attacks) + 1) * _BETWEEN_NS - _AFTER_NS
        starts: dict[str, int] = {}
        seq = 0
        for number, case in enumerate(attacks, 1):
            starts[case.id] = at_ns
            batches = [
                batch for signal, body in requests(case, _RUN, at_ns) for batch in _decoded(signal, body, at_ns, steps)
            ]
            for place, batch in enumerate(batches):
                batches[place] = _numbered(batch, seq)
                seq += batch.rows
            lane.take(batches)
            at_ns += int(case.span_s * 1e9) + _BETWEEN_NS
            lane.tick(at_ns)
            told(number)
        lane.finish(at_ns)
        return scored(attacks, lane.report(), starts, {})
    finally:
        lane.close()


def _decoded(signal: str, body: bytes, now_ns: int, steps: Sequence[Enricher]) -> list[Batch]:
    from treering.model.batch import batch
    from treering.parse.otlp import Signal, decode_json

    found = Signal(signal)
    made = batch(found.stream, decode_json(found, body, now_ns).records, received_ns=now_ns)
    for step in steps:
        made = step(made)
    return [made]


def _numbered(batch: Batch, first: int) -> Batch:
    """Return a batch whose records carry numbers from `first` on, as those of a store do."""
    import numpy as np
    from arro3.core import Array, DataType, Field

    from treering.model.batch import Batch as Made
    from treering.model.columns import SEQUENCE

    column = Array.from_numpy(np.arange(first, first + batch.rows, dtype=np.int64))
    return Made(batch.stream, batch.data.append_column(Field(SEQUENCE, DataType.int64()), column))

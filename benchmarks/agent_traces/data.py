"""Labelled traces of agents: spans as the pipeline gives them to detectors, and what is true of each trace."""

from __future__ import annotations

import gzip
import json
import os
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from treering.model.batch import batch
from treering.model.rows import Rows
from treering.parse.genai import Normaliser
from treering.parse.otlp import Signal, decode_json
from treering.parse.prices import Prices

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(
    os.environ.get("TREERING_AGENT_TRACES", Path(__file__).parents[2].parent / "shared" / "data" / "agent_traces")
)
"""Where the traces are; they are not part of the project."""
HARMFUL, RESISTED = frozenset({"followed", "partial"}), "resisted"


class Truth(NamedTuple):
    """What is true of a trace."""

    trace: str
    suite: str
    outcome: str
    template: str
    sources: frozenset[str]
    followed: frozenset[str]
    impact: frozenset[str]


def truths(folder: Path = FOLDER) -> list[Truth]:
    """Return what is true of every trace. Raises `OSError` where there are none."""
    found = []
    for line in (folder / "truth.jsonl").read_text("utf-8").splitlines():
        held = json.loads(line)
        sources = frozenset(filter(None, [held["source_span_id"]]))
        acted = (frozenset(held[name]) for name in ("followed_span_ids", "impact_span_ids"))
        found.append(Truth(held["trace_id"], held["suite"], held["outcome"], held["template"] or "", sources, *acted))
    return found


def rows(folder: Path = FOLDER, together: int = 20) -> Iterator[Rows]:
    """Yield the spans of `together` traces at a time as detectors read them, numbered throughout."""
    normalise, first = Normaliser(Prices()), 0
    with gzip.open(folder / "traces.jsonl.gz", "rb") as lines:
        while held := [record for line in islice(lines, together) for record in _records(line)]:
            spans = normalise(batch("spans", held, received_ns=0))
            yield Rows(spans, first)
            first += spans.rows


def _records(line: bytes) -> list[dict[str, Any]]:
    return decode_json(Signal.TRACES, line, 0).records

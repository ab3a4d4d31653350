"""Metrics of inference servers and of older conventions: under which of today's names each one belongs."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from treering.model import semconv
from treering.model.batch import Batch
from treering.model.columns import Kind
from treering.parse.genai import arrays, values
from treering.parse.genai import plan as plans
from treering.parse.genai.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping


@cache
def _names() -> Mapping[str, str]:
    table: dict[str, str] = semconv.table("metrics")
    return table


def named(batch: Batch) -> Batch:
    """Return a batch of metrics with canonical attributes, and `treering.metric` where a name has a canonical one."""
    names = tuple(batch.data.schema.names)
    if "name:s" not in names or not batch.rows:
        return batch
    places, held = arrays.distinct(batch.data.column("name:s"))
    known = [_names().get(name) for name in held]
    plan = plans.plan(names)
    if plan is None and not any(known):
        return batch
    rows = Rows(batch.data)
    for source, target in plan.moves if plan is not None else ():
        rows.move(source, target)
    values.normalise(rows)
    if any(known):
        rows.add(semconv.METRIC, Kind.STRING, arrays.chosen(known, places, arrays.type_of("x:s")))
    return Batch(batch.stream, rows.batch())

"""Batches of any stream on their way into the store: GenAI names made canonical, calls found, priced and stamped.

Whole columns move to their canonical names; values and derived attributes are set row by row only where a dialect
hides them in texts. What the sender wrote can be rebuilt: `_origin` says per row what was done (`model.origin`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from treering.model import semconv
from treering.model.batch import Batch
from treering.model.columns import ORIGIN, Kind
from treering.parse.genai import arrays, calls, derive, metrics, values
from treering.parse.genai import plan as plans
from treering.parse.genai.rows import Rows

if TYPE_CHECKING:
    from treering.parse.genai.calls import Parents
    from treering.parse.genai.plan import Plan
    from treering.parse.prices import Prices

_OPERATION = "gen_ai.operation.name"


class Normaliser:
    """An enricher: a batch in, the same rows with canonical names out. May be called from several threads."""

    def __init__(self, prices: Prices | None = None) -> None:
        """Price calls by `prices` if given."""
        self._prices = prices
        self._parents: Parents = calls.Parents()

    def __call__(self, batch: Batch) -> Batch:
        """Return `batch` normalised; one without GenAI attributes as it is."""
        names = tuple(batch.data.schema.names)
        if batch.stream == "metrics":
            return metrics.named(batch)
        plan, kinds = plans.plan(names), derive.kindred(names)
        if (plan is None and not kinds) or not batch.rows or ORIGIN in names:
            return batch
        plan = plan or plans.NOTHING
        rows = Rows(batch.data)
        dialects = _dialects(rows, plan)
        derived = derive.derived(rows, dialects, kinds)
        for source, target in plan.moves:
            rows.move(source, target)
        values.normalise(rows)
        derive.add(rows, derived)
        values.first_chunk(rows)
        self._finish(batch.stream, rows, dialects)
        return Batch(batch.stream, rows.batch())

    def _finish(self, stream: str, rows: Rows, dialects: Any) -> None:
        codes, names = rows.distinct(_OPERATION)
        if names:
            called = calls.called(stream, rows, codes, names, dialects, self._parents)
            if bool(called.any()):
                calls.mark(rows, called)
                if self._prices is not None:
                    calls.price(rows, called, self._prices)
        stamp(rows, dialects)


def stamp(rows: Rows, dialects: Any) -> None:
    """Say in each row which dialect its names were in."""
    names = [dialect.name for dialect in plans.dialects()]
    rows.add(semconv.DIALECT, Kind.STRING, arrays.chosen(names, dialects, arrays.type_of("x:s")))


def _dialects(rows: Rows, plan: Plan) -> Any:
    """Return the number of each row's dialect, -1 where there is none."""
    count = len(plans.dialects())
    found = np.full(rows.count, count, dtype=np.int64)
    for name, number in reversed(plan.markers):
        found[arrays.present(rows.columns[name])] = number
    if (column := plans.scope_column(rows.columns)) is not None:
        places, scopes = arrays.distinct(rows.columns[column])
        numbers = np.array([*((n if (n := plans.by_scope(scope)) >= 0 else count) for scope in scopes), count])
        found = np.minimum(found, numbers[places])
    return np.where(found == count, -1, found)

"""Which rows are model calls, each call once, and what they cost."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
from arro3.core import Array

from treering.model import semconv
from treering.model.columns import TIME, Kind
from treering.parse.genai import arrays, values

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.parse.genai.rows import Rows
    from treering.parse.prices import Prices, Tokens

_MOST_PARENTS = 200_000
_ZERO = Array([0], arrays.type_of("x:l"))
_TOKENS = (
    ("gen_ai.usage.input_tokens", "input"),
    ("gen_ai.usage.output_tokens", "output"),
    ("gen_ai.usage.cache_read.input_tokens", "cache_read"),
    ("gen_ai.usage.cache_write.input_tokens", "cache_write"),
    ("gen_ai.usage.audio.input_tokens", "input_audio"),
    ("gen_ai.usage.audio.output_tokens", "output_audio"),
)


class Parents:
    """The spans under which a call was seen lately: a span that wraps a call of the same dialect is no call itself.

    A span ends, and so is sent, after those inside it.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._known: OrderedDict[tuple[int, str], None] = OrderedDict()
        self._lock = threading.Lock()

    def outer(self, dialects: Sequence[int], spans: Sequence[str | None], above: Sequence[str | None]) -> list[bool]:
        """Return for each call whether another one is directly inside it, and remember all their parents."""
        with self._lock:
            known = self._known
            for dialect, parent in zip(dialects, above, strict=True):
                if parent:
                    known[dialect, parent] = None
            while len(known) > _MOST_PARENTS:
                known.popitem(last=False)
            return [(dialect, span) in known for dialect, span in zip(dialects, spans, strict=True)]


def called(stream: str, rows: Rows, codes: Any, operations: Sequence[str], dialects: Any, parents: Parents) -> Any:
    """Return which rows are model calls, without those that only wrap another call or repeat a span's as an event."""
    calls = values.calls()
    found = np.array([*(name in calls for name in operations), False])[codes]
    if "eventName:s" in rows.columns:
        found &= ~arrays.present(rows.columns["eventName:s"])
    kind = rows.columns.get("attributes/logfire.span_type:s")
    if kind is not None:  # the log of a stream's end repeats the span
        places, kinds = arrays.distinct(kind)
        found &= ~np.array([*(name == "log" for name in kinds), False])[places]
    if stream != "spans" or "parentSpanId:s" not in rows.columns or "spanId:s" not in rows.columns:
        return found
    chosen = np.flatnonzero(found)
    taken = Array.from_numpy(chosen)
    spans: Any = rows.columns["spanId:s"].take(taken).to_pylist()
    above: Any = rows.columns["parentSpanId:s"].take(taken).to_pylist()
    outer = parents.outer(dialects[chosen].tolist(), spans, above)
    if any(outer):
        found[chosen[np.array(outer)]] = False
    return found


def mark(rows: Rows, called: Any) -> None:
    """Put the rows of calls into the view `llm`."""
    rows.add(semconv.VIEW, Kind.STRING, arrays.chosen([semconv.LLM], np.where(called, 0, -1), arrays.type_of("x:s")))


def price(rows: Rows, called: Any, prices: Prices) -> None:
    """Add what calls cost, and by which price; a call whose model or tokens are unknown has no cost."""
    counts = {key: held for name, key in _TOKENS if (held := _count(rows, name)) is not None}
    if not counts:
        return
    some = np.zeros(rows.count, dtype=bool)
    for name, key in _TOKENS[:2]:
        if key in counts:
            some |= rows.has(name)
    models, choices = _choices(rows)
    stamps = rows.columns[TIME].cast(arrays.type_of("x:l")).to_numpy()
    cost = np.zeros(rows.count)
    known = np.zeros(rows.count, dtype=bool)
    labels: list[str] = []
    label = np.full(rows.count, -1)
    for number, (provider, asked, answered, tier) in enumerate(choices):
        chosen = np.flatnonzero(called & some & (models == number))
        if not len(chosen):
            continue
        tokens: Tokens = {key: held[chosen] for key, held in counts.items()}
        for found, places in prices.cost(provider, (answered, asked), tier, stamps[chosen], tokens):
            where = chosen[places]
            cost[where], known[where], label[where] = found.usd, True, len(labels)
            labels.append(found.label)
    if bool(known.any()):
        rows.add(semconv.COST, Kind.DOUBLE, arrays.numbers(cost, known, arrays.type_of("x:d")))
        rows.add(semconv.PRICE, Kind.STRING, arrays.chosen(labels, label, arrays.type_of("x:s")))


def _count(rows: Rows, name: str) -> Any:
    column = rows.get(name, Kind.LONG)
    if column is None and (column := rows.get(name, Kind.DOUBLE)) is not None:
        return arrays.filled(column, Array([0.0], arrays.type_of("x:d")))
    return None if column is None else arrays.filled(column, _ZERO)


def _choices(rows: Rows) -> tuple[Any, list[tuple[str | None, ...]]]:
    """Return the number of each row's (provider, model asked, model that answered, tier), and those."""
    names = ("gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "openai.response.service_tier")
    code = np.zeros(rows.count, dtype=np.int64)
    held: list[tuple[Any, list[Any]]] = []
    for name in names:
        column = rows.get(name)
        places, found = (np.full(rows.count, -1), []) if column is None else arrays.distinct(column)
        held.append((places, [*found, None]))
        code = np.unique(code * (len(found) + 1) + places + 1, return_inverse=True)[1].reshape(-1)
    _, examples = np.unique(code, return_index=True)
    return code, [tuple(found[places[row]] for places, found in held) for row in examples]

"""Which rows are model calls, each call once, and what they cost."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
from arro3.core import Array

from treering.model import semconv
from treering.model.columns import TIME, Kind
from treering.parse.genai import arrays, twins, values

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.parse.genai.rows import Rows
    from treering.parse.prices import Choice, Prices, Tokens

_MOST_PARENTS = 50_000
_MOST_MAKERS = 500
_DEEPEST = 8
_INPUT = "gen_ai.input.messages"
_OUTPUT = "gen_ai.output.messages"
_OPERATION = "gen_ai.operation.name"
_CHOICE = ("gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "openai.response.service_tier")
_ZERO = Array([0], arrays.type_of("x:l"))
_TOKENS = (
    ("gen_ai.usage.input_tokens", "input"),
    ("gen_ai.usage.output_tokens", "output"),
    ("gen_ai.usage.cache_read.input_tokens", "cache_read"),
    ("gen_ai.usage.cache_write.input_tokens", "cache_write"),
    ("gen_ai.usage.audio.input_tokens", "input_audio"),
    ("gen_ai.usage.audio.output_tokens", "output_audio"),
)


Maker = int | str | None


class Parents:
    """The spans under which a call was seen lately: a span that wraps a call of its maker is no call itself.

    A maker is a dialect, whichever service writes it, and a service, whichever dialects it writes: two layers of one
    program (a framework's instrumentation, that of the client inside) tell of the same call, a program and the gateway
    it calls do not. A span ends, and so is sent, after those inside it.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._known: dict[Maker, dict[str | None, None]] = {}
        self._lock = threading.Lock()

    def outer(self, maker: Maker, spans: Sequence[str | None], above: Sequence[str | None]) -> set[str | None]:
        """Return the spans of calls inside which another call of the maker is, and remember all calls' parents."""
        with self._lock:
            known = self._known.pop(maker, {})
            known.update(dict.fromkeys(above))
            known.pop("", None)
            known.pop(None, None)
            if len(known) > _MOST_PARENTS:  # the oldest half goes
                known = dict.fromkeys(list(known)[_MOST_PARENTS // 2 :])
            self._known[maker] = known
            if len(self._known) > _MOST_MAKERS:  # the one that called least lately goes
                del self._known[next(iter(self._known))]
            return known.keys() & set(spans)


def called(stream: str, rows: Rows, codes: Any, operations: Sequence[str], dialects: Any, parents: Parents) -> Any:
    """Return which rows are model calls, without those that only wrap another call or repeat a span's as an event."""
    calls = values.calls()
    found = np.array([*(name in calls for name in operations), False])[codes]
    if "eventName:s" in rows.columns:
        found &= ~arrays.present(rows.columns["eventName:s"])
    if (kind := rows.columns.get("attributes/logfire.span_type:s")) is not None:
        found &= ~_of_logfire(rows, kind)
    if stream == "spans":
        found[twins.repeated(rows, np.flatnonzero(found))] = False
    if stream != "spans" or "parentSpanId:s" not in rows.columns or "spanId:s" not in rows.columns:
        return found
    chosen = np.flatnonzero(found)
    taken = Array.from_numpy(chosen)
    spans: Any = rows.columns["spanId:s"].take(taken).to_pylist()
    above: Any = rows.columns["parentSpanId:s"].take(taken).to_pylist()
    outer: set[str | None] = set()
    for maker, places in _makers(rows, chosen, dialects):
        outer |= parents.outer(maker, [spans[place] for place in places], [above[place] for place in places])
    if outer:
        told = rows.has(_INPUT)[chosen].tolist()
        found[chosen[_repeats(spans, above, outer, told)]] = False
    return found


def _of_logfire(rows: Rows, kind: Any) -> Any:
    """Return the spans of Logfire that are no call of their own: those not ended, and the beginnings of streams.

    A stream is told by the log at its end, which has the answer; a span of Logfire's own without one began it.
    """
    places, kinds = arrays.distinct(kind)
    pending, log = (np.array([*(name == one for name in kinds), False])[places] for one in ("pending_span", "log"))
    told = rows.has(_OUTPUT) | rows.has("gen_ai.usage.output_tokens")
    ours = rows.has("request_data") & ~rows.has("gen_ai.response.id") & ~rows.has("error.type")
    return pending | (~told & (log | ours))


def _makers(rows: Rows, chosen: Any, dialects: Any) -> Iterator[tuple[Maker, list[int]]]:
    """Yield the makers of calls, with the places of theirs among those `chosen`."""
    for dialect in np.flatnonzero(np.bincount(dialects[chosen] + 1)).tolist():
        yield dialect - 1, np.flatnonzero(dialects[chosen] == dialect - 1).tolist()
    if (column := rows.columns.get("serviceName:s")) is None:
        return
    places, services = arrays.distinct(column)
    for number in sorted(set(places[chosen].tolist()) - {-1}):
        yield services[number], np.flatnonzero(places[chosen] == number).tolist()


def _repeats(
    spans: Sequence[str | None], above: Sequence[str | None], outer: set[str | None], told: Sequence[bool]
) -> list[int]:
    """Return the places of calls that another tells of as well: the innermost stays, a layer with messages before it.

    What came in an earlier batch stays as it was marked.
    """
    inside: dict[str | None, list[int]] = {}
    for place, parent in enumerate(above):
        if parent in outer:
            inside.setdefault(parent, []).append(place)
    gone: set[int] = set()
    for place, span in enumerate(spans):
        if span not in outer:
            continue
        chain = [place]
        while len(within := inside.get(spans[chain[-1]], [])) == 1 and len(chain) < _DEEPEST:
            chain.append(within[0])
        counted = spans[chain[-1]] in outer  # by calls elsewhere
        stays = None if counted else next((one for one in reversed(chain) if told[one]), chain[-1])
        gone.update(one for one in chain if one != stays)
    return sorted(gone)


def mark(rows: Rows, called: Any) -> None:
    """Put the rows of calls into the view `llm`."""
    rows.add(semconv.VIEW, Kind.STRING, arrays.chosen([semconv.LLM], np.where(called, 0, -1), arrays.type_of("x:s")))


def price(rows: Rows, called: Any, prices: Prices) -> None:
    """Add what calls cost, and by which price; a call whose model or tokens are unknown has no cost."""
    counts = {key: held for name, key in _TOKENS if (held := _count(rows, name)) is not None}
    if not counts.keys() & {"input", "output"}:
        return
    some = called & _counted(rows, counts)
    models, choices = _choices(rows)
    stamps = rows.columns[TIME].cast(arrays.type_of("x:l")).to_numpy()
    cost, label, labels = prices.costs(choices, np.where(some, models, -1), stamps, counts)
    if labels:
        rows.add(semconv.COST, Kind.DOUBLE, arrays.numbers(cost, label >= 0, arrays.type_of("x:d")))
        rows.add(semconv.PRICE, Kind.STRING, arrays.chosen(labels, label, arrays.type_of("x:s")))


def _counted(rows: Rows, counts: Tokens) -> Any:
    """Return the rows with counts that can be: nobody calls a model with nothing and for nothing."""
    total = counts.get("input", 0) + counts.get("output", 0)
    found = rows.has(_TOKENS[0][0]) & (total > 0)
    operation, names = rows.distinct(_OPERATION)
    embeds = np.array([*(name == "embeddings" for name in names), False])[operation]
    return found & (embeds | rows.has(_TOKENS[1][0]))


def _count(rows: Rows, name: str) -> Any:
    column = rows.get(name, Kind.LONG)
    if column is None and (column := rows.get(name, Kind.DOUBLE)) is not None:
        return arrays.filled(column, Array([0.0], arrays.type_of("x:d")))
    return None if column is None else arrays.filled(column, _ZERO)


def _choices(rows: Rows) -> tuple[Any, list[Choice]]:
    """Return the number of each row's provider, models and tier, and those."""
    held = [rows.distinct(name) for name in _CHOICE]
    code = np.zeros(rows.count, dtype=np.int64)
    for places, found in held:
        code = code * (len(found) + 1) + places + 1
    present, code = np.unique(code, return_inverse=True)
    choices: list[Choice] = []
    for number in present.tolist():
        left, parts = number, []
        for _, found in reversed(held):
            left, place = divmod(left, len(found) + 1)
            parts.append(found[place - 1] if place else None)
        tier, answered, asked, provider = parts
        choices.append((provider, (answered, asked), tier))
    return code.reshape(-1), choices

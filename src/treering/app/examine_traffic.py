"""Request traces of inference services: load, tokens, bursts, what a prefix cache could save, cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treering.app.examiner import Examiner, Remark
from treering.parse.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treering.app.examiner import File

    # Dollars for input and output tokens of a model, or None when its price is not known.
    Price = Callable[[str, int, int], float | None]

_BURSTY = 3.0
_REUSABLE = 0.2
_LONG_INPUT = 0.05


def no_price(_model: str, _read: int, _written: int) -> float | None:
    """Return None: no prices are known."""
    return None


class Requests(Examiner):
    """One trace a file."""

    name = "request_traces"

    def __init__(self, price: Price = no_price) -> None:
        """Tell costs by `price`."""
        self.traces: list[dict[str, Any]] = []
        self._price = price
        self._remarks: list[Remark] = []
        self._unknown: dict[str, None] = {}
        self._traffic = Traffic()
        self._file = ""

    def begin(self, file: File) -> None:
        """Take the next trace."""
        self._traffic, self._file = Traffic(), file.name

    def lines(self, lines: Sequence[str]) -> None:
        """Read requests."""
        self._traffic.feed(lines)

    def end(self) -> None:
        """Sum the trace up."""
        if not self._traffic.is_trace:
            return
        about = self._traffic.about()
        about["cost_usd"] = self._cost(about)
        self.traces.append({"file": self._file, **about})
        self._load(about)
        self._tokens(about)
        self._unknown["latency, errors and users of requests: a trace holds arrivals and token counts only"] = None

    def _cost(self, about: dict[str, Any]) -> float | None:
        if not about["models"]:
            self._unknown["the cost of the requests: the trace names no model"] = None
            return None
        prices = {
            model: self._price(model, tokens["input"], tokens["output"]) for model, tokens in about["models"].items()
        }
        if unpriced := [model for model, cost in prices.items() if cost is None]:
            self._unknown[f"the cost of {', '.join(unpriced[:3])}: no price is known"] = None
            return None
        return round(sum(cost for cost in prices.values() if cost is not None), 4)

    def _load(self, about: dict[str, Any]) -> None:
        peak, middle = about["peak_minute"], about["median_per_minute"]
        dispersion = about["dispersion"]
        if dispersion is not None and dispersion > _BURSTY:
            title = f"arrivals come in bursts: the variance a second is {dispersion:g} times that of independent ones"
            detail = f"peak minute {peak['requests']:,} requests, median {middle:,}; plan capacity for the peak"
            self._remarks.append(Remark(52, "requests", title, detail, self._file))
        for burst in about["bursts"][:1]:
            title = f"{burst['requests']:,} requests in minute {burst['minute']} (usual {middle:,})"
            self._remarks.append(Remark(50, "requests", title, f"{len(about['bursts'])} such minutes", self._file))
        if about["unreadable"]:
            title = f"{about['unreadable']:,} lines of the trace are no requests"
            self._remarks.append(Remark(40, "requests", title, "", self._file))

    def _tokens(self, about: dict[str, Any]) -> None:
        cache, read, written = about["prefix_cache"], about["input_tokens"], about["output_tokens"]
        if cache and cache["input_token_share"] >= _REUSABLE:
            title = f"{cache['input_token_share']:.0%} of the input tokens could come from a prefix cache"
            detail = f"an unlimited one; {cache['distinct_blocks']:,} distinct of {cache['blocks']:,} blocks"
            self._remarks.append(Remark(48, "requests", title, detail, self._file))
        if about["output_share"] < _LONG_INPUT:
            title = f"{1 - about['output_share']:.1%} of all tokens are input: prompts decide load and cost"
            detail = f"input median {read['p50']:,}, p99 {read['p99']:,}; output median {written['p50']:,}"
            self._remarks.append(Remark(38, "requests", title, detail, self._file))
        if written["p99"] > 10 * max(1, written["p50"]):
            title = f"few answers are very long: p99 {written['p99']:,} output tokens, median {written['p50']:,}"
            self._remarks.append(Remark(32, "requests", title, f"longest {written['max']:,}", self._file))

    def judged(self) -> int:
        """Return the number of traces."""
        return len(self.traces)

    def remarks(self) -> list[Remark]:
        """Return bursts, reuse, the shape of the token counts."""
        return self._remarks

    def unknown(self) -> list[str]:
        """Return what traces do not hold."""
        return list(self._unknown)

    def details(self) -> Any:
        """Return the traces."""
        return self.traces or None

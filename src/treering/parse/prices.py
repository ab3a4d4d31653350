"""What calls cost: dated prices per provider, model, modality, cache and tier, applied to columns of token counts.

The prices are those of the package `genai-prices` (its data comes with it and is used offline), overridden by a file of
the user's own (`treering.parse.pricelines`). A model that neither knows has no price, which is not a price of zero.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.parse.pricelines import Line

Tokens: TypeAlias = "Mapping[str, Any]"
_HOUR_NS = 3_600_000_000_000
_MOST = 20_000
_MILLION = 1e6
# Which counts are part of which, as providers report them: cached and audio tokens are input tokens too.
_PARTS = {
    "input": ("cache_read", "cache_write", "input_audio", "input_image"),
    "output": ("reasoning", "output_audio", "output_image"),
}
_KEYS = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cache_read",
    "cache_write_mtok": "cache_write",
    "input_audio_mtok": "input_audio",
    "output_audio_mtok": "output_audio",
    "input_image_mtok": "input_image",
    "output_image_mtok": "output_image",
    "output_reasoning_mtok": "reasoning",
    "requests_kcount": "request",
}
_PROVIDERS = {
    "aws.bedrock": "aws",
    "azure.ai.openai": "azure",
    "azure.ai.inference": "azure",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "mistral_ai": "mistral",
    "x_ai": "x-ai",
    "moonshot_ai": "moonshotai",
}
# What a service tier is in the conditions of genai-prices.
_CONTEXTS = {"batch": {"processing": "batch"}, "fast": {"speed": "fast", "service_tier": "fast"}}


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per token (`request`: per call), each from a number of input tokens on; `label` says where from."""

    label: str
    steps: Mapping[str, tuple[tuple[int, float], ...]]

    def usd(self, tokens: Tokens) -> Any:
        """Return the cost of each call, given counts per call. The step that a call's input reaches holds for all."""
        total = tokens["input"]
        cost = np.zeros(len(total))
        for whole, parts in _PARTS.items():
            if whole not in self.steps:
                continue
            counted = [part for part in parts if part in self.steps and part in tokens]
            inside = sum((tokens[part] for part in counted), np.zeros(len(total)))
            count = tokens.get(whole, np.zeros(len(total)))
            # Where the parts are more than the whole, the sender counts them beside it (Anthropic's own counts).
            cost += np.where(inside > count, count, count - inside) * self._rate(whole, total)
            for part in counted:
                cost += tokens[part] * self._rate(part, total)
        if "request" in self.steps:
            cost += self._rate("request", total)
        return cost

    def _rate(self, unit: str, total: Any) -> Any:
        steps = self.steps[unit]
        rate = np.full(len(total), steps[0][1])
        for start, value in steps[1:]:
            rate[total > start] = value
        return rate


@dataclass(frozen=True, slots=True)
class Costs:
    """The costs of some calls, and the price they come from."""

    usd: Any
    label: str


@dataclass
class Prices:
    """Finds prices; each (provider, model, tier, hour) is looked up once."""

    lines: Sequence[Line] = ()
    _known: dict[Any, Price | None] = field(default_factory=dict, repr=False)

    def cost(
        self, provider: str | None, models: Sequence[str | None], tier: str | None, stamps: Any, tokens: Tokens
    ) -> Iterator[tuple[Costs, Any]]:
        """Yield costs with the places of the calls they are of; those without a price are left out.

        `models` are names of the same model, the best first; `stamps` are the calls' instants in nanoseconds.
        """
        hours = stamps // _HOUR_NS
        for hour in (hours[:1] if hours.min() == hours.max() else np.unique(hours)).tolist():
            price = next((found for name in models if name and (found := self.find(provider, name, tier, hour))), None)
            if price is not None:
                places = np.flatnonzero(hours == hour)
                usd = price.usd({unit: counts[places] for unit, counts in tokens.items()})
                yield Costs(usd, price.label), places

    def find(self, provider: str | None, model: str, tier: str | None, hour: int) -> Price | None:
        """Return the price of a model in an hour (counted from the epoch), or None when nobody knows it."""
        key = (provider, model, tier, hour)
        if key not in self._known:
            if len(self._known) >= _MOST:
                self._known.clear()
            self._known[key] = self._find(provider, model, tier, hour)
        return self._known[key]

    def _find(self, provider: str | None, model: str, tier: str | None, hour: int) -> Price | None:
        moment = dt.datetime.fromtimestamp(hour * 3600, dt.UTC)
        for line in self.lines:
            if line.fits(provider, model, moment.date(), tier):
                return _own(line)
        return self._bundled.find(provider, model, tier, moment)

    @cached_property
    def _bundled(self) -> _Bundled:
        return _Bundled()


def _own(line: Line) -> Price | None:
    units = {unit: getattr(line, unit) for unit in _KEYS.values()}
    steps = {
        unit: ((0, value if unit == "request" else value / _MILLION),)
        for unit, value in units.items()
        if value is not None
    }
    return Price(f"own {line.model} {line.since or ''}".strip(), steps) if steps else None


class _Bundled:
    """The prices of `genai-prices`, loaded when the first call is priced."""

    def __init__(self) -> None:
        import genai_prices
        from genai_prices.data_snapshot import get_snapshot

        self._version = genai_prices.__version__
        self._snapshot = get_snapshot()

    def find(self, provider: str | None, model: str, tier: str | None, moment: dt.datetime) -> Price | None:
        context = _CONTEXTS.get(tier, {"service_tier": tier}) if tier else None
        for name in dict.fromkeys((_PROVIDERS.get(provider, provider) if provider else None, None)):
            try:
                seller, found = self._snapshot.find_provider_model(model, None, name, None)
                price = found.get_prices(moment, context)
            except (LookupError, ValueError):
                continue
            steps = {unit: made for key, unit in _KEYS.items() if (made := _steps(key, getattr(price, key)))}
            if "input" in steps or "output" in steps or "request" in steps:
                return Price(f"genai-prices {self._version} {seller.id}/{found.id}", steps)
        return None


def _steps(key: str, value: Any) -> tuple[tuple[int, float], ...] | None:
    if value is None:
        return None
    per = 1000 if key == "requests_kcount" else _MILLION
    if hasattr(value, "tiers"):
        return ((0, float(value.base) / per), *((tier.start, float(tier.price) / per) for tier in value.tiers))
    return ((0, float(value) / per),)

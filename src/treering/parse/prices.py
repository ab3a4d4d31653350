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
    from collections.abc import Mapping, Sequence

    from treering.parse.pricelines import Line

Tokens: TypeAlias = "Mapping[str, Any]"
# Provider, names of the same model (the best first), service tier.
Choice: TypeAlias = "tuple[str | None, tuple[str | None, ...], str | None]"
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

    def rate(self, unit: str, total: int = 0) -> float | None:
        """Return the price of a unit for a call with `total` input tokens: the step that it reaches holds for all."""
        reached = [value for start, value in self.steps.get(unit, ()) if total > start or not start]
        return reached[-1] if reached else None

    @property
    def starts(self) -> frozenset[int]:
        """The numbers of input tokens beyond which other prices hold."""
        return frozenset(start for steps in self.steps.values() for start, _ in steps if start)


@dataclass
class Prices:
    """Finds prices; each (provider, model, tier, hour) is looked up once."""

    lines: Sequence[Line] = ()
    _known: dict[Any, Price | None] = field(default_factory=dict, repr=False)

    def costs(self, choices: Sequence[Choice], chosen: Any, stamps: Any, tokens: Tokens) -> tuple[Any, Any, list[str]]:
        """Return the cost of each call in US dollars, the number of its price (-1: unknown), and the prices' labels.

        `chosen` is the place of each call's provider, models and tier in `choices` (-1: not to be priced), `stamps` are
        instants in nanoseconds, `tokens` counts by unit.
        """
        hours = stamps // _HOUR_NS
        cost, label = np.zeros(len(chosen)), np.full(len(chosen), -1)
        labels: list[str] = []
        for hour in [int(hours[0])] if hours.min() == hours.max() else np.unique(hours).tolist():
            found = [self._best(choice, hour) for choice in choices]
            if not any(found):
                continue
            now = np.where(hours == hour, chosen, -1)
            priced = np.array([*(price is not None for price in found), False])[now]
            cost = np.where(priced, _usd(found, now, tokens), cost)
            names = [price.label if price is not None else "" for price in found]
            numbers = np.array([*(len(labels) + place for place in range(len(names))), -1])
            label = np.where(priced, numbers[now], label)
            labels += names
        return cost, label, labels

    def _best(self, choice: Choice, hour: int) -> Price | None:
        provider, models, tier = choice
        return next((found for name in models if name and (found := self.find(provider, name, tier, hour))), None)

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
        bare = model.removeprefix(f"{provider}/")  # as LiteLLM names models
        return self._bundled.find(provider, model, tier, moment) or (
            self._bundled.find(provider, bare, tier, moment) if bare != model else None
        )

    @cached_property
    def _bundled(self) -> _Bundled:
        return _Bundled()


def _usd(prices: Sequence[Price | None], chosen: Any, tokens: Tokens) -> Any:
    """Return what calls cost, given the place of each one's price."""
    total = tokens.get("input", np.zeros(len(chosen), dtype=np.int64))
    starts = frozenset().union(*(price.starts for price in prices if price is not None))
    cost = _flat(prices, chosen, tokens, 0)
    for start in sorted(starts):
        cost = np.where(total > start, _flat(prices, chosen, tokens, start + 1), cost)
    return cost


def _flat(prices: Sequence[Price | None], chosen: Any, tokens: Tokens, total: int) -> Any:
    """Return what calls would cost if all had `total` input tokens when it comes to steps."""

    def rates(unit: str) -> Any:
        return np.array([*((price.rate(unit, total) or 0.0) if price is not None else 0.0 for price in prices), 0.0])

    def stated(unit: str) -> Any:
        return np.array([*(price is not None and unit in price.steps for price in prices), False])

    cost = rates("request")[chosen] if any(price and "request" in price.steps for price in prices) else 0.0
    for whole, parts in _PARTS.items():
        if (count := tokens.get(whole)) is None:
            continue
        inside: Any = 0
        for part in parts:
            if part in tokens and (known := stated(part)).any():
                held = np.where(known[chosen], tokens[part], 0)
                inside = inside + held
                cost = cost + held * rates(part)[chosen]
        # Where the parts are more than the whole, the sender counts them beside it (Anthropic's own counts).
        cost = cost + np.where(inside > count, count, count - inside) * rates(whole)[chosen]
    return cost


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
                continue  # no price is known there
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

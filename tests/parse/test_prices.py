"""What calls cost: the package's prices and a file of one's own, parts of counts, tiers, dates; unknown is not zero."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from treering.core.errors import UserError
from treering.model.batch import batch
from treering.parse import pricelines
from treering.parse.genai import Normaliser
from treering.parse.prices import Prices

if TYPE_CHECKING:
    from pathlib import Path

DAY = dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)
COST, LABEL = "~/attributes/treering.cost.usd:d", "~/attributes/treering.cost.price:s"


def stamp(moment: dt.datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000


def cost(prices: Prices, model: str, provider: str | None = "openai", tier: str | None = None,
         moment: dt.datetime = DAY, **tokens: int) -> float | None:  # fmt: skip
    """Return what one call costs."""
    counts = {unit: np.array([count]) for unit, count in tokens.items()}
    usd, label, _ = prices.costs([(provider, (model,), tier)], np.array([0]), np.array([stamp(moment)]), counts)
    return float(usd[0]) if label[0] >= 0 else None


def own(tmp_path: Path, text: str) -> Prices:
    path = tmp_path / "prices.toml"
    path.write_text(text)
    return Prices(pricelines.read(path))


def test_parts_of_the_input_are_not_paid_twice() -> None:
    whole = cost(Prices(), "gpt-4o-2024-08-06", input=1000, output=100)
    cached = cost(Prices(), "gpt-4o-2024-08-06", input=1000, output=100, cache_read=400)
    assert whole == pytest.approx((1000 * 2.5 + 100 * 10) / 1e6)
    assert cached == pytest.approx((600 * 2.5 + 400 * 1.25 + 100 * 10) / 1e6)


def test_cached_tokens_beside_the_input_are_added() -> None:
    assert cost(Prices(), "gpt-4o", input=100, output=0, cache_read=400) == pytest.approx(
        (100 * 2.5 + 400 * 1.25) / 1e6
    )


@pytest.mark.parametrize(("provider", "model"), [("openai", "my-own"), (None, "no such model"), ("nobody", "x")])
def test_an_unknown_model_costs_nothing_known(provider: str | None, model: str) -> None:
    assert cost(Prices(), model, provider, input=5, output=5) is None


@pytest.mark.parametrize(
    ("provider", "model"),
    [
        ("azure.ai.openai", "gpt-4o"),
        ("aws.bedrock", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("anthropic", "claude-3-5-haiku-20241022"),
        ("gcp.gemini", "gemini-2.5-pro"),
        ("mistral_ai", "mistral-large-latest"),
        ("x_ai", "grok-3"),
        (None, "gpt-4o-mini"),
    ],
)
def test_providers_of_the_conventions_have_prices(provider: str | None, model: str) -> None:
    assert (cost(Prices(), model, provider, input=1000, output=1000) or 0) > 0


def test_steps_hold_for_the_whole_call() -> None:
    short, long = (
        cost(Prices(), "gemini-2.5-pro", "gcp.gemini", input=count, output=0) for count in (200_000, 200_001)
    )
    assert short is not None
    assert long is not None
    assert long > 1.9 * short


def test_a_file_of_ones_own_wins_by_date_and_tier(tmp_path: Path) -> None:
    prices = own(
        tmp_path,
        """
        [[price]]
        model = "gpt-4o*"
        input = 2.0
        output = 8.0

        [[price]]
        model = "gpt-4o*"
        from = 2026-11-01
        input = 1.0
        output = 4.0
        cache_read = 0.1

        [[price]]
        model = "gpt-4o*"
        from = 2026-11-01
        tier = "batch"
        provider = "openai"
        input = 0.5
        output = 2.0
        request = 0.01
        """,
    )
    before = dt.datetime(2026, 10, 31, tzinfo=dt.UTC)
    assert cost(prices, "GPT-4o-mini", moment=before, input=1_000_000, output=0) == pytest.approx(2.0)
    assert cost(prices, "gpt-4o", input=1_000_000, output=500_000, cache_read=500_000) == pytest.approx(
        0.5 + 0.05 + 2.0
    )
    assert cost(prices, "gpt-4o", tier="batch", input=1_000_000, output=0) == pytest.approx(0.5 + 0.01)
    assert cost(prices, "gpt-4o", "azure.ai.openai", tier="batch", input=1_000_000, output=0) == pytest.approx(1.0)
    assert cost(prices, "claude-3-5-haiku", "anthropic", input=1_000_000, output=0) == pytest.approx(0.8)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[price]]\ninput = 1.0", "missing required field `model`"),
        ('[[price]]\nmodel = "x"\ninput = -1.0', "$.price[0].input"),
        ('[[price]]\nmodel = "x"\ninputs = 1.0', "unknown field `inputs`"),
        ("[[price", "is no file of prices"),
    ],
)
def test_a_wrong_file_is_told(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(UserError, match=r".") as error:
        own(tmp_path, text)
    assert says in str(error.value)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="cannot read the prices"):
        pricelines.read(tmp_path / "none.toml")


def test_calls_of_one_batch_each_have_their_price() -> None:
    def span(model: str, moment: dt.datetime, **usage: Any) -> dict[str, Any]:
        counts = {f"gen_ai.usage.{name}": value for name, value in usage.items()}
        named = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": model}
        return {"@timestamp": stamp(moment), "attributes": {**named, **counts}}

    records = [
        span("gpt-4o", DAY, input_tokens=1000, output_tokens=100),
        span("my-own", DAY, input_tokens=1000, output_tokens=100),
        span("gpt-4o", DAY + dt.timedelta(days=1), input_tokens=1000, output_tokens=100),
        span("gpt-4o", DAY),
        span("gpt-4o", DAY, input_tokens=0, output_tokens=0),
        span("gpt-4o", DAY, input_tokens=10),
        span("gpt-4o-mini", DAY, input_tokens=1000, output_tokens=0),
        {"@timestamp": stamp(DAY), "attributes": {"gen_ai.operation.name": "execute_tool"}},
    ]
    data = Normaliser(Prices())(batch("spans", records, received_ns=1)).data
    costs = data.column(COST).to_pylist()
    assert [value is not None for value in costs] == [True, False, True, False, False, False, True, False]
    assert costs[0] == costs[2] == pytest.approx(0.0035)
    labels = data.column(LABEL).to_pylist()
    assert labels[0].endswith("openai/gpt-4o")
    assert labels[1] is None
    assert labels[6].endswith("openai/gpt-4o-mini")

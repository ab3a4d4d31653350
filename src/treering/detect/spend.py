"""Money and tokens that run away: an agent that loops, a budget that is spent, a caller far above the others.

Loops are seen in spans: within one trace the same tool is called with the same arguments again and again, or the
context of the model calls only grows (OWASP LLM10, unbounded consumption). Budgets are sums of `treering.cost.usd` or
of tokens over an hour or a day by UTC. The baseline compares what a user, key or agent uses within an hour with the
hours of all of them before: five times the 99 % quantile; `_wallet` does the same with dollars, and with days. An agent
that repeats itself with other words in its arguments is not a loop here; only its context shows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._budgets import Baseline, Budget, Spending, Used
from treering.detect._loops import Loops, LoopSettings, Trace
from treering.detect._wallet import Drain, Wallet, Wallets
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.finding import Finding
    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "spend"
ORDER_FREE = False


class Config(BaseConfig, frozen=True):
    """Budgets, and what is too much without one."""

    budgets: Annotated[tuple[Budget, ...], Meta(description="how much may be used, by whom")] = ()
    loops: Annotated[LoopSettings, Meta(description="when an agent goes round in circles")] = LoopSettings()
    baseline: Annotated[Baseline, Meta(description="when a caller uses far more than callers do")] = Baseline()
    wallet: Annotated[Drain, Meta(description="when a caller costs far more than callers do")] = Drain()


class _State(msgspec.Struct):
    traces: list[tuple[str, Trace]]
    spent: Used
    wallets: Wallets = msgspec.field(default_factory=Wallets)


class Spend:
    """Follows traces and callers."""

    streams = frozenset({"spans"})
    every_s = 0.0

    def __init__(self, config: Config) -> None:
        """Start with nothing spent."""
        self._loops = Loops(NAME, config.loops)
        self._spending = Spending(NAME, config.budgets, config.baseline)
        self._wallet = Wallet(NAME, config.wallet)

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return what the spans of a batch say."""
        if not rows.has("attributes.gen_ai.operation.name"):
            return ()
        return [*self._loops.observe(rows), *self._spending.observe(rows), *self._wallet.observe(rows)]

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  nothing is due by time
        """Return nothing: what is spent is told as it is read."""
        return ()

    def save(self) -> bytes:
        """Return traces and sums."""
        return msgspec.msgpack.encode(_State(self._loops.save(), self._spending.save(), self._wallet.save()))

    def restore(self, state: bytes) -> None:
        """Go on from saved traces and sums. Raises `ValueError`."""
        held = msgspec.msgpack.decode(state, type=_State)
        self._loops.restore(held.traces)
        self._spending.restore(held.spent)
        self._wallet.restore(held.wallets)


def build(config: Config) -> Spend:
    """Return the detector."""
    return Spend(config)


def _run(steps: int, *, same: bool) -> list[dict[str, Any]]:
    """Return an agent's run: model call and tool call in turn."""
    found: list[dict[str, Any]] = []
    for number in range(steps):
        at = 1_772_000_000_000_000_000 + number * 6 * 10**9
        span = {"@timestamp": at, "serviceName": "agent", "traceId": "f" * 32}
        chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "m-1", "user.id": "u-1"}
        arguments = f'{{"query": "{0 if same else number}"}}'
        tool = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "find",
            "gen_ai.tool.call.arguments": arguments,
        }
        usage = {"gen_ai.usage.input_tokens": 500 + 300 * number, "gen_ai.usage.output_tokens": 40}
        found += [span | {"attributes": chat | usage}, span | {"attributes": tool}]
    return found


def _cost(second: int, user: str, usd: float) -> dict[str, Any]:
    attributes = {"gen_ai.operation.name": "chat", "user.id": user, "treering.cost.usd": usd}
    return {"@timestamp": 1_771_999_200_000_000_000 + second * 10**9, "serviceName": "chat", "attributes": attributes}


_PAID = [
    {
        "@timestamp": 1_772_000_000_000_000_000 + number,
        "serviceName": "chat",
        "attributes": {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "m-1",
            "user.id": f"u-{number % 2}",
            "treering.cost.usd": 0.4,
        },
    }
    for number in range(5)
]

_HOURS = [_cost(hour * 3600 + who, f"u-{who}", 0.02 + who / 1000) for hour in range(6) for who in range(30)]


def _dear(count: int, who: str) -> list[dict[str, Any]]:
    return [_cost(6 * 3600 + number, who, 0.9) for number in range(count)]


EXAMPLES = (
    Example("an agent calls the same tool a dozen times", "spans", _run(12, same=True), ("tool_loop",)),
    Example("an agent that works through a list", "spans", _run(12, same=False)),
    Example("a context that only grows", "spans", _run(40, same=False), ("context_grows",)),
    Example("a user beyond a dollar a day", "spans", _PAID, ("budget",), 0, {"budgets": [{"by": "user", "usd": 1.0}]}),
    Example("few calls of a dear model", "spans", _HOURS + _dear(8, "thief"), ("wallet_drain",)),
    Example("callers as usual", "spans", _HOURS + _dear(1, "u-3")),
    Example("a user within two dollars a day", "spans", _PAID, (), 0, {"budgets": [{"by": "user", "usd": 2.0}]}),
)

"""Drained wallets: a user or key that costs far more dollars than callers do, within an hour or slowly over a day.

`spend` compares tokens of an hour; this compares money (`treering.cost.usd`), so that few calls of a dear model count,
and whole days (UTC), so that a drain below every hourly limit counts. A caller is told when what it cost is at least
`least_usd` and ten times the 99 % quantile of what callers cost in an hour, or in a day, once a hundred callers' hours
or 25 callers' days (old ones counting less) are known; again at each doubling.

Misses: calls without a known price, callers without a name, drains that are spread over many accounts, and those from
before there was history, for which a budget of `spend` is the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._fold import folded
from treering.detect._history import Distribution
from treering.detect._whom import Whom, proof, restored
from treering.model.finding import Entity, Finding, Severity
from treering.model.times import format_ns
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "wallet"
ORDER_FREE = False
_COST = "attributes.treering.cost.usd"
_PERIODS = (("hour", 3600 * 10**9, 100), ("day", 86_400 * 10**9, 25))
"""Name, length, and how many callers' periods have to be known."""
_CALLERS = (
    ("user", ("attributes.user.id", "attributes.enduser.id")),
    ("key", ("attributes.gen_ai.key.id", "attributes.api.key.id", "attributes.litellm.key")),
)
_MOST = 20_000


class Config(BaseConfig, frozen=True):
    """When a caller is too dear."""

    times: Annotated[float, Meta(gt=1, description="times the 99 % quantile of callers' hours or days")] = 10.0
    least_usd: Annotated[float, Meta(gt=0, description="US dollars below which nothing is told")] = 5.0


class _Sum(msgspec.Struct, array_like=True):
    """What a caller cost in its present period, since when, and what was told of it."""

    period: int
    usd: float = 0.0
    calls: int = 0
    first_ns: int = 0
    told: float = 0.0


class _State(msgspec.Struct):
    sums: dict[str, _Sum] = {}
    usual: dict[str, Distribution] = {}


class Wallet:
    """Adds up what callers cost."""

    streams = frozenset({"spans"})
    every_s = 0.0

    def __init__(self, config: Config) -> None:
        """Start with nothing spent."""
        self._config = config
        self._state = _State()

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return the callers whom a batch shows to be too dear."""
        if not rows.has(_COST):
            return ()
        costs = rows.numbers(_COST)
        paid = np.isfinite(costs) & (costs > 0)
        if not paid.any():
            return ()
        whom = Whom(rows)
        return folded(
            finding
            for kind, names in _CALLERS
            for name in names
            if rows.has(name)
            for finding in self._callers(rows, whom, kind, name, np.where(paid, costs, 0.0))
        )

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  nothing is due by time
        """Return nothing: what is spent is told as it is read."""
        return ()

    def save(self) -> bytes:
        """Return sums and what is usual."""
        return msgspec.msgpack.encode(self._state)

    def restore(self, state: bytes) -> None:
        """Go on from `state`; raises `ValueError`."""
        self._state = restored(state, _State)

    def _callers(self, rows: Rows, whom: Whom, kind: str, field: str, costs: Any) -> Iterator[Finding]:
        """Add the costs of each caller and period of a batch."""
        codes, names = rows.codes(field)
        places = np.flatnonzero((codes >= 0) & (costs > 0))
        if not places.size:
            return
        for period, length, least in _PERIODS:
            numbers = rows.times[places] // length
            marks = codes[places].astype(np.int64) + (numbers - numbers.min()) * len(names)
            groups, last, inverse = np.unique(marks[::-1], return_index=True, return_inverse=True)
            spent = np.bincount(inverse, costs[places][::-1])
            first = np.full(groups.size, np.iinfo(np.int64).max)
            np.minimum.at(first, inverse, rows.times[places][::-1])
            counts = np.bincount(inverse)
            for at, mark in enumerate(groups.tolist()):
                name = names[mark % len(names)]
                held = self._sum(f"{period}\0{kind}\0{name}", period, mark // len(names) + int(numbers.min()))
                if held is None:
                    continue
                held.usd += float(spent[at])
                held.calls += int(counts[at])
                held.first_ns = held.first_ns or int(first[at])
                if self._is_dear(held, period, least):
                    held.told = held.usd
                    row = int(places[places.size - 1 - last[at]])
                    yield self._finding(rows, whom, row, (kind, name), period, held)

    def _sum(self, name: str, period: str, number: int) -> _Sum | None:
        """Return the sum of a caller's present period; None for costs of one that is over."""
        sums = self._state.sums
        held = sums.pop(name, None) or _Sum(number)
        sums[name] = held
        if len(sums) > _MOST:
            del sums[next(iter(sums))]
        if number > held.period:
            if not held.told:  # a drain is not what is usual
                length = next(length for one, length, _ in _PERIODS if one == period)
                usual = self._state.usual.setdefault(period, Distribution())
                usual.add([held.usd], held.period * length)
            held.period, held.usd, held.calls, held.first_ns, held.told = number, 0.0, 0, 0, 0.0
        return held if number == held.period else None

    def _is_dear(self, held: _Sum, period: str, least: int) -> bool:
        usual = self._state.usual.get(period)
        if usual is None or usual.size < least or held.usd < max(self._config.least_usd, 2 * held.told):
            return False
        return held.usd >= self._config.times * usual.quantile(0.99)

    def _finding(self, rows: Rows, whom: Whom, row: int, who: tuple[str, str], period: str, held: _Sum) -> Finding:
        at_ns = int(rows.times[row])
        usual = self._state.usual[period].quantile(0.99)
        facts = {"usd": round(held.usd, 4), "usual_usd": round(usual, 4), "calls": held.calls, "period": period}
        title = f"{who[0]} {who[1]} cost ${held.usd:.2f} within the {period}, callers mostly below ${usual:.2f}"
        shown = proof(rows, row, _COST, f"{rows.value(_COST, row)} USD, {format_ns(at_ns)[:19]}")
        about = (entity for entity in whom.entities(row) if entity.kind in ("service", "model", "agent", "tenant"))
        return Finding(
            NAME, "wallet_drain", title, Severity.HIGH, (*who, period, str(held.period)),
            min(held.first_ns, at_ns), at_ns, at_ns, 1.0, (Entity(*who), *about), (shown,),
            ("owasp-llm@2026:LLM06", "mitre-atlas@2026.09:AML.T0034"), "AML.TA0011", facts | {"family": "cost"},
        )  # fmt: skip


def build(config: Config) -> Wallet:
    """Return the detector."""
    return Wallet(config)


_AT = 1_795_046_400 * 10**9
_HOUR = 3600 * 10**9


def _call(at_ns: int, user: str, usd: float) -> dict[str, Any]:
    attributes = {"gen_ai.operation.name": "chat", "user.id": user, "treering.cost.usd": usd}
    return {"@timestamp": at_ns, "serviceName": "chat", "attributes": attributes}


_HOURS = [
    _call(_AT + hour * _HOUR + who * 10**9, f"u-{who}", 0.02 + who / 1000) for hour in range(6) for who in range(30)
]
_DAYS = [_call(_AT + day * 24 * _HOUR + who * 10**9, f"u-{who}", 0.3) for day in range(4) for who in range(30)]
EXAMPLES = (
    Example(
        "few calls of a dear model",
        "spans",
        _HOURS + [_call(_AT + 6 * _HOUR + n * 10**9, "thief", 0.9) for n in range(8)],
        ["wallet_drain"],
    ),
    Example(
        "a slow drain over a day",
        "spans",
        _DAYS + [_call(_AT + 96 * _HOUR + n * _HOUR // 4, "thief", 0.12) for n in range(90)],
        ["wallet_drain"],
    ),
    Example("callers as usual", "spans", [*_HOURS, *_DAYS]),
)

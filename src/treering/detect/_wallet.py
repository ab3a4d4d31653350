"""Drained wallets: a user or key that costs far more dollars than callers do, within an hour or slowly over a day.

The baseline of `spend` compares tokens of an hour; this compares money (`treering.cost.usd`), so that few calls of a
dear model count, and whole days (UTC), so that a drain below every hourly limit counts. A caller is told when what it
cost is at least `least_usd` and ten times the 99 % quantile of what callers cost in an hour, or in a day, once a
hundred callers' hours or 25 callers' days (old ones counting less) are known; again at each doubling. One that grows
slowly is compared with itself (`_leaks`).

Misses: calls without a known price, callers without a name, drains that are spread over many accounts, and those from
before there was history, for which a budget of `spend` is the answer.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._fold import folded
from treering.detect._history import Distribution
from treering.detect._leaks import Leaks
from treering.detect._whom import Whom, proof
from treering.model.finding import Entity, Finding, Severity
from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.rows import Rows

_COST = "attributes.treering.cost.usd"
_PERIODS = (("hour", 3600 * 10**9, 100), ("day", 86_400 * 10**9, 25))
"""Name, length, and how many callers' periods have to be known."""
_CALLERS = (
    ("user", ("attributes.user.id", "attributes.enduser.id")),
    ("key", ("attributes.gen_ai.key.id", "attributes.api.key.id", "attributes.litellm.key")),
)
_MOST = 8_000
_SPARE = 1_000


class Drain(BaseConfig, frozen=True):
    """When a caller is too dear."""

    times: Annotated[float, Meta(gt=1, description="times the 99 % quantile of callers' hours or days")] = 10.0
    leak_times: Annotated[float, Meta(gt=1, description="times a caller's own day before its cost began to rise")] = 5.0
    least_usd: Annotated[float, Meta(gt=0, description="US dollars below which nothing is told")] = 5.0


class Cost(msgspec.Struct, array_like=True):
    """What a caller cost in its present period, since when, and what was told of it."""

    period: int
    usd: float = 0.0
    calls: int = 0
    first_ns: int = 0
    told: float = 0.0


class Wallets(msgspec.Struct):
    """What callers cost in their present periods, and what is usual."""

    sums: dict[str, Cost] = {}
    usual: dict[str, Distribution] = {}
    leaks: Leaks = msgspec.field(default_factory=Leaks)


class Wallet:
    """Adds up what callers cost."""

    def __init__(self, detector: str, settings: Drain) -> None:
        """Start with nothing spent."""
        self._detector = detector
        self._config = settings
        self._state = Wallets()

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

    def save(self) -> Wallets:
        """Return sums and what is usual."""
        return self._state

    def restore(self, state: Wallets) -> None:
        """Go on from what `save` returned."""
        self._state = state

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
            counts, oldest = np.bincount(inverse), int(numbers.min())
            each = zip(groups.tolist(), spent.tolist(), counts.tolist(), first.tolist(), last.tolist(), strict=True)
            for mark, usd, calls, first_ns, place in each:
                name = names[mark % len(names)]
                held = self._sum(f"{period}\0{kind}\0{name}", period, mark // len(names) + oldest)
                if held is None:
                    continue
                held.usd += usd
                held.calls += calls
                held.first_ns = held.first_ns or first_ns
                hourly = self._state.sums.get(f"hour\0{kind}\0{name}")
                if period == "day" and hourly is not None and hourly.told:
                    held.told = held.usd  # its hour has been told
                elif self._is_dear(held, period, least):
                    held.told = held.usd
                    row = int(places[places.size - 1 - place])
                    yield self._finding(rows, whom, row, (kind, name), period, held)
                elif period == "day" and self._is_leak(held, f"{kind}\0{name}"):
                    held.told = held.usd
                    row = int(places[places.size - 1 - place])
                    yield self._leak(rows, whom, row, (kind, name), held)

    def _sum(self, name: str, period: str, number: int) -> Cost | None:
        """Return the sum of a caller's present period; None for costs of one that is over."""
        sums = self._state.sums
        held = sums.pop(name, None) or Cost(number)
        sums[name] = held
        if len(sums) > _MOST + _SPARE:  # many at once: each look for the oldest passes over all that went before it
            for oldest in list(islice(sums, _SPARE)):
                del sums[oldest]
        if number > held.period:
            if not held.told:  # a drain is not what is usual
                length = next(length for one, length, _ in _PERIODS if one == period)
                usual = self._state.usual.setdefault(period, Distribution())
                usual.add([held.usd], held.period * length)
            if period == "day":
                self._state.leaks.add(name.partition("\0")[2], held.usd)
            held.period, held.usd, held.calls, held.first_ns, held.told = number, 0.0, 0, 0, 0.0
        return held if number == held.period else None

    def _is_dear(self, held: Cost, period: str, least: int) -> bool:
        usual = self._state.usual.get(period)
        if usual is None or usual.size < least or held.usd < max(self._config.least_usd, 2 * held.told):
            return False
        return held.usd >= self._config.times * usual.quantile(0.99)

    def _is_leak(self, held: Cost, name: str) -> bool:
        if held.usd < max(self._config.least_usd, 2 * held.told):
            return False
        return held.usd >= self._config.leak_times * self._state.leaks.base(name)

    def _leak(self, rows: Rows, whom: Whom, row: int, who: tuple[str, str], held: Cost) -> Finding:
        before = self._state.leaks.base("\0".join(who))
        found = self._finding(rows, whom, row, who, "day", held)
        return msgspec.structs.replace(
            found,
            rule="slow_leak",
            title=f"{who[0]} {who[1]} costs more day by day: ${held.usd:.2f} today, ${before:.2f} before it rose",
            severity=Severity.MEDIUM,
            facts=found.facts | {"usual_usd": round(before, 4)},
        )

    def _finding(self, rows: Rows, whom: Whom, row: int, who: tuple[str, str], period: str, held: Cost) -> Finding:
        at_ns = int(rows.times[row])
        known = self._state.usual.get(period)
        usual = known.quantile(0.99) if known is not None else 0.0
        facts = {"usd": round(held.usd, 4), "usual_usd": round(usual, 4), "calls": held.calls, "period": period}
        title = f"{who[0]} {who[1]} cost ${held.usd:.2f} within the {period}, callers mostly below ${usual:.2f}"
        shown = proof(rows, row, _COST, f"{rows.value(_COST, row)} USD, {format_ns(at_ns)[:19]}")
        about = (entity for entity in whom.entities(row) if entity.kind in ("service", "model", "agent", "tenant"))
        return Finding(
            self._detector, "wallet_drain", title, Severity.HIGH, (*who, period, str(held.period)),
            min(held.first_ns, at_ns), at_ns, at_ns, 1.0, (Entity(*who), *about), (shown,),
            ("owasp-llm@2026:LLM06", "mitre-atlas@2026.09:AML.T0034"), "AML.TA0011", facts | {"family": "cost"},
        )  # fmt: skip

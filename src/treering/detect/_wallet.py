"""Drained wallets: a user or key that costs far more dollars than callers do, within an hour or slowly over a day.

The baseline of `spend` compares tokens of an hour; this compares money (`treering.cost.usd`), so that few calls of a
dear model count, and whole days (UTC), so that a drain below every hourly limit counts. A caller is told when what it
cost is at least `least_usd` and ten times the 99 % quantile of what callers of its kind cost in an hour, or in a day,
once a hundred such hours or 25 days (old ones counting less) are known; again at each doubling. Keys are compared with
keys: many users may share one. One that grows slowly is compared with itself (`_leaks`).

Misses: calls without a known price, callers without a name, drains that are spread over many accounts, and those from
before there was history, for which a budget of `spend` is the answer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._costs import Cost, Costs, Spent
from treering.detect._fold import folded
from treering.detect._grouped import Grouped
from treering.detect._history import Distribution
from treering.detect._kept import Saved
from treering.detect._leaks import Leaks
from treering.detect._whom import Whom, proof
from treering.model.finding import Entity, Finding, Severity
from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.detect._costs import Period
    from treering.model.rows import Rows

_COST = "attributes.treering.cost.usd"
_PERIODS: dict[Period, tuple[int, int]] = {"hour": (3600 * 10**9, 100), "day": (86_400 * 10**9, 25)}
"""Length, and how many callers' periods have to be known."""
_CALLERS = (
    ("user", ("attributes.user.id", "attributes.enduser.id")),
    ("key", ("attributes.gen_ai.key.id", "attributes.api.key.id", "attributes.litellm.key")),
)


class Drain(BaseConfig, frozen=True):
    """When a caller is too dear."""

    times: Annotated[float, Meta(gt=1, description="times the 99 % quantile of callers' hours or days")] = 10.0
    leak_times: Annotated[float, Meta(gt=1, description="times a caller's own day before its cost began to rise")] = 5.0
    least_usd: Annotated[float, Meta(gt=0, description="US dollars below which nothing is told")] = 5.0


class Wallets(msgspec.Struct):
    """What callers cost in their present periods, and what is usual."""

    callers: dict[str, Saved] = {}
    usual: dict[str, Distribution] = {}
    leaks: Leaks = msgspec.field(default_factory=Leaks)


class Wallet:
    """Adds up what callers cost."""

    def __init__(self, detector: str, settings: Drain) -> None:
        """Start with nothing spent."""
        self._detector = detector
        self._config = settings
        self._state = Wallets()
        self._costs = {kind: Costs() for kind, _ in _CALLERS}

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
        """Return what callers cost and what is usual."""
        self._state.callers = {kind: costs.save() for kind, costs in self._costs.items()}
        return self._state

    def restore(self, state: Wallets) -> None:
        """Go on from what `save` returned. Raises `ValueError`."""
        self._state = state
        self._costs = {kind: Costs.restored(state.callers.get(kind, Saved())) for kind, _ in _CALLERS}

    def _callers(self, rows: Rows, whom: Whom, kind: str, field: str, costs: Any) -> Iterator[Finding]:
        """Add the costs of each caller and period of a batch."""
        codes, names = rows.codes(field)
        paid = np.flatnonzero((codes >= 0) & (costs > 0))
        if not paid.size:
            return
        used, callers = np.unique(codes[paid], return_inverse=True)
        names = [names[code] for code in used.tolist()]
        places = self._costs[kind].places(names)
        for period, (length, _) in _PERIODS.items():
            numbers = rows.times[paid] // length
            for number in np.unique(numbers).tolist():
                some = paid[numbers == number]
                groups = Grouped(callers[numbers == number])
                who, times = callers[numbers == number][groups.firsts], rows.times[some]
                spent = Spent(places[who], number, groups.sums(costs[some]), groups.sizes, groups.least(times))
                for at in self._costs[kind].add(period, spent, self._config.least_usd):
                    last = int(some[groups.members(at)[-1]])
                    yield from self._looked_at(rows, whom, last, (kind, names[who[at]]), period, spent.of(at))

    def _looked_at(
        self, rows: Rows, whom: Whom, row: int, who: tuple[str, str], period: Period, spent: Spent
    ) -> Iterator[Finding]:
        """Add the costs of one caller, whose last call is `row`, and tell of it when that is too much."""
        costs, place = self._costs[who[0]], int(spent.places)
        held = costs.get(period, place)
        if spent.number > held.period:
            self._over(who, period, held)
            held = Cost(spent.number)
        held.usd += float(spent.usd)
        held.calls += int(spent.calls)
        held.first_ns = held.first_ns or int(spent.first_ns)
        if period == "day" and costs.get("hour", place).told:
            held.told = held.usd  # its hour has been told
        elif self._is_dear(who[0], held, period):
            held.told = held.usd
            yield self._finding(rows, whom, row, who, period, held)
        elif period == "day" and self._is_leak(held, "\0".join(who)):
            held.told = held.usd
            yield self._leak(rows, whom, row, who, held)
        costs.set(period, place, held)

    def _over(self, who: tuple[str, str], period: Period, held: Cost) -> None:
        """Learn from a period of a caller that is over."""
        if held.period < 0:
            return
        if not held.told:  # a drain is not what is usual
            usual = self._state.usual.setdefault(f"{who[0]}\0{period}", Distribution())
            usual.add([held.usd], held.period * _PERIODS[period][0])
        if period == "day":
            self._state.leaks.add("\0".join(who), held.usd)

    def _is_dear(self, kind: str, held: Cost, period: Period) -> bool:
        usual = self._state.usual.get(f"{kind}\0{period}")
        if usual is None or usual.size < _PERIODS[period][1] or held.usd < max(self._config.least_usd, 2 * held.told):
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

    def _finding(self, rows: Rows, whom: Whom, row: int, who: tuple[str, str], period: Period, held: Cost) -> Finding:
        at_ns = int(rows.times[row])
        known = self._state.usual.get(f"{who[0]}\0{period}")
        usual = known.quantile(0.99) if known is not None else 0.0
        facts = {"usd": round(held.usd, 4), "usual_usd": round(usual, 4), "calls": held.calls, "period": period}
        title = f"{who[0]} {who[1]} cost ${held.usd:.2f} within the {period}, others mostly below ${usual:.2f}"
        shown = proof(rows, row, _COST, f"{rows.value(_COST, row)} USD, {format_ns(at_ns)[:19]}")
        about = (entity for entity in whom.entities(row) if entity.kind in ("service", "model", "agent", "tenant"))
        return Finding(
            self._detector, "wallet_drain", title, Severity.HIGH, (*who, period, str(held.period)),
            min(held.first_ns, at_ns), at_ns, at_ns, 1.0, (Entity(*who), *about), (shown,),
            ("owasp-llm@2026:LLM06", "mitre-atlas@2026.09:AML.T0034"), "AML.TA0011", facts | {"family": "cost"},
        )  # fmt: skip

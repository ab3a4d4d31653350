"""Money and tokens by caller: budgets that are spent, callers far above what callers use."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._calls import calls
from treering.detect._evidence import evidence, named
from treering.detect._grouped import Grouped, Names
from treering.detect._history import Distribution
from treering.detect._hours import Hours, Sum
from treering.detect._kept import Saved
from treering.model.finding import Evidence, Finding, Severity
from treering.model.times import format_ns

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from treering.model.rows import Rows

_HOUR_NS = 3600 * 10**9
_PERIODS = {"hour": _HOUR_NS, "day": 24 * _HOUR_NS}
_MOST_SUMS = 20_000
_LEAST_HOURS = 100
_LONGEST_NAME = 200
_KINDS = ("user", "key", "agent")
By = Literal["all", "service", "user", "key", "agent", "model"]
FIELDS: dict[str, tuple[str, ...]] = {
    "service": ("serviceName",),
    "user": ("attributes.user.id", "attributes.enduser.id"),
    "key": ("attributes.gen_ai.key.id", "attributes.api.key.id", "attributes.litellm.key"),
    "agent": ("attributes.gen_ai.agent.name",),
    "model": ("attributes.gen_ai.request.model", "attributes.gen_ai.response.model"),
}


class Budget(BaseConfig, frozen=True):
    """How much may be used in a period."""

    by: Annotated[By, Meta(description="whose: `all`, `service`, `user`, `key`, `agent`, `model`")] = "all"
    name: Annotated[str, Meta(description="only this user, key …; all of them, each by itself, unless named")] = ""
    period: Annotated[Literal["hour", "day"], Meta(description="`hour` or `day`, by UTC")] = "day"
    usd: Annotated[float, Meta(ge=0, description="US dollars; 0: not limited")] = 0.0
    tokens: Annotated[float, Meta(ge=0, description="tokens; 0: not limited")] = 0.0


class Baseline(BaseConfig, frozen=True):
    """When a caller uses far more than callers do."""

    times: Annotated[float, Meta(gt=1, description="times the 99 % quantile of callers' hours that is told")] = 5.0
    least_tokens: Annotated[float, Meta(ge=0, description="tokens in an hour below which nothing is told")] = 100_000.0


class Used(msgspec.Struct):
    """Sums by budget and caller, callers' hours by kind, and what is usual for each kind of callers."""

    sums: list[tuple[tuple[str, str, str], Sum]] = []
    hours: dict[str, Saved] = {}
    usual: dict[str, Distribution] = {}


class Spending:
    """Sums by caller and period."""

    def __init__(self, detector: str, budgets: Sequence[Budget], baseline: Baseline) -> None:
        """Start with nothing spent."""
        self._detector = detector
        self._budgets = budgets
        self._baseline = baseline
        self._sums: dict[tuple[str, str, str], Sum] = {}
        self._hours = {kind: Hours() for kind in _KINDS}
        self._usual = {kind: Distribution() for kind in _KINDS}

    def observe(self, rows: Rows) -> Iterable[Finding]:
        """Add the model calls of a batch and return what is above a limit now."""
        batch = calls(rows)
        groups = [places for subject, places in batch.groups.items() if subject.kind == "model"]
        if not groups:
            return
        usd, tokens = np.nan_to_num(batch.costs), np.nan_to_num(batch.tokens)
        paid = np.concatenate(groups)
        paid = paid[(usd[paid] > 0) | (tokens[paid] > 0)]
        paid = np.sort(paid)
        for number in range(len(self._budgets)):
            yield from self._budget(rows, number, paid, usd, tokens)
        for kind in _KINDS:
            yield from self._in_hours(rows, kind, paid, tokens)

    def _budget(
        self, rows: Rows, number: int, paid: NDArray[np.int64], usd: NDArray[np.float64], tokens: NDArray[np.float64]
    ) -> Iterable[Finding]:
        budget = self._budgets[number]
        codes, names = _callers(rows, budget.by)
        for place in paid.tolist():
            name = names[codes[place]] if codes[place] >= 0 else ""
            if name and budget.name in {"", name}:
                period = int(rows.times[place]) // _PERIODS[budget.period]
                used = float(usd[place]), float(tokens[place])
                held = self._add((f"budget {number}", budget.by, name), period, used)
                if held is not None:
                    yield from self._over(budget, name, held, rows, place)

    def _in_hours(
        self, rows: Rows, kind: str, paid: NDArray[np.int64], tokens: NDArray[np.float64]
    ) -> Iterable[Finding]:
        """Add what callers used to their hours: at once where that is little, else call by call."""
        codes, names = _callers(rows, kind)
        paid = paid[codes[paid] >= 0]
        if not len(paid):
            return
        held, hours, groups = self._hours[kind], rows.times[paid] // _HOUR_NS, Grouped(codes[paid])
        callers = [names[code] for code in codes[paid][groups.firsts].tolist()]
        ends = groups.least(hours), groups.greatest(hours)
        for number in held.add(callers, ends, groups.sums(tokens[paid]), self._baseline.least_tokens):
            caller = kind, callers[number]
            for at in groups.members(number).tolist():
                used = self._used(caller, int(hours[at]), float(tokens[paid[at]]))
                if used is not None:
                    yield from self._unusual(caller, used, rows, int(paid[at]))
                    held.set(caller[1], used)
        held.forget()

    def _used(self, caller: tuple[str, str], hour: int, tokens: float) -> Sum | None:
        """Return what a caller used in its hour with these tokens, None in an hour that is over."""
        held = self._hours[caller[0]].get(caller[1])
        if held is None or hour > held.period:
            if held is not None and held.tokens:
                self._usual[caller[0]].add([held.tokens], held.period * _HOUR_NS)
            held = Sum(hour)
        held.tokens += tokens
        return held if hour == held.period else None

    def _add(self, key: tuple[str, str, str], period: int, used: tuple[float, float]) -> Sum | None:
        """Return the caller's sum of the period after adding, None for a period that is over."""
        held = self._sums.pop(key, None)
        if held is None or period > held.period:
            held = Sum(period)
        self._sums[key] = held
        if len(self._sums) > _MOST_SUMS:
            del self._sums[next(iter(self._sums))]
        if period < held.period:
            return None
        held.usd += used[0]
        held.tokens += used[1]
        return held

    def _over(self, budget: Budget, name: str, held: Sum, rows: Rows, place: int) -> Iterable[Finding]:
        shares = [(held.usd, budget.usd, "usd"), (held.tokens, budget.tokens, "tokens")]
        for used, limit, unit in shares:
            times = int(used / limit) if limit else 0
            if times <= held.told:
                continue
            held.told = times
            shown = f"${used:,.2f} of ${limit:,.2f}" if unit == "usd" else f"{used:,.0f} of {limit:,.0f} tokens"
            start_ns = held.period * _PERIODS[budget.period]
            yield Finding(
                detector=self._detector,
                rule="budget",
                title=f"{'everybody' if budget.by == 'all' else name} used {shown} in the {budget.period}",
                severity=Severity.HIGH,
                key=(budget.by, name, unit, str(limit), format_ns(start_ns)),
                start_ns=start_ns,
                end_ns=int(rows.times[place]),
                noticed_ns=int(rows.times[place]),
                entities=named([(budget.by, "" if budget.by == "all" else name)]),
                evidence=(_shown(rows, place),),
                techniques=("owasp-llm@2025:LLM10",),
                facts={"used": used, "limit": limit, "unit": unit},
            )

    def _unusual(self, caller: tuple[str, str], held: Sum, rows: Rows, place: int) -> Iterable[Finding]:
        kind, name = caller
        usual = self._usual[kind]
        if usual.size < _LEAST_HOURS or held.tokens < self._baseline.least_tokens:
            return
        limit = max(self._baseline.least_tokens, usual.quantile(0.99) * self._baseline.times)
        times = int(held.tokens / limit)
        if times < max(1, held.told * 2):
            return
        held.told = times
        at_ns = int(rows.times[place])
        yield Finding(
            detector=self._detector,
            rule="unusual_spend",
            title=f"{kind} {name} used {held.tokens:,.0f} tokens within the hour, more than {limit:,.0f}",
            severity=Severity.MEDIUM,
            key=(kind, name, str(held.period)),
            start_ns=held.period * _HOUR_NS,
            end_ns=at_ns,
            noticed_ns=at_ns,
            entities=named([(kind, name), ("service", rows.texts("serviceName")[place])]),
            evidence=(_shown(rows, place),),
            techniques=("owasp-llm@2025:LLM10",),
            facts={"used": held.tokens, "limit": limit, "unit": "tokens"},
        )

    def save(self) -> Used:
        """Return everything, callers that were quiet longest first."""
        return Used([*self._sums.items()], {kind: self._hours[kind].save() for kind in _KINDS}, self._usual)

    def restore(self, state: Used) -> None:
        """Go on from what `save` returned. Raises `ValueError`."""
        self._sums = dict(state.sums)
        self._hours = {kind: Hours.restored(state.hours.get(kind, Saved())) for kind in _KINDS}
        self._usual |= {kind: known for kind, known in state.usual.items() if kind in _KINDS}


def _callers(rows: Rows, kind: str) -> tuple[NDArray[np.int64], list[str]]:
    """Return for each record the number of the caller of `kind` whom it is charged to, -1 for none, and the callers."""
    if kind == "all":
        return np.zeros(rows.count, dtype=np.int64), ["all"]
    names, known = Names(rows), dict[str, int]()
    codes = names.first(*FIELDS[kind])
    if len(set(names.texts)) == len(names.texts) and max(map(len, names.texts), default=0) <= _LONGEST_NAME:
        return codes, names.texts
    same = np.array([*(known.setdefault(text[:_LONGEST_NAME], len(known)) for text in names.texts), -1])
    return same[codes], list(known)


def _shown(rows: Rows, place: int) -> Evidence:
    tokens = float(np.nan_to_num(calls(rows).tokens[place]))
    return evidence(rows, place, "attributes.gen_ai.usage.input_tokens", str(tokens))

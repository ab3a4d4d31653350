"""The rules of a server as its pages show them: the list, whether cases hold, what one would have told."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import TYPE_CHECKING

from treering.app import rule_coverage, rulebook
from treering.app.asking import asker
from treering.core.errors import UserError
from treering.detect._rule_files import load
from treering.stage.store import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.app.config import Rules
    from treering.app.rule_coverage import Technique
    from treering.app.rulebook import Backtest, Failed
    from treering.core.clock import Clock
    from treering.detect._rule_files import Rule
    from treering.stage.store import Store

LIMITS = Limits(rows=10_000, seconds=20.0, memory_bytes=512 << 20)
MOST_DAYS = 90


class RuleDesk:
    """The shipped rules and those of `[rules] paths`. Safe to use from any thread."""

    def __init__(self, settings: Rules, store: Store, clock: Clock) -> None:
        """Read nothing yet: a server that nobody looks at does not pay for it."""
        self.off = frozenset(settings.off)
        self._paths = settings.paths
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()

    @cached_property
    def rules(self) -> Sequence[Rule]:
        """All rules, those that are turned off too. Raises `UserError` for a file that cannot be read."""
        return load(self._paths)

    def rule(self, name: str) -> Rule:
        """Return the rule with an id. Raises `UserError`."""
        found = next((rule for rule in self.rules if rule.id == name), None)
        if found is None:
            raise UserError(f"no rule is called {name[:60]!r}", hint="GET /api/rules lists them")
        return found

    def test(self, name: str) -> tuple[int, list[Failed]]:
        """Run the cases of a rule; returns how many it has and those that do not hold. Raises `UserError`."""
        rule = self.rule(name)
        with self._lock:  # each case opens a store of its own: one after the other
            return len(list(rulebook.cases_of(rule))), rulebook.check([rule])

    def backtest(self, name: str, since_s: float) -> Backtest:
        """Replay a rule on what is stored of the last `since_s` seconds. Raises `UserError` beyond 90 days."""
        if not 0 < since_s <= MOST_DAYS * 86_400:
            raise UserError(f"a back-test goes back at most {MOST_DAYS} days")
        rule, end_ns = self.rule(name), self._clock.now_ns()
        ask = asker(self._store, self._clock.now_ns, LIMITS)
        (result,) = rulebook.backtest([rule], ask, end_ns - int(since_s * 1e9), end_ns)
        return result

    @cached_property
    def coverage(self) -> list[Technique]:
        """Which techniques something claims to find, and what of it is proven (`rule_coverage.coverage`)."""
        return rule_coverage.coverage([rule for rule in self.rules if rule.id not in self.off])

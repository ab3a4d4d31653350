"""Thresholds for the model of suspicious texts from a site's own traffic: a budget of alarms for each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from treering.core.errors import UserError
from treering.detect import _prompt_scan
from treering.detect._second_look import Calibration, SecondLook, calibration
from treering.detect._texts import DOCUMENT, TOOL, USER, texts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.finding import Finding
    from treering.model.rows import Rows

FEWEST = 200
"""Different texts of a kind without which there is nothing to set a threshold by."""
_ATTACK = 0.7
_TAIL = 0.02
_MOST = 500_000


class Listener:
    """Takes the place of a detector: hears every text once and remembers what the model thinks of it."""

    streams = frozenset({"spans", "logs"})
    every_s = 0.0

    def __init__(self) -> None:
        """Start with nothing heard."""
        self._scanner = _prompt_scan.scanner()
        self._look = SecondLook((np.inf, np.inf))
        self._heard: set[str] = set()
        self.odds: dict[str, list[float]] = {"user": [], "data": []}
        self.attacks = 0

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Judge the texts that are new."""
        new: dict[str, tuple[str, str]] = {}
        for text in texts(rows):
            name = _prompt_scan.digest(f"{text.role}\0{text.text}")
            if text.role in (USER, DOCUMENT, TOOL) and name not in self._heard and len(self._heard) < _MOST:
                new[name] = (text.role, text.text)
        self._heard.update(new)
        said = list(new.values())
        ruled = self._scanner.verdicts(said)
        for (role, _), verdict, opinion in zip(said, ruled, self._look.opinions(said, ruled), strict=True):
            if verdict is not None and verdict.score >= _ATTACK:
                self.attacks += 1
            elif np.isfinite(opinion.odds):
                self.odds["user" if role == USER else "data"].append(opinion.odds)
        return ()

    def tick(self, now_ns: int, ask: Any) -> Sequence[Finding]:  # noqa: ARG002  nothing is due by time
        """Return nothing."""
        return ()

    def save(self) -> bytes:
        """Return nothing: it is heard in one go."""
        return b"-"

    def restore(self, state: bytes) -> None:
        """Start anew."""

    def calibration(self) -> Calibration:
        """Return the thresholds; where there are too few texts, the shipped ones. Raises `UserError` if for both."""
        counts = {name: len(found) for name, found in self.odds.items()}
        if max(counts.values()) < FEWEST:
            raise UserError(
                f"too few texts to calibrate on: {counts['user']} of people, {counts['data']} of documents and tools",
                hint=f"at least {FEWEST} different ones of either are needed",
            )
        shipped = calibration()
        budgets = list(shipped.user)
        user, data = (
            thresholds(self.odds[name], budgets) if counts[name] >= FEWEST else old
            for name, old in (("user", shipped.user), ("data", shipped.data))
        )
        return Calibration(user, data, counts)


def thresholds(odds: Sequence[float], budgets: Sequence[str]) -> dict[str, float]:
    """Return the log-odds that a share of `odds` lies above, for each share in `budgets`.

    Shares of fewer than ten texts are continued from the highest fiftieth as an exponential tail (Pickands 1975).
    """
    falling = np.sort(np.asarray(odds, float))[::-1]
    most = max(10, int(len(falling) * _TAIL))
    base, excess = float(falling[most]), float((falling[:most] - falling[most]).mean())
    found = {}
    for budget in budgets:
        wanted = float(budget) * len(falling)
        found[budget] = float(falling[int(wanted)]) if wanted >= 10 else base + excess * float(np.log(most / wanted))
    return found


def written(found: Calibration) -> bytes:
    """Return a calibration as the file that `detect.settings.prompts.calibration` names."""
    return msgspec.json.format(msgspec.json.encode(found), indent=2) + b"\n"

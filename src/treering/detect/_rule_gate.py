"""What keeps a rule from being asked in vain: fewer records, or fewer values, came than it wants."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from treering.detect._rule_files import Rule
_MOST_WINDOWS, _MOST_VALUES = 32, 200


class Gate(msgspec.Struct):
    """How many records that may count came in each of a rule's last windows, and, where it counts values, which.

    Upper bounds: over all groups, and of records that the condition may not keep.
    """

    counts: dict[str, dict[int, int]] = {}
    values: dict[str, dict[int, list[int]]] = {}

    def add(self, rule: Rule, times: NDArray[np.int64], values: Sequence[str] | None = None) -> None:
        """Count records at `times`; `values` are the different ones of what the rule counts, None if unknown."""
        counts = self.counts.setdefault(rule.id, {})
        windows, numbers = np.unique(times // rule.window_ns, return_counts=True)
        for window, number in zip(windows.tolist(), numbers.tolist(), strict=True):
            counts[window] = counts.get(window, 0) + number
            if values is not None and rule.threshold <= _MOST_VALUES:
                known = self.values.setdefault(rule.id, {})
                known[window] = _more(known.get(window, ()), values, rule.threshold)
        for held_windows in (counts, self.values.get(rule.id, {})):
            for window in sorted(held_windows)[:-_MOST_WINDOWS]:
                del held_windows[window]

    def may(self, rule: Rule, first: int, last: int) -> bool:
        """Whether a window from `first` to `last` may hold enough; what was forgotten may."""
        counts, values = self.counts.get(rule.id, {}), self.values.get(rule.id, {})
        for window in range(first // rule.window_ns, last // rule.window_ns + 1):
            near = range(window - 1, window + 2)
            if window in counts and sum(counts.get(at, 0) for at in near) < rule.threshold:
                continue
            if not all(at in values for at in near if at in counts):
                return True
            if len({value for at in near for value in values.get(at, ())}) >= rule.threshold:
                return True
        return False


def _more(known: Sequence[int], values: Sequence[str], most: int) -> list[int]:
    """Return `known` and the values, as numbers of 64 bits, up to `most` of them."""
    held = dict.fromkeys(known)
    for value in values:
        if len(held) >= most:
            break
        held[int.from_bytes(hashlib.blake2b(value.encode("utf-8", "replace"), digest_size=8).digest())] = None
    return list(held)

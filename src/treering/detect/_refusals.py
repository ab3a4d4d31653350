"""When refusals are more than an error: how many, how close together, over how many collections; what they were about.

People err now and then, about one collection. Who probes is refused again and again, or wherever it asks.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treering.detect._principals import Principal

_S = 1_000_000_000
_DAY_NS = 86_400 * _S


def burst_since(who: Principal, at_ns: int, burst: int, slow: int) -> int:
    """Return since when the refusals until `at_ns` are a burst, 0 if they are none.

    `burst` of them within ten seconds, or one more within thirty, without a pause; or `slow` within the time that is
    kept, if most of what is asked is refused, or within a minute about two collections; or about `slow` collections
    within a day that it never could read.
    """
    refused = who.refused
    if not refused:
        return 0
    for seconds, least in ((10, burst), (30, burst + 1)):
        close = _together([at for at in refused if abs(at_ns - at) <= seconds * _S])
        if len(close) >= least:
            return min(close)
    if len(refused) >= slow and len(refused) > who.allowed:
        return refused[0] if len(refused) < burst else refused[-burst]
    near = _together([at for at in refused if abs(at_ns - at) <= 60 * _S])
    foreign = {name: at for name, at in who.wanted.items() if name not in who.collections}
    if len(near) >= slow and sum(at >= min(near) for at in foreign.values()) >= 2:
        return min(near)
    today = [at for at in foreign.values() if 0 <= at_ns - at <= _DAY_NS]
    return min(today) if len(today) >= slow else 0


def _together(refused: list[int]) -> list[int]:
    """Return the newest refusals that come close together, back to a pause of five times (and seconds) the mean one."""
    times = sorted(refused, reverse=True)
    for number, (later, at) in enumerate(pairwise(times), 1):
        if later - at > 5 * max(_S, (times[0] - later) // number):
            return times[:number]
    return times


def likely(who: Principal, now: int, linked_ns: int) -> tuple[str, ...]:
    """Return what a refused change that names no collection was about, where there is one answer.

    It is what was read last of what was not its own, else what it was just given, else the only collection that it was
    refused lately, else the only one that it reads; a key that just woke reads only what it came for.
    """
    flagged = [name for name, known in who.collections.items() if known.flagged]
    wanted = [name for name, at in who.wanted.items() if now - at <= linked_ns]
    given = [name for name, at in who.granted.items() if now - at <= linked_ns]
    if flagged or len(given) == 1:
        return tuple((flagged or given)[-1:])
    if wanted:
        return tuple(wanted) if len(wanted) == 1 else ()
    read = list(who.collections)
    return tuple(read[-1:]) if len(read) == 1 or who.awake_ns else ()

"""Steps that come within a window in one group: the chains of a rule with `steps`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    Timed = tuple[int, tuple[str, ...]]


def chains(
    steps: Sequence[Sequence[Timed]], window_ns: int, *, ordered: bool
) -> Iterator[tuple[tuple[str, ...], int, int]]:
    """Yield group, begin and end of each time that a group has a record of every step within `window_ns`.

    `steps` lists for each step when and in which group its records are. One pass in the order of time: for every group
    the latest record of each step (unordered), or the latest begin of a chain as far as each step (ordered); the latest
    is always the best. A record is part of one chain only: what completes begins anew.
    """
    moments = sorted((at, number, group) for number, step in enumerate(steps) for at, group in step)
    reached: dict[tuple[str, ...], list[int | None]] = {}
    for at, number, group in moments:
        latest = reached.setdefault(group, [None] * len(steps))
        if not ordered or number == 0:
            latest[number] = at
        else:
            begun = latest[number - 1]
            latest[number] = begun if begun is not None and at - begun <= window_ns else latest[number]
        begin = _begin(latest, at, window_ns, ordered=ordered)
        if begin is not None and (not ordered or number == len(steps) - 1):
            yield group, begin, at
            reached[group] = [None] * len(steps)


def _begin(latest: Sequence[int | None], at: int, window_ns: int, *, ordered: bool) -> int | None:
    """Return when a chain began that ends at `at`; None for none."""
    if ordered:
        begun = latest[-1]
        return begun if begun is not None and at - begun <= window_ns else None
    known = [moment for moment in latest if moment is not None]
    return min(known) if len(known) == len(latest) and at - min(known) <= window_ns else None

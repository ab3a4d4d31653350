"""Numbers of java.util.Random, which a seed makes the same each time."""

from __future__ import annotations

from treering.query.native import Native

_FACTOR, _STEP, _MASK = 0x5DEECE66D, 0xB, (1 << 48) - 1
_DRAWS = 2  # of 26 and 27 bits, for a double


def seeded(seed: int, place: int) -> float:
    """Return the number from 0 to 1 at `place`, from 1 on, as Calcite draws them (org.apache.calcite.runtime)."""
    mixed = (seed ^ (seed << 16)) & 0xFFFFFFFF
    signed = mixed - (1 << 32) if mixed >> 31 else mixed
    state = _jumped((signed ^ _FACTOR) & _MASK, _DRAWS * (place - 1))
    high = state = (state * _FACTOR + _STEP) & _MASK
    low = (state * _FACTOR + _STEP) & _MASK
    return ((high >> 22 << 27) + (low >> 21)) / (1 << 53)


def _jumped(state: int, steps: int) -> int:
    """Return the state after so many steps, in as many squarings as their number has bits."""
    factor, step = _FACTOR, _STEP
    while steps:
        if steps & 1:
            state = (state * factor + step) & _MASK
        factor, step = factor * factor & _MASK, (factor + 1) * step & _MASK
        steps >>= 1
    return state


NATIVES = (Native("ppl_seeded", seeded, ("INTEGER", "BIGINT"), "DOUBLE"),)

"""Geohashes (G. Niemeyer, 2008): places as texts of base 32, bits of longitude and latitude by turns."""

from __future__ import annotations

from treering.query.native import Native

_LETTERS = "0123456789bcdefghjkmnpqrstuvwxyz"
_LONGEST = 12


def place(text: str) -> str | None:
    """Return `{"lat": …, "lon": …}` of the corner nearest the south pole and the antimeridian; None for no geohash."""
    low, high = [-180.0, -90.0], [180.0, 90.0]
    word = text.strip().lower()
    if not word or len(word) > _LONGEST or any(letter not in _LETTERS for letter in word):
        return None
    bits = "".join(f"{_LETTERS.index(letter):05b}" for letter in word)
    for number, bit in enumerate(bits):
        axis = number % 2
        middle = (low[axis] + high[axis]) / 2
        (low if bit == "1" else high)[axis] = middle
    return f'{{"lat":{low[1]!r},"lon":{low[0]!r}}}'


NATIVES = (Native("ppl_geohash", place, ("VARCHAR",), "VARCHAR"),)

"""What a text says to those who decode it: base64, invisible characters, look-alikes, spaced or swapped letters.

`treering.parse.textview` does the rewriting; here is what is worth it. Ordinary escapes of web pages and links are not:
only long runs of them hide anything.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.parse.textview import decoded, plain, straightened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.parse.textview import View

_INVISIBLE = re.compile(
    "[\u00ad\u200b\u200c\u2060-\u2064\ufeff\U000e0020-\U000e007f\ufe00-\ufe0e\U000e0100-\U000e01ef]"
)
_MIXED = re.compile("[A-Za-z][\u0370-\u04ff]|[\u0370-\u04ff][A-Za-z]|[\uff21-\uff5a]{3}|[\U0001d400-\U0001d7ff]{3}")
_FEWEST = 6
_RUNS = re.compile(r"(?:&#[xX]?[0-9A-Fa-f]{2,6};){6}|(?:%[0-9A-Fa-f]{2}){8}|(?:\\[ux][0-9A-Fa-f]{2,4}){6}")
_PACKED = re.compile(r"[A-Za-z0-9+/_-]{20}|(?:\b(?:0x)?[0-9A-Fa-f]{2,3}[ ,:;]{1,2}){8}|[01]{8} [01]{8}")
_ORDINARY = frozenset({"entities", "percent", "escapes"})
_SPACED = re.compile(r"(?<!\w)\w(?: {1,3}\w(?!\w)){7}")
_SWAPPED = re.compile(r"[A-Za-z][013457@$]{1,3}(?=[A-Za-z])|(?<!\S)[013457]{1,2}[a-z]{2}")
_RUN = re.compile(r"\S+")
_DIGITS = [str.maketrans("0134578", f"o{one}eastb") for one in "il"]
"""What digits stand for within words."""
_MOST = 20_000


def readings(text: str) -> Iterator[str]:
    """Yield what a text says otherwise than it looks, its first 20,000 characters; nothing for most texts."""
    text = text[:_MOST]
    view = plain(text)
    if not text.isascii() and _hides(text):
        yield view.cased
    if (many := bool(_RUNS.search(text))) or _PACKED.search(text):
        yield from _decoded(view, many=many)
    if _SPACED.search(text):
        yield straightened(view, "spaced").text
    if _is_swapped(text):
        for digits in _DIGITS:
            read = _RUN.sub(lambda run, digits=digits: _lettered(run[0], digits), view.text)  # type: ignore[misc]
            yield f"{read} {text}"  # what has digits of its own stands in it too


def _hides(text: str) -> bool:
    return len(_INVISIBLE.findall(text)) >= _FEWEST or bool(_MIXED.search(text))


def _decoded(view: View, *, many: bool) -> Iterator[str]:
    last = None
    for layer in decoded(view):
        if many or not _ORDINARY.issuperset(layer.kinds):
            last = layer.cased
    if last is not None:
        yield last


def _lettered(run: str, digits: dict[int, int]) -> str:
    """Return a word with its digits read as letters, a number as it is."""
    return run.translate(digits) if any("a" <= each <= "z" for each in run) else run


def _is_swapped(text: str) -> bool:
    """Return whether digits stand for letters in a third of the words in a row, as in no other text."""
    found = [match.span() for match in _SWAPPED.finditer(text)]
    return len(found) >= _FEWEST and 3 * len(found) >= len(text[found[0][0] : found[-1][1]].split())

"""Disguises of a text, as those use them who hide words from filters."""

from __future__ import annotations

import base64
import codecs
from typing import TYPE_CHECKING
from urllib.parse import quote

from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_CYRILLIC = str.maketrans("aceopxyACEOPX", "асеорхуАСЕОРХ")
_ASK = "Decode this and do what it says: "


def _zero_width(text: str) -> str:
    return "\u200b".join(text)


def _tags(text: str) -> str:
    """Write a text in Unicode's tag characters, which nothing displays."""
    return "What is the weather? " + "".join(chr(0xE0000 + ord(letter)) for letter in text if ord(letter) < 0x7F)


DISGUISES: dict[str, Callable[[str], str]] = {
    "base64": lambda text: _ASK + base64.b64encode(text.encode()).decode(),
    "hexadecimal": lambda text: _ASK + text.encode().hex(),
    "zero_width": _zero_width,
    "homoglyphs": lambda text: text.translate(_CYRILLIC),
    "leetspeak": lambda text: text.translate(_LEET),
    "rot13": lambda text: "Read this in ROT13: " + codecs.encode(text, "rot13"),
    "spaced": lambda text: "   ".join(" ".join(word) for word in text.split()),
    "backwards": lambda text: "Read this backwards: " + text[::-1],
    "tags": _tags,
    "percent": lambda text: quote(text, safe=""),
}


def disguised(text: str, how: str) -> str:
    """Return `text` in a disguise. Raises `UserError` for one there is not."""
    if (change := DISGUISES.get(how)) is None:
        raise UserError(f"no disguise is called {how[:40]!r}", hint=f"known: {', '.join(DISGUISES)}")
    return change(text)

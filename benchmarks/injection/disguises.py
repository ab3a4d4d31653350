"""Twelve ways to write a text so that a filter does not see it."""

from __future__ import annotations

import base64
import codecs
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_LEET = str.maketrans("aeiostAEIOST", "431057431057")
_CYRILLIC = str.maketrans("aeopcxyABEHKMOPCTX", "аеорсхуАВЕНКМОРСТХ")

DISGUISES: dict[str, Callable[[str], str]] = {
    "base64": lambda text: "Decode and follow: " + base64.b64encode(text.encode()).decode(),
    "hex": lambda text: "Decode and follow: " + text.encode().hex(),
    "rot13": lambda text: codecs.encode(text, "rot13"),
    "leetspeak": lambda text: text.translate(_LEET),
    "zero width": "\u200b".join,
    "cyrillic": lambda text: text.translate(_CYRILLIC),
    "tags": lambda text: "Hello. " + "".join(chr(0xE0000 + ord(c)) for c in text if ord(c) < 128),
    "full width": lambda text: "".join(chr(0xFEE0 + ord(c)) if "!" <= c <= "~" else c for c in text),
    "soft hyphens": "\u00ad".join,
    "letters apart": " ".join,
    "letters apart, words wider": lambda text: "   ".join(" ".join(word) for word in text.split()),
    "backwards": lambda text: text[::-1],
    "percent escapes": lambda text: "".join(f"%{byte:02x}" for byte in text.encode()),
    "markup": lambda text: "".join(f"<b>{word}</b> " for word in text.split()),
    "combining marks": lambda text: "".join(c + "\u0336" if c.isalpha() else c for c in text),
}

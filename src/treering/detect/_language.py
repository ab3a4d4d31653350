"""The language of a text, cheaply: its script, and for Latin script the small words of seven languages."""

from __future__ import annotations

import re

_SCRIPTS = (
    ("ja", re.compile(r"[\u3040-\u30ff]")),
    ("ko", re.compile(r"[\uac00-\ud7af]")),
    ("zh", re.compile(r"[\u4e00-\u9fff]")),
    ("ru", re.compile(r"[\u0400-\u04ff]")),
    ("ar", re.compile(r"[\u0600-\u06ff]")),
    ("he", re.compile(r"[\u0590-\u05ff]")),
    ("el", re.compile(r"[\u0370-\u03ff]")),
    ("hi", re.compile(r"[\u0900-\u097f]")),
    ("th", re.compile(r"[\u0e00-\u0e7f]")),
)
_SMALL_WORDS = {
    "en": "the and is are you of to in that for with not this can your have it on be as",
    "de": "der die das und ist nicht sie ein eine mit für auf den dem zu im von wird oder können",
    "fr": "le la les et est vous pas une des pour dans sur que qui votre avec du ne au ce",
    "es": "el la los las y es no una para con que por del se su en como puede está más",
    "pt": "o os e é não uma para com que por do da seu em como pode está mais você no",
    "it": "il lo gli e è non una per con che del della si suo in come può più sono di",
    "nl": "de het een en is niet van voor met dat op te zijn je wordt kan of bij aan om",
}
_WORDS = {name: frozenset(words.split()) for name, words in _SMALL_WORDS.items()}
_WORD = re.compile(r"[^\W\d_]+")
_LOOKED_AT = 600
_LEAST_SHARE = 0.04


def language(text: str) -> str:
    """Return the code of the language `text` is probably in, `?` where that cannot be told."""
    start = text[:_LOOKED_AT]
    letters = _WORD.findall(start.lower())
    if not letters:
        return "?"
    size = sum(len(word) for word in letters)
    for name, script in _SCRIPTS:
        if len(script.findall(start)) > size * 0.2:
            return name
    hits = {name: sum(1 for word in letters if word in words) for name, words in _WORDS.items()}
    best = max(hits, key=lambda name: hits[name])
    return best if hits[best] >= max(2.0, len(letters) * _LEAST_SHARE) else "?"

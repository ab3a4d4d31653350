"""The forms in which instructions may be given away: as they stand, backwards, in ROT13, encoded, letters apart.

Instructions are turned instead of every answer, so one search finds all three forms; only answers that may hold
something encoded are read in other ways. What instructions have the model say ("begin with: Welcome …") is no secret.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from treering.detect._repeats import RUN, words_of
from treering.parse.textview import ROT13, decoded, plain, straightened

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.parse.textview import View

_TO_BE_SAID = re.compile(
    r"\b(?:begin|start|open|greet|end|close|finish|say|reply|respond|answer|sign|introduce|add|append|include)\b"
    r"[^\n.:!?]{0,60}:[ \t]*(?:\S+[ \t]+){0,40}\S*",
    re.IGNORECASE,
)
_LONG = re.compile(r"[A-Za-z0-9+/_=-]{40,}|(?:\b[^\W_][ .*_|/,+~-]{1,3}){40}")
_MOST_TEXT = 100_000

Runs = frozenset[tuple[str, ...]]


def forms(text: str) -> tuple[str, ...]:
    """Return instructions as they stand, backwards and in ROT13, without what they have the model say."""
    kept = _TO_BE_SAID.sub(" . ", text)
    return kept, kept[::-1], kept.translate(ROT13)


@lru_cache(256)
def runs_of_forms(text: str) -> tuple[Runs, ...]:
    """Return the runs of words of each form of instructions."""
    return tuple(runs(words_of(form)) for form in forms(text))


def runs(words: list[str]) -> Runs:
    """Return every run of five words."""
    return frozenset(zip(*(words[at:] for at in range(RUN)), strict=False))


def readings(answer: str) -> Iterator[View]:
    """Yield the ways in which an answer that holds something encoded or letters apart may be read."""
    text = answer[:_MOST_TEXT]
    if _LONG.search(text) is None:
        return
    view = plain(text)
    yield from decoded(view)
    spaced = straightened(view, "spaced")
    if spaced.text != view.text:
        yield spaced

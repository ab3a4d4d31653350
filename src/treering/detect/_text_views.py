"""The ways in which a suspicious text may have to be read: as it stands, decoded, and with its spelling undone.

`treering.parse.textview` does the rewriting. What is worth rewriting is decided here by measure, not by known words:
pairs of letters tell text that is written backwards or in ROT13 (the best stretch of it, by Kadane's scan over
log-likelihood ratios), letters that stand alone tell spaced ones. Joined letters are cut into words by the likeliest
sequence of known words (Viterbi 1967). Costs a nanosecond a byte for texts that hide nothing; a text that hides
something is read at most `MOST_VIEWS` times, so judging it costs at most that many times as much.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treering.detect._ngrams import ENCODED, LEET, MARKUP
from treering.parse.textview import View, decoded, plain, straightened
from treering.parse.textview.view import Edits, rewrite

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.detect._ngrams import Ngrams

MOST_VIEWS = 10
_ALONE = 6
_FEW_TAGS = 3
_LONG = re.compile(r"[a-z]{9,}")
_LEET = re.compile(r"[a-z][0134578@$!|]{1,2}[a-z]")
_MARKUP = re.compile(r"</?[a-z!][^<>]{0,200}>|\*\*|__|\]\([^()\s]{1,200}\)")
_LONGEST_WORD = 16
_MOST_LETTERS = 4_000
_UNKNOWN = -14.0


def _is_leet(text: str) -> bool:
    """Return whether digits and signs stand within letters in a sixth of the words, as they do in no other text."""
    count = len(_LEET.findall(text))
    return count > 1 and count * 6 >= len(text.split())


def _without_markup(view: View) -> View | None:
    """Return `view` without tags, emphasis and targets of links; None if there are hardly any."""
    edits = [(match.start(), match.end(), "") for match in _MARKUP.finditer(view.text)]
    if len(edits) < _FEW_TAGS:
        return None
    text = rewrite(view.text, edits)
    return View(text, text, (*view.kinds, "markup"), view, lambda: Edits(edits).back)


class Reading:
    """Finds the ways to read a text; for one thread at a time."""

    def __init__(self, ngrams: Ngrams, pairs: Any, limits: Mapping[str, float], words: Mapping[str, float]) -> None:
        """Take likelihoods of pairs of letters, from how much on a spelling is suspected, and log-shares of words."""
        self._ngrams, self._pairs, self._limits, self._words = ngrams, pairs, limits, words

    def views(self, texts: Sequence[str]) -> list[list[View]]:
        """Return the views of each text, as it stands first, at most `MOST_VIEWS` of one."""
        first = [plain(text) for text in texts]
        spelt = self._ngrams.spellings([view.text.encode("utf-8", "replace") for view in first], self._pairs)
        return [self._views(view, *row) for view, row in zip(first, spelt.tolist(), strict=True)]

    def _views(self, view: View, backwards: int, rot13: int, spaced: int, hints: int) -> list[View]:
        found = [view]
        if backwards > self._limits["backwards"]:
            found.append(straightened(view, "backwards"))
        if rot13 > self._limits["rot13"]:
            found.append(straightened(view, "rot13"))
        if spaced >= _ALONE:
            joined = straightened(view, "spaced")
            found += [joined, *self._cut(joined)] if joined.text != view.text else []
        if hints & LEET and _is_leet(view.text[:_MOST_LETTERS]):
            found.append(straightened(view, "leet"))
        if hints & MARKUP and (bare := _without_markup(view)) is not None:
            found.append(bare)
        if hints & ENCODED or view.kinds:
            found += decoded(view)
        return found[:MOST_VIEWS]

    def _cut(self, view: View) -> Iterator[View]:
        """Cut long runs of letters into words, if that makes any."""
        edits, left = [], _MOST_LETTERS
        for run in _LONG.finditer(view.text):
            left -= len(run[0])
            if left < 0:
                break
            if run[0] not in self._words and len(words := self._segmented(run[0])) > 1:
                edits.append((run.start(), run.end(), " ".join(words)))
        if edits:
            text = rewrite(view.text, edits)
            yield View(text, text, (*view.kinds, "joined"), view, lambda: Edits(edits).back)

    def _segmented(self, run: str) -> list[str]:
        """Return the likeliest words that `run` is made of; letters that belong to none stay together."""
        best: list[tuple[float, int]] = [(0.0, 0)]
        for end in range(1, len(run) + 1):
            options = []
            for start in range(max(0, end - _LONGEST_WORD), end):
                share = self._words.get(run[start:end])
                worth = share if share is not None else _UNKNOWN * (end - start)
                options.append((best[start][0] + worth, start))
            best.append(max(options))
        words, at = [], len(run)
        while at:
            start = best[at][1]
            words.append(run[start:at])
            at = start
        return words[::-1]

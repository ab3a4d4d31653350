"""Patterns of log lines by the method Brain, as OpenSearch's `patterns method=brain` finds them.

Yu, Wang, He, Lyu: Brain: Log Parsing with Bidirectional Parallel Tree, IEEE Transactions on Services Computing, 2023.
Words are counted by their place; a line's group is the most frequent combination of words that are equally frequent;
a word of a group is constant or variable by how many others stand in its place.
"""

from __future__ import annotations

import collections
import functools
import itertools
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.query.native import Native
from treering.query.native.hashes import text_hash

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    Tokens = tuple[str, ...]

VARIABLE = "<*>"
MOST = 500_000
# What is variable whatever else stands in its place, in this order; the words that OpenSearch puts there.
_MASKS = tuple(
    (re.compile(pattern, re.ASCII), name)
    for pattern, name in (
        (r"/?(?:[0-9]+\.){3}[0-9]+(?::[0-9]+|):?", "<*IP*>"),
        (r"\d{4}-\d{2}-\d{2}[T ]?\d{2}:\d{2}:\d{2}(?:\.\d{3})?(?:Z|[+-]\d{2}:?\d{2})?", "<*DATETIME*>"),
        (r"\b[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}\b", "<*UUID*>"),
        (r"0[xX][0-9a-fA-F]+|[a-zA-Z]+\d+|[+-]?(?!\d{3}$)\d{4,}(?:\.\d*)?|\.\d+", VARIABLE),
        (r"(?<=[^A-Za-z0-9 ])-?\+?\d+(?=[^A-Za-z0-9])", VARIABLE),
    )
)
_WILDCARD, _NUMBERED = re.compile(r"<\*[^>]*>"), re.compile(r"<token\d+>")
_REPEATED = re.compile(r"(?:<\*>){2,}")
_SPACES = re.compile(r"[ \t\n\v\f\r]+")


@functools.lru_cache(maxsize=65_536)
def tokens(text: str) -> Tokens:
    """Return the words of a line, what is surely variable masked."""
    return tuple(_SPACES.split(_masked(text).replace(",", " ").replace("+", " ").strip("".join(map(chr, range(33))))))


def _masked(text: str) -> str:
    for pattern, name in _MASKS:
        text = pattern.sub(name, text)
    return text


@dataclass(slots=True)
class Pattern:
    """A pattern, how many lines have it, and the first of them."""

    text: str
    count: int
    samples: list[str]


def mined(texts: Sequence[str], threshold: int, share: float, samples: int) -> dict[str, Pattern]:
    """Return the patterns of lines by their text, in the order of first appearance."""
    lines = [tokens(text) for text in texts]
    counts = collections.Counter(itertools.chain.from_iterable(map(enumerate, lines)))
    groups = [_group(line, counts, share) for line in lines]
    words: dict[tuple[int, tuple[int, int], int], set[str]] = collections.defaultdict(set)
    for line, group in zip(lines, groups, strict=True):
        for place, word in enumerate(line):
            words[len(line), group, place].add(word)
    found: dict[str, Pattern] = {}
    for text, line, group in zip(texts, lines, groups, strict=True):
        parts = (
            _shown(word, counts[place, word] - group[0], len(words[len(line), group, place]), threshold)
            for place, word in enumerate(line)
        )
        shown = " ".join(_REPEATED.sub(VARIABLE, part) for part in parts)
        pattern = found.setdefault(shown, Pattern(shown, 0, []))
        pattern.count += 1
        if len(pattern.samples) < samples:
            pattern.samples.append(text)
    return found


def _group(line: Tokens, counts: collections.Counter[tuple[int, str]], share: float) -> tuple[int, int]:
    """Return frequency and size of the largest combination of equally frequent words that is frequent enough."""
    sizes = collections.Counter(counts[place, word] for place, word in enumerate(line))
    combinations = sorted(sizes.items(), key=lambda each: (-each[1], -each[0]))
    least = np.float32(max(sizes)) * np.float32(share)  # the precision in which the limit was chosen
    return next((each for each in combinations if np.float32(each[0]) > least), combinations[0])


def _shown(word: str, above: int, different: int, threshold: int) -> str:
    if above > 0:
        return word if different == 1 else VARIABLE
    return VARIABLE if above < 0 and different >= threshold else word


def _merged(texts: Sequence[str], told: dict[str, Any]) -> list[Pattern]:
    """Return the patterns of all lines, a buffer of them at a time, the most frequent first.

    Patterns equally frequent come as in OpenSearch, where a hash table of Java holds them: which label fits a line
    best depends on it too.
    """
    found: dict[str, Pattern] = {}
    samples, limit = told["samples"], told["buffer"] or len(texts) or 1
    for start in range(0, len(texts), limit):
        for shown, pattern in mined(texts[start : start + limit], told["threshold"], told["share"], samples).items():
            held = found.setdefault(shown, Pattern(shown, 0, []))
            held.count += pattern.count
            held.samples += pattern.samples[: samples - len(held.samples)]
    slots = 16
    while len(found) > slots * 3 // 4:
        slots *= 2
    return sorted(found.values(), key=lambda pattern: (-pattern.count, _slot(pattern.text, slots)))


def _slot(text: str, slots: int) -> int:
    """Return where java.util.HashMap keeps a text among `slots`."""
    number = text_hash(text)
    return (number ^ number >> 16) & (slots - 1)


def aggregated(texts: str, settings: str) -> str:
    """Return the patterns of a JSON list of `[text]` as a JSON list of `[pattern, count, tokens, samples]`.

    `settings`: `threshold`, `share`, `samples`, `buffer`, and whether variables are `numbered`.
    """
    told = json.loads(settings)
    rows = []
    for pattern in _merged(_bounded(texts), told):
        shown, variables = pattern.text, {}
        if told["numbered"]:
            shown, variables = numbered(shown), variables_of(shown, _WILDCARD, pattern.samples)
        rows.append([shown, pattern.count, variables, pattern.samples])
    return json.dumps(rows, ensure_ascii=False)


def labelled(texts: str, settings: str) -> str:
    """Return for each `[text]` of a JSON list the pattern that fits it best, as a JSON list of `[pattern, tokens]`."""
    told = json.loads(settings)
    known: dict[int, list[str]] = collections.defaultdict(list)
    for pattern in _merged(_bounded(texts), {**told, "samples": 0}):
        shown = numbered(pattern.text) if told["numbered"] else pattern.text
        known[len(shown.split(" "))].append(shown)
    best: dict[str, str | None] = {}
    rows: list[list[Any]] = []
    for (text,) in json.loads(texts):
        if text is None or not text.strip():
            rows.append(["", {}])
            continue
        if text not in best:
            best[text] = _best(tokens(text), known[len(tokens(text))])
        label = best[text]
        rows.append([label, variables_of(label, _NUMBERED, [text]) if label and told["numbered"] else {}])
    return json.dumps(rows, ensure_ascii=False)


def _bounded(texts: str) -> list[str]:
    found = [text for (text,) in json.loads(texts) if text is not None]
    if len(found) > MOST:
        raise ValueError(f"patterns method=brain looks at {MOST} rows at most, not {len(found)}; narrow the search")
    return found


def _best(line: Tokens, candidates: Iterable[str]) -> str | None:
    def score(candidate: str) -> int:
        return sum(
            word == part or (word.startswith("<*") and part.startswith("<token"))
            for word, part in zip(line, candidate.split(" "), strict=True)
        )

    return max(candidates, key=score, default=None)


def numbered(pattern: str) -> str:
    """Return the pattern with its first, second, … variable as `<token1>`, `<token2>`, …."""
    numbers = itertools.count(1)
    return _WILDCARD.sub(lambda _: f"<token{next(numbers)}>", pattern)


def variables_of(pattern: str, variable: re.Pattern[str], texts: Iterable[str]) -> dict[str, list[str]]:
    """Return what stands for each variable in `texts`, as far as the fixed parts of the pattern are found in them."""
    fixed = variable.split(pattern)
    found: dict[str, list[str]] = {}
    for text in texts:
        if not text.startswith(fixed[0]):
            continue
        at = len(fixed[0])
        for number, part in enumerate(fixed[1:], 1):
            last = number == len(fixed) - 1 and not part
            end = len(text) if last else text.find(part, at) if part else at
            if end < 0:
                break
            found.setdefault(f"<token{number}>", []).append(text[at:end])
            at = end + len(part)
    return found


def common(samples: str) -> str:
    """Return what a JSON list of texts of one kind have in common, word by word, the rest as `<*>`."""
    lines = [_REPEATED.sub(VARIABLE, _masked(text)).split() for text in json.loads(samples) if text is not None]
    if not lines:
        return ""
    if len({len(line) for line in lines}) > 1:
        start = [
            words[0] for words in itertools.takewhile(lambda words: len(set(words)) == 1, zip(*lines, strict=False))
        ]
        return " ".join([*start, VARIABLE])
    return " ".join(words[0] if len(set(words)) == 1 else VARIABLE for words in zip(*lines, strict=True))


NATIVES = (
    Native("ppl_brain_label", labelled, ("VARCHAR", "VARCHAR"), "VARCHAR"),
    Native("ppl_brain_patterns", aggregated, ("VARCHAR", "VARCHAR"), "VARCHAR"),
    Native("ppl_common", common, ("VARCHAR",), "VARCHAR"),
)

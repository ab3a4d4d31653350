"""How far an answer is supported by its documents: words, numbers, names and negations of each sentence.

Sentence-level lexical evidence, the worst sentence counting most. It sees what is new. It does not see what is
rearranged: a swapped relation of words that all occur is its blind spot. Words are weighted by their inverse document
frequency (Spärck Jones 1972), learnt from the documents that pass.
"""

from __future__ import annotations

import math
import re
import zlib
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from treering.parse.textview import fold

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

_SLOTS = 1 << 15
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?|\d+(?:[.,:]\d+)*")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_SENTENCE = re.compile(r"[^.!?。！？\n]+(?:[.!?](?=\S)[^.!?。！？\n]+)*[.!?。！？]*")
_NAME = re.compile(r"(?<=[a-z0-9,;:)] )[A-Z][\w-]+(?: [A-Z][\w-]+)*|\b[A-Z]{2,}[\w-]*\d*\b|\b\w*[a-z][A-Z]\w*\b")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_WRITTEN = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8", "nine": "9",
    "ten": "10", "eleven": "11", "twelve": "12", "zwei": "2", "drei": "3", "vier": "4", "funf": "5", "sechs": "6",
    "deux": "2", "trois": "3", "quatre": "4", "cinq": "5", "dos": "2", "tres": "3", "cuatro": "4", "cinco": "5",
}  # fmt: skip
_NOT = frozenset(
    "not no never none without cannot can't don't doesn't isn't won't nicht kein keine keinen nie ohne ne pas jamais "
    "sans sin nunca ningun non".split()
)
_COMMON = {
    "en": "the of and to in is you that it for on with as are this be at by from or have an they which your can if",
    "de": "der die und in den von zu das mit sich des auf fur ist im dem nicht ein eine als auch es an werden aus er "
    "hat sie wenn",
    "fr": "de la le et les des en un du une que est pour qui dans par plus pas au sur ne se vous ce avec votre il sont",
    "es": "de la que el en y a los del se las por un para con no una su al lo como mas pero sus le ya o este si puede",
    "it": "di e che la il un a per in una mi sono non con si da come io le lo ho questo anche ma del della puo",
    "pt": "de que e o a do da em um para com nao uma os no se na por mais as dos como mas ao ele das seu sua ou pode",
    "nl": "de van een het en in is dat op te zijn met voor niet aan er om ook als dan maar bij of uit naar kan",
}
_STOP = frozenset(word for words in _COMMON.values() for word in words.split())
_BY_LANGUAGE = {name: frozenset(words.split()) for name, words in _COMMON.items()}
_REFUSAL = re.compile(
    r"(?:do(?:es)?n't|do(?:es)? not|cannot|can't|couldn't|could not|unable to|no) (?:\w+ ){0,4}?"
    r"(?:know|find|have|hold|mention|contain|provide|help|answer|share|change|say|cover|explain|include|guess|"
    r"information|statement|specif)|"
    r"(?:not|isn't|aren't|never) (?:mentioned|provided|specified|stated|covered|described|in the|something i can)|"
    r"rather not guess|(?:keine|nicht) (?:\w+ ){0,4}(?:information|angabe|gefunden|helfen|enthalten)|"
    r"ne (?:peux|trouve|contien)|no (?:puedo|encuentro|contiene)",
)
_POLITE = re.compile(
    r"^\W*(?:certainly|absolutely|of course|sure|great question|good question|sorry|thank|gern|naturlich|bien sur|"
    r"claro)\b.{0,90}$|"
    r"\b(?:let me know|feel free|i hope|hope (?:this|that)|tell me if|happy to help|glad to help|don't hesitate|"
    r"reach out|melde dich|n'hesite|no dudes|here is what i found|here's (?:a|an|what))\b"
)
_FEWEST = 4
_WEIGHTS = (-2.6, 3.2, 1.1, 0.9, 0.5)
"""Of: one, novelty, new numbers, new names, negation. Set by hand and checked on development data, not fitted."""


class Sentence(NamedTuple):
    """A sentence of the answer, `answer[start:end]`: how likely it is unsupported, and what in it is new."""

    start: int
    end: int
    score: float
    new: tuple[str, ...]


class Support(NamedTuple):
    """`score` between 0 (supported) and 1; `sentences` those judged, in order; empty if there was nothing to judge."""

    score: float
    sentences: tuple[Sentence, ...]


class Rarity:
    """How many documents hold a word, over all seen: hashed counts, so that its size is fixed."""

    def __init__(self, counts: bytes = b"", seen: int = 0) -> None:
        """Start, or go on from `counts` and the number of documents `seen`. Raises `ValueError` for a wrong length."""
        self.counts: NDArray[np.uint32] = np.zeros(_SLOTS, dtype=np.uint32)
        if counts:
            self.counts = np.frombuffer(counts, dtype=np.uint32).copy()
            if len(self.counts) != _SLOTS:
                raise ValueError("not counts of words")
        self.seen = seen

    def learn(self, words: Iterable[str]) -> None:
        """Count one document with these distinct words."""
        self.seen += 1
        self.counts[[_slot(word) for word in words]] += 1

    def weight(self, word: str) -> float:
        """Return the inverse document frequency of `word`, smoothed."""
        return math.log((self.seen + 10) / (int(self.counts[_slot(word)]) + 0.5))


@lru_cache(maxsize=16384)
def _slot(word: str) -> int:
    return zlib.crc32(word.encode("utf-8", "surrogatepass")) % _SLOTS


@lru_cache(maxsize=16384)
def _stem(word: str) -> str:
    """Cut what inflects, roughly and for any language: long words to six letters, a plural's s."""
    if word in _WRITTEN:
        return _WRITTEN[word]
    if len(word) > 6:
        return word[:6]
    return word[:-1] if len(word) > 3 and word.endswith("s") else word


def words(text: str) -> list[str]:
    """Return the stems of the content words of `text`; of scripts without spaces, pairs of characters."""
    folded = fold(text)
    found = [_stem(word) for word in _WORD.findall(folded) if word not in _STOP and not _WIDE.match(word)]
    for run in _WIDE.findall(text):
        found += [run[at : at + 2] for at in range(max(1, len(run) - 1))]
    return found


def language(text: str) -> str:
    """Return the language of `text` if its common words tell: a code, `wide` for East Asian scripts, or nothing."""
    if len(_WIDE.findall(text)) and sum(map(len, _WIDE.findall(text))) * 3 > len(text):
        return "wide"
    found = fold(text).split()
    counts = {name: sum(word in common for word in found) for name, common in _BY_LANGUAGE.items()}
    best = max(counts, key=lambda name: counts[name])
    second = max(count for name, count in counts.items() if name != best)
    return best if counts[best] >= 3 and counts[best] > second else ""


def is_refusal(answer: str) -> bool:
    """Return whether `answer` says that it cannot answer: neither supported nor unsupported."""
    return len(answer) < 400 and _REFUSAL.search(fold(answer)) is not None


def support(
    answer: str,
    documents: Sequence[str],
    question: str,
    rarity: Rarity,
    is_phrase: Callable[[str], bool] = lambda _: False,
) -> Support:
    """Judge each sentence of `answer` against `documents`; what `question` holds is given too.

    Questions, what is only polite, and sentences of which `is_phrase` says so claim nothing and are left out.
    """
    context = "\n".join((*documents, question))
    given = set(words(question)).union(*map(content, documents))
    numbers = set(_NUMBER.findall(context)) | {word for word in given if word.isdigit()}
    source = _Source(given, numbers, fold(context), [part for text in documents for part in _parts(text)])
    said = [span for span in _spans(answer) if not is_phrase(answer[slice(*span)].strip())]
    claims = [span for span in said if not _is_polite(answer[slice(*span)])]
    found = [_judge(answer, span, source, rarity, _FEWEST) for span in claims]
    if not any(found):
        found = [_judge(answer, span, source, rarity, 2) for span in said]
    judged = [sentence for sentence in found if sentence is not None]
    if not judged:
        return Support(0.0, ())
    scores = sorted((sentence.score for sentence in judged), reverse=True)
    return Support(0.7 * scores[0] + 0.3 * sum(scores) / len(scores), tuple(judged))


def _is_polite(sentence: str) -> bool:
    """Return whether a sentence is addressed to the person and claims nothing."""
    text = sentence.strip()
    return text.endswith(("?", "？")) or (len(text) < 160 and _POLITE.search(fold(text)) is not None)


@lru_cache(maxsize=2048)
def content(text: str) -> frozenset[str]:
    """Return the distinct `words` of a text that is likely to come again: a document."""
    return frozenset(words(text))


@lru_cache(maxsize=2048)
def _parts(text: str) -> tuple[tuple[frozenset[str], bool], ...]:
    return tuple((frozenset(words(part)), _negated(part)) for part in _split(text))


class _Source(NamedTuple):
    """What an answer may draw on: words, numbers, folded text, and each sentence with whether it is negated."""

    words: set[str]
    numbers: set[str]
    text: str
    parts: list[tuple[frozenset[str], bool]]


def _judge(answer: str, span: tuple[int, int], source: _Source, rarity: Rarity, fewest: int) -> Sentence | None:
    text = answer[slice(*span)]
    found = words(text)
    if len(found) < fewest:
        return None
    weights = {word: rarity.weight(word) for word in found}
    total = sum(weights.values()) or 1.0
    new = [word for word in weights if word not in source.words]
    novelty = sum(weights[word] for word in new) / total
    new_numbers = [
        number for number in _NUMBER.findall(text) if number not in source.numbers and number.strip("0.,:") != ""
    ]
    new_names = [name for name in _NAME.findall(text) if fold(name) not in source.text]
    best, negated = max(((len(words_ & weights.keys()), flag) for words_, flag in source.parts), default=(0, False))
    flipped = best >= 0.7 * len(weights) and negated != _negated(text)
    features = (1.0, novelty, float(bool(new_numbers)), float(bool(new_names)), float(flipped))
    logit = sum(weight * value for weight, value in zip(_WEIGHTS, features, strict=True))
    return Sentence(*span, 1 / (1 + math.exp(-logit)), tuple(dict.fromkeys((*new_numbers, *new_names, *new)))[:12])


def _negated(text: str) -> bool:
    return not _NOT.isdisjoint(fold(text).replace(",", " ").split())


def _spans(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in _SENTENCE.finditer(text[:20_000]) if len(match[0].strip()) > 3][:60]


def _split(text: str) -> list[str]:
    return [text[start:end] for start, end in _spans(text)]

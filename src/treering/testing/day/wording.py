"""Puts questions, answers and attacks into words."""

from __future__ import annotations

import base64
import random
import re
from typing import NamedTuple

from treering.testing.day.bank import Bank, Topic

_SLOT = re.compile(r"\{([a-z_]+)\}")
_CODED = re.compile(r"\{(b64|leet|zw):([^}]*)\}")
_LEET = str.maketrans("aeiost", "431057")
_SENTENCE = re.compile(r"(?<=[.!?。]) +")


class Document(NamedTuple):
    """A passage that the vector database returned."""

    id: str
    title: str
    text: str
    score: float


class Exchange(NamedTuple):
    """A question, the right answer to it and the topic it is about; small talk has no topic."""

    question: str
    answer: str
    topic: Topic | None
    slots: dict[str, str]


class Writer:
    """Writes what people and models say, from a phrase bank and a random stream of its own."""

    def __init__(self, bank: Bank, rng: random.Random) -> None:
        """Take words from `bank` and choices from `rng`."""
        self.bank = bank
        self._rng = rng

    def slots(self) -> dict[str, str]:
        """Return a value for every slot; one set is used through a whole turn so that names stay the same."""
        values = {name: self._rng.choice(choices) for name, choices in self.bank.slots.items()}
        values["customer_domain"] = re.sub(r"[^a-z]+", "-", values["customer"].lower()).strip("-") + ".example"
        return values

    def fill(self, template: str, slots: dict[str, str]) -> str:
        """Return `template` with its slots filled; braces that name no slot stay."""
        return _SLOT.sub(lambda match: slots.get(match[1], match[0]), template)

    def exchange(self, route: str, lang: str) -> Exchange:
        """Return a question that somebody with the language `lang` asks on `route`, and its answer."""
        rng, slots = self._rng, self.slots()
        if route == "chat":
            talk = rng.choice(self.bank.talks)
            which = rng.randrange(len(talk.ask))
            same = len(talk.ask) == len(talk.answer)
            answer = talk.answer[which] if same else rng.choice(talk.answer)
            return Exchange(self.fill(talk.ask[which], slots), self.fill(answer, slots), None, slots)
        foreign = self.bank.foreign.get(lang) if route == "support" else None
        topic = rng.choice(foreign or self.bank.topics[route])
        which = rng.randrange(len(topic.ask))
        question = self.fill(topic.ask[which], slots)
        answer = self.fill(topic.answer_to(which), slots)
        if not foreign:
            angry = rng.random() < 0.05
            detail = rng.choice(self.bank.phrases.detail) if route == "support" else ""
            question = self._colour(question, detail, angry, slots)
            answer = self._dress(answer, angry)
        return Exchange(question, answer, topic, slots)

    def follow_up(self, route: str, topic: Topic) -> Exchange:
        """Return a second question about `topic`, asked on `route`."""
        slots = self.slots()
        if topic.then and self._rng.random() < 0.6:
            question, answer = self._rng.choice(topic.then)
        else:
            question = self._rng.choice(self.bank.phrases.wrap[route])
            answer = self._rng.choice(self.bank.phrases.wrap_answer).replace("{title}", topic.title)
        return Exchange(self.fill(question, slots), self.fill(answer, slots), topic, slots)

    def attack(self, text: str) -> str:
        """Return the text of an attack with its encoded parts encoded."""
        return _CODED.sub(lambda match: _encode(match[1], match[2]), text)

    def swapped(self, answer: str, topic: Topic) -> str:
        """Return how the model after the swap says `answer`: longer, with headings and lists, mostly in English."""
        rng, phrases = self._rng, self.bank.phrases
        if topic.english and rng.random() < 0.7:
            answer = topic.english
        for dressing in (*phrases.lead, *phrases.tail, *phrases.sorry):
            answer = answer.removeprefix(dressing).removesuffix(dressing)
        steps = [part for part in _SENTENCE.split(answer) if part]
        points = "\n".join(f"{i}. **{step.rstrip('.。')}**" for i, step in enumerate(steps, 1))
        return f"{rng.choice(phrases.swap_lead)}\n\n## {topic.title}\n\n{points}\n\n{rng.choice(phrases.swap_tail)}"

    def retrieved(self, route: str, topic: Topic, *, broken: bool) -> list[Document]:
        """Return the passages found for a question about `topic`: the right one first, or strangers when `broken`."""
        rng = self._rng
        others = [other for other in self.bank.topics[route] if other.id != topic.id]
        if broken:
            strangers = sorted((rng.uniform(0.24, 0.47) for _ in range(4)), reverse=True)
            picked = rng.sample(others, 4)
            return [_document(other, score) for other, score in zip(picked, strangers, strict=True)]
        best = min(0.97, max(0.71, rng.gauss(0.85, 0.045)))
        scores = sorted((rng.uniform(0.48, best - 0.06) for _ in range(rng.choice((2, 3, 3)))), reverse=True)
        picked = rng.sample(others, len(scores))
        return [_document(topic, best), *(_document(o, score) for o, score in zip(picked, scores, strict=True))]

    def _colour(self, question: str, detail: str, angry: bool, slots: dict[str, str]) -> str:
        rng, phrases = self._rng, self.bank.phrases
        opening = rng.choice(phrases.anger) if angry else rng.choice(phrases.opening)
        if detail and question[-1].isalnum():
            question += "."
        text = opening + question + detail + rng.choice(phrases.closing)
        text = self.fill(text, slots)
        if angry and rng.random() < 0.3:
            return text.upper()
        return _mistype(text, rng) if rng.random() < 0.09 else text

    def _dress(self, answer: str, angry: bool) -> str:
        rng, phrases = self._rng, self.bank.phrases
        lead = rng.choice(phrases.sorry) if angry else rng.choice(phrases.lead)
        return lead + answer + rng.choice(phrases.tail)


def tokens(text: str) -> int:
    """Return about how many tokens a model counts in `text`: a quarter of its UTF-8 bytes."""
    return len(text.encode()) // 4 + 1


def _document(topic: Topic, score: float) -> Document:
    return Document(topic.id, topic.title, topic.text, round(score, 4))


def _mistype(text: str, rng: random.Random) -> str:
    letters = list(text)
    for _ in range(1 + len(letters) // 60):
        at = rng.randrange(1, len(letters) - 1)
        if letters[at].isalpha() and letters[at + 1].isalpha():
            if rng.random() < 0.5:
                letters[at], letters[at + 1] = letters[at + 1], letters[at]
            else:
                del letters[at]
    return "".join(letters)


def _encode(kind: str, text: str) -> str:
    if kind == "b64":
        return base64.b64encode(text.encode()).decode()
    if kind == "leet":
        return text.translate(_LEET)
    return "\u200b".join(text)

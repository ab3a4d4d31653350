"""The phrase bank in `treering/content/day`, read once."""

from __future__ import annotations

import functools
import tomllib
from importlib import resources
from typing import Any

import msgspec

COLLECTIONS = {
    "support": "SupportArticles",
    "people": "PeopleHandbook",
    "travel": "TravelPolicy",
    "developer": "EngineeringDocs",
}
"""Route → the collection of the vector database that it searches."""


class Topic(msgspec.Struct, frozen=True):
    """A document and what is asked about it. `pairs[i]` is the answer to question `i`."""

    id: str
    title: str
    text: str
    ask: list[str]
    answer: list[str]
    pairs: list[int] = []
    then: list[tuple[str, str]] = []
    wrong: str = ""
    lang: str = "en"
    english: str = ""

    def answer_to(self, question: int) -> str:
        """Return the template of the answer to question number `question`."""
        return self.answer[self.pairs[question] if self.pairs else question]


class Talk(msgspec.Struct, frozen=True):
    """Small talk: questions and answers without a document."""

    ask: list[str]
    answer: list[str]


class Attack(msgspec.Struct, frozen=True):
    """An attempt to misuse the assistant."""

    technique: str
    text: str


class Lookalike(msgspec.Struct, frozen=True):
    """A harmless question that looks like an attack."""

    text: str
    topic: str
    answer: str


class Poison(msgspec.Struct, frozen=True):
    """The planted document, what people ask that finds it, and both answers."""

    id: str
    title: str
    text: str
    asks: list[str]
    clean: str
    followed: str


class Attacks(msgspec.Struct, frozen=True):
    """Everything about misuse."""

    refusals: list[str]
    leak: str
    filter_note: str
    direct: list[Attack]
    benign: list[Lookalike]
    poison: Poison


class Step(msgspec.Struct, frozen=True):
    """A tool call of an agent."""

    tool: str
    arguments: dict[str, Any]
    result: dict[str, Any]


class Task(msgspec.Struct, frozen=True):
    """A task for the agent."""

    ask: str
    final: str
    step: list[Step]


class Tool(msgspec.Struct, frozen=True):
    """A tool that the agent may call."""

    name: str
    description: str
    danger: bool = False


class Loop(msgspec.Struct, frozen=True):
    """The task on which the agent loops."""

    ask: str
    tool: str
    thoughts: list[str]


class Agents(msgspec.Struct, frozen=True):
    """Everything about the agent service."""

    instructions: str
    tool: list[Tool]
    task: list[Task]
    loop: Loop


class Phrases(msgspec.Struct, frozen=True):
    """Openings, closings and other small change; `system` holds the instructions of each route."""

    opening: list[str]
    closing: list[str]
    anger: list[str]
    sorry: list[str]
    detail: list[str]
    lead: list[str]
    tail: list[str]
    wrap: dict[str, list[str]]
    wrap_answer: list[str]
    no_answer: list[str]
    swap_lead: list[str]
    swap_tail: list[str]
    system: dict[str, str]


class Bank(msgspec.Struct, frozen=True):
    """All texts of the day. `topics` is by route; topics in other languages belong to the support route."""

    topics: dict[str, list[Topic]]
    foreign: dict[str, list[Topic]]
    talks: list[Talk]
    attacks: Attacks
    agents: Agents
    phrases: Phrases
    slots: dict[str, list[str]]


@functools.cache
def bank() -> Bank:
    """Return the phrase bank."""
    topics = {route: msgspec.convert(_read(route)["topic"], list[Topic]) for route in COLLECTIONS}
    foreign: dict[str, list[Topic]] = {}
    for topic in msgspec.convert(_read("languages")["topic"], list[Topic]):
        foreign.setdefault(topic.lang, []).append(topic)
    return Bank(
        topics=topics,
        foreign=foreign,
        talks=msgspec.convert(_read("smalltalk")["talk"], list[Talk]),
        attacks=msgspec.convert(_read("attacks"), Attacks),
        agents=msgspec.convert(_read("agents"), Agents),
        phrases=msgspec.convert(_read("phrases"), Phrases),
        slots=msgspec.convert(_read("slots"), dict[str, list[str]]),
    )


def _read(name: str) -> dict[str, Any]:
    text = (resources.files("treering.content") / "day" / f"{name}.toml").read_text("utf-8")
    return tomllib.loads(text)

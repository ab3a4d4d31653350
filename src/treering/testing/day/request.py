"""A request of a user on its way through the platform."""

from __future__ import annotations

from dataclasses import dataclass, field

from treering.testing.day.bank import Topic
from treering.testing.day.calls import Message
from treering.testing.day.clock import Story
from treering.testing.day.wording import Document
from treering.testing.day.world import Route, User


@dataclass(slots=True)
class Request:
    """What one turn of a conversation asks and what it will be answered."""

    user: User
    route: Route
    conversation: str
    question: str
    answer: str
    topic: Topic | None
    trace: bytes
    documents: list[Document] = field(default_factory=list)
    history: list[Message] = field(default_factory=list)
    story: Story | None = None
    """The story that this request shows all by itself, such as an attack."""
    note: str = ""
    """What the input filter said."""


@dataclass(slots=True)
class Outcome:
    """How a service ended a request: when, with which HTTP status and text; `span` is the span of the model call."""

    end_ns: int
    status: int
    text: str
    span: bytes = b""
    model: str = ""
    good: bool = True
    """Whether a user would be content with the answer."""

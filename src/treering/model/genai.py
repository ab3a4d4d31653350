"""A model call, a tool's run or a retrieval as data, whatever instrumentation recorded it.

Built from a record by `treering.parse.genai.call`. Fields have the meaning of the attributes of OpenTelemetry's GenAI
conventions; what a record does not say is None or empty, never invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

NOTHING: Mapping[str, Any] = {}


class Tokens(msgspec.Struct, frozen=True, omit_defaults=True):
    """Token counts; those of the cache, of reasoning and of modalities are parts of `input` and `output`.

    `estimated` says that the sender made the counts up (some do when a stream carries no usage).
    """

    input: int | None = None
    output: int | None = None
    total: int | None = None
    cache_read: int | None = None
    cache_write: int | None = None
    reasoning: int | None = None
    modalities: Mapping[str, int] = NOTHING
    estimated: bool = False


class ToolCall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A model's wish to run a tool; `arguments` is data where they are JSON, else text."""

    name: str = ""
    arguments: Any = None
    id: str | None = None


class Part(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of a message.

    `kind` is `text`, `reasoning`, `tool_call` (then `call` is set), `tool_call_response` (`text` is the answer, `id`
    that of the call), `uri`, `blob`, `file`, or another word of the sender's. `text` is empty for what is no text.
    """

    kind: str
    text: str = ""
    call: ToolCall | None = None
    id: str | None = None
    data: Any = None


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One turn: `role` is `system`, `user`, `assistant`, `tool`, or another word of the sender's."""

    role: str
    parts: tuple[Part, ...] = ()
    finish: str | None = None

    @property
    def text(self) -> str:
        """The text of all parts that are text or a tool's answer, lines between them."""
        return "\n".join(part.text for part in self.parts if part.kind in {"text", "tool_call_response"} and part.text)

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        """The tools that the message asks for."""
        return tuple(part.call for part in self.parts if part.call is not None)


class Document(msgspec.Struct, frozen=True, omit_defaults=True):
    """A retrieved document; `score` is as the sender gave it (similarity or distance)."""

    id: str | None = None
    content: str = ""
    score: float | None = None
    metadata: Mapping[str, Any] = NOTHING


class Evaluation(msgspec.Struct, frozen=True, omit_defaults=True):
    """A score that somebody gave."""

    name: str
    value: float | None = None
    label: str | None = None
    explanation: str | None = None


class Call(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one record says.

    `operation` is the conventions' word (`chat`, `embeddings`, `execute_tool`, `retrieval`, `invoke_agent`, …).
    `system` is what instructs the model, whether it was sent apart or as the first messages; `input` is the rest of the
    chat. Times are nanoseconds since the epoch, durations seconds, cost US dollars.
    """

    operation: str
    is_call: bool = False
    provider: str | None = None
    request_model: str | None = None
    response_model: str | None = None
    response_id: str | None = None
    finish_reasons: tuple[str, ...] = ()
    system: tuple[str, ...] = ()
    input: tuple[Message, ...] = ()
    output: tuple[Message, ...] = ()
    tools: tuple[Mapping[str, Any], ...] = ()
    tool: ToolCall | None = None
    tool_result: str | None = None
    query: str | None = None
    documents: tuple[Document, ...] = ()
    evaluation: Evaluation | None = None
    tokens: Tokens = Tokens()
    cost_usd: float | None = None
    time_to_first_chunk: float | None = None
    duration: float | None = None
    started_ns: int | None = None
    error: str | None = None
    error_message: str | None = None
    conversation: str | None = None
    user: str | None = None
    agent: str | None = None
    service: str | None = None
    dialect: str | None = None
    trace_id: str | None = None
    span_id: str | None = None
    parent_span_id: str | None = None

    @property
    def model(self) -> str | None:
        """The model that answered, else the one asked for."""
        return self.response_model or self.request_model

    @property
    def prompt(self) -> str:
        """The text of the last message of a user."""
        return next((message.text for message in reversed(self.input) if message.role == "user"), "")

    @property
    def answer(self) -> str:
        """The text of what the model answered."""
        return "\n".join(message.text for message in self.output if message.text)

"""The spans of a story as different instrumentations send them, and what is true of them."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests.detect.agent_suites.stories import Call, Story
from treering.model.batch import batch
from treering.model.rows import Rows
from treering.parse.genai import Normaliser
from treering.parse.prices import Prices

_AT, _SECOND = 1_795_000_000_000_000_000, 10**9
SHAPES = ("flat", "nested", "messages", "openinference", "openllmetry", "mcp", "agents", "parallel")


class Shaped(NamedTuple):
    """A trace with the spans that hold the injection first and those that carried it out."""

    story: Story
    shape: str
    trace: str
    records: list[dict[str, Any]]
    sources: frozenset[str]
    followed: frozenset[str]


def shaped(story: Story, shape: str) -> Shaped:
    """Return the spans of a story in a shape."""
    return _Writer(story, shape).shaped()


def rows(traces: list[Shaped], first: int = 0) -> Rows:
    """Return the spans of traces as detectors read them."""
    records = [record for trace in traces for record in trace.records]
    return Rows(Normaliser(Prices())(batch("spans", records, received_ns=0)), first)


class _Writer:
    def __init__(self, story: Story, shape: str) -> None:
        self.story, self.shape = story, shape
        self.trace = f"{zlib.crc32(f'{story.name} {shape}'.encode()):032x}"
        self.records: list[dict[str, Any]] = []
        self.history: list[dict[str, Any]] = [{"role": "user", "parts": [{"type": "text", "content": story.asked}]}]
        self.spans: dict[int, str] = {}
        self.root = self.span("invoke_agent helper", "", {"gen_ai.operation.name": "invoke_agent"})

    def shaped(self) -> Shaped:
        """Write all spans."""
        calls = self.story.calls
        groups = _parallel(calls) if self.shape == "parallel" else [[call] for call in calls]
        parent, place = self.root, 0
        for number, group in enumerate(groups):
            if self.shape in ("nested", "agents"):
                is_agent = self.shape == "agents" and number % 2 == 1
                held = {"gen_ai.operation.name": "invoke_agent"} if is_agent else {}
                parent = self.span(f"step {number}", self.root, held)
            parts = [self.asks(place + at, call) for at, call in enumerate(group)]
            self.chat(parent, parts)
            self.history.append({"role": "assistant", "parts": parts})
            for at, call in enumerate(group):
                self.tool(place + at, call, parent)
            place += len(group)
        self.chat(self.root, [{"type": "text", "content": self.story.answer}])
        sent = [*self.records[1:], self.records[0]]  # the root ends last
        sources, followed = frozenset(self.of("source")[:1]), frozenset(self.of("followed"))
        return Shaped(self.story, self.shape, self.trace, sent, sources, followed)

    def of(self, why: str) -> list[str]:
        """Return the spans of the calls that are there for a reason."""
        return [self.spans[place] for place, call in enumerate(self.story.calls) if call.why == why]

    def asks(self, place: int, call: Call) -> dict[str, Any]:
        return {
            "type": "tool_call",
            "id": f"call_{self.trace[-8:]}_{place}",
            "name": call.tool,
            "arguments": call.given,
        }

    def span(self, name: str, parent: str, attributes: dict[str, Any], *, failed: bool = False) -> str:
        number = len(self.records) + 1
        span = f"{number:016x}"
        held = {"session.id": "s-1", "user.id": "u-1", **attributes}
        if self.shape == "openinference":
            held.setdefault("openinference.span.kind", "AGENT")
        record = {
            "@timestamp": _AT + number * _SECOND,
            "startTime": _AT + number * _SECOND,
            "durationInNanos": _SECOND // 2,
            "serviceName": "helper",
            "traceId": self.trace,
            "spanId": span,
            "parentSpanId": parent,
            "name": name,
            "status.code": 2 if failed else 0,
            "attributes": held,
        }
        self.records.append(record)
        return span

    def chat(self, parent: str, parts: list[dict[str, Any]]) -> None:
        system = [{"type": "text", "content": self.story.system}]
        answer = [{"role": "assistant", "parts": parts, "finish_reason": "stop"}]
        if self.shape == "openinference":
            held = {"openinference.span.kind": "LLM", **_inference("llm.input_messages", self.history)}
            held |= _inference("llm.output_messages", answer)
        elif self.shape == "openllmetry":
            held = {
                "llm.request.type": "chat",
                **_flat("gen_ai.prompt", self.history),
                **_flat("gen_ai.completion", answer),
            }
        else:
            held = {"gen_ai.operation.name": "chat", "gen_ai.input.messages": json.dumps(self.history)}
            held |= {"gen_ai.output.messages": json.dumps(answer), "gen_ai.system_instructions": json.dumps(system)}
        self.span("chat", parent, held)

    def tool(self, place: int, call: Call, parent: str) -> None:
        given, identity = json.dumps(call.given), f"call_{self.trace[-8:]}_{place}"
        held: dict[str, Any] = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": call.tool}
        held |= {
            "gen_ai.tool.call.id": identity,
            "gen_ai.tool.call.arguments": given,
            "gen_ai.tool.call.result": call.result,
        }
        name = f"execute_tool {call.tool}"
        if self.shape == "openinference":
            held = {"openinference.span.kind": "TOOL", "tool.name": call.tool, "input.value": given}
            held["output.value"] = call.result
        elif self.shape == "openllmetry":
            held = {"traceloop.span.kind": "tool", "traceloop.entity.name": call.tool}
            held["traceloop.entity.input"] = json.dumps({"inputs": call.given})
            held["traceloop.entity.output"] = json.dumps({"output": call.result})
        elif self.shape == "mcp":
            del held["gen_ai.operation.name"], held["gen_ai.tool.name"]
            held["mcp.method.name"], name = "tools/call", f"tools/call {call.tool}"
        if self.shape == "messages":
            self.spans[place] = f"{len(self.records) + 1:016x}"  # the next call of the model holds the result
        else:
            self.spans[place] = self.span(name, parent, held, failed=call.failed)
        self.history.append(
            {"role": "tool", "parts": [{"type": "tool_call_response", "id": identity, "response": call.result}]}
        )


def _parallel(calls: list[Call]) -> list[list[Call]]:
    """Return neighbouring calls together, except where one was caused by another."""
    groups: list[list[Call]] = []
    for call in calls:
        if groups and len(groups[-1]) < 2 and groups[-1][-1].why == call.why:
            groups[-1].append(call)
        else:
            groups.append([call])
    return groups


def _inference(head: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, message in enumerate(messages):
        base = f"{head}.{number}.message"
        found[f"{base}.role"] = message["role"]
        for at, part in enumerate(message["parts"]):
            found |= {f"{base}.{key}": value for key, value in _inference_part(at, part)}
    return found


def _inference_part(at: int, part: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    if part["type"] == "tool_call":
        yield f"tool_calls.{at}.tool_call.id", part["id"]
        yield f"tool_calls.{at}.tool_call.function.name", part["name"]
        yield f"tool_calls.{at}.tool_call.function.arguments", json.dumps(part["arguments"])
    elif part["type"] == "tool_call_response":
        yield "content", part["response"]
        yield "tool_call_id", part["id"]
    else:
        yield "content", part["content"]


def _flat(head: str, messages: list[dict[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for number, message in enumerate(messages):
        base = f"{head}.{number}"
        found[f"{base}.role"] = message["role"]
        for at, part in enumerate(message["parts"]):
            if part["type"] == "tool_call":
                found |= {f"{base}.tool_calls.{at}.id": part["id"], f"{base}.tool_calls.{at}.name": part["name"]}
                found[f"{base}.tool_calls.{at}.arguments"] = json.dumps(part["arguments"])
            elif part["type"] == "tool_call_response":
                found |= {f"{base}.content": part["response"], f"{base}.tool_call_id": part["id"]}
            else:
                found[f"{base}.content"] = part["content"]
    return found

"""The agent service: runs tasks with tools. One run of the day cannot stop."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from treering.testing.day.calls import Call, Message, chat_attributes, text_message, timed
from treering.testing.day.clock import Story
from treering.testing.day.otlp import CLIENT, INTERNAL, Value
from treering.testing.day.request import Outcome, Request
from treering.testing.day.world import AGENT, MODELS, ROUTES

if TYPE_CHECKING:
    from treering.testing.day.platform import Platform

_MODEL = MODELS["gpt-4.1"]
_LOOP_LIMIT = 420


class Agents:
    """Works on tasks: a model chooses tools, tools answer, the model sums up."""

    def __init__(self, platform: Platform) -> None:
        """Schedule the run that loops."""
        self._platform = platform
        self._rng = platform.rng("agents")
        self._bank = platform.writer.bank.agents
        tools = [{"type": "function", "name": t.name, "description": t.description} for t in self._bank.tool]
        self._tools = json.dumps(tools)
        platform.schedule(platform.clock.window(Story.SPEND)[0], self._begin_loop)

    def work(self, at_ns: int, request: Request, parent: bytes) -> Outcome:
        """Carry out a task of the bank for `request`, as a child of the span `parent`."""
        p = self._platform
        task = self._rng.choice(self._bank.task)
        slots = p.writer.slots()
        request.question = p.writer.fill(task.ask, slots)
        root, messages = p.span_id(), [text_message("user", request.question)]
        now = at_ns + 2_000_000
        for step in task.step:
            arguments, result = (_filled(part, p.writer.fill, slots) for part in (step.arguments, step.result))
            now = self._step(now, request, root, messages, (step.tool, arguments, result))
        final = text_message("assistant", p.writer.fill(task.final, slots))
        now, _ = self._think(now, request, root, (messages, final, "stop"))
        self._close((at_ns, now), request, (root, parent), len(task.step))
        return Outcome(now, 200, final["parts"][0]["content"], root, _MODEL.name)

    def _step(
        self,
        at_ns: int,
        request: Request,
        root: bytes,
        messages: list[Message],
        use: tuple[str, Any, Any],
        grown: int = 0,
    ) -> int:
        """Let the model call a tool and the tool answer; appends both to `messages` and returns when it ended."""
        p, (tool, arguments, result) = self._platform, use
        call_id = f"call_{self._rng.getrandbits(72):018x}"
        part = {"type": "tool_call", "id": call_id, "name": tool, "arguments": arguments}
        chosen: Message = {"role": "assistant", "parts": [part]}
        now, span = self._think(at_ns, request, root, (messages, chosen, "tool_calls"), grown)
        end_ns = now + int(self._rng.lognormvariate(4.6, 0.6) * 1e6)
        ids = (request.trace, p.span_id(), root)
        attributes: dict[str, Value] = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": tool,
            "gen_ai.tool.type": "function",
            "gen_ai.tool.call.id": call_id,
            "gen_ai.tool.call.arguments": json.dumps(arguments, ensure_ascii=False),
            "gen_ai.tool.call.result": json.dumps(result, ensure_ascii=False),
            "gen_ai.agent.name": "operations-agent",
            "gen_ai.conversation.id": request.conversation,
        }
        p.span(AGENT, ids, f"execute_tool {tool}", INTERNAL, (now, end_ns), attributes)
        if request.story:
            facts = {"user": request.user.id, "conversation": request.conversation, "tool": tool}
            p.show_span(request.story, AGENT, (request.trace, span), **facts, trace=request.trace.hex())
            p.show_span(request.story, AGENT, ids[:2])
        answer: Message = {"role": "tool", "parts": [{"type": "tool_call_response", "id": call_id, "response": result}]}
        messages += [chosen, answer]
        return end_ns + 3_000_000

    def _think(
        self, at_ns: int, request: Request, root: bytes, talk: tuple[list[Message], Message, str], grown: int = 0
    ) -> tuple[int, bytes]:
        p, (messages, output, finish), span = self._platform, talk, self._platform.span_id()
        call = Call(_MODEL, self._bank.instructions, messages[-7:], output, finish, tools=self._tools)
        call.extra["gen_ai.agent.name"] = "operations-agent"
        timed(call, self._rng, history_tokens=420 + grown)
        end_ns = at_ns + int(call.duration_s * 1e9)
        attributes = chat_attributes(
            call, request.user, request.conversation, f"chatcmpl-{self._rng.getrandbits(96):024x}"
        )
        p.span(AGENT, (request.trace, span, root), f"chat {_MODEL.name}", CLIENT, (at_ns, end_ns), attributes)
        return end_ns, span

    def _close(self, times: tuple[int, int], request: Request, ids: tuple[bytes, bytes], steps: int) -> None:
        p, user = self._platform, request.user
        attributes: dict[str, Value] = {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "operations-agent",
            "gen_ai.provider.name": _MODEL.provider,
            "gen_ai.request.model": _MODEL.name,
            "gen_ai.conversation.id": request.conversation,
            "user.id": user.id,
            "tenant.id": user.tenant,
        }
        p.span(AGENT, (request.trace, *ids), "invoke_agent operations-agent", INTERNAL, times, attributes)
        body = f"agent run finished steps={steps} tools={steps} user={user.id} tenant={user.tenant}"
        p.document(AGENT, times[1], "INFO", body, {"session.id": request.conversation}, (request.trace, ids[0]))

    def _begin_loop(self, at_ns: int) -> None:
        p = self._platform
        user = p.users["ostberg"][3]
        slots = p.writer.slots()
        question = p.writer.fill(self._bank.loop.ask, slots)
        conversation = f"conv-{self._rng.getrandbits(40):010x}"
        request = Request(user, ROUTES["agent"], conversation, question, "", None, p.trace_id(), story=Story.SPEND)
        root = p.span_id()
        messages = [text_message("user", question)]
        self._loop(at_ns, request, root, messages, (at_ns, 0, slots["customer"]))

    def _loop(
        self, at_ns: int, request: Request, root: bytes, messages: list[Message], state: tuple[int, int, str]
    ) -> None:
        p, (begun_ns, number, customer) = self._platform, state
        end_ns = p.clock.window(Story.SPEND)[1]
        if number >= _LOOP_LIMIT or at_ns >= end_ns:
            self._close((begun_ns, at_ns), request, (root, b""), number)
            p.truth.fact(Story.SPEND, model_calls=number, root_span=root.hex())
            return
        thought = text_message("assistant", self._rng.choice(self._bank.loop.thoughts))
        invoices = [{"number": f"R-{n}", "amount": 118.2 + n} for n in range(40, 52)]
        use = (
            self._bank.loop.tool,
            {"customer": customer, "status": "all"},
            {"invoices": invoices, "difference": 12.4},
        )
        now = self._step(at_ns, request, root, [*messages[-6:], thought], use, number * 190)
        pause_s = self._rng.uniform(1.5, 5.5)
        p.schedule(now + int(pause_s * 1e9), self._loop, request, root, messages, (begun_ns, number + 1, customer))


def _filled(value: Any, fill: Any, slots: dict[str, str]) -> Any:
    """Return `value` with the slots of every text in it filled."""
    if isinstance(value, str):
        return fill(value, slots)
    if isinstance(value, list):
        return [_filled(item, fill, slots) for item in value]
    if isinstance(value, dict):
        return {key: _filled(item, fill, slots) for key, item in value.items()}
    return value

"""One LangGraph agent under several instrumentations at once: each gives the same rows of `source=llm`."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.parse.llm_rows import as_call, ask
from tests.serving import Server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.model.genai import Call

AGENT = Path(__file__).with_name("langgraph_agent.py")
# What an instrumentation does not record at all, of what is compared.
LACKS: dict[str, set[str]] = {
    "gen_ai": {"user", "agent"},
    "openinference": set(),
    "openllmetry": {"reasoning"},
    "treering": set(),
}
PACKAGES = {
    "gen_ai": "opentelemetry.instrumentation.genai.langchain",
    "openinference": "openinference.instrumentation.langchain",
    "openllmetry": "opentelemetry.instrumentation.langchain",
    "treering": "treering.langchain",
}


def installed(name: str) -> bool:
    """Whether the instrumentation can be imported."""
    try:
        return importlib.util.find_spec(PACKAGES[name]) is not None
    except ModuleNotFoundError:
        return False


PRESENT = [name for name in PACKAGES if installed(name)]


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has what all instrumentations recorded of one run."""
    pytest.importorskip("langchain", reason="langchain is not installed")
    with Server(tmp_path_factory.mktemp("agent")) as server:
        command = [sys.executable, "-W", "ignore", str(AGENT), server.url, *PRESENT]
        subprocess.run(command, check=True, timeout=120, capture_output=True)
        yield server


def rows(server: Server, name: str) -> list[dict[str, Any]]:
    """Return the rows of one instrumentation, in time order, as records."""
    scalars = ["operation.name", "provider.name", "request.model", "response.model", "response.id", "agent.name",
               "request.temperature", "response.finish_reasons", "usage.input_tokens", "usage.output_tokens",
               "usage.cache_read.input_tokens", "usage.reasoning.output_tokens", "conversation.id", "input.messages",
               "output.messages", "system_instructions", "tool.definitions"]  # fmt: skip
    fields = [f"attributes.gen_ai.{field}" for field in scalars]
    fields += ["attributes.user.id", "attributes.treering.cost.usd", "attributes.treering.cost.price", "traceId"]
    query = f"source=llm attributes.treering.dialect={name} | sort startTime | fields {', '.join(fields)}"
    return ask(server, query)


def content(found: Call, lacks: set[str]) -> dict[str, Any]:
    """Return what is compared."""
    return {
        "operation": found.operation,
        "provider": found.provider,
        "models": (found.request_model, found.response_model),
        "id": found.response_id,
        "finish": found.finish_reasons,
        "tokens": (found.tokens.input, found.tokens.output, found.tokens.cache_read),
        "reasoning": None if "reasoning" in lacks else found.tokens.reasoning,
        "system": found.system,
        "input": [(message.role, message.text, message.calls) for message in found.input],
        "output": [(message.role, message.text, message.calls) for message in found.output],
        "tools": [tool["name"] for tool in found.tools],
        "conversation": found.conversation,
        "user": None if "user" in lacks else found.user,
        "agent": None if "agent" in lacks else found.agent,
        "cost": found.cost_usd,
    }


@pytest.mark.parametrize("name", PRESENT)
def test_the_same_rows(name: str, agent: Server) -> None:
    found = [as_call(row) for row in rows(agent, name)]
    assert len(found) == 2
    first, second = (content(one, LACKS[name]) for one in found)
    usage = {"tokens": (120, 15, 40), "reasoning": None if "reasoning" in LACKS[name] else 5}
    shared = {
        "operation": "chat",
        "provider": "openai",
        "models": ("gpt-4o", "gpt-4o-2024-08-06"),
        "id": "chatcmpl-1",
        **usage,
        "system": ("You help.",),
        "tools": ["get_weather"],
        "conversation": "t-9",
        "user": None if "user" in LACKS[name] else "u-1",
        "agent": None if "agent" in LACKS[name] else "weather_agent",
        # 80 at 2.50 $, 40 cached at 1.25 $, 15 at 10 $ a million
        "cost": pytest.approx((80 * 2.5 + 40 * 1.25 + 15 * 10) / 1e6),
    }
    wish = found[0].output[0].calls
    assert [(one.name, one.arguments, one.id) for one in wish] == [("get_weather", {"city": "Paris"}, "call_abc")]
    asked = [("user", "weather in Paris?", ())]
    assert first == {**shared, "finish": ("tool_call",), "input": asked, "output": [("assistant", "", wish)]}
    told = [*asked, ("assistant", "", wish), ("tool", "Paris: 21C", ())]
    assert second == {
        **shared,
        "finish": ("stop",),
        "input": told,
        "output": [("assistant", "It is 21C in Paris.", ())],
    }


@pytest.mark.parametrize("name", PRESENT)
def test_the_same_tool(name: str, agent: Server) -> None:
    fields = ", ".join(f"attributes.gen_ai.tool.{field}" for field in ("name", "call.arguments", "call.result"))
    ours = f"attributes.treering.dialect='{name}' and attributes.gen_ai.operation.name='execute_tool'"
    (tool,) = (list(row.values()) for row in ask(agent, f"source=spans | where {ours} | fields {fields}"))
    # OpenInference keeps the value of a single argument without its name.
    arguments = tool[1] if name == "openinference" else json.loads(tool[1])["city"]
    assert [tool[0], arguments, tool[2]] == ["get_weather", "Paris", "Paris: 21C"]

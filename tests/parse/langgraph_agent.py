"""A LangGraph agent with a model that is not one, under several instrumentations at once. Run by test_genai_agent.py.

python langgraph_agent.py URL INSTRUMENTATION…
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

os.environ["OTEL_SEMCONV_STABILITY_OPT_IN"] = "gen_ai_latest_experimental"
os.environ["OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"] = "span_and_event"

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langchain_core.utils.function_calling import convert_to_openai_tool
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

ANSWERED_BY, ASKED_FOR = "gpt-4o-2024-08-06", "gpt-4o"


@tool
def get_weather(city: str) -> str:
    """Return the weather of a city."""
    return f"{city}: 21C"


class ChatOpenAI(BaseChatModel):
    """Asks for the weather, then answers."""

    model_name: str = ASKED_FOR
    temperature: float = 0.2

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self.bind(tools=[convert_to_openai_tool(one) for one in tools])

    @property
    def _llm_type(self) -> str:
        return "openai-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, "temperature": self.temperature}

    def _get_ls_params(self, stop: Any = None, **_: Any) -> Any:
        return {
            "ls_provider": "openai",
            "ls_model_name": self.model_name,
            "ls_model_type": "chat",
            "ls_temperature": self.temperature,
        }

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        last = any(message.type == "tool" for message in messages)
        finish = "stop" if last else "tool_calls"
        message = AIMessage(
            "It is 21C in Paris." if last else "",
            tool_calls=[] if last else [{"id": "call_abc", "name": "get_weather", "args": {"city": "Paris"}}],
            usage_metadata={
                "input_tokens": 120,
                "output_tokens": 15,
                "total_tokens": 135,
                "input_token_details": {"cache_read": 40},
                "output_token_details": {"reasoning": 5},
            },
            response_metadata={"model_name": ANSWERED_BY, "id": "chatcmpl-1", "finish_reason": finish},
        )
        generation = ChatGeneration(message=message, generation_info={"finish_reason": finish})
        usage = {"prompt_tokens": 120, "completion_tokens": 15, "total_tokens": 135}
        told = {"model_name": ANSWERED_BY, "token_usage": usage, "id": "chatcmpl-1"}
        return ChatResult(generations=[generation], llm_output=told)


def openinference(provider: TracerProvider) -> list[Any]:
    from openinference.instrumentation.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument(tracer_provider=provider)
    return []


def openllmetry(provider: TracerProvider) -> list[Any]:
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    LangchainInstrumentor().instrument(tracer_provider=provider)
    return []


def official(provider: TracerProvider) -> list[Any]:
    from opentelemetry.instrumentation.genai.langchain import LangChainInstrumentor

    LangChainInstrumentor().instrument(tracer_provider=provider)
    return []


def callback(_provider: TracerProvider) -> list[Any]:
    from treering.langchain import TreeringCallback

    return [TreeringCallback(os.environ["TREERING_URL"], service="weather")]


INSTRUMENTATIONS: dict[str, Callable[[TracerProvider], list[Any]]] = {
    "gen_ai": official,
    "openinference": openinference,
    "openllmetry": openllmetry,
    "treering": callback,
}


def main(url: str, names: list[str]) -> None:
    """Run the agent once and send what the instrumentations recorded to `url`."""
    os.environ["TREERING_URL"] = url
    provider = TracerProvider(resource=Resource.create({"service.name": "weather"}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces")))
    callbacks = [one for name in names for one in INSTRUMENTATIONS[name](provider)]
    agent = create_agent(ChatOpenAI(), [get_weather], system_prompt="You help.", name="weather_agent")
    agent.invoke(
        {"messages": [("user", "weather in Paris?")]},
        config={"configurable": {"thread_id": "t-9"}, "metadata": {"user_id": "u-1"}, "callbacks": callbacks},
    )
    provider.shutdown()
    for one in callbacks:
        one.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])

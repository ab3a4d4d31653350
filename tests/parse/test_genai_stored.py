"""GenAI telemetry through the running server: canonical names in `source=llm`, older names in queries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.parse.llm_rows import ask
from tests.receive.recordings import recordings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Server

CALLS = {
    "langfuse": 3,
    "litellm": 3,
    "openinference-langchain": 7,
    "openinference-openai": 15,
    "openllmetry-langchain": 7,
    "otel-genai-openai-content": 15,
    "otel-openai-v2-content": 14,
    "vec-chromadb": 0,
}


def send(server: Server, folder: Path) -> None:
    """Replay a recording of an OTLP sender."""
    for one in recordings(folder):
        if one.otlp is not None:
            assert server.replay(one.method, one.path, one.headers, one.body).status == 200


@pytest.mark.parametrize("capture", CALLS)
def test_one_row_per_call(capture: str, server: Server, shared: Path) -> None:
    send(server, shared / "captures" / capture)
    assert ask(server, "source=llm | stats count()") in ([{"count()": CALLS[capture]}], [])


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("attributes.gen_ai.system", "attributes.gen_ai.provider.name"),
        ("gen_ai.usage.prompt_tokens", "attributes.gen_ai.usage.input_tokens"),
        ("attributes.llm.model_name", "gen_ai.response.model"),
        ("llm.token_count.completion", "gen_ai.usage.output_tokens"),
    ],
)
def test_older_names_mean_the_same(old: str, new: str, server: Server, shared: Path) -> None:
    for capture in ("otel-openai-v2-content", "openinference-openai", "otel-genai-openai-content"):
        send(server, shared / "captures" / capture)
    counts = [
        sorted(map(list, map(dict.values, ask(server, f"source=llm | stats count() as n by {name}"))))
        for name in (old, new)
    ]
    assert counts[0] == counts[1]
    assert len(counts[0]) > 1 or counts[0][0][1] == "openai"


def test_nothing_is_there_yet(server: Server) -> None:
    assert ask(server, "source=llm | fields gen_ai.usage.cache_write.input_tokens, attributes.treering.cost.usd") == []

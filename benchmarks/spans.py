"""OTLP export requests of LLM spans with 14 attributes, as an instrumented service sends them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks.records import MODELS, START_NS, USERS
from treering.testing.day.bank import bank

PER_REQUEST = 512
WORDS = (
    "what is the refund policy for annual plans and how long does it take until the money is back on my card "
    "the order arrived damaged please summarise this ticket translate the answer to german who approved the change"
).split()


def requests(
    count: int, seed: int = 1, step_ns: int = 1_000_000, *, sentences: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Yield numbers of spans and serialised `ExportTraceServiceRequest`s; the spans begin `step_ns` apart.

    Messages are words in random order, or with `sentences` questions and answers of the known day, so many that they
    are as long.
    """
    rng = random.Random(seed)
    said = _sentences() if sentences else None
    for first in range(0, count, PER_REQUEST):
        size = min(PER_REQUEST, count - first)
        request = ExportTraceServiceRequest()
        resource = request.resource_spans.add()
        for key, value in (("service.name", "llm-proxy"), ("host.name", "node-01"), ("service.version", "2.3.1")):
            attribute = resource.resource.attributes.add()
            attribute.key, attribute.value.string_value = key, value
        scope = resource.scope_spans.add()
        scope.scope.name = "opentelemetry.instrumentation.openai_v2"
        for index in range(first, first + size):
            _span(scope.spans.add(), rng, START_NS + index * step_ns, said)
        yield size, request.SerializeToString()


def _span(span: Span, rng: random.Random, start_ns: int, said: tuple[list[str], list[str]] | None) -> None:
    model = rng.choice(MODELS)
    span.trace_id, span.span_id, span.parent_span_id = rng.randbytes(16), rng.randbytes(8), rng.randbytes(8)
    span.name, span.kind = f"chat {model}", Span.SPAN_KIND_CLIENT
    span.start_time_unix_nano = start_ns
    span.end_time_unix_nano = span.start_time_unix_nano + int(rng.lognormvariate(20, 0.8))
    texts = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": model,
        "gen_ai.response.model": f"{model}-2026-08-06",
        "gen_ai.response.id": f"chatcmpl-{rng.getrandbits(64):016x}",
        "gen_ai.conversation.id": f"conv-{rng.randrange(100_000)}",
        "server.address": "api.openai.example",
        "enduser.id": rng.choice(USERS),
        "gen_ai.input.messages": _message(rng, "user", 24, said and said[0]),
        "gen_ai.output.messages": _message(rng, "assistant", 40, said and said[1]),
    }
    for key, text in texts.items():
        attribute = span.attributes.add()
        attribute.key, attribute.value.string_value = key, text
    for key, number in (("gen_ai.usage.input_tokens", 400), ("gen_ai.usage.output_tokens", 150), ("server.port", 443)):
        attribute = span.attributes.add()
        attribute.key, attribute.value.int_value = key, rng.randrange(number) if number != 443 else number
    attribute = span.attributes.add()
    attribute.key, attribute.value.double_value = "gen_ai.request.temperature", 0.7


def _message(rng: random.Random, role: str, words: int, sentences: list[str] | None) -> str:
    chosen: list[str] = rng.choices(WORDS, k=words) if sentences is None else []
    while sentences is not None and len(chosen) < words:
        chosen += rng.choice(sentences).split()
    text = json.dumps(" ".join(chosen))
    return f'[{{"role":"{role}","parts":[{{"type":"text","content":{text}}}]}}]'


def _sentences() -> tuple[list[str], list[str]]:
    """Return questions and answers of the known day."""
    topics = [topic for group in (bank().topics, bank().foreign) for each in group.values() for topic in each]
    return [ask for topic in topics for ask in topic.ask], [answer for topic in topics for answer in topic.answer]

"""Records of an AI platform for benchmarks: 30 columns, skewed vocabulary, the same for every engine measured.

`python -m benchmarks.records 100000 > records.ndjson` prints them.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

START_NS = 1_764_000_000_000_000_000
STEP_NS = 28_800_000  # three million records in a day
NEEDLE = "zirconium7781"

SERVICES = [
    "chat-gateway",
    "rag-service",
    "vector-db",
    "llm-proxy",
    "agent-runner",
    "embedder",
    "tool-runner",
]
MODELS = ["gpt-4o-mini", "gpt-4o", "claude-sonnet-4", "llama-3.1-70b", "mistral-large", "text-embedding-3-small"]
PROVIDERS = {"gpt": "openai", "tex": "openai", "cla": "anthropic", "lla": "vllm", "mis": "mistral_ai"}
OPERATIONS = ["chat", "embeddings", "retrieval", "execute_tool", "invoke_agent"]
ROUTES = ["/v1/chat/completions", "/v1/embeddings", "/v1/search", "/v1/agents/run", "/v1/feedback", "/healthz"]
LEVELS = (["INFO"] * 88) + (["DEBUG"] * 6) + (["WARN"] * 4) + (["ERROR"] * 2)
NUMBERS = {"DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17}
REGIONS = ["eu-west-1", "us-east-1", "ap-southeast-2"]
TENANTS = [f"tenant-{index:03d}" for index in range(120)]
USERS = [f"user-{index:05d}" for index in range(9000)]
TEMPLATES = [
    "request {rid} completed in {ms} ms with {tokens} tokens for model {model}",
    "retrieved {k} documents from collection {collection} in {ms} ms, best score {score}",
    "upstream {provider} answered {status} for request {rid}, attempt {k}",
    "cache miss for prompt {rid}, computing embedding of {tokens} tokens",
    "tool call search_orders(order_id={order}) returned {k} rows in {ms} ms",
    "agent step {k} finished, next action is {action}",
    "rate limit for {tenant} at {tokens} tokens per minute, {ms} ms until reset",
    "session {rid} of {user} resumed after {ms} ms",
]
ACTIONS = ["answer", "search", "ask the user", "call a tool", "stop"]
COLLECTIONS = ["handbook", "tickets", "release-notes", "contracts", "faq"]


def documents(count: int, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield `count` records in time order; three of them carry the word `NEEDLE`."""
    rng = random.Random(seed)
    needles = {count // 7, count // 2, count - count // 9}
    weights = [2.0 ** -(index / 40) for index in range(len(TENANTS))]
    tenants = rng.choices(TENANTS, weights, k=4096)
    for index in range(count):
        yield _document(rng, index, tenants[index & 4095], needle=index in needles)


def _document(rng: random.Random, index: int, tenant: str, *, needle: bool) -> dict[str, Any]:  # long: one literal
    model, level = rng.choice(MODELS), rng.choice(LEVELS)
    milliseconds = round(rng.lognormvariate(5.5, 0.9), 2)
    provider, user = PROVIDERS[model[:3]], rng.choice(USERS)
    tokens_in, tokens_out = int(rng.lognormvariate(6, 1)), int(rng.lognormvariate(5, 1))
    status = rng.choice([429, 500, 503]) if level == "ERROR" else 200
    body = rng.choice(TEMPLATES).format(
        rid=f"{rng.getrandbits(48):012x}", ms=milliseconds, tokens=tokens_in, model=model, k=rng.randrange(1, 9),
        collection=rng.choice(COLLECTIONS), score=round(rng.random(), 3), provider=provider, status=status,
        order=rng.randrange(10**7), action=rng.choice(ACTIONS), tenant=tenant, user=user,
    )  # fmt: skip
    stamp = START_NS + index * STEP_NS + rng.randrange(STEP_NS)
    seconds, nanos = divmod(stamp, 1_000_000_000)
    return {
        "@timestamp": f"{_clock(seconds)}.{nanos:09d}Z",
        "severityText": level,
        "severityNumber": NUMBERS[level],
        "serviceName": rng.choice(SERVICES),
        "body": f"{body} {NEEDLE}" if needle else body,
        "traceId": f"{rng.getrandbits(128):032x}",
        "spanId": f"{rng.getrandbits(64):016x}",
        "resource": {"attributes": {"host.name": f"node-{rng.randrange(24):02d}", "cloud.region": rng.choice(REGIONS)}},
        "attributes": {
            "gen_ai.operation.name": rng.choice(OPERATIONS),
            "gen_ai.provider.name": provider,
            "gen_ai.request.model": model,
            "gen_ai.usage.input_tokens": tokens_in,
            "gen_ai.usage.output_tokens": tokens_out,
            "gen_ai.request.temperature": rng.choice([0.0, 0.2, 0.7, 1.0]),
            "gen_ai.response.finish_reason": rng.choice(["stop", "stop", "stop", "length", "tool_calls"]),
            "gen_ai.conversation.id": f"conv-{rng.randrange(200_000):06d}",
            "http.request.method": "POST",
            "http.route": rng.choice(ROUTES),
            "http.response.status_code": status,
            "url.scheme": "https",
            "client.address": f"10.{rng.randrange(4)}.{rng.randrange(256)}.{rng.randrange(256)}",
            "server.port": 8443,
            "duration_ms": milliseconds,
            "queue_ms": round(rng.expovariate(0.2), 2),
            "cost_usd": round(tokens_in * 2.5e-6 + tokens_out * 1e-5, 6),
            "enduser.id": user,
            "tenant.id": tenant,
            "cache.hit": rng.random() < 0.3,
            "thread.id": rng.randrange(64),
        },
    }


def _clock(seconds: int) -> str:
    days, rest = divmod(seconds, 86_400)
    hours, rest = divmod(rest, 3_600)
    minutes, second = divmod(rest, 60)
    return f"{_date(days)}T{hours:02d}:{minutes:02d}:{second:02d}"


_DATES: dict[int, str] = {}


def _date(days: int) -> str:
    from datetime import date, timedelta

    if days not in _DATES:
        _DATES[days] = str(date(1970, 1, 1) + timedelta(days=days))
    return _DATES[days]


def main() -> None:
    """Print the records as NDJSON."""
    write = sys.stdout.buffer.write
    for document in documents(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000):
        write(msgspec.json.encode(document) + b"\n")


if __name__ == "__main__":
    main()

"""Who uses the platform and what it is made of: tenants, users, routes, models, services."""

from __future__ import annotations

import random
from typing import NamedTuple

GATEWAY, RAG, AGENT = "chat-gateway", "rag-service", "agent-runner"
SUPPORT_MODEL, SWAPPED_MODEL = "gpt-4.1-mini", "mistral-small-latest"
VLLM_MODEL, OLLAMA_MODEL, CLAUDE = "Qwen/Qwen3-14B", "llama3.1:8b", "claude-sonnet-4-5"


class Model(NamedTuple):
    """A model behind the gateway: time to the first token (median, seconds) and tokens per second."""

    name: str
    provider: str
    response: str
    first_token_s: float
    rate: float
    host: str
    port: int


MODELS = {
    model.name: model
    for model in (
        Model(SUPPORT_MODEL, "openai", "gpt-4.1-mini-2025-04-14", 0.42, 95, "api.openai.com", 443),
        Model("gpt-4.1", "openai", "gpt-4.1-2025-04-14", 0.55, 70, "api.openai.com", 443),
        Model(CLAUDE, "anthropic", "claude-sonnet-4-5-20250929", 0.85, 68, "api.anthropic.com", 443),
        Model(SWAPPED_MODEL, "mistral_ai", "mistral-small-2506", 0.38, 120, "api.mistral.ai", 443),
        Model(VLLM_MODEL, "vllm", VLLM_MODEL, 0.16, 58, "gpu-01", 8000),
        Model(OLLAMA_MODEL, "ollama", OLLAMA_MODEL, 0.28, 34, "gpu-01", 11434),
    )
}


class Route(NamedTuple):
    """A way into the gateway, with its share of the sessions in percent."""

    name: str
    path: str
    model: str
    share: int


ROUTES = {
    route.name: route
    for route in (
        Route("support", "/v1/assist/support", SUPPORT_MODEL, 42),
        Route("people", "/v1/assist/people", VLLM_MODEL, 19),
        Route("travel", "/v1/assist/travel", VLLM_MODEL, 9),
        Route("developer", "/v1/assist/developer", CLAUDE, 17),
        Route("chat", "/v1/chat", OLLAMA_MODEL, 10),
        Route("agent", "/v1/agents/run", "gpt-4.1", 3),
    )
}


class User(NamedTuple):
    """A person who asks."""

    id: str
    tenant: str
    email: str
    lang: str
    ip: str
    agent: str


_TENANTS: tuple[tuple[str, int, tuple[str, ...], str], ...] = (
    ("marlstone", 64, ("en",), "10.20.4."),
    ("vintra", 40, ("en", "en", "en", "fr", "es"), "198.51.100."),
    ("corvane", 34, ("en", "en", "de"), "203.0.113."),
    ("ostberg", 30, ("de", "de", "en"), "192.0.2."),
    ("hinode", 22, ("ja", "ja", "en"), "198.51.100."),
)
"""Name, number of users, languages, network. The first is the platform's own company; the networks are documentation
addresses of RFC 5737 and private ones of RFC 1918."""

OWN_TENANT = "marlstone"
ATTACKED_BY = "vintra"

_FIRST = (
    "ana", "ben", "chloe", "david", "elif", "finn", "greta", "hugo", "ines", "jakub", "kira", "liam", "mona", "nils",
    "olga", "pavel", "quentin", "rosa", "sami", "tara", "ugo", "vera", "wim", "yuki", "zoe",
)  # fmt: skip
_LAST = (
    "adler", "berg", "costa", "dahl", "eriksen", "ferrer", "grant", "hayashi", "ilic", "jansen", "kowal", "lang",
    "moreau", "novak", "okafor", "petit", "quist", "rossi", "sato", "toth", "urban", "vogel", "weber", "young", "zeman",
)  # fmt: skip
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "MarlstoneBoard/8.14 (Android 16; Pixel 9)",
)


def people(rng: random.Random) -> dict[str, list[User]]:
    """Return the users of each tenant; the first few of each ask most."""
    out: dict[str, list[User]] = {}
    number = 1000
    for tenant, count, languages, network in _TENANTS:
        users = out[tenant] = []
        for _ in range(count):
            number += rng.randint(1, 9)
            name = f"{rng.choice(_FIRST)}.{rng.choice(_LAST)}{number % 100}"
            ip = network + str(rng.randint(2, 250))
            users.append(
                User(f"u-{number}", tenant, f"{name}@{tenant}.example", rng.choice(languages), ip, rng.choice(_AGENTS))
            )
    return out


def resource(service: str, version: str, instance: str) -> dict[str, str]:
    """Return the resource attributes of an instrumented service."""
    return {
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.version": "1.45.2",
        "service.name": service,
        "service.version": version,
        "service.instance.id": instance,
        "deployment.environment.name": "production",
        "host.name": "app-01" if service == GATEWAY else "app-02",
    }

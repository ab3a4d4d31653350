"""Findings as detectors would say them about the known day, made from its ground truth, and noise between them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from treering.correlate.clue import Clue
from treering.model.finding import Entity, Evidence, Finding, Severity
from treering.model.times import rfc3339_ns
from treering.testing.day import Day

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.testing.day.truth import Incident, Truth

MINUTE = 60 * 10**9
HUBS = (Entity("service", "chat-gateway"), Entity("service", "rag-service"))
_ROUTES = {"support": "gpt-4.1-mini", "people": "gpt-4.1", "developer": "claude-sonnet-4-5"}
_OWASP = "owasp-llm@2026:LLM01"
Labelled = tuple[str, Clue]


def truth(seed: int) -> Truth:
    day = Day(seed=seed, start_ns=1_795_456_800_000_000_000)
    for _ in day:
        pass
    return day.truth()


class Maker:
    """Makes the findings of one day; `seed` varies what each detector happens to see."""

    def __init__(self, day: Truth, seed: int) -> None:
        self.day = day
        self.rng = random.Random(seed)
        self.serial = 0

    def all(self, noise: int = 40) -> list[Labelled]:
        found = [(incident.id, clue) for incident in self.day.incidents for clue in self._of(incident)]
        found += [(f"noise-{number}", self._noise()) for number in range(noise)]
        self.rng.shuffle(found)
        return found

    def _of(self, incident: Incident) -> Iterator[Clue]:
        yield from getattr(self, "_" + incident.id.replace("-", "_"))(incident)

    def clue(  # long: the arguments of a finding with their defaults
        self,
        detector: str,
        rule: str,
        at: tuple[int, int],
        entities: dict[str, Any],
        severity: Severity = Severity.MEDIUM,
        techniques: tuple[str, ...] = (),
        traces: tuple[str, ...] = (),
        context: dict[str, str] | None = None,
    ) -> Clue:
        self.serial += 1
        named = tuple(
            Entity(kind, value)
            for kind, found in entities.items()
            for value in (found if isinstance(found, list | tuple) else [found])
        )
        evidence = tuple(Evidence("spans", self.serial * 100 + n, at[0], trace_id=t) for n, t in enumerate(traces))
        finding = Finding(
            detector=detector,
            rule=rule,
            title=f"{detector} {rule}",
            severity=severity,
            key=(str(self.serial),),
            start_ns=at[0],
            end_ns=at[1],
            noticed_ns=at[1],
            entities=named,
            evidence=evidence,
            techniques=techniques,
        )
        return Clue(finding, tuple(Entity(k, v) for k, v in (context or {}).items()))

    def window(self, incident: Incident, low: float, high: float, length: float = 0.2) -> tuple[int, int]:
        """A stretch of the incident that begins between the shares `low` and `high`."""
        start, end = _ns(incident.start), _ns(incident.end)
        first = start + int((end - start) * self.rng.uniform(low, high))
        return first, min(end, first + int((end - start) * length))

    def point(self, incident: Incident) -> tuple[int, int]:
        at = self.window(incident, 0.02, 0.97)[0]
        return at, at + 2 * 10**9

    def trace(self) -> str:
        return f"{self.rng.getrandbits(128):032x}"

    def _training_nan(self, i: Incident) -> Iterator[Clue]:
        run, host = i.entities["run"][0], "train-01"
        yield self.clue("training", "gpu_memory_error", self.window(i, 0, 0.01, 0), {"host": host, "gpu": "0000:b1:00"})
        yield self.clue("training", "gradients_grow", self.window(i, 0.1, 0.3), {"run": run, "host": host})
        yield self.clue("training", "loss_nan", self.window(i, 0.5, 0.7), {"run": run, "rank": "2"}, Severity.HIGH)
        yield self.clue("templates", "burst", self.window(i, 0.6, 0.8), {"host": host, "service": "trainer"})

    def _vllm_crash_loop(self, i: Incident) -> Iterator[Clue]:
        traces = tuple(self.trace() for _ in range(5))
        model = i.entities["model"][0]
        place = {"endpoint": "people", "model": model}
        yield self.clue("crashes", "oom_killed", self.window(i, 0, 0.02, 0.8), {"host": "gpu-01", "service": "vllm"})
        yield self.clue(
            "errors",
            "rate",
            self.window(i, 0, 0.1, 0.8),
            {"service": "rag-service", **place},
            Severity.HIGH,
            traces=traces,
            context={"host": "gpu-01"},
        )
        yield self.clue("errors", "rate", self.window(i, 0, 0.1, 0.8), {"service": "vllm", "model": model})
        yield self.clue("templates", "new", self.window(i, 0, 0.1), {"service": "vllm", "host": "gpu-01"}, Severity.LOW)

    def _support_latency(self, i: Incident) -> Iterator[Clue]:
        traces = tuple(self.trace() for _ in range(12))
        model = _ROUTES["support"]
        for service, extra in (("rag-service", {"model": model}), ("chat-gateway", {})):
            seen = tuple(self.rng.sample(traces, 6))
            entities = {"service": service, "endpoint": "support", **extra}
            yield self.clue("latency", "p95", self.window(i, 0, 0.06, 0.9), entities, Severity.HIGH, traces=seen)
        yield self.clue(
            "latency",
            "ttft",
            self.window(i, 0, 0.1, 0.8),
            {"service": "rag-service", "model": model},
            traces=tuple(traces[:4]),
            context={"endpoint": "support"},
        )
        yield self.clue(
            "outliers",
            "calls",
            self.window(i, 0.1, 0.3),
            {"service": "rag-service"},
            Severity.LOW,
            traces=tuple(traces[:6]),
            context={"endpoint": "support", "model": model},
        )

    def _provider_errors(self, i: Incident) -> Iterator[Clue]:
        traces = tuple(self.trace() for _ in range(8))
        place = {"endpoint": "developer", "model": _ROUTES["developer"]}
        for service in ("rag-service", "chat-gateway"):
            seen = tuple(self.rng.sample(traces, 5))
            yield self.clue("errors", "rate", self.window(i, 0, 0.1, 0.8), {"service": service, **place}, traces=seen)
        yield self.clue("latency", "p95", self.window(i, 0.05, 0.2, 0.6), {"service": "rag-service", **place})

    def _injection_document(self, i: Incident) -> Iterator[Clue]:
        for trace in i.entities["trace"]:
            reader = f"u-{self.rng.randrange(2000, 2400)}"  # people of other tenants than the attackers'
            people = {"user": reader, "tenant": self.rng.choice(["corvane", "ostberg"])}
            yield self.clue(
                "prompts",
                "instructions_in_document",
                self.point(i),
                {"document": i.entities["document"][0], "trace": trace, "service": "rag-service", **people},
                Severity.HIGH,
                (_OWASP, "mitre-atlas@2026.09:AML.T0051.001"),
                context={"endpoint": "support"},
            )
        yield self.clue(
            "prompts",
            "image_exfiltration",
            self.point(i),
            {"trace": i.entities["followed_in_trace"][0], "user": i.entities["victim"][0], "service": "rag-service"},
            Severity.CRITICAL,
            ("mitre-atlas@2026.09:AML.T0057",),
        )

    def _injection_direct(self, i: Incident) -> Iterator[Clue]:
        rules = ("ignore_instructions", "roleplay", "extraction", "encoding")
        for trace in i.entities["trace"]:
            user = self.rng.choice(i.entities["user"])
            who = {"user": user, "session": f"conv-{user}a{self.rng.randrange(3)}", "tenant": "vintra"}
            yield self.clue(
                "prompts",
                self.rng.choice(rules),
                self.point(i),
                {**who, "trace": trace, "service": "rag-service"},
                self.rng.choice([Severity.MEDIUM, Severity.HIGH]),
                (_OWASP, "mitre-atlas@2026.09:AML.T0051.000"),
                context={"endpoint": "support", "model": _ROUTES["support"]},
            )
        for trace in i.entities["leaked_in_trace"]:
            yield self.clue("prompts", "prompt_leak", self.point(i), {"trace": trace}, Severity.CRITICAL)

    def _support_model_swap(self, i: Incident) -> Iterator[Clue]:
        place = {"service": "rag-service", "endpoint": "support"}
        for rule in ("model_mix", "answer_length", "language"):
            yield self.clue(
                "drift", rule, self.window(i, 0, 0.15, 0.8), place, context={"model": "mistral-small-latest"}
            )
        yield self.clue("tokens", "output", self.window(i, 0, 0.15, 0.7), {**place, "model": "mistral-small-latest"})

    def _agent_spend_loop(self, i: Incident) -> Iterator[Clue]:
        trace, user = i.entities["trace"][0], i.entities["user"][0]
        session = i.entities["conversation"][0]
        loop = {"agent": "billing-agent", "trace": trace, "tool": "search_invoices", "service": "agent-runner"}
        yield self.clue("spend", "agent_loop", self.window(i, 0, 0.1, 0.9), {**loop, "user": user}, Severity.HIGH)
        yield self.clue("spend", "budget", self.window(i, 0.3, 0.5), {"user": user, "session": session})
        yield self.clue(
            "tokens",
            "input",
            self.window(i, 0.2, 0.4),
            {"service": "agent-runner"},
            traces=(trace,),
            context={"tool": "search_invoices"},
        )

    def _people_hallucination(self, i: Incident) -> Iterator[Clue]:
        for trace in self.rng.sample(i.entities["trace"], 25):
            user = self.rng.choice(i.entities["user"])
            yield self.clue(
                "groundedness",
                "ungrounded",
                self.point(i),
                {"trace": trace, "user": user, "service": "rag-service"},
                Severity.LOW,
                context={"endpoint": "people", "model": _ROUTES["people"]},
            )
        yield self.clue(
            "groundedness",
            "rate",
            self.window(i, 0, 0.1, 0.8),
            {"service": "rag-service", "endpoint": "people"},
            Severity.HIGH,
        )
        yield self.clue(
            "drift",
            "retrieval_scores",
            self.window(i, 0, 0.1, 0.8),
            {"service": "rag-service", "endpoint": "people", "collection": "PeopleHandbook"},
        )

    def _vector_cross_tenant(self, i: Incident) -> Iterator[Clue]:
        who, where = i.entities["principal"][0], i.entities["address"][0]
        yield self.clue(
            "vector_access",
            "refused",
            self.window(i, 0, 0.02, 0.2),
            {"user": who, "collection": i.entities["collection"], "address": where},
        )
        yield self.clue(
            "vector_access",
            "key_change",
            self.window(i, 0.3, 0.32, 0),
            {"key": i.entities["key"][0], "tenant": "vintra", "address": where},
            Severity.LOW,
        )
        yield self.clue(
            "vector_access",
            "granted_after_refusal",
            self.window(i, 0.34, 0.36, 0),
            {"user": who, "role": "r-corvanecontracts", "address": where},
            Severity.HIGH,
        )
        yield self.clue(
            "vector_access",
            "scraping",
            self.window(i, 0.4, 0.42, 0.5),
            {"user": who, "collection": "CorvaneContracts"},
            Severity.HIGH,
        )

    def _noise(self) -> Clue:
        start, end = _ns(self.day.start), _ns(self.day.end)
        at = self.rng.randrange(start, end)
        route = self.rng.choice(list(_ROUTES))
        somebody = {"user": f"u-{self.rng.randrange(1000, 1800)}", "trace": self.trace()}
        tenant = self.rng.choice(["vintra", "corvane", "ostberg", "marlstone", "quist"])
        service = self.rng.choice(HUBS).value
        kind = self.rng.randrange(4)
        if kind == 0:
            return self.clue(
                "prompts",
                "talk_about_injection",
                (at, at),
                {**somebody, "tenant": tenant, "service": service},
                Severity.LOW,
                (_OWASP,),
            )
        if kind == 1:
            return self.clue("latency", "p95", (at, at + 5 * MINUTE), {"service": service}, Severity.LOW)
        if kind == 2:
            return self.clue("groundedness", "ungrounded", (at, at), {**somebody, "service": service}, Severity.LOW)
        return self.clue(
            "templates",
            "new",
            (at, at),
            {"service": self.rng.choice(["billing-api", service])},
            Severity.INFORMATIONAL,
            context={"endpoint": route},
        )


def _ns(text: str) -> int:
    found = rfc3339_ns(text)
    assert found is not None
    return found

"""The ground truth: what happened on the day, when, to whom, and which records show it."""

from __future__ import annotations

from typing import Any

import msgspec

from treering.model.times import format_ns
from treering.testing.day.clock import DayClock, Story


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record that shows the incident: a span or log by its ids, or a line of a file by a text that it holds."""

    channel: str
    trace_id: str = ""
    span_id: str = ""
    marker: str = ""


class Incident(msgspec.Struct, omit_defaults=True):
    """One thing that went wrong. Times are RFC 3339; `entities` maps a kind (user, trace, document …) to names."""

    id: str
    kind: str
    title: str
    start: str
    end: str
    services: list[str]
    entities: dict[str, list[str]] = {}
    facts: dict[str, Any] = {}
    records: int = 0
    evidence: list[Evidence] = []


class Truth(msgspec.Struct):
    """What happened on a day, for tests of everything that has to find it."""

    seed: int
    start: str
    end: str
    incidents: list[Incident]
    records: dict[str, int]
    """Records by channel."""

    def incident(self, name: str) -> Incident:
        """Return the incident with the id `name`; KeyError when there is none."""
        return {incident.id: incident for incident in self.incidents}[name]


_ABOUT: dict[Story, tuple[str, str, list[str]]] = {
    Story.TRAINING: (
        "training_failure",
        "training on train-01 diverges to NaN after a memory error of a GPU; rank 2 fails first",
        ["trainer", "host"],
    ),
    Story.CRASH: (
        "crash_loop",
        "vLLM is killed for memory and restarts again and again",
        ["vllm", "host", "rag-service"],
    ),
    Story.LATENCY: (
        "latency_regression",
        "answers of the support route get slow with rag-service 2.9.0, until it is rolled back",
        ["rag-service", "chat-gateway"],
    ),
    Story.PROVIDER: (
        "provider_errors",
        "Anthropic answers 429, 500 and 529; retries pile up",
        ["rag-service", "chat-gateway"],
    ),
    Story.DIRECT: (
        "prompt_injection",
        "three users of one tenant try to break the assistant",
        ["rag-service", "chat-gateway"],
    ),
    Story.POISON: (
        "indirect_injection",
        "a planted article tells the model to send customer data to a foreign address; one answer does",
        ["rag-service", "ingest-worker"],
    ),
    Story.DRIFT: (
        "drift",
        "the support route answers with another model: longer, formatted, often in English",
        ["rag-service", "chat-gateway"],
    ),
    Story.SPEND: ("spend_loop", "an agent calls the same tool with the same arguments without end", ["agent-runner"]),
    Story.INDEX: (
        "hallucination",
        "after an index rebuild with the wrong embedding model the people route invents its answers",
        ["rag-service", "ingest-worker", "weaviate"],
    ),
    Story.THEFT: (
        "vector_access",
        "a tenant's key is refused at foreign collections, gets a role and reads one of them entirely",
        ["weaviate", "edge-nginx", "chat-gateway"],
    ),
}


class Recorder:
    """Gathers the truth while the day is played."""

    def __init__(self, clock: DayClock) -> None:
        """Open one incident for each story."""
        self._incidents: dict[Story, Incident] = {}
        self._seen: dict[Story, dict[str, dict[str, None]]] = {}
        for story, (kind, title, services) in _ABOUT.items():
            start, end = (format_ns(at) for at in clock.window(story))
            self._incidents[story] = Incident(story.value, kind, title, start, end, services, {}, {}, 0, [])
            self._seen[story] = {}

    def show(self, story: Story, evidence: Evidence, **entities: str) -> None:
        """Note a record that shows `story` and whom it concerns."""
        incident = self._incidents[story]
        incident.records += 1
        incident.evidence.append(evidence)
        self.concern(story, **entities)

    def concern(self, story: Story, **entities: str) -> None:
        """Note whom `story` concerns."""
        for kind, name in entities.items():
            self._seen[story].setdefault(kind, {})[name] = None

    def fact(self, story: Story, **facts: object) -> None:
        """Note something that is true of `story`, to be compared with what is found."""
        self._incidents[story].facts.update(facts)

    def incidents(self) -> list[Incident]:
        """Return the incidents that left a record, in order of their start."""
        shown = [(story, incident) for story, incident in self._incidents.items() if incident.records]
        for story, incident in shown:
            incident.entities = {kind: list(names) for kind, names in self._seen[story].items()}
        return sorted((incident for _, incident in shown), key=lambda incident: incident.start)

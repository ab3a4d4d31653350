"""`Finding`: something a detector noticed, with whom it concerns and the records that show it."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any

import msgspec

FINDINGS = "findings"
MAX_EVIDENCE = 20
MAX_EXCERPT = 400
MAX_ENTITIES = 40


class Severity(StrEnum):
    """How bad, in the words of Sigma; `number` is the OpenTelemetry severity number that goes with it."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for informational to 4 for critical."""
        return list(Severity).index(self)

    @property
    def number(self) -> int:
        """The OpenTelemetry severity number: INFO, INFO2, WARN, ERROR, FATAL."""
        return (9, 10, 13, 17, 21)[self.rank]


class Entity(msgspec.Struct, frozen=True, order=True):
    """Whom or what a finding concerns.

    `kind` is one of user, session, key, service, agent, tool, model, document, collection, tenant, address, host, run,
    endpoint, trace, template; others are allowed. `value` is the name as the records spell it, never normalised.
    """

    kind: str
    value: str


class Evidence(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record that shows a finding: where it is, and a bounded excerpt of the field that shows it.

    `spans` are the matched character ranges of `excerpt` (start included, end excluded). `seq` is -1 for a record that
    is not in the store (a scanned file); `source` then says where it is, as `app.log:120`.
    """

    stream: str
    seq: int
    time_ns: int
    field: str = ""
    excerpt: str = ""
    spans: tuple[tuple[int, int], ...] = ()
    source: str = ""
    trace_id: str = ""
    span_id: str = ""


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a detector says.

    `key` is what makes two findings of one detector and rule the same finding (entities, a window's start …): later
    ones with an equal key are folded into the first, their counts added, their evidence joined up to `MAX_EVIDENCE`.
    `start_ns` and `end_ns` are the first and last instant of what was noticed, in the records' own time; `noticed_ns`
    is the instant in that same time at which the detector could say so. `score` is between 0 and 1. `techniques` are
    `framework@version:id`, as `owasp-llm@2026:LLM01` or `mitre-atlas@2026.09:AML.T0051.001`. `facts` are plain values
    that explain the finding (baseline, observed, threshold). `tactic` is an ATLAS tactic id where one fits.
    """

    detector: str
    rule: str
    title: str
    severity: Severity
    key: tuple[str, ...]
    start_ns: int
    end_ns: int
    noticed_ns: int
    score: float = 1.0
    entities: tuple[Entity, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    techniques: tuple[str, ...] = ()
    tactic: str = ""
    facts: dict[str, Any] = {}
    count: int = 1

    @property
    def fingerprint(self) -> str:
        """The finding's identity: 24 hexadecimal digits of detector, rule and key."""
        text = "\0".join((self.detector, self.rule, *self.key))
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]

    def values(self, kind: str) -> tuple[str, ...]:
        """The names of the entities of one kind."""
        return tuple(entity.value for entity in self.entities if entity.kind == kind)


def merged(old: Finding, new: Finding) -> Finding:
    """Return two findings of equal fingerprint as one: counts added, ranges joined, evidence and entities bounded.

    Of too much evidence the oldest half and the newest half stay: how it began and how it is now.
    """
    evidence = {(item.stream, item.seq, item.source, item.field): item for item in (*old.evidence, *new.evidence)}
    worse = new if new.severity.rank > old.severity.rank else old
    return msgspec.structs.replace(
        old,
        title=worse.title,
        severity=worse.severity,
        start_ns=min(old.start_ns, new.start_ns),
        end_ns=max(old.end_ns, new.end_ns),
        noticed_ns=min(old.noticed_ns, new.noticed_ns),
        score=max(old.score, new.score),
        entities=tuple(dict.fromkeys((*old.entities, *new.entities)))[:MAX_ENTITIES],
        evidence=_bounded(tuple(evidence.values())),
        techniques=tuple(dict.fromkeys((*old.techniques, *new.techniques))),
        tactic=old.tactic or new.tactic,
        facts={**old.facts, **new.facts},
        count=old.count + new.count,
    )


def _bounded(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    if len(evidence) <= MAX_EVIDENCE:
        return evidence
    half = MAX_EVIDENCE // 2
    return evidence[:half] + evidence[half - MAX_EVIDENCE :]


def excerpt(text: str, spans: tuple[tuple[int, int], ...] = ()) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Return at most `MAX_EXCERPT` characters of `text` around the first span, and the spans that are within them."""
    if len(text) <= MAX_EXCERPT:
        return text, spans
    first = spans[0][0] if spans else 0
    start = max(0, min(first - MAX_EXCERPT // 4, len(text) - MAX_EXCERPT))
    end = start + MAX_EXCERPT
    inside = tuple((low - start, min(high, end) - start) for low, high in spans if start <= low < end)
    return text[start:end], inside


def to_record(finding: Finding, state: str = "new") -> dict[str, Any]:
    """Return the record that stands for `finding` in the stream `findings`; its `_id` is the fingerprint.

    `entities.KIND` holds one name, or a list of several. `state` is new, confirmed, dismissed or closed.
    """
    names: dict[str, Any] = {}
    for entity in finding.entities:
        names.setdefault(entity.kind, []).append(entity.value)
    return {
        "@timestamp": finding.noticed_ns,
        "finding": {"id": finding.fingerprint, "detector": finding.detector, "rule": finding.rule, "state": state},
        "body": finding.title,
        "severityText": finding.severity.value,
        "severityNumber": finding.severity.number,
        "startTime": finding.start_ns,
        "endTime": finding.end_ns,
        "score": finding.score,
        "count": finding.count,
        "entities": {kind: found[0] if len(found) == 1 else found for kind, found in names.items()},
        "techniques": list(finding.techniques),
        "tactic": finding.tactic,
        "key": list(finding.key),
        "facts": finding.facts,
        "evidence": msgspec.to_builtins(finding.evidence),
    }


def from_record(record: dict[str, Any]) -> Finding:
    """Return the finding that a record of the stream `findings` stands for. Raises `msgspec.ValidationError`."""
    about = record["finding"]
    entities = [
        {"kind": kind, "value": value}
        for kind, found in record.get("entities", {}).items()
        for value in (found if isinstance(found, list) else [found])
    ]
    fields: dict[str, Any] = {
        "detector": about["detector"],
        "rule": about["rule"],
        "title": record["body"],
        "severity": record["severityText"],
        "start_ns": record["startTime"],
        "end_ns": record["endTime"],
        "noticed_ns": record["@timestamp"],
        "entities": entities,
        "facts": record.get("facts", {}),
    }
    same = ("key", "score", "count", "techniques", "tactic", "evidence")
    fields.update({name: record[name] for name in same if name in record})
    return msgspec.convert(fields, Finding, strict=False)

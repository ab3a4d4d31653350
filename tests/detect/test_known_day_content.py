"""The known day through the detectors of content: each attack found in time and by name, and little else."""

from __future__ import annotations

import importlib
import os
from collections import Counter

import pytest

from tests.detect.day_rows import batches
from tests.detect.feeding import fold
from treering.model.finding import Finding
from treering.model.times import rfc3339_ns
from treering.testing.day import Day, Incident

START_NS = 1_795_456_800_000_000_000
DOCUMENTS = "attributes.gen_ai.retrieval.documents"
MINUTE = 60 * 10**9
NAMES = ("prompts", "secrets", "vector_access", "groundedness")
ATTACKS = ("injection-direct", "injection-document", "people-hallucination", "vector-cross-tenant")


def during(finding: Finding, incident: Incident) -> bool:
    return rfc3339_ns(incident.start) <= finding.noticed_ns <= rfc3339_ns(incident.end) + 10 * MINUTE


def first(findings: list[Finding], rules: set[str]) -> Finding:
    return min((f for f in findings if f.rule in rules), key=lambda finding: finding.noticed_ns)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_day_that_nobody_has_seen() -> None:
    seed = int(os.environ.get("TREERING_DAY_SEED") or 985520)
    print("seed", seed)
    day = Day(seed, 1.0, START_NS)
    detectors = [importlib.import_module(f"treering.detect.{name}") for name in NAMES]
    watching = [module.build(module.Config()) for module in detectors]
    told: list[Finding] = []
    retrieved = 0
    for at_ns, rows in batches(day):
        for detector in watching:
            if rows.stream in detector.streams:
                told += detector.observe(rows)
        if not retrieved and rows.has(DOCUMENTS) and any("community-tip" in str(v) for v in rows.values(DOCUMENTS)):
            retrieved = at_ns
    findings = fold(told)
    incidents = {name: day.truth().incident(name) for name in ATTACKS}

    direct = [
        f for f in findings if f.rule in {"injection", "jailbreak", "prompt_extraction", "exfiltration", "access"}
    ]
    assert {user for f in direct for user in f.values("user")} >= set(incidents["injection-direct"].entities["user"])
    begun = rfc3339_ns(incidents["injection-direct"].start)
    assert min(f.noticed_ns for f in direct) - begun <= 10 * MINUTE
    assert [f for f in findings if f.rule == "instructions_leaked"]

    planted = first(findings, {"indirect_injection"})
    assert planted.values("document") == ("community-tip-export",)
    assert planted.noticed_ns - retrieved <= 5 * MINUTE
    followed = first(findings, {"exfiltration_link"})
    assert set(followed.values("trace")) <= set(incidents["injection-document"].entities["followed_in_trace"])

    theft = incidents["vector-cross-tenant"]
    refused = first(findings, {"refused_burst"})
    assert refused.values("user") == tuple(theft.entities["principal"])
    assert refused.noticed_ns - rfc3339_ns(theft.start) <= 5 * MINUTE
    assert set(first(findings, {"foreign_collection_read"}).values("collection")) <= set(theft.entities["collection"])

    invented = first(findings, {"unsupported_answers", "retrieval_scores_dropped"})
    assert invented.values("collection") == ("PeopleHandbook",)
    assert during(invented, incidents["people-hallucination"])

    strays = [f for f in findings if not any(during(f, incident) for incident in incidents.values())]
    print(Counter(f.rule for f in findings), [(f.rule, f.title) for f in strays])
    assert len(strays) <= 1

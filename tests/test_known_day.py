"""The promise of detection on a day nobody has looked at: everything found, early, by name, put together, little else.

A day is drawn at random and asked for the aims; TREERING_DAY_SEED plays one again. `python -m benchmarks.known_day`
does many without HTTP.
"""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING

import pytest

from tests.known_day import watch
from treering.model.times import rfc3339_ns
from treering.testing.day.outcome import LEAST_F1, MINUTE, MOST_FALSE, MOST_FALSE_FINDINGS, MOST_MINUTES, Outcome

if TYPE_CHECKING:
    from treering.testing.day.truth import Incident

# A few days of a hundred miss an aim (docs/known-day.md says how many): after one that does, another is drawn; one of
# three has to meet them all. What breaks detection breaks all.
MOST_DAYS = 3
# On a slow machine a day takes long: none is begun after this, so that the last one ends before the limit of the test.
LATEST_S = 1200.0
pytestmark = [pytest.mark.slow, pytest.mark.timeout(3300)]
KINDS = [
    "training_failure", "crash_loop", "latency_regression", "provider_errors", "prompt_injection", "indirect_injection",
    "drift", "spend_loop", "hallucination", "vector_access",
]  # fmt: skip


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Outcome]:
    """The days that were played, by seed, the last of which is asked for the aims."""
    asked = int(os.environ.get("TREERING_DAY_SEED", "0"))
    began, days = time.monotonic(), dict[int, Outcome]()
    for number in range(1 if asked else MOST_DAYS):
        if number and time.monotonic() - began > LATEST_S:
            break
        seed = asked or random.SystemRandom().randrange(1, 10**6)
        print(f"\nthe day of seed {seed}; TREERING_DAY_SEED={seed} plays it again")
        days[seed] = watch(tmp_path_factory.mktemp("day"), seed)
        if not days[seed].misses():
            break
    return days


@pytest.fixture(scope="module")
def outcome(played: dict[int, Outcome]) -> Outcome:
    return list(played.values())[-1]


def happened(outcome: Outcome, kind: str) -> Incident:
    (found,) = [one for one in outcome.truth.incidents if one.kind == kind]
    return found


def test_one_of_the_days_meets_all_aims(played: dict[int, Outcome]) -> None:
    missed = {seed: one.misses() for seed, one in played.items()}
    assert [] in missed.values(), missed


@pytest.mark.parametrize("kind", KINDS)
def test_what_happened_is_noticed_soon(outcome: Outcome, kind: str) -> None:
    one = happened(outcome, kind)
    delay = outcome.delay_minutes(one)
    assert delay is not None, f"nothing speaks of {one.id}"
    assert delay <= MOST_MINUTES, f"{one.id} is noticed after {delay:.1f} minutes"


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_known_whom_it_concerns(outcome: Outcome, kind: str) -> None:
    assert outcome.names(happened(outcome, kind))


def test_each_has_an_incident_of_its_own(outcome: Outcome) -> None:
    assert not [one.id for one in outcome.truth.incidents if outcome.own_incident(one) is None]


def test_findings_fold_into_the_incidents_they_belong_to(outcome: Outcome) -> None:
    assert outcome.pairwise_f1() >= LEAST_F1


def test_hardly_an_incident_is_about_nothing(outcome: Outcome) -> None:
    false = outcome.false_incidents()
    assert len(false) <= MOST_FALSE, [incident.title for incident in false]


def test_little_else_is_found(outcome: Outcome) -> None:
    left = [(finding.detector, finding.rule, finding.title) for finding in outcome.false_findings()]
    assert outcome.false_per_100k() <= MOST_FALSE_FINDINGS, left


def test_evidence_leads_to_records_that_hold_what_it_marks(outcome: Outcome) -> None:
    assert not outcome.unfounded
    assert any(item.spans for finding in outcome.findings for item in finding.evidence)


def test_each_finding_is_stored_once(outcome: Outcome) -> None:
    names = [finding.fingerprint for finding in outcome.findings]
    assert len(names) == len(set(names))


def test_the_training_failure_says_which_rank_and_checkpoint(outcome: Outcome) -> None:
    one = happened(outcome, "training_failure")
    found = {finding.rule: finding for finding in outcome.by(one, "training")}
    assert found["gpu_error"].values("gpu") == tuple(one.entities["gpu"])
    assert found["rank_failed"].facts["rank"] == one.facts["first_failing_rank"]
    checkpoint = str(found["not_finite"].facts["last_good_checkpoint"])
    assert checkpoint.rpartition("-")[2] == str(one.facts["last_good_checkpoint"])


def test_the_crash_loop_counts_what_was_killed(outcome: Outcome) -> None:
    one = happened(outcome, "crash_loop")
    (kills,) = [finding for finding in outcome.by(one, "crashes") if finding.rule == "oom_kill"]
    assert kills.values("process") == tuple(one.entities["process"])
    assert kills.count == one.facts["crashes"]


def test_the_slow_route_is_named_and_ends_when_it_ended(outcome: Outcome) -> None:
    one = happened(outcome, "latency_regression")
    route = f"/v1/assist/{one.facts['route']}"
    slow = [finding for finding in outcome.by(one, "latency") if route in finding.values("endpoint")]
    assert slow
    assert abs(slow[-1].end_ns - (rfc3339_ns(one.end) or 0)) < 20 * MINUTE


def test_the_swapped_model_is_named(outcome: Outcome) -> None:
    one = happened(outcome, "drift")
    right = {finding.rule for finding in outcome.by(one, "drift") if one.facts["after"] in finding.values("model")}
    assert {"new_model", "model"} <= right


def test_the_loop_is_told_with_user_tool_and_trace(outcome: Outcome) -> None:
    one = happened(outcome, "spend_loop")
    first = next(finding for finding in outcome.by(one, "spend") if finding.rule == "tool_loop")
    for kind in ("user", "tool", "trace"):
        assert first.values(kind) == tuple(one.entities[kind])


def test_every_attacker_and_every_leak_is_found(outcome: Outcome) -> None:
    one = happened(outcome, "prompt_injection")
    found = outcome.by(one, "prompts")
    assert {user for finding in found for user in finding.values("user")} >= set(one.entities["user"])
    told = outcome.by(one, "context_leaks")
    leaks = {trace for f in told if f.rule == "context_disclosed" for trace in f.values("trace")}
    assert leaks <= set(one.entities["leaked_in_trace"])
    assert leaks


def test_the_planted_document_and_the_answer_that_obeyed_are_found(outcome: Outcome) -> None:
    one = happened(outcome, "indirect_injection")
    found = {finding.rule: finding for finding in outcome.by(one, "prompts")}
    assert found["indirect_injection"].values("document") == tuple(one.entities["document"])
    assert set(found["exfiltration_link"].values("trace")) <= set(one.entities["followed_in_trace"])


def test_the_thief_and_the_collection_are_named(outcome: Outcome) -> None:
    one = happened(outcome, "vector_access")
    found = {finding.rule: finding for finding in outcome.by(one, "vector_access")}
    assert found["refused_burst"].values("user") == tuple(one.entities["principal"])
    assert set(found["foreign_collection_read"].values("collection")) <= set(one.entities["collection"])


def test_the_broken_collection_is_named(outcome: Outcome) -> None:
    one = happened(outcome, "hallucination")
    assert {name for finding in outcome.by(one, "groundedness") for name in finding.values("collection")} == {
        one.facts["collection"]
    }

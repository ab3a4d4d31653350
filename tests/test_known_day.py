"""The promise of detection on a day nobody has looked at: everything found, early, put together, and little else."""

from __future__ import annotations

import os
import random
from typing import TYPE_CHECKING

import pytest

from tests.known_day import Outcome, watch

if TYPE_CHECKING:
    from treering.testing.day.truth import Incident

# The aims are 5 minutes, F1 of .90 and one false incident. A day drawn at random can be unlucky (nobody calls a route
# in the minutes after it got slow): it is asked what must never be worse. TREERING_DAY_SEED asks for the aims.
STRICT = bool(os.environ.get("TREERING_DAY_SEED"))
MOST_MINUTES, LEAST_F1, MOST_FALSE = (5.0, 0.9, 1) if STRICT else (15.0, 0.75, 3)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
KINDS = [
    "training_failure", "crash_loop", "latency_regression", "provider_errors", "prompt_injection", "indirect_injection",
    "drift", "spend_loop", "hallucination", "vector_access",
]  # fmt: skip


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    seed = int(os.environ.get("TREERING_DAY_SEED", "0")) or random.SystemRandom().randrange(1, 10**6)
    print(f"\nthe day of seed {seed}; TREERING_DAY_SEED={seed} plays it again")
    return watch(tmp_path_factory.mktemp("day"), seed)


def happened(outcome: Outcome, kind: str) -> Incident:
    (found,) = [one for one in outcome.truth.incidents if one.kind == kind]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_what_happened_is_noticed_soon(outcome: Outcome, kind: str) -> None:
    one = happened(outcome, kind)
    delay = outcome.delay_minutes(one)
    assert delay is not None, f"nothing speaks of {one.id}"
    assert delay <= MOST_MINUTES, f"{one.id} is noticed after {delay:.1f} minutes"


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_known_whom_it_concerns(outcome: Outcome, kind: str) -> None:
    one = happened(outcome, kind)
    named = {entity.value for finding in outcome.of(one) for entity in finding.entities}
    who = {
        "training_failure": ["run", "host"], "crash_loop": ["host", "process"], "provider_errors": ["model"],
        "prompt_injection": ["user"], "indirect_injection": ["document"], "spend_loop": ["tool", "user"],
        "vector_access": ["principal"],
    }.get(kind, [])  # fmt: skip
    wanted = {name for part in who for name in one.entities.get(part, ())} or set(one.services)
    assert named & wanted, f"{one.id}: {sorted(named)[:20]}"


def test_findings_fold_into_the_incidents_they_belong_to(outcome: Outcome) -> None:
    assert outcome.pairwise_f1() >= LEAST_F1


def test_hardly_an_incident_is_about_nothing(outcome: Outcome) -> None:
    false = outcome.false_incidents()
    assert len(false) <= MOST_FALSE, [incident.title for incident in false]

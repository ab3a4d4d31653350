"""Queries that a real OpenSearch answered give the same answers here."""

from __future__ import annotations

import collections
import re
import tomllib
from pathlib import Path

import pytest

from tests.query import ppl_cases

KNOWN = tomllib.loads((Path(__file__).parent / "known_differences.toml").read_text(encoding="utf8"))


@pytest.fixture(scope="module")
def outcomes(shared) -> list[ppl_cases.Outcome]:
    bench = ppl_cases.Bench()
    return [bench.run(case) for case in ppl_cases.cases() if ppl_cases.in_scope(case)]


@pytest.mark.slow
def test_recorded_answers_are_given_but_for_known_differences(outcomes) -> None:
    failed = {outcome.case["id"]: outcome.why for outcome in outcomes if outcome.why is not None}
    news = {case: why for case, why in failed.items() if case not in KNOWN}
    assert not news, "\n".join(f"{case}: {why}" for case, why in news.items())
    gone = set(KNOWN) - set(failed)
    assert not gone, f"these pass now; take them off known_differences.toml: {sorted(gone)}"
    assert len(failed) <= 0.05 * len(outcomes)


@pytest.mark.slow
def test_wrong_queries_are_refused_as_the_caller_s_mistake(outcomes) -> None:
    refused = [outcome for outcome in outcomes if outcome.case["error"]]
    assert len(refused) > 100
    accepted = [outcome.case["id"] for outcome in refused if outcome.why is not None]
    assert [case for case in accepted if case not in KNOWN] == []


def test_every_known_difference_is_documented_with_its_reason_and_number() -> None:
    page = (Path(__file__).parents[2] / "docs" / "ppl-differences.md").read_text(encoding="utf8")
    shown = re.findall(r"^\* (.*) \((\d+) recorded quer(?:y|ies)\)$", page, re.MULTILINE)
    assert {reason: int(number) for reason, number in shown} == dict(collections.Counter(KNOWN.values()))

"""Findings to incidents: the fold on the known day's truth, its purity, and what hubs must not do."""

from __future__ import annotations

import functools
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.correlate.findings import MINUTE, Maker, truth
from treering.correlate.clue import Clue, context
from treering.correlate.fold import Folded, fold
from treering.model.finding import Entity, Evidence, Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.correlate.findings import Labelled
    from treering.testing.day.truth import Truth

_truth = functools.cache(truth)
SEEDS = (7, 11, 23)


def pairwise_f1(labelled: Sequence[Labelled], folded: Folded) -> float:
    """F1 over pairs of findings: together in truth against together in an incident."""
    place = {name: incident.id for incident in folded.incidents for name in incident.findings}
    place |= {name: name for name in folded.slight}
    pairs = Counter((label, place[clue.fingerprint]) for label, clue in labelled)

    def together(counts: Sequence[int]) -> int:
        return sum(count * (count - 1) // 2 for count in counts)

    both = together(list(pairs.values()))
    said = together(list(Counter(place[clue.fingerprint] for _, clue in labelled).values()))
    true = together(list(Counter(label for label, _ in labelled).values()))
    return 2 * both / (said + true)


@pytest.fixture(scope="module", params=SEEDS)
def day(request: pytest.FixtureRequest) -> Truth:
    return _truth(request.param)


@pytest.mark.parametrize("variation", range(6))
def test_the_known_days_findings_fold_into_its_incidents(day: Truth, variation: int) -> None:
    labelled = Maker(day, variation).all()
    folded = fold(clue for _, clue in labelled)
    assert pairwise_f1(labelled, folded) >= 0.9
    label = {clue.fingerprint: name for name, clue in labelled}
    main = {Counter(label[name] for name in i.findings).most_common(1)[0][0]: i for i in folded.incidents}
    assert {incident.id for incident in day.incidents} <= set(main), "each true incident has its own"
    false = [incident for incident in folded.incidents if all(label[f].startswith("noise") for f in incident.findings)]
    assert len(false) <= 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 10_000), st.randoms(use_true_random=False))
def test_order_and_portions_do_not_matter(variation: int, rng: object) -> None:
    clues = [clue for _, clue in Maker(_truth(7), variation).all()]
    whole = fold(clues)
    rng.shuffle(clues)  # type: ignore[attr-defined]
    held: dict[str, Clue] = {}
    step = fold(())
    for start in range(0, len(clues), 40):
        held |= {clue.fingerprint: clue for clue in clues[start : start + 40]}
        step = fold(held.values())
    assert step == whole


def test_kinds_and_stages_of_the_day(day: Truth) -> None:
    labelled = Maker(day, 1).all(noise=0)
    label = {clue.fingerprint: name for name, clue in labelled}
    kinds = {
        Counter(label[f] for f in i.findings).most_common(1)[0][0]: i for i in fold(c for _, c in labelled).incidents
    }
    expected = {
        "training-nan": "training",
        "vllm-crash-loop": "performance",
        "support-latency": "performance",
        "injection-direct": "security",
        "injection-document": "security",
        "vector-cross-tenant": "security",
        "agent-spend-loop": "cost",
        "people-hallucination": "quality",
        "support-model-swap": "drift",
    }
    assert {name: kinds[name].kind for name in expected} == expected | {
        "vllm-crash-loop": kinds["vllm-crash-loop"].kind
    }
    assert kinds["vllm-crash-loop"].kind in {"performance", "availability"}
    planted = kinds["injection-document"]
    assert {moment.tactic for moment in planted.timeline} == {"AML.TA0005", "AML.TA0010"}
    assert planted.severity is Severity.CRITICAL
    assert Entity("document", "community-tip-export") in planted.entities


def _finding(name: str, at: int, detector: str = "prompts", **entities: str) -> Clue:
    named = tuple(Entity(kind, value) for kind, value in entities.items())
    return Clue(
        Finding(
            detector=detector,
            rule="r",
            title=name,
            severity=Severity.HIGH,
            key=(name,),
            start_ns=at,
            end_ns=at,
            noticed_ns=at,
            entities=named,
        )
    )


def test_a_busy_gateway_glues_nothing() -> None:
    detectors = ("prompts", "latency", "spend", "training", "groundedness")
    clues = [_finding(str(n), n * MINUTE, detectors[n % 5], service="gateway", user=f"u{n}") for n in range(60)]
    assert len(fold(clues).incidents) == 60


def test_a_credential_that_everybody_uses_glues_nothing_but_a_persons_own_does() -> None:
    everyone = [_finding(str(n), n * MINUTE, key="app-key", user=f"u{n}") for n in range(30)]
    assert len(fold(everyone).incidents) == 30
    same = [_finding(str(n), n * MINUTE, key="app-key", user="mallory") for n in range(30)]
    assert len(fold(same).incidents) == 1


def test_the_account_of_a_gateway_in_front_of_several_tenants_glues_nothing() -> None:
    for tenants, count in ((("acme",), 1), (("acme", "umbra", "stark"), 3)):
        attempts = [
            _finding(str(n), 6 * n * MINUTE, user="svc-gateway", tenant=tenants[n % len(tenants)]) for n in range(6)
        ]
        assert len(fold(attempts).incidents) == count


def test_time_ends_an_incident() -> None:
    near, far = _finding("b", 30 * MINUTE, user="ana"), _finding("c", 200 * MINUTE, user="ana")
    assert [len(i.findings) for i in fold([_finding("a", 0, user="ana"), near, far]).incidents] == [2, 1]


def test_slight_findings_alone_are_no_incident_and_many_of_one_user_are() -> None:
    def slight(number: int) -> Clue:
        clue = _finding(str(number), number * MINUTE, user="ana")
        return Clue(
            Finding(
                **{f: getattr(clue.finding, f) for f in clue.finding.__struct_fields__} | {"severity": Severity.LOW}
            )
        )

    one, many = fold([slight(0)]), fold([slight(n) for n in range(5)])
    assert (len(one.incidents), len(one.slight)) == (0, 1)
    assert len(many.incidents) == 1


def test_what_is_merely_unusual_weighs_less() -> None:
    def new(name: str, severity: Severity) -> Clue:
        clue = _finding(name, 0, "templates", service="web", template=name)
        return Clue(msgspec.structs.replace(clue.finding, severity=severity))

    assert fold([new("a", Severity.MEDIUM)]).incidents == ()
    assert len(fold([new("a", Severity.HIGH)]).incidents) == 1


def test_aggregates_fold_by_the_calls_they_sample() -> None:
    def slow(service: str, traces: tuple[str, ...]) -> Clue:
        evidence = tuple(Evidence("spans", 100 * len(service) + n, 0, trace_id=t) for n, t in enumerate(traces))
        clue = _finding(service, 0, "latency", service=service)
        return Clue(
            Finding(**{f: getattr(clue.finding, f) for f in clue.finding.__struct_fields__} | {"evidence": evidence})
        )

    assert len(fold([slow("gateway", ("t1", "t2")), slow("rag", ("t2", "t1"))]).incidents) == 1
    assert len(fold([slow("gateway", ("t1", "t2")), slow("rag", ("t3",))]).incidents) == 2


def _shown(name: str, at: int, detector: str, seqs: tuple[int, ...], minutes: int = 0, **entities: str) -> Clue:
    clue = _finding(name, at, detector, **entities)
    evidence = tuple(Evidence("logs", seq, at) for seq in seqs)
    return Clue(msgspec.structs.replace(clue.finding, evidence=evidence, end_ns=at + minutes * MINUTE))


def test_what_shows_the_same_records_is_the_same_thing_whatever_its_family() -> None:
    attack = _shown("refused", 0, "vector_access", (1, 2, 3), user="mallory")
    assert len(fold([attack, _shown("burst", 0, "templates", (2, 3, 4), service="weaviate")]).incidents) == 1
    assert len(fold([attack, _shown("burst", 0, "templates", (7, 8), service="weaviate")]).incidents) == 2


def test_what_goes_wrong_at_two_places_at_once_is_one_and_drift_is_not() -> None:
    def pair(detector: str, minutes: int) -> int:
        one = _shown("a", 0, detector, (), 60, service="gateway", endpoint="/v1/assist/support")
        other = _shown("b", MINUTE, detector, (), minutes, service="rag", endpoint="/answer")
        return len(fold([one, other]).incidents)

    assert (pair("latency", 60), pair("latency", 20), pair("drift", 60)) == (1, 2, 2)


def test_endpoints_of_one_service_contradict_each_other() -> None:
    def slow(service: str, endpoint: str) -> Clue:
        evidence = (Evidence("spans", 1, 0, trace_id="t1"), Evidence("spans", 2, 0, trace_id="t2"))
        clue = _finding(service + endpoint, 0, "latency", service=service, endpoint=endpoint)
        return Clue(msgspec.structs.replace(clue.finding, evidence=evidence, start_ns=len(endpoint) * 3 * MINUTE))

    def numbered(clue: Clue, add: int) -> Clue:
        evidence = tuple(msgspec.structs.replace(item, seq=item.seq + add) for item in clue.finding.evidence)
        return Clue(msgspec.structs.replace(clue.finding, evidence=evidence))

    assert len(fold([slow("gateway", "/a"), numbered(slow("rag", "/answer"), 9)]).incidents) == 1
    assert len(fold([slow("rag", "/a"), numbered(slow("rag", "/answer"), 9)]).incidents) == 2


def test_one_endpoint_serves_several_routes_which_are_not_one_thing() -> None:
    slow = _shown("a", 0, "latency", (1,), 60, service="rag", endpoint="/answer").finding
    failing = _shown("b", 20 * MINUTE, "errors", (2,), 60, service="rag", endpoint="/answer").finding

    def folded(one: str, other: str) -> int:
        contexts = (Entity("route", one),), (Entity("route", other),)
        return len(fold([Clue(slow, contexts[0]), Clue(failing, contexts[1])]).incidents)

    assert (folded("support", "support"), folded("support", "developer")) == (1, 2)


def test_a_host_that_only_records_name_links_nothing() -> None:
    where = (Entity("host", "app-02"),)
    one, other = _finding("a", 0, "drift", service="rag"), _finding("b", 5 * MINUTE, "latency", service="web")
    assert len(fold([Clue(one.finding, where), Clue(other.finding, where)]).incidents) == 2
    named = _finding("c", 0, "crashes", host="app-02")
    assert len(fold([named, Clue(other.finding, where)]).incidents) == 1


def test_context_is_what_most_evidence_names_whatever_the_nesting() -> None:
    records: list[dict[str, Any]] = [
        {"serviceName": "rag", "attributes": {"app.route": "support", "tenant": {"id": "a"}}},
        {"serviceName": "rag", "attributes.app.route": "people", "attributes": {"tenant.id": "a"}},
        {"serviceName": 7, "attributes": "odd"},
    ]
    assert context(records) == (Entity("service", "rag"), Entity("tenant", "a"))
    assert context([]) == ()


def test_a_proxy_that_knows_no_routes_says_by_its_paths_where_calls_went() -> None:
    line = {"serviceName": "nginx", "attributes": {"url.path": "/answer"}}
    assert Entity("endpoint", "/answer") in context([line])
    span = {"serviceName": "rag", "attributes": {"http.route": "/answer/{id}", "url.path": "/answer/7"}}
    assert [e.value for e in context([span]) if e.kind == "endpoint"] == ["/answer/{id}"]

    def failing(service: str, path: str) -> Clue:
        found = _shown(service, len(service) * MINUTE, "errors", (), len(service) * 4, service=service).finding
        return Clue(found, (Entity("endpoint", path),))

    gateway = failing("gateway", "/answer")
    assert len(fold([failing("nginx", "/answer"), gateway]).incidents) == 1
    assert len(fold([failing("nginx", "/other"), gateway]).incidents) == 2


_NAMES = st.sampled_from(["a", "b", "\ud800", "<script>", ""])
_ANY = st.builds(
    Finding,
    detector=_NAMES,
    rule=_NAMES,
    title=_NAMES,
    severity=st.sampled_from(list(Severity)),
    key=st.tuples(_NAMES, _NAMES),
    start_ns=st.integers(-(2**63), 2**63),
    end_ns=st.integers(-(2**63), 2**63),
    noticed_ns=st.integers(-(2**63), 2**63),
    score=st.floats(0, 1),
    count=st.integers(0, 10**12),
    entities=st.lists(st.builds(Entity, st.sampled_from(["user", "service", "odd"]), _NAMES), max_size=4).map(tuple),
    techniques=st.lists(st.sampled_from(["", "x", "mitre-atlas@1:AML.T0051", "@:"]), max_size=3).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(st.lists(_ANY, max_size=12))
def test_any_findings_fold_each_into_one_place(findings: list[Finding]) -> None:
    folded = fold(map(Clue, findings))
    placed = [name for incident in folded.incidents for name in incident.findings] + list(folded.slight)
    assert sorted(placed) == sorted({finding.fingerprint for finding in findings})


def test_an_endpoint_that_two_routes_pass_does_not_glue_their_incidents() -> None:
    def slow(name: str, entries: tuple[str, ...], traces: str, **entities: str) -> Clue:
        evidence = tuple(Evidence("spans", -1, 0, trace_id=trace) for trace in traces.split())
        at, minutes = {"support": (0, 60), "people": (20, 90)}.get(entries[-1] * (len(set(entries)) == 1), (5, 70))
        clue = _shown(name, at * MINUTE, "latency", (), minutes, **entities)
        return Clue(msgspec.structs.replace(clue.finding, evidence=evidence), entries=entries)

    def group(route: str, traces: str) -> list[Clue]:
        where = {"service": "gateway", "endpoint": f"/v1/{route}"}
        return [
            slow(f"gateway {route}", (route,) * 4, traces, **where),
            slow(f"model {route}", (route,) * 4, traces, service="rag", model=f"model-{route}"),
        ]

    both = ("support",) * 3 + ("people",)
    answer = slow("answer", both, "s1 s2 s3 p1", service="rag", endpoint="/answer")
    found = fold([*group("support", "s1 s2 s3"), *group("people", "p1 p2 p3"), answer]).incidents
    named = [{e.value for e in incident.entities if e.kind in ("model", "endpoint")} for incident in found]
    assert sorted(map(sorted, named)) == [
        ["/answer", "/v1/support", "model-support"],
        ["/v1/people", "model-people"],
    ]


def test_a_victim_of_an_attack_may_do_something_else_within_the_hour() -> None:
    attack = _finding("attack", 0, "prompts", user="u-1")
    spends = _finding("spends", 45 * MINUTE, "spend", user="u-1")
    assert len(fold([attack, spends]).incidents) == 2
    assert len(fold([attack, _finding("more", 45 * MINUTE, "secrets", user="u-1")]).incidents) == 1


def test_a_symptom_of_an_attack_does_not_glue_it_to_what_else_is_wrong_there() -> None:
    where = {"service": "rag", "endpoint": "/answer"}
    slow = _shown("slow", 0, "latency", (1, 2), 75, **where)
    attack = _shown("attack", 90 * MINUTE, "prompts", (10, 11, 12), 30, user="mallory")
    symptom = _shown("low scores", 92 * MINUTE, "groundedness", (11, 12), 30, **where)
    groups = [sorted(incident.findings) for incident in fold([slow, attack, symptom]).incidents]
    assert sorted(groups) == sorted([[slow.fingerprint], sorted([attack.fingerprint, symptom.fingerprint])])
    alone = fold([slow, symptom]).incidents
    assert len(alone) == 1

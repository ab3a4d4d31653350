"""Ids of incidents last: through joins, splits, mergers and late findings."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from treering.correlate.graph import MAX_EDGES, MAX_NODES, graph
from treering.correlate.identity import Known, named
from treering.correlate.risk import HALF_LIFE_NS, by_entity, risk
from treering.correlate.tactics import name, tactic, tactics
from treering.model.finding import Entity, Finding, Severity
from treering.model.incident import Incident


def incident(*findings: str) -> Incident:
    return Incident("", "t", "security", Severity.HIGH, 0, 1, 0, findings, ())


def ids(incidents: list[Incident], known: dict[str, Known]) -> list[tuple[str, tuple[str, ...]]]:
    return [(item.incident.id, item.absorbed) for item in named(incidents, known)]


def test_an_id_goes_where_most_of_its_findings_go() -> None:
    known = {"inc-1": Known(frozenset("abc"), 1)}
    assert ids([incident("a", "b", "x"), incident("c")], known) == [("inc-1", ()), ("inc-c", ())]


def test_of_two_that_join_the_larger_stays_and_of_equals_the_older() -> None:
    known = {"inc-1": Known(frozenset("ab"), 9), "inc-2": Known(frozenset("c"), 1), "inc-3": Known(frozenset("de"), 5)}
    assert ids([incident(*"abcde")], known) == [("inc-3", ("inc-1", "inc-2"))]


def test_a_new_id_is_never_one_that_was_used() -> None:
    known = {"inc-a": Known(frozenset("z"), 1)}
    assert ids([incident("z"), incident("a", "b")], known) == [("inc-a", ()), ("inc-b", ())]
    assert ids([incident("z"), incident("a")], known)[1][0] == "inc-a-2"


_SETS = st.lists(st.frozensets(st.sampled_from("abcdefgh"), min_size=1), max_size=5)


@given(_SETS, st.lists(st.integers(0, 4), min_size=8, max_size=8))
def test_every_id_ends_in_one_place(before: list[frozenset[str]], places: list[int]) -> None:
    seen: set[str] = set()
    known = {}
    for number, findings in enumerate(before):
        if rest := findings - seen:
            known[f"inc-{number}"] = Known(rest, number)
            seen |= rest
    groups: dict[int, list[str]] = {}
    for finding, place in zip("abcdefgh", places, strict=True):
        groups.setdefault(place, []).append(finding)
    found = named([incident(*findings) for findings in groups.values()], known)
    taken = [item.incident.id for item in found] + [name for item in found for name in item.absorbed]
    assert len(taken) == len(set(taken))
    assert set(known) <= set(taken), "all their findings are somewhere"


def _finding(end_ns: int, *entities: Entity, **about: object) -> Finding:
    fields = {"detector": "d", "rule": "r", "title": "t", "severity": Severity.MEDIUM, "key": (str(end_ns),)}
    times = {"start_ns": 0, "end_ns": end_ns, "noticed_ns": end_ns}
    return Finding(**{**fields, **times, "entities": entities, **about})  # type: ignore[arg-type]


def test_risk_adds_up_and_halves_every_six_hours() -> None:
    ana, bo = Entity("user", "ana"), Entity("user", "bo")
    findings = [_finding(0, ana), _finding(HALF_LIFE_NS, ana, bo)]
    assert risk(findings, HALF_LIFE_NS) == 15.0
    assert by_entity(findings, HALF_LIFE_NS) == {ana: 15.0, bo: 10.0}
    assert risk([_finding(0, count=256)], 0) == 20.0


def test_the_graph_is_bounded_and_ties_what_findings_name_together() -> None:
    many = [Entity("user", f"u{n}") for n in range(100)]
    drawn = graph([_finding(0, *many[:40]), _finding(1, *many[40:80]), _finding(2, many[0], many[1])], 2)
    assert len(drawn["nodes"]) == MAX_NODES
    assert len(drawn["edges"]) == MAX_EDGES
    strongest = drawn["edges"][0]
    values = {node["id"]: node["value"] for node in drawn["nodes"]}
    assert {values[strongest["source"]], values[strongest["target"]]} == {"u0", "u1"}


def test_tactics_come_from_the_finding_else_from_its_technique() -> None:
    assert len(tactics()) == 16
    assert name("AML.TA0010") == "Exfiltration"
    assert name("odd") == "odd"
    assert tactic(_finding(0, tactic="AML.TA0001")) == "AML.TA0001"
    assert tactic(_finding(0, techniques=("owasp-llm@2026:LLM01", "mitre-atlas@2026.09:AML.T0051.001"))) == "AML.TA0005"
    assert tactic(_finding(0, techniques=("mitre-atlas@1:AML.T9999", "x"))) == ""

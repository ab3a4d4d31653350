"""Rules over HTTP: listed, tested, replayed, and what they cover; how drills went."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.server import running, treering
from treering.app.drill.results import MOST_RESULTS, Entry, Results
from treering.app.drill.score import Result, Row, Told

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.server import Server

OWN = """
- id: our-word
  title: somebody says quokka
  condition: ["source=logs | where like(body, '%quokka%')"]
  needs: [{body: [quokka]}]
  response: find out who
  techniques: ["owasp-llm@2026:LLM01"]
  tests:
    match: [[{body: a quokka}]]
    no_match: [[{body: a rat}]]
- id: our-broken-word
  title: its case is wrong
  condition: ["source=logs | where like(body, '%wombat%')"]
  needs: [{body: [wombat]}]
  tests:
    match: [[{body: a rat}]]
    no_match: [[{body: a wombat}]]
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("rules")
    (folder / "own.yaml").write_text(OWN)
    config = folder / "treering.toml"
    config.write_text(f'[rules]\npaths = ["{folder / "own.yaml"}"]\noff = ["gpu-xid"]\n')
    with running(folder / "data", "--config", config) as server:
        at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 3600))
        server.send("logs", [{"@timestamp": at, "serviceName": "zoo", "body": f"quokka {n}"} for n in range(3)])
        yield server


def test_rules_are_listed_with_what_their_authors_say(server: Server) -> None:
    rules = {rule["id"]: rule for rule in server.get("/api/rules")["rules"]}
    assert len(rules) > 60
    ours = rules["our-word"]
    assert (ours["stream"], ours["response"], ours["cases"]) == ("logs", "find out who", {"match": 1, "no_match": 1})
    assert ours["steps"] == [{"name": "", "condition": ["source=logs | where like(body, '%quokka%')"]}]
    assert [name for name, rule in rules.items() if rule["off"]] == ["gpu-xid"]


def test_cases_are_run(server: Server) -> None:
    assert server.post("/api/rules/our-word/test", {}) == {"cases": 2, "failed": []}
    failed = server.post("/api/rules/our-broken-word/test", {})["failed"]
    assert [(one["kind"], one["number"]) for one in failed] == [("match", 1), ("no_match", 1)]


def test_a_rule_is_replayed_on_what_is_stored(server: Server) -> None:
    found = server.post("/api/rules/our-word/backtest", {"since": "1d"})
    assert (found["told"], found["hits"], found["distinct"]) == (1, 3, 1)
    assert found["entities"] == [{"name": "zoo", "told": 1}]
    assert sum(found["days"].values()) == 1
    assert {(row["service"], row["text"]) for row in found["evidence"]} == {("zoo", f"quokka {n}") for n in range(3)}
    assert all(row["time"].endswith("Z") for row in found["evidence"])
    assert server.post("/api/rules/our-broken-word/backtest", {})["told"] == 0


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/rules/none/test", {}),
        ("/api/rules/none/backtest", {}),
        ("/api/rules/our-word/backtest", {"since": "400d"}),
        ("/api/rules/our-word/backtest", {"since": "soon"}),
        ("/api/drills/result", {"run": "nobody's", "result": {}}),
    ],
)
def test_what_cannot_be_is_refused(server: Server, path: str, body: dict[str, Any]) -> None:
    status, answer = server.call("POST", path, body)
    assert status == 400
    assert answer["error"]["message"]


def test_coverage_names_what_finds_a_technique(server: Server) -> None:
    found = {one["id"]: one for one in server.get("/api/rules/coverage")["techniques"]}
    injection = found["owasp-llm@2026:LLM01"]
    assert injection["state"] == "proven"
    assert "our-word" in injection["rules"]
    assert any(name.startswith("prompts") for name in injection["detectors"])
    assert "our-word" not in found["owasp-llm@2026:LLM07"]["rules"]


def test_techniques_have_the_names_that_people_use(server: Server) -> None:
    names = server.get("/api/techniques")["names"]
    assert names["owasp-llm@2026:LLM01"] == "Prompt Injection"
    assert names["owasp-llm@2025:LLM10"] == names["owasp-llm@2026:LLM06"] == "Unbounded Consumption"
    assert names["AML.TA0011"] == "Impact"


def test_a_drill_leaves_its_result(server: Server) -> None:
    assert server.get("/api/drills") == {"drills": []}
    done = treering("drill", "--technique", "jailbreak", "--technique", "harmless", "--data", server.data)
    assert done.returncode == 0, done.stderr
    (drill,) = server.get("/api/drills")["drills"]
    rows = {row["technique"]: row for row in drill["result"]["techniques"]}
    assert set(rows) == {"jailbreak", "harmless"}
    assert rows["jailbreak"]["found"] == drill["result"]["found"]
    assert drill["result"]["cases"] == rows["jailbreak"]["cases"]


def test_results_are_kept_bounded_and_survive_a_restart(tmp_path: Path) -> None:
    told = tuple(Told(f"case-{n}", "t", found=n % 2 == 0, about="x" * 1000) for n in range(2000))
    row = Row("t", 2000, 1000, 0.5, None, None, (), ())
    results = Results(tmp_path)
    for number in range(MOST_RESULTS + 3):
        results.add(Entry(number, "label", "ana", Result(2000, 1000, 0.5, (), (row,), told)))
    again = Results(tmp_path).entries
    assert [entry.at_ns for entry in again] == list(range(MOST_RESULTS + 2, 2, -1))
    assert len(again[0].result.told) == 500
    assert not any(one.found for one in again[0].result.told)
    assert max(len(one.about) for one in again[0].result.told) == 300
    (tmp_path / "drill-results.json").write_bytes(b"{broken")
    assert Results(tmp_path).entries == []

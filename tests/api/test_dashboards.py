"""`/api/dashboards` on a small known day: every shipped dashboard shows something true."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.day import day
from treering.api.dashboards import MANY, bucket, sample
from treering.app import dashboards

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.server import Server

RANGE = {"from": "now-3h", "to": "now"}
# The panels of each dashboard that the known day fills; a new dashboard needs its line here.
FILLED = {
    "llm": {"Calls", "Calls by model", "Latency", "Time to first token", "Errors by type", "Models"},
    "cost": {"Cost", "Cost by model", "Input tokens", "Output tokens", "Tokens by model", "Users who used most tokens"},
    "rag": {"Retrievals", "Score of the first document", "Latency of the vector database", "Embedding calls"},
    "inference": {"Requests", "KV cache in use", "GPU in use", "Errors by service", "GPU errors and killed processes"},
    "security": {"Findings by rule", "Refused at the vector database", "Principals and collections"},
}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with day(tmp_path_factory.mktemp("dashboards") / "data") as found:
        yield found


def shown(server: Server, name: str, **variables: str) -> dict[str, Any]:
    found: dict[str, Any] = server.post(f"/api/dashboards/{name}", {**RANGE, "variables": variables})
    return found


def panels(found: dict[str, Any]) -> dict[str, Any]:
    return {panel["title"]: panel["answer"] for panel in found["panels"]}


def test_the_list_names_every_file(server: Server) -> None:
    found = {item["name"]: item for item in server.get("/api/dashboards")["dashboards"]}
    assert found.keys() == dashboards.files().keys() == FILLED.keys()
    assert found["rag"]["title"] == "RAG"
    assert not any("error" in item for item in found.values())


@pytest.mark.parametrize("name", FILLED)
def test_a_dashboard_shows_the_day(server: Server, name: str) -> None:
    answers = panels(shown(server, name))
    for title in FILLED[name]:
        assert answers[title].get("datarows"), (title, answers[title])
    for title, answer in answers.items():
        absent = answer.get("error", {"message": "no stream named"})["message"]
        assert absent.startswith(("no stream named", "unknown field")), (title, absent)


def test_a_variable_narrows_and_offers_its_values(server: Server) -> None:
    every = shown(server, "llm")
    model = next(item for item in every["variables"] if item["name"] == "model")
    assert "gpt-4.1" in model["values"]
    one = shown(server, "llm", model="gpt-4.1")
    calls = panels(every)["Calls"]["datarows"][0][0], panels(one)["Calls"]["datarows"][0][0]
    assert 0 < calls[1] < calls[0]
    assert "'gpt-4.1'" in one["panels"][0]["query"]
    assert "$" not in "".join(panel["query"] for panel in one["panels"] if "collection" not in panel["query"])


def test_a_hostile_value_is_a_value(server: Server) -> None:
    hostile = "x' | stats count() as calls | where 'a' = 'a"
    assert panels(shown(server, "llm", model=hostile))["Calls"]["datarows"] == [[0]]


def test_mistakes_are_said(server: Server) -> None:
    assert server.call("POST", "/api/dashboards/nothing", RANGE)[0] == 400
    status, answer = server.call("POST", "/api/dashboards/llm", {**RANGE, "variables": {"who": "x"}})
    assert status == 400
    assert "no variable 'who'" in answer["error"]["message"]
    assert server.call("POST", "/api/dashboards/llm", {"variables": {"model": "x" * 501}})[0] == 400


@pytest.mark.parametrize(
    ("span", "size"),
    [(("now-1h", "now"), "1m"), (("now-24h", "now"), "30m"), ((None, None), "1m"), (("now-30d", "now"), "12h")],
)
def test_a_bucket_cuts_the_range_into_about_eighty(span: tuple[str | None, str | None], size: str) -> None:
    assert bucket(span, 1_795_456_800_000_000_000) == size


@pytest.mark.parametrize("size", ["30s", "1m", "30m", "2h", "1d"])
def test_few_records_are_never_sampled(size: str) -> None:
    assert sample(size, MANY - 1) == "second(@timestamp) >= 0"
    assert ("< 30" in sample(size, MANY)) == (size not in {"30s", "1m"})


def test_a_sample_is_a_part_of_every_hour(server: Server) -> None:
    counted = "source=logs | where {} | stats count() as n"
    asked = {name: {"query": counted.format(sample("15m", rows))} for name, rows in (("all", 0), ("some", MANY))}
    found = server.post("/api/queries", {"queries": asked, **RANGE})["answers"]
    assert 0 < found["some"]["datarows"][0][0] < found["all"]["datarows"][0][0] / 10

"""Dashboards as files: shipped ones, a user's own, wrong ones."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from treering.app import dashboards
from treering.core.errors import UserError
from treering.query import parse
from treering.query.variables import filled, names

OWN = '{"title": "Mine", "panels": [{"title": "All", "kind": "number", "query": "source=logs | stats count() as n"}]}'


@pytest.mark.parametrize("name", dashboards.files())
def test_a_shipped_dashboard_is_whole(name: str) -> None:
    found = dashboards.load(name)
    variables = {item.name for item in found.variables}
    assert found.about.endswith(".")
    for panel in found.panels:
        assert names(panel.query) <= {*variables, "span", "sample"}
        for value in ("", 'it\'s "quoted" | head 1'):
            parse(
                filled(
                    panel.query, dict.fromkeys(variables, value), {"span": "5m", "sample": "minute(@timestamp) >= 0"}
                ),
                "logs",
            )
    for item in found.variables:
        parse(item.query, "logs")


def test_every_shipped_dashboard_is_documented() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs/dashboards.md").read_text()
    assert [name for name in dashboards.files() if f"| `{name}.toml` |" not in page] == []


def test_a_users_own_folder_adds_and_replaces(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text(OWN)
    (tmp_path / "llm.toml").write_text('title = "Ours"\n[[panels]]\ntitle = "All"\nquery = "source=logs"\n')
    (tmp_path / "team.yaml").write_text("title: Team\npanels:\n- {title: All, query: source=logs}\n")
    (tmp_path / "notes.txt").write_text("no dashboard")
    assert dashboards.load("team", tmp_path).panels[0].kind == "lines"
    assert {"mine", "llm", "cost"} <= dashboards.files(tmp_path).keys()
    assert dashboards.load("mine", tmp_path).title == "Mine"
    assert dashboards.load("llm", tmp_path).title == "Ours"


def test_broken_yaml_is_named(tmp_path: Path) -> None:
    (tmp_path / "team.yml").write_text("title: [")
    with pytest.raises(UserError, match=r"team\.yml"):
        dashboards.load("team", tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "mine.json"),
        ('{"title": "x", "panels": []}', "panels"),
        (json.dumps(json.loads(OWN) | {"pannels": 1}), "did you mean 'panels'"),
        (OWN.replace("number", "pie"), "pie"),
        (" " * 200_001, "bytes"),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "mine.json").write_text(text)
    with pytest.raises(UserError) as caught:
        dashboards.load("mine", tmp_path)
    assert "mine.json" in str(caught.value)
    assert words in f"{caught.value} {caught.value.hint}"


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        dashboards.load("inferense")
    assert "inference" in caught.value.hint


def test_a_folder_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no folder of dashboards"):
        dashboards.files(tmp_path / "nowhere")

"""`treering rules` as a person uses it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from tests.server import ENVIRONMENT
from treering.cli.rules import rules
from treering.core.errors import UserError

RULE = """
- id: disk-full
  title: a disk is full
  condition: ["source=logs | where like(body, '%disk full%')"]
  needs: [{body: [disk full]}]
  tests:
    match: [[{serviceName: a, body: disk full}]]
    no_match: [[{serviceName: a, body: all is well}]]
"""


def treering(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "treering", *words],
        check=False,
        cwd=folder,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_listing_names_shipped_and_own_rules(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(RULE)
    (tmp_path / "treering.toml").write_text('[rules]\npaths = ["own.yaml"]\noff = ["gpu-xid"]\n')
    done = treering(tmp_path, "rules", "list", "--format", "json")
    names = {rule["id"] for rule in json.loads(done.stdout)}
    assert "disk-full" in names
    assert "provider-throttled" in names
    assert "gpu-xid" not in names


def test_cases_decide_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "good.yaml").write_text(RULE)
    (tmp_path / "bad.yaml").write_text(RULE.replace("body: all is well", "body: disk full"))
    assert treering(tmp_path, "rules", "test", "disk-full", "--rules", "good.yaml").returncode == 0
    done = treering(tmp_path, "rules", "test", "disk-full", "--rules", "bad.yaml", "--format", "json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["failed"] == [{"rule": "disk-full", "kind": "no_match", "number": 1, "records": 1}]


def test_a_mistake_is_told_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text(RULE.replace("title", "titel"))
    done = treering(tmp_path, "rules", "list", "--rules", "wrong.yaml")
    assert done.returncode == 2
    assert "wrong.yaml: rule disk-full" in done.stderr


def test_a_back_test_counts_what_is_stored(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(RULE)
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    lines = [json.dumps({"time": now, "level": "error", "msg": f"disk full on sda{n}"}) for n in range(3)]
    (tmp_path / "app.log").write_text("\n".join(lines) + "\n")
    assert treering(tmp_path, "ingest", "app.log").returncode == 0
    done = treering(
        tmp_path, "rules", "backtest", "disk-full", "--rules", "own.yaml", "--since", "2d", "--format", "json"
    )
    (result,) = json.loads(done.stdout)
    assert (result["hits"], result["told"], result["problem"]) == (3, 1, "")
    assert "disk full" in result["evidence"][0]["body"]


SIGMA = """
title: Guardrail deleted
id: 11111111-2222-4333-8444-555555555555
status: test
logsource: {product: aws, service: cloudtrail}
detection:
  selection: {eventSource: bedrock.amazonaws.com, eventName: DeleteGuardrail}
  condition: selection
level: high
tags: [attack.t1562.001]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(*words: str) -> Any:
    """Return what a command of `treering rules` answers as JSON."""
    done = CliRunner().invoke(rules, [*words, "--format", "json"], catch_exceptions=False)
    assert done.exit_code == 0
    return json.loads(done.stdout)


def test_sigma_files_are_imported_and_what_is_refused_is_told(here: Path) -> None:
    (here / "sigma" / "deep").mkdir(parents=True)
    (here / "sigma" / "good.yml").write_text(SIGMA)
    (here / "sigma" / "deep" / "bad.yml").write_text(SIGMA.replace("title: ", "title: !include "))
    report = said("import", "sigma", "--dry-run")
    assert (report["documents"], report["rules"], report["written"]) == (2, ["guardrail-deleted-11111111"], [])
    assert [refused["where"] for refused in report["refused"]] == ["sigma/deep/bad.yml"]
    assert not (here / "rules").exists()
    done = CliRunner().invoke(rules, ["import", "sigma", "--into", "own"])
    assert "1 refused" in done.stderr
    assert "not YAML" in done.stderr
    assert 'paths = ["own"]' in done.stderr
    (rule,) = said("list", "--rules", "own", "--logsource", "aws")
    assert rule["origin"] == "sigma:11111111-2222-4333-8444-555555555555"
    with pytest.raises(UserError, match="there already") as caught:
        said("import", "sigma", "--into", "own")
    assert "--replace" in str(caught.value)
    assert said("import", "sigma", "--into", "own", "--replace")["written"] == ["own/good.yaml"]
    assert isinstance(CliRunner().invoke(rules, ["import", "sigma/deep"]).exception, UserError)
    assert isinstance(CliRunner().invoke(rules, ["import", "nowhere"]).exception, UserError)


def test_placeholders_get_their_values(here: Path) -> None:
    text = SIGMA.replace("eventName: DeleteGuardrail", "eventName|expand: '%verbs%Guardrail'")
    (here / "a.yml").write_text(text)
    assert "placeholder" in CliRunner().invoke(rules, ["import", "a.yml"]).stderr
    assert said("import", "a.yml", "--set", "verbs=Delete,Update", "--dry-run")["refused"] == []
    assert isinstance(CliRunner().invoke(rules, ["import", "a.yml", "--set", "verbs"]).exception, UserError)


def test_a_sigma_file_is_replayed_on_log_files(here: Path) -> None:
    (here / "new.yml").write_text(SIGMA)
    event = {
        "eventTime": "2026-11-20T08:00:00Z",
        "eventSource": "bedrock.amazonaws.com",
        "eventName": "DeleteGuardrail",
    }
    other = {**event, "eventTime": "2026-11-22T08:00:00Z", "eventName": "GetGuardrail"}
    (here / "trail.json").write_text("\n".join(map(json.dumps, (event, other))) + "\n")
    (result,) = said("backtest", "new.yml", "--in", "trail.json")
    assert (result["told"], result["hits"], result["days"]) == (1, 1, {"2026-11-20": 1})
    assert "DeleteGuardrail" in json.dumps(result["evidence"])
    assert result["cpu_s"] > 0
    shown = CliRunner().invoke(rules, ["backtest", "new.yml", "--in", "trail.json"])
    assert "guardrail-deleted-11111111" in shown.stdout
    assert "DeleteGuardrail" in shown.stderr


def test_coverage_says_what_is_proven_and_what_is_not(here: Path) -> None:
    (here / "sigma.yml").write_text(SIGMA)
    said("import", "sigma.yml", "--into", "own")
    found = {technique["id"]: technique for technique in said("coverage", "--rules", "own")}
    injection = found["owasp-llm@2026:LLM01"]
    assert injection["state"] == "proven"
    assert any(name.startswith("prompts") for name in injection["detectors"])
    assert "mitre-atlas@2026.09:AML.T0051" in injection["related"]
    assert [name for name, technique in found.items() if technique["state"] == "nothing"] == []
    assert found["owasp-llm@2026:LLM07"]["state"] == "one case"
    assert found["mitre-attack@18:T1562.001"]["untested"] == ["guardrail-deleted-11111111"]
    assert found["mitre-attack@18:T1562.001"]["state"] == "claimed, untested"
    plain = CliRunner().invoke(rules, ["coverage", "--format", "markdown"]).stdout
    assert "| LLM01 | Prompt Injection | proven | " in plain
    assert "LLM08 (LLM07 in 2025)" in CliRunner().invoke(rules, ["coverage"], env={"COLUMNS": "200"}).stdout


@pytest.mark.parametrize("command", ["list", "coverage"])
def test_tables_fit_a_screen_of_eighty_columns(command: str) -> None:
    shown = CliRunner().invoke(rules, [command], env={"COLUMNS": "80"}).stdout
    assert "\u2026" not in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert ("an agent calls tools that it does not have" if command == "list" else "Excessive Agency") in shown


def test_lists_are_filtered_by_technique_and_log_source(here: Path) -> None:
    found = said("list", "--technique", "aml.t0101", "--logsource", "spans")
    assert "tool-destroys-data" in {rule["id"] for rule in found}
    assert all("mitre-atlas@2026.09:AML.T0101" in rule["techniques"] for rule in found)
    shown = CliRunner().invoke(rules, ["list", "--technique", "aml.t0101"], env={"COLUMNS": "200"}).stdout
    assert "tool-destroys-data" in shown


def test_a_file_of_either_kind_is_tested(here: Path) -> None:
    (here / "own.yaml").write_text(RULE)
    (here / "new.yml").write_text(SIGMA)
    assert said("test", "own.yaml") == {"rules": 1, "failed": []}
    assert "1 have no cases" in CliRunner().invoke(rules, ["test", "new.yml", "own.yaml"]).stderr

"""`treering rules` as a person uses it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from tests.server import ENVIRONMENT

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

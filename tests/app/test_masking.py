"""Masking where it is configured: nothing of a secret is on the disk, whatever way it came in."""

from __future__ import annotations

import json
import urllib.request
from pathlib import Path

import pytest

from tests.server import running, treering
from treering.app import config
from treering.app.masking import masking
from treering.core.errors import UserError
from treering.core.telemetry import Telemetry

KEY = "sk-proj-" + "Zt1Lr5Vx0Yb7Nd3Kc9Ws2Mf6Hj4Gp8Ea1Tq8"
MASKING = "[masking]\nsecrets = true\n"


def configured(folder: Path, text: str = MASKING) -> Path:
    path = folder / "treering.toml"
    path.write_text(text, encoding="utf-8")
    return path


def on_disk(folder: Path) -> list[str]:
    return [str(path) for path in folder.rglob("*") if path.is_file() and KEY[8:].encode() in path.read_bytes()]


def query(data: Path, text: str) -> list[dict[str, object]]:
    answer = treering("query", text, "--data", data, "--format", "ndjson")
    return [json.loads(line) for line in answer.stdout.splitlines()]


def test_a_server_masks_what_comes_and_tells_of_it(tmp_path: Path) -> None:
    with running(tmp_path / "data", "--config", configured(tmp_path)) as server:
        line = json.dumps({"serviceName": "api", "body": f"call failed with {KEY}"}).encode()
        urllib.request.urlopen(server.address + "/api/ingest/logs", line, timeout=30).close()
        assert on_disk(tmp_path / "data") == []
        counted = urllib.request.urlopen(server.address + "/metrics", timeout=30).read().decode()
        assert 'treering_masked_total{kind="OpenAI key"} 1' in counted
    (found,) = query(tmp_path / "data", "source=logs | fields body, attributes.treering.masked")
    assert found["attributes.treering.masked"] == "OpenAI key"
    assert str(found["body"]).startswith("call failed with [masked OpenAI key ")
    assert on_disk(tmp_path / "data") == []
    assert (tmp_path / "data" / "masking.key").stat().st_mode & 0o077 == 0


def test_files_are_masked_with_the_same_pseudonyms_as_before(tmp_path: Path) -> None:
    log, path = tmp_path / "app.log", configured(tmp_path)
    log.write_text(f"2026-11-28T08:00:00Z INFO using {KEY}\n", encoding="utf-8")
    for _ in range(2):
        treering("ingest", log, "--data", tmp_path / "data", "--config", path)
    bodies = {row["body"] for row in query(tmp_path / "data", "source=logs | fields body")}
    assert len(bodies) == 1
    assert on_disk(tmp_path / "data") == []


def test_a_kind_that_is_not_there_is_refused_with_the_nearest(tmp_path: Path) -> None:
    path = configured(tmp_path, MASKING + 'leave_out = ["e-mail adress"]\n')
    with pytest.raises(UserError, match="e-mail adress") as raised:
        config.load(path)
    assert "'e-mail address'" in raised.value.hint


def test_a_damaged_key_is_refused_rather_than_used(tmp_path: Path) -> None:
    (tmp_path / "masking.key").write_bytes(b"short")
    settings = config.Settings(data=str(tmp_path), masking=config.Masking(secrets=True))
    with pytest.raises(UserError, match="5 bytes"):
        masking(settings, Telemetry())

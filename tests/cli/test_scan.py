"""`treering scan` on files and on what is stored, with and without a server."""

from __future__ import annotations

import json
from pathlib import Path

from tests.server import running, treering

KILL = "Mar  1 04:00:10 gpu-01 kernel: Memory cgroup out of memory: Killed process 218 (llm) total-vm:1kB\n"


def test_a_file_is_scanned_without_leaving_anything(tmp_path: Path) -> None:
    (tmp_path / "gpu-01.log").write_text(KILL, encoding="utf-8")
    done = treering("scan", "gpu-01.log", "--check", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    (finding,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert finding["finding"]["rule"] == "oom_kill"
    assert finding["entities"]["host"] == "gpu-01"
    assert finding["evidence"][0]["seq"] == -1
    assert [path.name for path in tmp_path.iterdir()] == ["gpu-01.log"]


def test_a_quiet_file_is_fine(tmp_path: Path) -> None:
    (tmp_path / "app.log").write_text("2026-03-01 04:00:10 INFO all is well\n", encoding="utf-8")
    done = treering("scan", "app.log", "--check", "--format", "table", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"0 findings" in done.stderr


def test_mistakes_are_the_users(tmp_path: Path) -> None:
    assert treering("scan", cwd=tmp_path).returncode == 2
    assert treering("scan", "nowhere.log", cwd=tmp_path).returncode == 2
    assert treering("scan", "--since", "soon", cwd=tmp_path).returncode == 2
    assert treering("scan", "--since", "30d", cwd=tmp_path).returncode == 2


def test_what_is_stored_is_scanned_with_and_without_a_server(tmp_path: Path) -> None:
    data = tmp_path / "data"
    line = KILL.replace("Mar  1 04:00:10", "2026-03-01T04:00:10Z")
    with running(data, "--config", _without_detection(tmp_path)) as server:
        assert server.call("POST", "/api/ingest/logs", line.encode(), "text/plain")[0] == 200
        done = treering("scan", "--since", "2000d", "--data", data)
        assert done.returncode == 0, done.stderr
        assert [json.loads(row)["count"] for row in done.stdout.splitlines()] == [1]
    done = treering("scan", "--since", "2000d", "--data", data, "--check")
    assert done.returncode == 1, done.stderr
    assert [json.loads(row)["count"] for row in done.stdout.splitlines()] == [1]


def _without_detection(folder: Path) -> Path:
    config = folder / "quiet.toml"
    config.write_text("[detect]\nenabled = false\n", encoding="utf-8")
    return config

"""What a stranger meets on the command line: mistyped names, nothing stored yet, a narrow terminal."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from tests.server import ENVIRONMENT, running, treering
from treering.app.drill.score import Result, Row

if TYPE_CHECKING:
    from pathlib import Path


def test_a_mistyped_file_leaves_no_data_directory(tmp_path: Path) -> None:
    done = treering("ingest", "nothing.log", "--data", tmp_path / "data", cwd=tmp_path)
    assert done.returncode == 2
    assert b"nothing.log" in done.stderr
    assert not (tmp_path / "data").exists()


@pytest.mark.parametrize(("command", "says"), [("incident", b"no incidents"), ("alert", b"none"), ("canary", b"new")])
def test_an_empty_list_says_so(tmp_path: Path, command: str, says: bytes) -> None:
    (tmp_path / "data").mkdir()
    done = treering(command, "list", "--data", tmp_path / "data")
    assert (done.returncode, done.stdout) == (0, b"")
    assert says in done.stderr


def test_the_question_that_the_server_prints_can_be_asked_as_it_stands(tmp_path: Path) -> None:
    with running(tmp_path / "my data") as server:
        server.send("logs", [{"serviceName": "api", "body": "x"}])
        printed, until = tmp_path / "my data.log", time.monotonic() + 30
        while "  stop" not in printed.read_text() and time.monotonic() < until:
            time.sleep(0.05)
        (line,) = (one for one in printed.read_text().splitlines() if one.startswith("  ask"))
        _, command, *arguments = shlex.split(line)
        done = treering(*arguments, cwd=tmp_path)
    assert (command, done.returncode) == ("treering", 0), done.stderr
    assert b"api" in done.stdout


def test_a_mistyped_incident_names_the_command_that_lists_them(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    done = treering("incident", "show", "inc-none", "--data", tmp_path / "data")
    assert done.returncode == 2
    assert b"treering incident list" in done.stderr


@pytest.mark.parametrize("columns", ["60", "80", "160"])
def test_no_name_of_a_technique_is_broken_on_a_narrow_terminal(columns: str) -> None:
    row = Row("indirect_injection", 8, 8, 1.0, 0.0, 6.75, ("poisoning/hidden_text", "taint/injection_attempted"), ())
    program = (
        "import msgspec, sys; from treering.cli.drill import _show; from treering.app.drill.score import Result; "
        "_show(msgspec.json.decode(sys.stdin.buffer.read(), type=Result))"
    )
    told = msgspec.json.encode(Result(8, 8, 1.0, (), (row,), ()))
    environment = {**ENVIRONMENT, "COLUMNS": columns, "NO_COLOR": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", program], input=told, capture_output=True, check=True, env=environment)
    lines = done.stdout.decode().splitlines()
    assert sum("indirect_injection" in line for line in lines) == 1
    assert len(lines) <= 6
    assert all(len(line) <= int(columns) for line in lines)

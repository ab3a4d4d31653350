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


@pytest.mark.parametrize("columns", ["80", "200"])
def test_records_are_shown_a_line_each_and_tables_too_wide_a_line_a_column(tmp_path: Path, columns: str) -> None:
    environment = {**ENVIRONMENT, "COLUMNS": columns}
    record = {
        "@timestamp": "2026-11-24 08:00:00",
        "severityText": "ERROR",
        "serviceName": "api",
        "body": "card refused",
        "attributes": {"a": 1},
        "traceId": None,
    }
    wide = {f"column_number_{number:02}": 0.1 + 0.2 for number in range(20)}
    lines, blocks = (shown_table(answer, environment) for answer in ([record], [wide]))
    assert lines == ["2026-11-24 08:00:00     error api card refused"]
    assert blocks[0] == "row 1"
    assert blocks[1:] == [f"{name}  0.3" for name in wide]


def shown_table(rows: list[dict[str, object]], environment: dict[str, str]) -> list[str]:
    answer = {
        "schema": [{"name": name, "type": "double" if name[0] == "c" else "string"} for name in rows[0]],
        "datarows": [list(row.values()) for row in rows],
    }
    program = (
        "import msgspec, sys; from treering.cli._options import Format; from treering.cli._tables import write; "
        "write(msgspec.json.decode(sys.stdin.buffer.read()), Format.TABLE)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        input=msgspec.json.encode(answer),
        capture_output=True,
        check=True,
        env={**environment, "NO_COLOR": "1", "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    return done.stdout.decode().splitlines()


def test_help_tells_every_command_whole_and_version_is_asked_as_elsewhere() -> None:
    told = treering("--help").stdout.decode()
    assert "..." not in told.partition("Commands:")[2]
    assert treering("--version").stdout == treering("version").stdout


def test_a_data_directory_that_cannot_be_made_is_the_users_to_mend(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    done = treering("up", "--data", tmp_path / "taken" / "data", "--port", "0", "--no-conventional-ports")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.count(b"\n") == 1
    assert b"taken" in done.stderr

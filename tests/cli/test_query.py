"""`treering query`: SQL, help, and the prompt with its completion."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.server import ENVIRONMENT, treering
from treering.cli._prompt import Completer
from treering.core.errors import UserError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("query")
    (folder / "app.jsonl").write_text('{"body": "boom", "serviceName": "rag"}\n{"body": "ok", "serviceName": "rag"}\n')
    done = treering("ingest", folder / "app.jsonl", "--data", folder / "data")
    assert done.returncode == 0, done.stderr
    return folder / "data"


def test_sql(data: Path) -> None:
    done = treering("query", "--sql", "SELECT count(*) AS n FROM logs", "--data", data)
    assert done.stdout.strip() == b'{"n":2}'
    refused = treering("query", "--sql", "DROP TABLE logs", "--data", data)
    assert refused.returncode == 2
    assert b"not a SELECT" in refused.stderr


def test_help_of_commands_and_functions(tmp_path: Path) -> None:
    shown = treering("query", "--help-command", "diff", cwd=tmp_path).stdout.decode()
    assert "window=" in shown
    assert "Example:" in shown
    assert b"0.29" in treering("query", "--help-command", "ROUND", cwd=tmp_path).stdout
    wrong = treering("query", "--help-command", "stat", cwd=tmp_path)
    assert wrong.returncode == 2
    assert b"did you mean 'stats'?" in wrong.stderr


class Answering:
    """A client that gives one answer."""

    def __init__(self, answer: dict[str, Any] | None) -> None:
        self.answer = answer

    def post(self, _path: str, _body: dict[str, Any]) -> Any:
        if self.answer is None:
            raise UserError("broken")
        return self.answer


def completed(answer: dict[str, Any] | None, text: str, word: str) -> list[str]:
    completer = Completer(Answering(answer), lambda: (text, len(text)))  # type: ignore[arg-type]
    found = [completer.complete(word, state) for state in range(5)]
    return [each for each in found if each is not None]


def test_only_the_word_that_readline_sees_is_replaced() -> None:
    answer = {"from": 6, "to": 11, "suggestions": [{"text": "attributes.user"}, {"text": "attributes.x\x1b[2J"}]}
    assert completed(answer, "where attri", "attri") == ["attributes.user"]
    assert completed({**answer, "to": 18}, "where `attributes.u", "attributes.u") == []
    assert completed(None, "where a", "a") == []


def test_the_prompt_completes_and_answers(data: Path) -> None:
    leader, follower = pty.openpty()
    command = [sys.executable, "-m", "treering", "query", "--format", "ndjson", "--data", str(data)]
    process = subprocess.Popen(
        command, stdin=follower, stdout=follower, stderr=follower, env={**ENVIRONMENT, "TERM": "dumb"}
    )
    os.close(follower)
    try:
        _until(leader, "treering> ")
        os.write(leader, b"source=logs | where serviceN\t = 'rag' | stats count() as n\n")
        assert '{"n":2}' in _until(leader, '{"n":2}')
        os.write(leader, b"nosuch |\nexit\n")
        _until(leader, "exit")
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()
        os.close(leader)


def _until(leader: int, wanted: str, seconds: float = 60) -> str:
    """Return what the terminal showed up to `wanted`."""
    shown, until = "", time.monotonic() + seconds
    while wanted not in shown and time.monotonic() < until:
        if select.select([leader], [], [], 0.2)[0]:
            shown += os.read(leader, 65_536).decode("utf-8", "replace")
    assert wanted in shown, shown
    return shown

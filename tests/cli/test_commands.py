"""The command line as users run it."""

from __future__ import annotations

import gzip
import io
import json
import signal
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from arro3.io import read_ipc_stream

from tests.server import ENVIRONMENT, running, treering
from treering.cli import COMMANDS
from treering.store.duckdb import DuckdbStore

if TYPE_CHECKING:
    from pathlib import Path

LOG = b"".join(
    b"2026-11-24 08:%02d:%02d,123 %s rag.server request %d took %d ms\n"
    % (n // 60, n % 60, b"ERROR" if n % 50 == 0 else b"INFO", n, n * 7 % 900)
    for n in range(600)
)


def documents(count: int) -> bytes:
    return b"".join(json.dumps({"n": n, "name": f"document {n}"}).encode() + b"\n" for n in range(count))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_with_an_example(name: str) -> None:
    done = treering(name, "--help")
    assert done.returncode == 0
    assert b"Example: treering " + name.encode() in done.stdout


def test_help_imports_nothing_heavy() -> None:
    script = """
import sys
sys.argv = ["treering", "--help"]
from treering.cli import main
try:
    main()
finally:
    print(*sorted(set(sys.modules) & {"duckdb", "numpy", "sqlglot", "grpc", "uvicorn", "arro3"}), file=sys.stderr)
"""
    done = subprocess.run([sys.executable, "-c", script], env=ENVIRONMENT, capture_output=True, timeout=60, check=False)
    assert b"analyze" in done.stdout
    assert done.stderr.strip() == b""


def test_mistakes_exit_with_2_and_no_traceback(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "a.json").write_bytes(documents(1))
    assert treering("ingest", tmp_path / "a.json", "--into", "a", "--data", data).returncode == 0
    for arguments in (
        ("query", "source=a | wher x", "--data", data),
        ("query", "source=b", "--data", data),
        ("query", "source=a", "--data", tmp_path / "missing"),
        ("ingest", tmp_path / "missing.log", "--data", data),
        ("ingest", tmp_path / "a.json", "--into", "Not A Name", "--data", data),
        ("up", "--host", "0.0.0.0", "--data", data),
        ("up", "--config", tmp_path / "missing.toml"),
        ("tail", "--data", data),
        ("plugins", "recievers"),
        ("analyze", tmp_path / "missing.log"),
    ):
        done = treering(*arguments)
        assert done.returncode == 2, (arguments, done.stderr)
        assert b"Traceback" not in done.stderr, arguments
        assert done.stderr.startswith(b"treering: "), arguments


def test_a_mistake_in_a_query_is_pointed_at(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        done = treering("query", "source=logs | wher x", "--data", server.data)
    assert b"source=logs | wher x\n              ^^^^\nhint: did you mean 'where'?" in done.stderr


@pytest.mark.parametrize("served", [True, False], ids=["through a server", "by itself"])
def test_ingest_and_query(tmp_path: Path, *, served: bool) -> None:
    (tmp_path / "one.json").write_bytes(documents(500))
    (tmp_path / "two.json.gz").write_bytes(gzip.compress(documents(500) + b"{broken\n[1]\n"))
    kept = tmp_path / "rejected.txt"
    data = tmp_path / "data"

    def work() -> None:
        done = treering(
            "ingest", tmp_path / "*.json*", "--into", "docs", "--data", data, "--rejected", kept, "--format", "json"
        )
        assert done.returncode == 0, done.stderr
        assert b"1,000 records stored in docs" in done.stderr
        assert kept.read_bytes() == b"{broken\n[1]\n"
        answer = treering(
            "query", "source=docs | stats count() as n, max(n) as top", "--data", data, "--format", "json"
        )
        assert json.loads(answer.stdout)["datarows"] == [[1000, 499]], answer.stderr

    if served:
        with running(data) as server:
            work()
            assert all(balance["holds"] for balance in server.get("/api/status")["conservation"])
    else:
        work()


def test_standard_input_and_every_output_format(tmp_path: Path) -> None:
    data = tmp_path / "data"
    rows = b'{"a": 1, "b": "x,y", "c": [1]}\n{"a": null, "b": "\\u001b[31mred"}\n'
    assert treering("ingest", "-", "--into", "mixed", "--data", data, stdin=rows).returncode == 0

    def ask(form: str) -> bytes:
        return treering("query", "source=mixed | fields a, b, c", "--data", data, "--format", form).stdout

    assert [json.loads(line) for line in ask("ndjson").splitlines()] == [
        {"a": 1, "b": "x,y", "c": [1]},
        {"a": None, "b": "\x1b[31mred", "c": None},
    ]
    assert ask("csv").splitlines()[:2] == [b"a,b,c", b'1,"x,y",[1]']
    table = read_ipc_stream(io.BytesIO(ask("arrow"))).read_all()
    assert table.schema.names == ["a", "b", "c"]
    assert table.num_rows == 2
    assert b"\x1b[31m" not in ask("table")


def test_damaged_compression_keeps_what_came_before(tmp_path: Path) -> None:
    path = tmp_path / "cut.json.gz"
    whole = gzip.compress(documents(50_000))
    path.write_bytes(whole[: len(whole) // 2])
    done = treering("ingest", path, "--into", "docs", "--data", tmp_path / "data")
    assert done.returncode == 1
    assert b"damaged gzip data" in done.stderr
    answer = treering("query", "source=docs | stats count() as n", "--data", tmp_path / "data", "--format", "ndjson")
    assert 5000 < json.loads(answer.stdout)["n"] < 50_000


def test_tail_shows_what_comes_in(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.send("logs", [{"body": "before"}])
        shown: list[bytes] = []

        def watch() -> None:
            shown.append(treering("tail", "source=logs error", "-n", "2", "--json", "--data", server.data).stdout)

        watcher = threading.Thread(target=watch)
        watcher.start()
        for number in range(200):
            server.send("logs", [{"body": f"error {number}"}, {"body": "fine"}])
            watcher.join(0.1)
            if not watcher.is_alive():
                break
        watcher.join(30)
    rows = [json.loads(line) for line in shown[0].splitlines()]
    assert len(rows) == 2
    assert all(row["message"].startswith("error ") for row in rows)


def test_doctor_finds_nothing_wrong_and_says_what_it_checked(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        server.send("logs", [{"body": "a"}, {"body": "b"}])
        done = treering("doctor", "--data", server.data)
        report = json.loads(treering("doctor", "--data", server.data, "--format", "json").stdout)
    assert done.returncode == 0, done.stdout
    assert b"receiver ingest: 2 received, 2 stored" in done.stdout
    assert all(check["ok"] for check in report["checks"])


def test_doctor_finds_a_damaged_segment(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (tmp_path / "a.json").write_bytes(documents(2000))
    assert treering("ingest", tmp_path / "a.json", "--into", "docs", "--data", data).returncode == 0
    store = DuckdbStore(data)
    store.flush()
    store.close()
    (segment,) = sorted((data / "segments").rglob("*.parquet"))
    segment.write_bytes(segment.read_bytes()[:-100])
    done = treering("doctor", "--data", data)
    assert done.returncode == 1
    assert b"WRONG store" in done.stdout


def test_plugins_and_version() -> None:
    assert b"otlp_http" in treering("plugins", "receivers").stdout
    assert treering("version").stdout.startswith(b"treering 0.")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_s_script_asks_for_what_could_come_next(shell: str) -> None:
    script = treering("completion", shell).stdout
    assert b"treering" in script
    assert f"_TREERING_COMPLETE=complete_{shell}".encode() in script


def test_commands_and_options_complete() -> None:
    def next_of(words: str) -> list[bytes]:
        asked = {"_TREERING_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        command = [sys.executable, "-c", "import sys; sys.argv = ['treering']; from treering.cli import main; main()"]
        done = subprocess.run(command, env=ENVIRONMENT | asked, capture_output=True, timeout=60, check=False)
        return done.stdout.split()

    assert next_of("treering inc") == [b"incident"]
    assert b"--follow" in next_of("treering ingest --fo")
    assert next_of("treering completion z") == [b"zsh"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_loses_nothing(tmp_path: Path, number: int) -> None:
    data = tmp_path / "data"
    with running(data) as server:
        stored = 0
        done = threading.Event()

        def send() -> None:
            nonlocal stored
            try:
                while not done.is_set():
                    stored += server.send("logs", [{"body": f"line {n}"} for n in range(100)])["stored"]
            except (OSError, AssertionError):
                return  # the server has gone: what was not answered does not count

        senders = [threading.Thread(target=send)]
        senders[0].start()
        time.sleep(0.5)
        assert server.stop(number) == 0
        done.set()
        senders[0].join(30)
    assert stored > 0
    answer = treering("query", "stats count() as n", "--data", data, "--format", "ndjson")
    assert json.loads(answer.stdout)["n"] in {stored, stored + 100}  # one answer may have been cut off


def test_two_servers_on_one_directory(tmp_path: Path) -> None:
    with running(tmp_path / "data") as server:
        done = treering("up", "--data", server.data, "--port", "0", "--no-conventional-ports")
        assert done.returncode == 2
        assert b"in use by process" in done.stderr


def test_analyze_tells_what_is_in_a_file(tmp_path: Path) -> None:
    path = tmp_path / "server.log"
    path.write_bytes(LOG)
    report = json.loads(treering("analyze", path, "--format", "json").stdout)
    assert report["records"] == 600
    assert report["levels"] == {"error": 12, "info": 588}
    assert (report["first"], report["last"]) == ("2026-11-24T08:00:00.123Z", "2026-11-24T08:09:59.123Z")
    assert report["loudest"][0]["count"] >= 588
    done = treering("analyze", path)
    assert b"600 records" in done.stdout


def test_analyze_reads_otlp_json_lines(tmp_path: Path) -> None:
    span = {
        "traceId": "0" * 31 + "1",
        "spanId": "0" * 15 + "1",
        "name": "chat",
        "startTimeUnixNano": "1795507200000000000",
        "endTimeUnixNano": "1795507203000000000",
        "attributes": [
            {"key": "gen_ai.request.model", "value": {"stringValue": "m-1"}},
            {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1200"}},
        ],
    }
    (tmp_path / "a.jsonl").write_text(json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}) + "\n")
    report = json.loads(treering("analyze", tmp_path / "a.jsonl", "--format", "json").stdout)
    assert report["model_calls"] == 1
    assert report["slowest_calls"][0]["duration_ms"] == 3000
    assert report["costliest_calls"][0]["tokens"] == 1200

"""`/api/lint` and `treering schema lint`: what is amiss is found, what is well is not."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from tests.receive.recordings import recordings

if TYPE_CHECKING:
    from pathlib import Path

    from tests.serving import Server


def problems(server: Server) -> dict[str, dict[str, Any]]:
    """Return the problems by check."""
    answer = json.loads(server.request("POST", "/api/lint", b"{}").body)
    return {problem["check"]: problem for problem in answer["problems"]}


def test_nothing_is_amiss_with_nothing(server: Server) -> None:
    assert problems(server) == {}


def test_a_recorded_sender(server: Server, shared: Path) -> None:
    for one in recordings(shared / "captures" / "otel-openai-v2-content"):
        assert server.replay(one.method, one.path, one.headers, one.body).status == 200
    found = problems(server)
    tokens = found["no-tokens"]
    assert (tokens["kind"], tokens["count"], tokens["of"]) == ("missing", 3, 9)
    assert tokens["says"] == "33% of 9 calls carry no token counts"
    assert "stream_options" in tokens["hint"]
    assert found["older-names"]["kind"] == "deprecated"
    assert found["older-names"]["instrumentation"] == "opentelemetry.instrumentation.openai_v2"
    assert "gen_ai.client.inference.duration" in found["older-metric"]["says"]
    assert "no-content" not in found  # it is in log events
    assert "no-error-type" not in found


def lint(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "treering", "schema", "lint", str(path), *options]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)


def written(path: Path, calls: list[dict[str, Any]]) -> Path:
    lines = [{"time": "2026-11-24T08:00:00Z", **call} for call in calls]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return path


GOOD = {
    "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]', "user.id": "u",
    "gen_ai.conversation.id": "c",
}  # fmt: skip


def test_a_file(tmp_path: Path) -> None:
    good = lint(written(tmp_path / "good.jsonl", [GOOD]), "--check", "--format", "json")
    assert json.loads(good.stdout) == {"calls": 1, "problems": []}
    assert good.returncode == 0
    bad = {**GOOD, "gen_ai.usage.input_tokens": 0, "gen_ai.usage.total_tokens": 99, "gen_ai.provider.name": "langchain"}
    path = written(tmp_path / "bad.jsonl", [GOOD, {**GOOD, "gen_ai.request.model": "my-own"}, bad])
    found = lint(path, "--check", "--format", "json")
    assert found.returncode == 1
    told = {problem["check"]: problem["says"] for problem in json.loads(found.stdout)["problems"]}
    assert told == {
        "no-provider": "33% of 3 calls name no provider, or a framework as provider",
        "zero-tokens": "33% of 3 calls answered and count no input tokens",
        "total-differs": "100% of 1 calls have a total that is not input and output together",
        "no-price": "50% of 2 calls have tokens and no known price (models my-own)",
    }
    shown = lint(path)
    assert shown.returncode == 0
    assert "3 model calls, 4 problems" in shown.stdout

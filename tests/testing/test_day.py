"""The known day is repeatable, in order of time, in real formats, and its truth is true."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from statistics import median, quantiles
from typing import Any

import msgspec
import pytest

from tests.testing.readback import START_NS, Call, Played, play_through, records_of, spans_of
from treering.core.errors import UserError
from treering.model.times import rfc3339_ns
from treering.testing.day import CHANNELS, FILES, Day, Incident, Truth, write
from treering.testing.day.clock import Story

HASH = """
import hashlib
from treering.testing.day import Day
digest = hashlib.sha256()
day = Day(11, 0.06, {start})
for emission in day:
    digest.update(repr((emission.at_ns, emission.channel, emission.records)).encode() + emission.payload)
print(digest.hexdigest(), hashlib.sha256(repr(day.truth()).encode()).hexdigest())
"""
STORIES = {
    "training-nan",
    "vllm-crash-loop",
    "support-latency",
    "provider-errors",
    "injection-direct",
    "injection-document",
    "support-model-swap",
    "agent-spend-loop",
    "people-hallucination",
    "vector-cross-tenant",
}


def window(incident: Incident) -> tuple[int, int]:
    start, end = rfc3339_ns(incident.start), rfc3339_ns(incident.end)
    assert start is not None
    assert end is not None
    return start, end


def p95(spans: list[Call]) -> float:
    return quantiles([span.seconds for span in spans], n=20)[-1]


def test_same_seed_gives_the_same_bytes_in_every_process() -> None:
    hashes = set()
    for hash_seed in ("0", "4242"):
        environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
        command = [sys.executable, "-c", HASH.format(start=START_NS)]
        result = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        hashes.add(result.stdout)
    assert len(hashes) == 1


def test_other_seeds_give_other_days() -> None:
    first, second = (b"".join(e.payload for e in Day(seed, 0.05, START_NS)) for seed in (1, 2))
    assert first != second


def test_everything_comes_in_order_of_time_and_within_the_day(played: Played) -> None:
    times = [emission.at_ns for emission in played.emissions]
    assert times == sorted(times)
    day = played.day
    assert day.start_ns <= times[0]
    assert times[-1] <= day.end_ns
    assert all(day.start_ns <= span.end_ns < day.end_ns for span in played.spans)
    for emission in played.emissions:
        if emission.channel.endswith("_traces"):
            assert max(span.end_ns for span in spans_of(emission.payload)) <= emission.at_ns


def test_payloads_hold_as_many_records_as_they_say(played: Played) -> None:
    assert {emission.channel for emission in played.emissions} == set(CHANNELS)
    for emission in played.emissions:
        assert records_of(emission) == emission.records
    assert sum(played.day.truth().records.values()) == sum(emission.records for emission in played.emissions)


def test_joined_requests_are_one_request(played: Played) -> None:
    traces = [emission for emission in played.emissions if emission.channel == "grpc_traces"][:50]
    assert len(spans_of(b"".join(t.payload for t in traces))) == sum(t.records for t in traces)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_every_story_happens_on_every_day(seed: int) -> None:
    truth = Day(seed, 0.1, START_NS).truth()
    assert {incident.id for incident in truth.incidents} == STORIES
    assert all(incident.records >= 10 for incident in truth.incidents)


def test_evidence_exists_and_lies_in_its_window(played: Played) -> None:
    spans = {(span.trace, span.span): span for span in played.spans}
    text = {f"file:{path}": "\n".join(lines) for path, lines in played.files.items()}
    text["bulk"] = "\n".join(document["body"] for document in played.documents)
    for incident in played.day.truth().incidents:
        start, end = window(incident)
        assert incident.records == len(incident.evidence)
        assert incident.services
        for evidence in incident.evidence:
            if evidence.marker:
                assert evidence.marker in text[evidence.channel]
            else:
                span = spans[evidence.trace_id, evidence.span_id]
                assert start <= span.start_ns <= end + 60 * 10**9, (incident.id, span)


def test_only_the_regressed_route_gets_slow(played: Played) -> None:
    start, end = window(played.day.truth().incident("support-latency"))
    for route, slower in (("support", True), ("people", False)):
        spans = [s for s in played.spans if s.name == "POST /answer" and s.attributes["app.route"] == route]
        inside = [s for s in spans if start <= s.start_ns < end and not s.failed]
        outside = [s for s in spans if not start <= s.start_ns < end and not s.failed]
        assert (p95(inside) >= 2 * p95(outside)) == slower
    versions = [e for e in played.emissions if b"2.9.0" in e.payload and e.channel == "grpc_traces"]
    assert all(start <= e.at_ns <= end + 60 * 10**9 for e in versions)


def test_the_provider_fails_only_during_its_burst(played: Played) -> None:
    start, end = window(played.day.truth().incident("provider-errors"))
    calls = [s for s in played.spans if s.name == "chat claude-sonnet-4-5"]
    inside = [s.failed for s in calls if start <= s.start_ns < end]
    outside = [s.failed for s in calls if not start <= s.start_ns < end]
    assert sum(inside) / len(inside) > 0.4
    assert sum(outside) / len(outside) < 0.05
    retried = [s for s in calls if s.failed and start <= s.start_ns < end]
    assert {s.attributes["http.response.status_code"] for s in retried} >= {429, 529}


def answer(span: Call) -> str:
    text: str = json.loads(span.attributes["gen_ai.output.messages"])[0]["parts"][0].get("content", "")
    return text


def chats(played: Played, route: str) -> dict[str, tuple[Call, str]]:
    """Return trace → (model call, retrieved text) of a route's answered questions."""
    roots = {s.trace for s in played.spans if s.name == "POST /answer" and s.attributes["app.route"] == route}
    found = {
        s.trace: " ".join(d["content"] for d in json.loads(s.attributes["gen_ai.retrieval.documents"]))
        for s in played.spans
        if s.name.startswith("retrieval ")
    }
    calls = [s for s in played.spans if s.name.startswith("chat ") and s.trace in roots and not s.failed]
    return {call.trace: (call, found[call.trace]) for call in calls}


def test_answers_drift_while_the_model_is_swapped(played: Played) -> None:
    incident = played.day.truth().incident("support-model-swap")
    start, end = window(incident)
    calls = [call for call, _ in chats(played, "support").values()]
    swapped = [c for c in calls if c.attributes["gen_ai.request.model"] == "mistral-small-latest"]
    before = [c for c in calls if c.start_ns < start]
    assert all(start <= c.start_ns < end for c in swapped)
    tokens = [median(c.attributes["gen_ai.usage.output_tokens"] for c in group) for group in (swapped, before)]
    assert tokens[0] > 2.5 * tokens[1]
    assert sum("##" in answer(c) for c in swapped) > 0.8 * len(swapped)
    assert not any("##" in answer(c) for c in before)


def supported(text: str, documents: str) -> float:
    """Return the share of the longer words and numbers of `text` that the documents hold."""
    words = re.findall(r"\d[\d.,]*\d|\d|\w{5,}", text.lower())
    known = set(re.findall(r"\d[\d.,]*\d|\d|\w{5,}", documents.lower()))
    return sum(word in known for word in words) / max(1, len(words))


def test_invented_answers_are_not_in_their_documents(played: Played) -> None:
    incident = played.day.truth().incident("people-hallucination")
    bad = set(incident.entities["trace"])
    scores: dict[bool, list[float]] = {True: [], False: []}
    for trace, (call, documents) in chats(played, "people").items():
        if len(answer(call)) > 60 and not re.search(
            r"doesn't (say|mention)|isn't covered|find that|don't say", answer(call)
        ):
            scores[trace in bad].append(supported(answer(call), documents))
    assert len(scores[True]) >= 10
    assert median(scores[True]) < 0.35 < 0.6 < median(scores[False])


def test_one_conversation_spends_far_more_than_the_others(played: Played) -> None:
    incident = played.day.truth().incident("agent-spend-loop")
    spent: dict[str, int] = {}
    for span in played.spans:
        if "gen_ai.usage.input_tokens" in span.attributes and "gen_ai.conversation.id" in span.attributes:
            name = span.attributes["gen_ai.conversation.id"]
            spent[name] = spent.get(name, 0) + span.attributes["gen_ai.usage.input_tokens"]
    most = max(spent, key=lambda name: spent[name])
    assert incident.entities["conversation"] == [most]
    assert spent[most] > 20 * sorted(spent.values())[-2]


def test_one_answer_obeys_the_planted_document(played: Played) -> None:
    incident = played.day.truth().incident("injection-document")
    host = incident.facts["host"]
    finders = {
        s.trace for s in played.spans if "community-tip-export" in s.attributes.get("gen_ai.retrieval.documents", "")
    }
    assert finders == set(incident.entities["trace"])
    assert len(finders) == incident.facts["retrieved"]
    sent = [s.trace for s in played.spans if host in s.attributes.get("gen_ai.output.messages", "")]
    assert sent == incident.entities["followed_in_trace"]


def test_attacks_leak_as_often_as_the_truth_says(played: Played) -> None:
    incident = played.day.truth().incident("injection-direct")
    leaks = {s.trace for s in played.spans if "MB-4417" in s.attributes.get("gen_ai.output.messages", "")}
    assert leaks == set(incident.entities["leaked_in_trace"])
    assert len(incident.entities["trace"]) == incident.facts["attempts"]
    assert len(incident.entities["technique"]) >= 8


def test_training_breaks_on_rank_two_after_the_memory_error(played: Played) -> None:
    lines = played.files["train/trainer-0.log"]
    first_nan = next(i for i, line in enumerate(lines) if "'loss': 'nan'" in line)
    guard = next(i for i, line in enumerate(lines) if line.split(" F ")[1].startswith("[rank2]: Traceback"))
    assert 0 < first_nan < guard
    assert sum("[rank" in line for line in lines) == sum("[rank2]" in line for line in lines)
    assert any("rank      : 2 (local_rank: 2)" in line for line in lines[guard:])
    assert sum("NVRM: Xid" in line for line in played.files["host/train-01.syslog"]) == 2
    broken = float(re.search(r"'loss': '([\d.]+)'", lines[first_nan - 1])[1])  # type: ignore[index]
    healthy = float(re.search(r"'loss': '([\d.]+)'", lines[first_nan // 2])[1])  # type: ignore[index]
    assert broken > 2 * healthy


def test_the_crash_loop_shows_in_kernel_and_server(played: Played) -> None:
    crashes = played.day.truth().incident("vllm-crash-loop").facts["crashes"]
    killed = sum("Killed process" in line for line in played.files["host/gpu-01.syslog"])
    died = sum("died unexpectedly" in line for line in played.files["vllm/vllm-json.log"])
    assert killed == died == crashes
    refused = [s for s in played.spans if s.attributes.get("error.type") == "openai.APIConnectionError"]
    assert len(refused) >= 20


def test_the_foreign_collection_is_refused_then_read(played: Played) -> None:
    lines = [json.loads(line) for line in played.files["weaviate/weaviate.log"]]
    mine = [line for line in lines if line.get("user") == "vintra-connector"]
    refused = [line["time"] for line in mine if line["msg"] == "authorization denied"]
    reads = [line["time"] for line in mine if "CorvaneContracts" in json.dumps(line.get("permissions"))]
    granted = [line["time"] for line in lines if line.get("user_to_assign_roles_to") == "vintra-connector"]
    facts = played.day.truth().incident("vector-cross-tenant").facts
    assert (len(refused), len(granted), len(reads)) == (facts["refused"], 1, facts["pages"])
    assert max(refused) < granted[0] < min(reads)
    others = {line["user"] for line in lines if line["msg"] == "authorization denied"}
    assert others - {"vintra-connector"} <= {"analyst"}


LINE = {
    "combined": r"[\d.]+ - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d \+0000\] "
    r'"[A-Z]+ \S+ HTTP/1\.1" \d{3} \d+ "[^"]*" "[^"]*"',
    "nginx_error": r"\d{4}/\d\d/\d\d \d\d:\d\d:\d\d \[error\] \d+#\d+: \*\d+ .+, client: [\d.]+, server: .+",
    "ollama": r'\[GIN\] \d{4}/\d\d/\d\d - \d\d:\d\d:\d\d \| \d{3} \| +[\d.]+(?:s|ms|µs) \| +[\d.]+ \| [A-Z]+ +"[^"]+"'
    r'|time=\S+Z level=INFO source=\w+\.go:\d+ msg=".+',
    "cri": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (?:stdout|stderr) F .*",
    "syslog": r"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d (?:gpu|train)-01 [\w-]+(?:\[\d+\])?: .+",
}
VLLM = re.compile(
    r"\(APIServer pid=1\) (?:(?:INFO|ERROR) \d\d-\d\d \d\d:\d\d:\d\d \[\w+\.py:\d+\] .*"
    r'|INFO:     (?:Application startup complete\.|[\d.]+:\d+ - "[A-Z]+ \S+ HTTP/1\.1" \d{3} OK))\n'
)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_every_line_has_the_format_of_its_kind(played: Played, file: Any) -> None:
    lines = played.files[file.path]
    assert lines
    for line in lines:
        if file.format == "docker":
            wrapped = json.loads(line)
            assert set(wrapped) == {"log", "stream", "time"}
            assert VLLM.fullmatch(wrapped["log"]), line
        elif file.format == "weaviate":
            record = json.loads(line)
            assert {"level", "msg", "time", "build_wv_version"} <= set(record), line
            assert list(record) == sorted(record)
            if record.get("action") == "authorize":
                assert {"component", "permissions", "rbac_log_version", "request_action", "source_ip", "user"} <= set(
                    record
                )
        else:
            assert re.fullmatch(LINE[file.format], line), line


def test_ids_lead_from_service_to_service(played: Played) -> None:
    gateway = {s.trace for s in played.spans if s.service == "chat-gateway"}
    rag = {s.trace for s in played.spans if s.service == "rag-service"}
    assert len(rag - gateway) <= 3  # those that end after the day
    spans = {s.span for s in played.spans}
    orphans = [s for s in played.spans if s.parent and s.parent not in spans]
    assert len(orphans) < 0.002 * len(spans)  # parents that end after the day
    logged = {d["traceId"] for d in played.documents if "traceId" in d}
    assert logged <= {s.trace for s in played.spans} | {s.trace for s in orphans}
    answered = set(re.findall(r"chatcmpl-[0-9a-f]+", "\n".join(played.files["vllm/vllm-json.log"])))
    known = {s.attributes.get("gen_ai.response.id") for s in played.spans if s.name == "chat Qwen/Qwen3-14B"}
    assert len(answered - known) <= 2  # the last ones end after the day
    assert len(answered) > 50


def test_texts_vary(played: Played) -> None:
    questions = [
        json.loads(s.attributes["gen_ai.input.messages"])[-1]["parts"][0]
        for s in played.spans
        if s.name.startswith("chat ")
    ]
    texts = [q["content"].rpartition("Question: ")[2] for q in questions if "content" in q]
    assert len(set(texts)) > 0.5 * len(texts)
    assert not any(re.search(r"\{[a-z_]+\}", text) for text in texts)
    assert sum(any(ord(letter) > 0x3000 for letter in text) for text in texts) > 3


def test_length_and_rate_scale_the_day() -> None:
    def requests(day: Day) -> int:
        return sum(e.payload.count(b'"POST /v1/') for e in day if e.channel == "file:nginx/access.log")

    short, long_, busy = (
        requests(Day(5, 0.1, START_NS)),
        requests(Day(5, 0.3, START_NS)),
        requests(Day(5, 0.1, START_NS, rate=4)),
    )
    scripted = 60 + 16 + 20 + 12 + 20 + 12 + 36 + 9
    assert 2.2 < (long_ - scripted) / (short - scripted) < 3.8
    assert 2.8 < (busy - scripted) / (short - scripted) < 5.2


def test_earlier_days_are_quiet() -> None:
    played = play_through(Day(7, 2.0, START_NS, rate=0.1))
    last = played.day.end_ns - 24 * 3600 * 10**9
    for incident in played.day.truth().incidents:
        assert window(incident)[0] >= last
    trainer = "\n".join(played.files["train/trainer-0.log"])
    assert trainer.count("***** Running training *****") == 2
    assert trainer.count("Training completed.") == 1
    assert trainer.index("Training completed.") < trainer.index("'nan'")


def test_only_the_stories_that_are_asked_for_happen() -> None:
    signs = (b"oom-kill", b"NVRM: Xid", b"'loss': 'nan'", b"OverloadedError", b"status-badge", b"assign_roles")
    for stories in ([], [Story.TRAINING]):
        day = Day(3, 0.05, START_NS, stories=stories)
        content = b"".join(emission.payload for emission in day)
        assert [incident.id for incident in day.truth().incidents] == stories
        assert [sign for sign in signs if sign in content] == [*signs[1:3]] * bool(stories)


def test_a_day_without_times_ends_at_the_last_full_minute() -> None:
    day = Day()
    assert day.end_ns % 60_000_000_000 == 0
    assert day.end_ns - day.start_ns == 24 * 3600 * 10**9
    assert day.following().start_ns == day.end_ns


@pytest.mark.parametrize("arguments", [{"days": 0.01}, {"days": 0.1, "rate": 0.0}, {"start_ns": 5, "end_ns": 4}])
def test_impossible_days_are_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        Day(7, **arguments)


def test_written_day_can_be_read_back(tmp_path: Any) -> None:
    day = Day(7, 0.05, START_NS)
    write(day, tmp_path)
    truth = msgspec.json.decode((tmp_path / "truth.json").read_bytes(), type=Truth)
    assert truth == day.truth()
    spans = [s for file in tmp_path.glob("otlp/*traces*.otlp.pb") for s in spans_of(file.read_bytes())]
    assert len(spans) == truth.records["otlp_traces"] + truth.records["grpc_traces"]
    for file in FILES:
        lines = (tmp_path / "logs" / file.path).read_bytes().count(b"\n")
        assert lines == truth.records[f"file:{file.path}"]

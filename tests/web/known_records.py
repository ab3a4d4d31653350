"""The records that the browser tests look at: fifty minutes of logs of a small AI platform, and one trace."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
BIG = 9_223_372_036_854_775_807
HOSTILE = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>"
COUNT = 1500
HOSTILE_AT, LONG_AT, FAILED_AT = 3, 6, 5
_MESSAGES = [
    ("gateway", "INFO", "POST /v1/chat/completions 200 in {n} ms"),
    ("rag", "INFO", "retrieved 8 documents from handbook in {n} ms"),
    ("vllm-a", "INFO", "Avg prompt throughput: {n}.3 tokens/s, Running: 12 reqs, GPU KV cache usage: 41.2%"),
    ("weaviate", "DEBUG", "vector search class=Handbook limit=8 took={n}ms"),
    ("gateway", "WARN", "upstream vllm-a slow: first token after {n} ms"),
    ("rag", "ERROR", "provider answered 529 overloaded_error after {n} ms, giving up after 3 tries"),
]


def instant(at: datetime) -> str:
    """Return `at` with nine digits of a second."""
    return at.strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"


def logs(now: datetime) -> list[dict[str, Any]]:
    """Return the log records, newest first; that of index 3 is hostile, of 5 an error, of 6 forty thousand long."""
    return [_log(index, now - timedelta(seconds=2 * index + 2)) for index in range(COUNT)]


def _log(index: int, at: datetime) -> dict[str, Any]:
    service, level, text = _MESSAGES[index % 5 if index % 30 != FAILED_AT else 5]
    record: dict[str, Any] = {
        "@timestamp": instant(at),
        "severityText": level,
        "serviceName": service,
        "body": text.format(n=(index * 37) % 900),
        "attributes": {
            "http.response.status_code": 200 if level != "ERROR" else 529,
            "tenant.id": f"tenant-{index % 4}",
        },
        "resource": {"attributes": {"service.name": service, "host.name": f"node-{index % 3}"}},
        "instrumentationScope": {"name": "app"},
    }
    if service == "gateway":
        record |= {"traceId": TRACE if index < 20 else f"{index:032x}", "spanId": f"{1:016x}"}
        record["attributes"]["gen_ai.request.model"] = ["claude-sonnet-4-5", "gpt-5-mini"][index % 2]
    if index == HOSTILE_AT:
        record["body"] = HOSTILE
        record["attributes"]["sequence"] = BIG
    if index == LONG_AT:
        record["body"] = 'Traceback (most recent call last):\n  File "app.py", line 3\n' + "x" * 40_000
    return record


def spans(now: datetime) -> list[dict[str, Any]]:
    """Return one request: gateway, agent, retrieval, a tool and two model calls of which the second fails."""
    asked = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "How many days of leave do I have?"}]}])
    said = json.dumps(
        [{"role": "assistant", "parts": [{"type": "text", "content": "You have 25 days of paid leave."}]}]
    )
    chat = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "claude-sonnet-4-5"}
    first = {"gen_ai.usage.input_tokens": 3120, "gen_ai.usage.output_tokens": 214}
    second = {"gen_ai.usage.input_tokens": 3402, "gen_ai.usage.output_tokens": 0, "error.type": "OverloadedError"}
    embed = {"gen_ai.operation.name": "embeddings", "gen_ai.request.model": "bge-m3", "gen_ai.usage.input_tokens": 14}
    rows: list[tuple[int, str, str, int, int, dict[str, Any]]] = [
        (0, "POST /v1/chat/completions", "gateway", 0, 4210, {"http.route": "/v1/chat/completions"}),
        (1, "invoke_agent handbook", "rag", 40, 4100, {"gen_ai.operation.name": "invoke_agent"}),
        (2, "embeddings", "rag", 60, 35, embed),
        (2, "vector search Handbook", "weaviate", 100, 48, {"db.system.name": "weaviate"}),
        (2, "chat claude-sonnet-4-5", "rag", 160, 1980,
         chat | first | {"gen_ai.input.messages": asked, "gen_ai.output.messages": said}),
        (2, "execute_tool leave_balance", "rag", 2160, 130, {"gen_ai.operation.name": "execute_tool"}),
        (2, "chat claude-sonnet-4-5", "rag", 2300, 1810, chat | second),
    ]  # fmt: skip
    start = now - timedelta(seconds=30)
    return [_span(number, start, *row) for number, row in enumerate(rows, 1)]


def _span(
    number: int,
    zero: datetime,
    parent: int,
    name: str,
    service: str,
    offset_ms: int,
    ms: int,
    attributes: dict[str, Any],
) -> dict[str, Any]:
    start, end = (zero + timedelta(milliseconds=offset_ms + extra) for extra in (0, ms))
    failed = "error.type" in attributes
    trouble = {"exception.type": "OverloadedError", "exception.stacktrace": "Traceback (most recent call last):\n  ..."}
    return {
        "@timestamp": instant(end),
        "startTime": instant(start),
        "endTime": instant(end),
        "durationInNanos": ms * 1_000_000,
        "traceId": TRACE,
        "spanId": f"{number:016x}",
        "parentSpanId": f"{parent:016x}" if parent else "",
        "name": name,
        "kind": "SPAN_KIND_CLIENT" if parent else "SPAN_KIND_SERVER",
        "serviceName": service,
        "status": {"code": 2 if failed else 1},
        "attributes": attributes,
        "events": [{"name": "exception", "time": instant(end), "attributes": trouble}] if failed else [],
    }

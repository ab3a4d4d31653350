"""Feeds detectors without a server: records as batches, findings folded as the ledger does it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import msgspec

from treering.model.batch import batch
from treering.model.finding import Finding, merged
from treering.model.rows import Rows

START_NS = 1_795_456_800_000_000_000


def built(module: ModuleType, **settings: Any) -> Any:
    return module.build(module.Config(**settings))


def fold(findings: Iterable[Finding]) -> list[Finding]:
    known: dict[str, Finding] = {}
    for finding in findings:
        name = finding.fingerprint
        known[name] = merged(known[name], finding) if name in known else finding
    return list(known.values())


def feed(detector: Any, records: Sequence[Mapping[str, Any]], stream: str = "spans", size: int = 0) -> list[Finding]:
    """Return what is found, folded; records come in batches of `size` (0: all at once)."""
    found: list[Finding] = []
    for start in range(0, len(records), size or len(records) or 1):
        part = records[start : start + (size or len(records))]
        found += detector.observe(Rows(batch(stream, part, received_ns=START_NS), start))
    return fold(found)


def said(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def call(question: str = "", answer: str = "", **more: Any) -> dict[str, Any]:
    """Return the span of a chat call; names in `more` are attributes, `second` is when it happened."""
    second, system, messages = more.pop("second", 0), more.pop("system", ""), more.pop("messages", None)
    attributes: dict[str, Any] = {"gen_ai.operation.name": "chat", "user.id": more.pop("user", "u-1"), **more}
    if question or messages:
        attributes["gen_ai.input.messages"] = encode(messages or [said("user", question)])
    if answer:
        attributes["gen_ai.output.messages"] = encode([said("assistant", answer)])
    if system:
        attributes["gen_ai.system_instructions"] = encode([{"type": "text", "content": system}])
    return {
        "@timestamp": START_NS + int(second * 1e9),
        "serviceName": "assistant",
        "traceId": f"{int(second):032x}",
        "spanId": "00f067aa0ba902b7",
        "attributes": attributes,
    }


def encode(value: Any) -> str:
    return msgspec.json.encode(value).decode()

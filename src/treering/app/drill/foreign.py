"""Attacks in the reports of other tools: garak's (`*.report.jsonl`, `*.hitlog.jsonl`) and PyRIT's memory.

Only what was said is taken, as text: garak's attempts and hits with prompt and outputs (reference.garak.ai, chapter
"Reporting"; as versions 0.9 to 0.16 write them), PyRIT's pieces of conversations as its memory exports them to JSON, or
in its SQLite file (table PromptMemoryEntries; 0.5 to 0.16, whose names stayed).
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Any

import msgspec

from treering.app.drill import corpus
from treering.app.drill.corpus import Technique
from treering.app.drill.spoken import MOST_TEXT, Spoken
from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

_MOST_BYTES = 512 << 20
_COLUMNS = (
    "role", "conversation_id", "sequence", "converted_value", "converted_value_data_type", "original_value",
    "original_value_data_type",
)  # fmt: skip
_TEXTS = (None, "text", "url")
_NOT_SENT = ("scorer", "converter")
"""Who asks a model of its own, not the target."""
_EXPECTED = ("prompts", "rules", "secrets", "canaries", "taint", "active_output", "context_leaks")
_FAMILIES = {
    "promptinject": "direct_injection", "latentinjection": "indirect_injection", "dan": "jailbreak",
    "dra": "jailbreak", "goat": "jailbreak", "fitd": "jailbreak", "sata": "jailbreak",
    "adaptive_attacks": "jailbreak", "visual_jailbreak": "jailbreak", "agent_breaker": "tool_misuse",
    "grandma": "jailbreak", "goodside": "direct_injection", "tap": "jailbreak", "suffix": "jailbreak",
    "phrasing": "jailbreak", "encoding": "obfuscation", "smuggling": "obfuscation", "badchars": "obfuscation",
    "ansiescape": "obfuscation", "sysprompt_extraction": "prompt_extraction", "web_injection": "exfiltration",
    "xss": "exfiltration", "apikey": "secrets_leak",
}  # fmt: skip
"""garak's families of probes → our techniques; others keep their name."""


def read(path: Path) -> list[Technique]:
    """Return the attacks in a file by technique: a corpus of ours (TOML), a report of garak's, PyRIT's memory.

    Raises `UserError` for a file that is none of these, or holds no attack.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path} is larger than {_MOST_BYTES >> 20} MB")
        with path.open("rb") as file:
            head = file.read(16)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    if path.suffix == ".toml":
        return [corpus.read(path)]
    said = _sqlite(path) if head.startswith(b"SQLite format 3") else _documents(path)
    found: dict[str, list[Spoken]] = {}
    for number, (name, spoken) in enumerate(said):
        if number >= corpus.MOST_CASES:
            break
        found.setdefault(name, []).append(spoken)
    if not found:
        raise UserError(
            f"{path} holds no attack that can be read", hint="a corpus in TOML, garak's report, PyRIT's memory"
        )
    return [
        Technique(name=name, title=f"{name}, from {path.name}", detectors=_EXPECTED, cases=tuple(cases))
        for name, cases in found.items()
    ]


def _documents(path: Path) -> Iterator[tuple[str, Spoken]]:
    raw = path.read_bytes()
    try:
        whole = msgspec.json.decode(raw)
        rows: Iterable[Any] = whole if isinstance(whole, list) else [whole]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        rows = _lines(raw)
    pieces: list[dict[str, Any]] = []
    for row in rows:
        if not isinstance(row, dict):
            continue
        if "conversation_id" in row and ("converted_value" in row or "original_value" in row):
            pieces.append(row)
        elif (said := _garak(row)) is not None:
            yield said
    yield from _pyrit(pieces)


def _lines(raw: bytes) -> Iterator[Any]:
    for line in raw.splitlines():
        # Python's own writer gives NaN for a score that is none.
        for decode in (msgspec.json.decode, json.loads):
            try:
                yield decode(line)
                break
            except (ValueError, RecursionError):
                continue  # a report that was cut short still has its other lines


def _garak(row: dict[str, Any]) -> tuple[str, Spoken] | None:
    """Read an attempt that has its outputs (status 2), or one without a status, or a hit."""
    probe = row.get("probe_classname", row.get("probe"))
    if not isinstance(probe, str) or row.get("entry_type", "attempt") != "attempt" or row.get("status", 2) != 2:
        return None
    asked = _said(row.get("prompt"))
    outputs = row.get("outputs", [row.get("output")])
    answer = next((text for item in (outputs if isinstance(outputs, list) else []) if (text := _said(item))), "")
    if not asked:
        return None
    family = probe.removeprefix("probes.").partition(".")[0]
    return _FAMILIES.get(family, family[:60]), Spoken(user=asked, answer=answer)


def _said(value: Any, depth: int = 0) -> str:
    """Return the text of a prompt or an answer: a text, a message, or the last turn of a conversation."""
    if isinstance(value, str):
        return value[:MOST_TEXT]
    if not isinstance(value, dict) or depth > 4:
        return ""
    turns = value.get("turns")
    if isinstance(turns, list) and turns:
        return _said(turns[-1], depth + 1)
    return _said(value.get("text", value.get("content")), depth + 1)


def _sqlite(path: Path) -> Iterator[tuple[str, Spoken]]:
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            held = {str(row[1]) for row in database.execute("PRAGMA table_info(PromptMemoryEntries)")}
            columns = ", ".join(name if name in held else f"NULL AS {name}" for name in _COLUMNS)
            query = f"SELECT {columns} FROM PromptMemoryEntries LIMIT 100000"  # noqa: S608  names of ours only
            rows = database.execute(query).fetchall()
    except sqlite3.Error as error:
        raise UserError(f"{path} is no memory of PyRIT: {error}") from error
    yield from _pyrit([dict(zip(_COLUMNS, row, strict=True)) for row in rows])


def _pyrit(pieces: list[dict[str, Any]]) -> Iterator[tuple[str, Spoken]]:
    """Pair each message that was sent with the answer to it; both may be of several pieces, of which texts count."""
    conversations: dict[str, dict[int, list[dict[str, Any]]]] = {}
    for piece in pieces:
        turns = conversations.setdefault(str(piece.get("conversation_id")), {})
        number = piece.get("sequence")
        # Pieces that were never in the memory all have -1: each is a message of its own.
        turn = number if isinstance(number, int) and number >= 0 else len(turns)
        turns.setdefault(turn, []).append(piece)
    for turns in conversations.values():
        messages = [turns[number] for number in sorted(turns)]
        for sent, after in zip(messages, [*messages[1:], []], strict=True):
            if sent[0].get("role") != "user" or sent[0].get("originator") in _NOT_SENT:
                continue
            if asked := _pieces(sent):
                yield "pyrit", Spoken(user=asked, answer=_pieces([p for p in after if p.get("role") == "assistant"]))


def _pieces(pieces: list[dict[str, Any]]) -> str:
    """Return the texts of a message as they were sent; paths of images and errors are none."""
    said = []
    for piece in pieces:
        for name in ("converted_value", "original_value"):
            if (text := _said(piece.get(name))) and piece.get(f"{name}_data_type") in _TEXTS:
                said.append(text)
                break
    return "\n".join(said)[:MOST_TEXT]

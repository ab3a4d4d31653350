"""Canaries: kept as hashes, found in every spelling, silent where they were planted or retired."""

from __future__ import annotations

import base64
import codecs
import contextlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.app.canaries import FILE, Canaries
from treering.core.errors import UserError
from treering.detect import canaries
from treering.testing.detector_contract import detector, rows

AT = 1_795_000_000_000_000_000
LETTERS = "abcdefghijklmnopqrstuvwxyz"
SPELLINGS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "capitals": str.upper,
    "base64": lambda token: base64.b64encode(f"x{token}".encode()).decode(),
    "base64, other offset": lambda token: base64.b64encode(f"ab{token} and more".encode()).decode(),
    "hexadecimal": lambda token: token.encode().hex(),
    "rot13": lambda token: codecs.encode(token, "rot13"),
    "backwards": lambda token: token[::-1],
    "base64 twice": lambda token: base64.b64encode(base64.b64encode(f"x{token}".encode())).decode(),
    "base64 backwards": lambda token: base64.b64encode(token.encode()).decode()[::-1],
    "base64 of it backwards": lambda token: base64.b64encode(token[::-1].encode()).decode(),
    "base64 in an address": lambda token: f"https://x.example/{base64.b64encode(token.encode()).decode()}.png",
    "base32": lambda token: base64.b32encode(token.encode()).decode(),
    "hexadecimal with gaps": lambda token: token.encode().hex(" "),
    "escapes": lambda token: "".join(f"\\x{byte:02x}" for byte in token.encode()),
    "percent": lambda token: "".join(f"%{byte:02x}" for byte in token.encode()),
    "numbers": lambda token: ", ".join(str(byte) for byte in token.encode()),
    "bits": lambda token: " ".join(f"{byte:08b}" for byte in token.encode()),
    "shifted by three": lambda token: token.translate(str.maketrans(LETTERS, LETTERS[3:] + LETTERS[:3])),
    "a letter a line": "\n".join,
    "a list of letters": lambda token: str(list(token)),
    "groups of four": lambda token: " ".join(token[at : at + 4] for at in range(0, 26, 4)),
    "bold letters": lambda token: "".join(f"**{letter}**" for letter in token),
    "markup": lambda token: f"<b>{token[:9]}</b><i>{token[9:]}</i>",
    "labels of a host": lambda token: f"{token[:13]}.{token[13:]}.x.example",
    "spaced": " ".join,
    "dashes": "-".join,
    "zero width": "\u200b".join,
    "full width": lambda token: "".join(chr(ord(letter) + 0xFEE0) for letter in token),
    "in an address": lambda token: f"![i](https://x.example/{token}.png)",
}


def chat(field: str, text: str, role: str = "assistant", user: str = "u-1", at: int = AT) -> dict[str, Any]:
    said = msgspec.json.encode([{"role": role, "parts": [{"type": "text", "content": text}]}]).decode()
    attributes = {"gen_ai.operation.name": "chat", "user.id": user, f"gen_ai.{field}": said}
    return {"@timestamp": at, "serviceName": "shop", "traceId": "a" * 32, "attributes": attributes}


def found(book: Path, *records: dict[str, Any], stream: str = "spans") -> list[tuple[str, dict[str, Any]]]:
    watching = detector(canaries, {"file": str(book / FILE)})
    return [(finding.rule, finding.facts) for finding in watching.observe(rows(stream, records))]


@pytest.mark.parametrize("how", SPELLINGS)
def test_an_answer_that_repeats_it_in_any_spelling(tmp_path: Path, how: str) -> None:
    token = Canaries(tmp_path).new("wiki").text
    text = f"Here you are: {SPELLINGS[how](token)} Anything else?"
    ((rule, facts),) = found(tmp_path, chat("output.messages", text))
    assert rule == "answer"
    assert facts["label"] == "wiki"


def test_a_part_is_told_from_eighteen_letters_on(tmp_path: Path) -> None:
    token = Canaries(tmp_path).new("wiki").text
    ((_, facts),) = found(tmp_path, chat("output.messages", f"It begins with {token[:20]} …"))
    assert facts["partial"] is True
    assert not found(tmp_path, chat("output.messages", f"It begins with {token[:17]} …"))


def test_a_book_of_an_older_version_is_read(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / FILE)) as book, book:
        book.execute("CREATE TABLE settings (prefix TEXT NOT NULL)")
        columns = "id TEXT PRIMARY KEY, sha256 TEXT, label TEXT, kind TEXT, created_ns INTEGER, retired_ns INTEGER"
        book.execute(f"CREATE TABLE canaries ({columns})")
    token = Canaries(tmp_path).new("later").text
    assert [rule for rule, _ in found(tmp_path, chat("output.messages", token))] == ["answer"]


def test_where_it_was_planted_it_is_silent(tmp_path: Path) -> None:
    book = Canaries(tmp_path)
    token, document = book.new("prompt").text, book.new("salaries", "document").text
    held = msgspec.json.encode([{"id": "d", "content": f"x {token}"}]).decode()
    planted = msgspec.json.encode([{"id": "d", "content": f"x {document}"}]).decode()
    assert not found(tmp_path, chat("system_instructions", token), chat("input.messages", token, "system"))
    assert not found(tmp_path, chat("retrieval.documents", "") | {"attributes": {"gen_ai.retrieval.documents": held}})
    asked = {"@timestamp": AT, "attributes": {"gen_ai.retrieval.documents": planted, "user.id": "u-9"}}
    assert [rule for rule, _ in found(tmp_path, asked)] == ["retrieved"]


def test_places(tmp_path: Path) -> None:
    token = Canaries(tmp_path).new("p").text
    call = {
        "@timestamp": AT,
        "attributes": {"gen_ai.tool.name": "send", "gen_ai.tool.call.arguments": f'{{"to":"{token}"}}'},
    }
    assert [rule for rule, _ in found(tmp_path, call)] == ["tool_call"]
    assert [rule for rule, _ in found(tmp_path, chat("input.messages", token, "user"))] == ["prompt"]
    opened = {"@timestamp": AT, "attributes": {"url.full": f"https://x.example/{token}"}}
    assert [rule for rule, _ in found(tmp_path, opened)] == ["address"]
    line = {"@timestamp": AT, "body": f"mail to {token}@example.org"}
    assert [rule for rule, _ in found(tmp_path, line, stream="logs")] == ["log"]


def test_who_saw_it_first_is_told_to_the_others(tmp_path: Path) -> None:
    token = Canaries(tmp_path).new("p").text
    watching = detector(canaries, {"file": str(tmp_path / FILE)})
    first = watching.observe(rows("spans", [chat("output.messages", token, user="u-1")]))
    heir = detector(canaries, {"file": str(tmp_path / FILE)})
    heir.restore(watching.save())
    second = heir.observe(rows("spans", [chat("output.messages", token, user="u-2", at=AT + 10**9)], 1))
    assert (first[0].facts["first_seen_by"], second[0].facts["first_seen_by"]) == ("u-1", "u-1")
    assert second[0].facts["first_seen_ns"] == AT
    assert first[0].key != second[0].key


def test_new_and_retired_ones_are_heeded_while_it_runs(tmp_path: Path) -> None:
    watching = detector(canaries, {"file": str(tmp_path / FILE)})
    assert not watching.observe(rows("spans", [chat("output.messages", "nothing")]))
    book = Canaries(tmp_path)
    made = book.new("later")
    assert watching.observe(rows("spans", [chat("output.messages", made.text)], 1))
    book.retire(made.id)
    assert not watching.observe(rows("spans", [chat("output.messages", made.text)], 2))
    assert [item.retired_ns is None for item in book.all()] == [False]
    with pytest.raises(UserError):
        book.retire("none")


def test_two_processes_share_prefix_and_file(tmp_path: Path) -> None:
    one, other = Canaries(tmp_path), Canaries(tmp_path)
    made = [one.new("a").text, other.new("b", "email", "example.org").text]
    assert one.prefix == other.prefix
    assert made[0] != made[1]
    assert {item.label for item in one.all()} == {"a", "b"}
    assert all(token not in (tmp_path / FILE).read_bytes().decode("latin-1") for token in made)


@given(st.text(max_size=300))
def test_other_texts_are_never_canaries(text: str) -> None:
    known = {"prefix": "qzexam", "known": [{"sha256": "0" * 64}]}
    watching = detector(canaries, known)
    assert not watching.observe(rows("spans", [chat("output.messages", text + "qzexam" + text)]))

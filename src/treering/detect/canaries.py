"""Canaries that come to light: planted tokens in answers, arguments of tools, addresses, log lines, people's prompts.

`treering canary new` makes a token that nobody can guess. Where it shows up, what it was planted in has been read and
passed on. In the instructions or documents in which it was planted it is no finding, except for kind `document`: that
one tells whoever retrieves it. Three passes over the columns of a batch look for six letters of this installation in
what base64, base32, numbers of characters, shifted letters, writing backwards and gaps make of them (Aho and Corasick
1975); only where they meet something is the text undone (`_planted`) and the SHA-256 of what then stands there, or of
its first 18 letters, looked up. Without a planted canary nothing is looked at.

Misses: canaries that were paraphrased, cut down to less than 18 letters, numbered letter by letter, encrypted,
compressed or split over several messages.
"""

from __future__ import annotations

import base64
import hashlib
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._as_read import AsRead
from treering.detect._fold import folded
from treering.detect._planted import HEAD, Search
from treering.detect._texts import ASSISTANT, DOCUMENT, SYSTEM, TOOL, USER, is_sent, only, sources, texts
from treering.detect._whom import Whom, proof
from treering.model.finding import Entity, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.rows import Rows

NAME = "canaries"
ORDER_FREE = False
"""Who saw a canary first depends on what came first."""
_SHORTEST = HEAD
_PLANTED = "SELECT sha256, label, kind, head FROM canaries WHERE retired_ns IS NULL"
_BREAK = "\0"
_MOST_SEEN = 4096
_MOST_FOUND = 64
_LOG = "log"
_ADDRESSES = (
    *("attributes.url.full", "attributes.http.url", "attributes.url.path", "attributes.http.target"),
    *("attributes.server.address", "attributes.dns.question.name", "attributes.http.request.header.referer"),
)
_TECHNIQUES = ("owasp-llm@2026:LLM08", "owasp-llm@2026:LLM02", "mitre-atlas@2026.09:AML.T0057")
_SAID = {
    ASSISTANT: ("answer", "an answer repeats the canary", Severity.CRITICAL, "AML.TA0010"),
    USER: ("prompt", "somebody who cannot know it writes the canary", Severity.HIGH, "AML.TA0009"),
    TOOL: ("tool_result", "a tool returns the canary", Severity.HIGH, "AML.TA0009"),
    DOCUMENT: ("retrieved", "a document with the canary is retrieved", Severity.MEDIUM, "AML.TA0009"),
    _LOG: ("log", "a log holds the canary", Severity.HIGH, "AML.TA0010"),
    "arguments": ("tool_call", "the canary is passed to a tool", Severity.CRITICAL, "AML.TA0010"),
    "address": ("address", "the canary's address is opened", Severity.HIGH, "AML.TA0010"),
}
"""Where it was met → rule, title, severity, tactic."""


class Known(BaseConfig, frozen=True):
    """A canary that is given by configuration rather than by file."""

    sha256: Annotated[str, Meta(description="SHA-256 of the token, hexadecimal")]
    label: Annotated[str, Meta(description="where it was planted")] = ""
    head: Annotated[str, Meta(description="SHA-256 of its first 18 letters, by which parts are found")] = ""
    kind: Annotated[str, Meta(description="`token`, `document`, `url` or `email`")] = "token"


class Config(BaseConfig, frozen=True):
    """Which canaries are planted."""

    file: Annotated[str, Meta(description="file of `treering canary`; that of the data directory unless named")] = ""
    prefix: Annotated[str, Meta(description="letters with which those in `known` begin")] = ""
    known: Annotated[tuple[Known, ...], Meta(description="further canaries, by hash")] = ()


class _Seen(msgspec.Struct):
    """Who met a canary first, and when."""

    by: str
    at_ns: int


class _State(msgspec.Struct):
    seen: dict[str, _Seen] = {}


class _Met(NamedTuple):
    row: int
    where: str
    field: str
    text: str
    known: Known
    span: tuple[int, int]
    hidden: str
    partial: bool


class _Search(Search):
    def __init__(self, prefix: str, known: Sequence[Known]) -> None:
        self.known = {item.sha256.lower(): item for item in known}
        heads = {item.head.lower(): name for name, item in self.known.items() if item.head}
        super().__init__(prefix, heads | {name: name for name in self.known})


class Canaries(AsRead[_State]):
    """Reads what comes out of models, tools and services."""

    streams = frozenset({"spans", "logs"})

    def __init__(self, config: Config) -> None:
        """Look at the file with the first batch, and again whenever it has changed."""
        self._config = config
        self._stamp: tuple[int, int] | None = None
        self._searches: list[_Search] = [_Search(config.prefix, config.known)] if config.known and config.prefix else []
        self._fixed = len(self._searches)
        self._state = _State()

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return a finding for each canary met."""
        self._look()
        if not any(search.known for search in self._searches):
            return ()
        whom = Whom(rows)
        return folded(self._finding(rows, whom, met) for met in self._met(rows))

    def _look(self) -> None:
        """Read the planted canaries where the file is another one than before; one that is not there holds none."""
        if not self._config.file:
            return
        try:
            about = Path(self._config.file).stat()
        except OSError:
            return
        stamp = about.st_mtime_ns, about.st_size
        if stamp == self._stamp:
            return
        try:
            database = sqlite3.connect(f"file:{self._config.file}?mode=ro", uri=True, timeout=1.0)
            try:
                prefix = database.execute("SELECT prefix FROM settings").fetchone()
                rows = database.execute(_PLANTED).fetchall()
            finally:
                database.close()
        except sqlite3.Error:
            return  # it is being written: the next batch looks again
        self._stamp = stamp
        held = [Known(sha256=digest, label=label, kind=kind, head=head) for digest, label, kind, head in rows]
        self._searches[self._fixed :] = [_Search(str(prefix[0]), held)] if prefix and held else []

    def _met(self, rows: Rows) -> Iterator[_Met]:
        for row, where, field, text in _places(rows, self._searches):
            for search in self._searches:
                for number, token in enumerate(search.tokens(text)):
                    item = search.known[token.name]
                    if where != DOCUMENT or item.kind == DOCUMENT:
                        yield _Met(row, where, field, text, item, token.span, token.hidden, token.partial)
                    if number >= _MOST_FOUND:
                        break

    def _finding(self, rows: Rows, whom: Whom, met: _Met) -> Finding:
        rule, said, severity, tactic = _SAID[met.where]
        at_ns, who = int(rows.times[met.row]), whom.actor(met.row)
        seen = self._first(met.known.sha256, who, at_ns)
        facts = {
            "label": met.known.label,
            "kind": met.known.kind,
            "first_seen_by": seen.by,
            "first_seen_ns": seen.at_ns,
        }
        facts |= {"hidden_by": met.hidden} if met.hidden else {}
        facts |= {"partial": True} if met.partial else {}
        shown = proof(rows, met.row, met.field, met.text, (met.span,))
        label = met.known.label or met.known.sha256[:8]
        key = (met.known.sha256[:16], who)
        entities = (Entity("canary", label), *whom.entities(met.row))
        return Finding(
            NAME, rule, f"{said} {label}", severity, key, at_ns, at_ns, at_ns, 1.0, entities, (shown,), _TECHNIQUES,
            tactic, facts,
        )  # fmt: skip

    def _first(self, name: str, who: str, at_ns: int) -> _Seen:
        known = self._state.seen
        held = known.get(name)
        if held is None or at_ns < held.at_ns:
            held = known[name] = _Seen(who, at_ns)
            if len(known) > _MOST_SEEN:
                del known[next(iter(known))]
        return held


def _places(rows: Rows, searches: Sequence[_Search]) -> Iterator[tuple[int, str, str, str]]:
    """Yield record, where, field and text of what may hold a canary that has no business there."""
    for source in sources(rows):
        if source.role == SYSTEM:
            continue
        held = _candidates(rows.values(source.column), searches)
        for text in texts(rows, only(source, held)) if held else ():
            # What a model said before is in its input again; what it passes to a tool is on its way out.
            said_before = text.role == ASSISTANT and "output" not in text.field
            where = text.role if not said_before else "arguments" if "tool.call.arguments" in text.field else ""
            if where and where != SYSTEM:
                yield text.row, where, text.field, text.text
    for name in rows.names:
        if name in _ADDRESSES or is_sent(name):
            values = rows.texts(name)
            for row in _candidates(values, searches):
                yield row, "address" if name in _ADDRESSES else _LOG, name, str(values[row])


def _candidates(values: Sequence[Any], searches: Sequence[_Search]) -> list[int]:
    """Return which values of a column may hold the beginning of a canary: one search over all, then over each."""
    whole = _BREAK.join(value for value in values if isinstance(value, str))
    if all(isinstance(value, str) or value is None for value in values) and not _suspicious(whole, searches):
        return []
    texts_of = [value if isinstance(value, str) else str(value) if value else "" for value in values]
    return [row for row, text in enumerate(texts_of) if len(text) >= _SHORTEST and _suspicious(text, searches)]


def _suspicious(text: str, searches: Sequence[_Search]) -> bool:
    """Whether a canary may begin in `text`, which may be JSON: escapes of its could hide what they split."""
    return "\\u" in text or any(search.may_be_in(text) for search in searches)


def build(config: Config) -> Canaries:
    """Return the detector."""
    return Canaries(config)


_TOKEN = "qzexam" + "ple2345abcdefgh234567"[:20]
_KNOWN = {
    "prefix": "qzexam",
    "known": [{"sha256": hashlib.sha256(_TOKEN.encode()).hexdigest(), "label": "system prompt of the shop"}],
}


def _call(field: str, text: str) -> dict[str, object]:
    role = "assistant" if "output" in field else "user"
    said = [{"role": role, "parts": [{"type": "text", "content": text}]}]
    attributes = {"gen_ai.operation.name": "chat", "user.id": "u-1", field: msgspec.json.encode(said).decode()}
    return {"@timestamp": 1_795_000_000_000_000_000, "serviceName": "shop", "attributes": attributes}


_OUT = "gen_ai.output.messages"
EXAMPLES = (
    Example("an answer repeats it", "spans", [_call(_OUT, f"It says {_TOKEN}.")], ["answer"], 0, _KNOWN),
    Example(
        "in base64",
        "spans",
        [_call(_OUT, base64.b64encode(f"hidden: {_TOKEN}".encode()).decode())],
        ["answer"],
        0,
        _KNOWN,
    ),
    Example("spaced", "spans", [_call(_OUT, "Here: " + " ".join(_TOKEN))], ["answer"], 0, _KNOWN),
    Example(
        "in a log line",
        "logs",
        [{"@timestamp": 1_795_000_000_000_000_000, "serviceName": "web", "body": f"GET /x?ref={_TOKEN} 200"}],
        ["log"],
        0,
        _KNOWN,
    ),
    Example("another token with the same beginning", "spans", [_call(_OUT, f"qzexam{'b' * 20}")], (), 0, _KNOWN),
    Example("no canary is planted", "spans", [_call(_OUT, f"It says {_TOKEN}.")]),
)

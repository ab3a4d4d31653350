"""Arguments of tools that carry data out: in the address of a link, encoded, or to somewhere an agent never sent to.

Each agent's destinations (hosts, mail domains) are remembered. An address with a person's e-mail address, a name of the
record or an encoded text in it is told of unless the host is one the agent often uses; an encoded text in any argument
that decodes to words; a new destination once an agent has kept to few for long. Links in answers are told by
`prompts`, data that follows an order in a document by `taint`.

Misses: data in plain words sent to a usual destination; encodings other than base64, base32 and hexadecimal;
compressed or encrypted data; what leaves by other ways than tools.
"""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple
from urllib.parse import unquote_plus, urlsplit

import msgspec
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._as_read import AsRead
from treering.detect._blobs import decodings
from treering.detect._fold import folded
from treering.detect._order_words import words
from treering.detect._recent import recent
from treering.detect._values import leaves
from treering.detect._whom import Whom, day, proof
from treering.model.finding import Entity, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.rows import Rows

NAME = "exfiltration"
ORDER_FREE = False
"""Which destination is new depends on which came before."""
_ARGUMENTS, _TOOL = "attributes.gen_ai.tool.call.arguments", "attributes.gen_ai.tool.name"
_URL = re.compile(r"https?://[^\s\"'<>()\[\]{}\\]{4,2000}")
_MAIL = re.compile(r"[\w.+-]{1,64}@([\w-]{1,63}(?:\.[\w-]{1,63}){1,4})")
_BLOB = re.compile(r"(?<![\w+/=-])(?:[A-Za-z0-9+/_-]{40,}={0,6}|(?:[0-9a-fA-F]{2}){24,})(?![\w+/=-])")
_WORD = re.compile(r"[A-Za-z]{2,}")
_FILES = re.compile(
    r"attach|file|image|picture|photo|audio|content_bytes|base64|blob|data_uri|token|signature|key", re.IGNORECASE
)
_MOST_AGENTS, _MOST_PLACES, _MOST_LINKS = 300, 60, 20
_OFTEN, _SHORTEST, _FEWEST_WORDS = 5, 5, 5
_HOUR = 3600 * 10**9
_SENDS = frozenset({"send", "post", "admit", "visit", "pay"})
_TECHNIQUES = ("owasp-llm@2026:LLM02", "owasp-agentic@2026:ASI02", "mitre-atlas@2026.09:AML.T0086")


class Config(BaseConfig, frozen=True):
    """When a destination is new."""

    learn_s: Annotated[float, Meta(ge=0, description="seconds an agent is only learnt")] = 3600.0
    least: Annotated[int, Meta(ge=1, description="arguments with a destination before a new one is told")] = 100
    most: Annotated[int, Meta(ge=1, description="destinations of an agent that keeps to few")] = 10


class _Agent(msgspec.Struct):
    """The destinations of an agent with how often each was used."""

    since_ns: int
    sent: int = 0
    places: dict[str, int] = {}


class _State(msgspec.Struct):
    agents: dict[str, _Agent] = {}


class _Out(NamedTuple):
    """What leaves: the rule, where to, what it is, where it stands in the value that carries it."""

    rule: str
    place: str
    what: str
    carrier: str
    span: tuple[int, int]


_TELLS = {
    "data_in_address": ("an address that a tool opens carries {what}", Severity.HIGH),
    "encoded_data": ("a tool is given an encoded text: {what}", Severity.MEDIUM),
    "new_destination": ("an agent sends to somewhere new: {place}", Severity.LOW),
}


class Exfiltration(AsRead[_State]):
    """Looks at what tools are given."""

    streams = frozenset({"spans", "logs"})

    def __init__(self, config: Config) -> None:
        """Start without knowing any agent."""
        self._config, self._state = config, _State()

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return a finding for each call of a tool that carries data out."""
        if not rows.has(_ARGUMENTS):
            return ()
        whom, found = Whom(rows), list[Finding]()
        for row in rows.present(_ARGUMENTS).nonzero()[0].tolist():
            value = rows.value(_ARGUMENTS, row)
            text = value if isinstance(value, str) else ""
            if len(text) >= _SHORTEST:
                found += [_finding(rows, whom, row, text, out) for out in self._leaving(rows, whom, row, text)]
        return folded(found)

    def _leaving(self, rows: Rows, whom: Whom, row: int, text: str) -> list[_Out]:
        agent = self._agent(f"{whom.service(row)}\0{whom.name('agent', row)}", int(rows.times[row]))
        known, out = whom.known(row), list[_Out]()
        sends = bool(words().of_tool(str(rows.value(_TOOL, row) or ""))[0] & _SENDS)
        for name, leaf in leaves(text):
            for place, span, address in _places(leaf):
                often = agent.places.get(place, 0)
                if not often and sends and self._is_settled(agent, int(rows.times[row])):
                    out.append(_Out("new_destination", place, "", leaf, span))
                if address and often < _OFTEN and (what := _carried(address, known)):
                    out.append(_Out("data_in_address", place, what, leaf, span))
                _count(agent, place)
            if not _FILES.search(name):
                out += _encoded(leaf)
        return out

    def _is_settled(self, agent: _Agent, at_ns: int) -> bool:
        """Return whether an agent has kept to few destinations for long."""
        config = self._config
        learnt = agent.sent >= config.least and at_ns - agent.since_ns >= config.learn_s * 1e9
        return learnt and len(agent.places) <= config.most

    def _agent(self, name: str, at_ns: int) -> _Agent:
        agent = recent(self._state.agents, name, _MOST_AGENTS, _Agent, at_ns)
        agent.since_ns = min(agent.since_ns, at_ns)
        return agent


def _count(agent: _Agent, place: str) -> None:
    agent.sent += 1
    if place in agent.places or len(agent.places) < _MOST_PLACES:
        agent.places[place] = agent.places.get(place, 0) + 1


def _places(leaf: str) -> Iterator[tuple[str, tuple[int, int], str]]:
    """Yield the destinations in a value: host or mail domain, where it stands, the address if it is a link."""
    if "://" in leaf:
        for match, _ in zip(_URL.finditer(leaf), range(_MOST_LINKS), strict=False):
            try:
                host = urlsplit(match[0]).hostname
            except ValueError:
                continue  # no address, only text that looks like one
            if host:
                yield host[:100], match.span(), match[0]
    elif "@" in leaf:
        for match, _ in zip(_MAIL.finditer(leaf), range(_MOST_LINKS), strict=False):
            yield match[1].casefold()[:100], match.span(), ""


def _carried(address: str, known: Sequence[str]) -> str:
    """Return what an address carries behind its host, in words; empty for nothing that is data."""
    _, _, behind = address.partition("://")
    path, _, query = behind.partition("/")[2].partition("?")
    for value in (*(pair.partition("=")[2] for pair in query.split("&")[:20]), *path.split("/")[:20]):
        plain = unquote_plus(value)
        if _MAIL.search(plain):
            return "an e-mail address"
        if any(name in plain for name in known if len(name) >= _SHORTEST):
            return "a name of the record"
        if _decoded(plain):
            return "an encoded text"
    return ""


def _encoded(leaf: str) -> Iterator[_Out]:
    """Yield what stands encoded in a value."""
    if len(leaf) < 40 or "://" in leaf:
        return
    for match, _ in zip(_BLOB.finditer(leaf), range(_MOST_LINKS), strict=False):
        if said := _decoded(match[0]):
            yield _Out("encoded_data", "", f"{len(said)} characters", leaf, match.span())
            return


def _decoded(blob: str) -> str:
    """Return the text that a blob stands for if it is words; empty otherwise."""
    if not _BLOB.fullmatch(blob):
        return ""
    for said in decodings(blob):
        found = _WORD.findall(said)
        if len(found) >= _FEWEST_WORDS and 2 * sum(map(len, found)) >= len(said):
            return said
    return ""


def _finding(rows: Rows, whom: Whom, row: int, text: str, out: _Out) -> Finding:
    at_ns, (title, severity) = int(rows.times[row]), _TELLS[out.rule]
    shown = out.carrier[out.span[0] : out.span[1]]
    at = text.find(shown)
    spans = ((at, at + len(shown)),) if at >= 0 else ()
    entities = [Entity("address", out.place)] if out.place else []
    place = out.place or str(rows.value(_TOOL, row) or "")[:200]
    return Finding(
        NAME,
        out.rule,
        title.format(what=out.what, place=out.place[:100]),
        severity,
        (place, whom.name("agent", row) or whom.service(row), day(at_ns)),
        at_ns,
        at_ns,
        at_ns,
        {"data_in_address": 0.8, "encoded_data": 0.6, "new_destination": 0.3}[out.rule],
        tuple(dict.fromkeys((*whom.entities(row), *entities))),
        (proof(rows, row, _ARGUMENTS, text, spans),),
        _TECHNIQUES,
        "AML.TA0010",
        {"destination": out.place, "carries": out.what},
    )


def build(config: Config) -> Exfiltration:
    """Return the detector."""
    return Exfiltration(config)


def _call(number: int, tool: str, **given: str) -> dict[str, Any]:
    arguments = msgspec.json.encode(given).decode()
    attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": tool, _ARGUMENTS[11:]: arguments}
    attributes |= {"gen_ai.agent.name": "desk", "user.id": "u-70412"}
    at_ns = 1_795_000_000_000_000_000 + number * _HOUR // 20
    return {"@timestamp": at_ns, "serviceName": "desk", "traceId": f"{number:032x}", "attributes": attributes}


_USUAL = [_call(n, "send_mail", to=f"p{n}@house.example") for n in range(120)]
_LEAK = base64.b64encode(b"the code of the cellar door is on the board of the porter").decode()
EXAMPLES = (
    Example(
        "a name in an address", "spans", [_call(0, "open", url="https://a.example/p?u=u-70412")], ["data_in_address"]
    ),
    Example("an encoded text", "spans", [_call(0, "send_mail", to="", body=f"see {_LEAK}")], ["encoded_data"]),
    Example("a new destination", "spans", [*_USUAL, _call(130, "send_mail", to="x@else.example")], ["new_destination"]),
    Example("a search", "spans", [_call(0, "open", url="https://find.example/?q=how+to+bake+bread+at+home")]),
    Example("the usual destination", "spans", _USUAL),
    Example("a file is attached", "spans", [_call(0, "send_mail", to="", attachment=_LEAK)]),
)

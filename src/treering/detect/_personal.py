"""When personal data are worth a finding: by how many people, which way they go, and whether it is a log.

People give their own data, and a service answers with them; that is no finding. Told of are: data of many people in
one text or to one recipient in a day; numbers that name a person in an answer or to a tool that sends, unless the
person asking gave them; data in an address that is called; and logs, which should hold none.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from treering.detect._direction import OUT, TO_LOG, TO_TOOL, direction
from treering.detect._recent import recent
from treering.detect._texts import USER
from treering.detect._whom import Whom, day, proof, restored
from treering.model.finding import Finding, Severity
from treering.parse.sensitive.personal import CONTACT, NETWORK
from treering.parse.sensitive.scan import digest, masked

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treering.model.rows import Rows
    from treering.parse.sensitive.scan import Hit, Place

BULK, ANSWER, TOOL, ADDRESS, LOG = (
    f"personal_data_{rest}" for rest in ("in_bulk", "in_answer", "to_tool", "in_url", "in_log")
)
_MOST_COUNTED = 2000
_SENDS = re.compile(
    r"send|post|mail|share|upload|publish|export|notify|message|sms|slack|webhook|http|fetch|browse|url|request|forward|invite",
    re.IGNORECASE,
)
_URL = re.compile(r"https?://[^\s\"'<>)\]]*[?#=][^\s\"'<>)\]]*$")
_SPACES, _SEPARATORS = re.compile(r"\s+"), re.compile(r"[\s()./-]+")
_TECHNIQUES = ("owasp-llm@2026:LLM02", "mitre-atlas@2026.09:AML.T0057")
_FAR_MORE = 10


class Limits(NamedTuple):
    """From how many different people on data are told of: in one text, to one recipient in a day, in a day's log."""

    text: int
    day: int
    log: int
    left_out: frozenset[str]


class Held(NamedTuple):
    """A text and what is in it, secrets included."""

    place: Place
    hits: Sequence[Hit]


class _Said(NamedTuple):
    """A text with what is needed to judge it: which way it goes, to whom, and the data that are somebody else's."""

    held: Held
    way: str
    recipient: str
    others: list[Hit]


class Personal:
    """Counts people by service and recipient, for the days that were met last."""

    def __init__(self, detector: str, limits: Limits) -> None:
        """Start with nobody."""
        self._detector, self._limits = detector, limits
        self._counted: dict[str, list[str]] = {}

    def findings(self, rows: Rows, whom: Whom, held: Sequence[Held]) -> Iterator[Finding]:
        """Yield what is to be said of the personal data in the texts of a batch."""
        given = _given(whom, held)
        for one in held:
            said = _said(whom, one, given)
            for finding in self._judged(rows, whom, said):
                if finding.rule not in self._limits.left_out:
                    yield finding

    def save(self) -> bytes:
        """Return who was counted, as digests of three bytes."""
        return msgspec.msgpack.encode(self._counted)

    def restore(self, state: bytes) -> None:
        """Go on from a saved state. Raises `ValueError` for one that is none."""
        self._counted = restored(state, dict[str, list[str]])

    def _judged(self, rows: Rows, whom: Whom, said: _Said) -> Iterator[Finding]:
        if not said.others:
            return
        strong = [hit for hit in said.others if hit.kind.rule not in (CONTACT, NETWORK)]
        if said.way == TO_LOG:
            yield from self._logged(rows, whom, said, strong)
            return
        yield from self._many(rows, whom, said)
        called = [hit for hit in _in_urls(said) if said.way == TO_TOOL or hit in strong]
        if said.way in (OUT, TO_TOOL) and called:
            yield self._finding(rows, whom, said, ADDRESS, called, Severity.MEDIUM)
        elif strong and said.way == OUT:
            yield self._finding(rows, whom, said, ANSWER, strong, Severity.LOW)
        elif strong and said.way == TO_TOOL and _SENDS.search(said.recipient):
            yield self._finding(rows, whom, said, TOOL, strong, Severity.MEDIUM)

    def _logged(self, rows: Rows, whom: Whom, said: _Said, strong: list[Hit]) -> Iterator[Finding]:
        if strong:
            yield self._finding(rows, whom, said, LOG, strong, Severity.MEDIUM)
        for name, hits in _by_kind(said.others, CONTACT, NETWORK).items():
            if self._count(rows, whom, said, name, hits) >= self._limits.log:
                yield self._finding(rows, whom, said, LOG, hits, Severity.LOW)

    def _many(self, rows: Rows, whom: Whom, said: _Said) -> Iterator[Finding]:
        """Yield that a text, or all that somebody got in a day, holds the data of many people."""
        leaves = said.way in (OUT, TO_TOOL)
        for name, hits in _by_kind(said.others).items():
            people = len({_value(said.held, hit) for hit in hits})
            if people >= self._limits.text:
                rank = (Severity.MEDIUM if leaves else Severity.LOW).rank + (people >= self._limits.text * _FAR_MORE)
                yield self._finding(rows, whom, said, BULK, hits, list(Severity)[rank], people=people)
            elif leaves and (people := self._count(rows, whom, said, name, hits)) >= self._limits.day:
                yield self._finding(rows, whom, said, BULK, hits, Severity.LOW, people=people)

    def _count(self, rows: Rows, whom: Whom, said: _Said, name: str, hits: Sequence[Hit]) -> int:
        """Return how many different people's data of a kind went this way on this day, as far as it matters."""
        row = said.held.place.row
        key = "\x00".join((day(int(rows.times[row])), said.way, whom.service(row), said.recipient, name))
        known = recent(self._counted, key, _MOST_COUNTED, list[str])
        most = max(self._limits.day, self._limits.log)
        for hit in hits:
            if len(known) < most and (number := digest(_value(said.held, hit))) not in known:
                known.append(number)
        return len(known)

    def _finding(
        self, rows: Rows, whom: Whom, said: _Said, rule: str, hits: Sequence[Hit], severity: Severity, people: int = 0
    ) -> Finding:
        place, kinds = said.held.place, Counter(hit.kind.name for hit in hits)
        row, at_ns = place.row, int(rows.times[place.row])
        shown, span = masked(place.text, hits[0], said.held.hits)
        where = {TO_LOG: "a log", OUT: "an answer", TO_TOOL: f"what is passed to {said.recipient or 'a tool'}"}
        title = f"{next(iter(kinds))}{f' of {people} people' if people else ''} in {where.get(said.way, place.role)}"
        return Finding(
            self._detector,
            rule,
            title if rule != ADDRESS else f"{next(iter(kinds))} in an address in {where[said.way]}",
            severity,
            (whom.service(row), next(iter(kinds)), said.way, said.recipient, day(at_ns)),
            at_ns,
            at_ns,
            at_ns,
            1.0,
            tuple(whom.entities(row)),
            (proof(rows, row, place.field, shown, (span,)),),
            _TECHNIQUES,
            "AML.TA0010",
            {"kinds": dict(kinds), "in": place.role, "field": place.field, "direction": said.way}
            | {"recipient": said.recipient, "people": people or len({_value(said.held, hit) for hit in hits})},
        )


def _value(held: Held, hit: Hit) -> str:
    """Return a value as it compares: without what separates digits, in lower case."""
    text = held.place.text[hit.start : hit.end]
    return (_SPACES if "@" in text else _SEPARATORS).sub("", text).lower()


def _asked(whom: Whom, row: int) -> str:
    """Return what the texts of one exchange have in common: the trace, else the record itself."""
    return whom.trace(row) or f"#{row}"


def _given(whom: Whom, held: Sequence[Held]) -> Mapping[str, set[str]]:
    """Return what people said themselves, by exchange."""
    given: dict[str, set[str]] = {}
    for one in held:
        if one.place.role == USER:
            said = given.setdefault(_asked(whom, one.place.row), set())
            said.update(_value(one, hit) for hit in one.hits if hit.kind.is_personal)
    return given


def _said(whom: Whom, held: Held, given: Mapping[str, set[str]]) -> _Said:
    place = held.place
    source = place.source if place.text[:1] in "{[" else ""
    way, recipient = direction(whom, place.row, place.role, place.field, source)
    own = {name.lower() for name in whom.known(place.row)}
    if way in (OUT, TO_TOOL):
        own |= given.get(_asked(whom, place.row), set())
    others = [hit for hit in held.hits if hit.kind.is_personal and _value(held, hit) not in own]
    return _Said(held, way, recipient, others)


def _by_kind(hits: Sequence[Hit], *rules: str) -> dict[str, list[Hit]]:
    out: dict[str, list[Hit]] = {}
    for hit in hits:
        if not rules or hit.kind.rule in rules:
            out.setdefault(hit.kind.name, []).append(hit)
    return out


def _in_urls(said: _Said) -> list[Hit]:
    """Return the data that stand in the query or fragment of an address."""
    text = said.held.place.text
    return (
        [hit for hit in said.others if _URL.search(text, max(0, hit.start - 500), hit.start)] if "://" in text else []
    )

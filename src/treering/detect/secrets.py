"""Secrets and personal data in prompts, answers, tool calls and plain logs: keys, tokens, passwords, cards, people.

The literals that every kind needs are looked for in a whole column at once; expressions run only around them, and each
match is checked: entropy, check digits, a token's header, placeholders left out. The secret itself is never kept: what
is shown is masked, what names it is a short digest. Personal data are found by the same pass; when they are worth a
finding says `_personal.py`.

Misses: secrets without a known form or a telling name, encoded or split ones, numbers without the word that says what
they are ("card", "IBAN", "passport"), names of people. Costs under 1 µs for a log line without a literal.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._direction import TO_TOOL, direction, is_due
from treering.detect._fold import folded
from treering.detect._personal import Held, Limits, Personal
from treering.detect._screen import SECRET, places
from treering.detect._screened import screened
from treering.detect._texts import ASSISTANT, DOCUMENT, TOOL, is_sent, sources
from treering.detect._unread import Harmless, messages
from treering.detect._whom import Whom, proof
from treering.model.finding import Entity, Finding, Severity
from treering.parse.sensitive.personal import ADDRESSES, PERSONAL
from treering.parse.sensitive.scan import Hit, Place, Scan, digest, distinct, masked
from treering.parse.sensitive.secrets import KINDS
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from treering.detect._texts import Said, Source
    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "secrets"
ORDER_FREE = False
_TECHNIQUES = ("owasp-llm@2026:LLM02", "mitre-atlas@2026.09:AML.T0057")
_IN_DOCUMENTS = "mitre-atlas@2026.09:AML.T0082"
"""A key that a retrieval brings is one that anybody who asks may harvest."""
_SEVERITY = {
    "provider_key": Severity.HIGH,
    "private_key": Severity.CRITICAL,
    "token": Severity.MEDIUM,
    "connection_string": Severity.HIGH,
    "password": Severity.MEDIUM,
    "card": Severity.MEDIUM,
    "iban": Severity.LOW,
}
"""Rule → severity; a secret in an answer is one step worse."""


class Config(BaseConfig, frozen=True):
    """What is looked for."""

    leave_out: Annotated[
        tuple[str, ...],
        Meta(description="rules or kinds that are not looked for: password, card, personal_data_in_log …"),
    ] = ()
    bulk: Annotated[
        int, Meta(ge=2, description="different people's data in one answer, tool call or document that are told of")
    ] = 10
    bulk_a_day: Annotated[
        int, Meta(ge=2, description="different people's data that one recipient may get from a service in a day")
    ] = 50
    logged_people: Annotated[
        int, Meta(ge=1, description="different e-mail addresses or telephone numbers in a service's log of a day")
    ] = 20
    ip_addresses: Annotated[bool, Meta(description="count public IP addresses as personal data")] = False


class _Spoken(NamedTuple):
    """What was said in messages not read before that may hold a secret, and in which records they are looked for."""

    said: dict[int, tuple[Said, ...]]
    where: list[tuple[Source, Sequence[int]]]


class Secrets:
    """What is said again and again (conversations, instructions) is read once; people are counted over a day."""

    streams = frozenset({"logs", "spans"})
    every_s = 0.0

    def __init__(self, config: Config) -> None:
        """Look for all kinds but those that are left out."""
        kinds = (*KINDS, *PERSONAL, *([ADDRESSES] if config.ip_addresses else []))
        left_out = frozenset(config.leave_out)
        self._scan = Scan([kind for kind in kinds if not left_out & {kind.rule, kind.name}])
        self._everywhere = config.ip_addresses
        self._harmless = Harmless()
        self._personal = Personal(NAME, Limits(config.bulk, config.bulk_a_day, config.logged_people, left_out))

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return one finding for each secret and service of the batch, and what is to be said of personal data."""
        held = [*self._said(rows), *self._sent(rows)]
        if not held:
            return ()
        whom = Whom(rows)
        out = [finding for one in held for finding in _findings(rows, whom, one.place, one.hits)]
        personal = [one for one in held if any(hit.kind.is_personal for hit in one.hits)]
        return folded([*out, *self._personal.findings(rows, whom, personal)])

    def _said(self, rows: Rows) -> list[Held]:
        """Return what was said with a secret in it, each time that it was said."""
        spoken = self._spoken(rows)
        read = [(key, one) for key, said in spoken.said.items() for one in said]
        hits: dict[int, list[tuple[Said, list[Hit]]]] = {}
        for number, some in self._scan.hits([text for _, (_, text, _) in read]).items():
            hits.setdefault(read[number][0], []).append((read[number][1], distinct(some)))
        self._harmless.add(key for key in spoken.said if key not in hits)
        return [
            Held(Place(row, role, source.field, text, name), some)
            for source, chosen in (spoken.where if hits else ())
            for row, key in messages(rows).records(source, chosen, hits)
            for (role, text, name), some in hits[key]
        ]

    def _spoken(self, rows: Rows) -> _Spoken:
        held, keys = messages(rows), dict[int, None]()
        where: list[tuple[Source, Sequence[int]]] = []
        for source in sources(rows):
            where.append((source, self._looked_at(rows, source.column)))
            keys |= dict.fromkeys(held.unread(*where[-1], self._harmless))
        bits = held.flags(keys)
        chosen = [key for key in keys if self._everywhere or bits[key] & SECRET]
        self._harmless.add(keys.keys() - chosen)
        return _Spoken({key: held.read(key) for key in chosen}, where)

    def _sent(self, rows: Rows) -> list[Held]:
        """Return bodies, and attributes that often hold what was sent, with a secret in them."""
        read = [
            Place(row, "log", name, value)
            for name in filter(is_sent, rows.names)
            if (held := self._looked_at(rows, name))
            for row, value in zip(held, rows.at(name, held), strict=True)
            if isinstance(value, str)
        ]
        return [Held(read[number], distinct(some)) for number, some in self._scan.hits([p.text for p in read]).items()]

    def _looked_at(self, rows: Rows, name: str) -> Sequence[int]:
        return range(rows.count) if self._everywhere else places(screened(rows).flags(name) & SECRET > 0)

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  nothing is due by time
        """Return nothing: all is said when it is seen."""
        return ()

    def save(self) -> bytes:
        """Return whose data were counted, as digests."""
        return self._personal.save()

    def restore(self, state: bytes) -> None:
        """Go on from a saved state; raises `ValueError` for another one than `save` returns."""
        self._personal.restore(state)


def _findings(rows: Rows, whom: Whom, place: Place, hits: Sequence[Hit]) -> Iterator[Finding]:
    for hit in hits:
        tool = place.source or whom.name("tool", place.row) if place.role == ASSISTANT else ""
        is_meant = bool(tool) and is_due(hit.kind.rule, tool, place.text, hit.start)
        if not hit.kind.is_personal and not is_meant:
            yield _finding(rows, whom, place, hit, hits)


def _finding(rows: Rows, whom: Whom, place: Place, hit: Hit, all_hits: Iterable[Hit]) -> Finding:
    kind, row, secret = hit.kind, place.row, place.text[hit.start : hit.end]
    shown, span = masked(place.text, hit, all_hits)
    at_ns, service = int(rows.times[row]), whom.service(row)
    severity = _SEVERITY[kind.rule]
    if place.role == ASSISTANT and severity is not Severity.CRITICAL:
        severity = list(Severity)[severity.rank + 1]
    name = f"{kind.name} {digest(secret)}"
    goes, recipient = direction(whom, row, place.role, place.field, place.source if place.text[:1] in "{[" else "")
    where = "a log" if place.role == "log" else f"what the {place.role} said"
    where = f"what is passed to {recipient or 'a tool'}" if goes == TO_TOOL else where
    facts = {"kind": kind.name, "in": place.role, "field": place.field, "length": len(secret)}
    facts |= {"direction": goes, "recipient": recipient}
    return Finding(
        NAME,
        kind.rule,
        f"{kind.name} in {where}",
        severity,
        (service, name, place.role, *([goes, recipient] if goes == TO_TOOL else [])),
        at_ns,
        at_ns,
        at_ns,
        1.0,
        (Entity("key", name), *whom.entities(row)),
        (proof(rows, row, place.field, shown, (span,)),),
        (*_TECHNIQUES, _IN_DOCUMENTS) if place.role in (DOCUMENT, TOOL) else _TECHNIQUES,
        "AML.TA0010",
        facts,
    )


def build(config: Config) -> Secrets:
    """Return the detector."""
    return Secrets(config)


def _log(body: str) -> dict[str, object]:
    return {"@timestamp": 1_795_000_000_000_000_000, "serviceName": "api", "body": body}


_KEY = "sk-" + "proj-" + "k3J9x2Lq8Zr5Tn1Vb7Ym4Wc6Hd0Gf2Sa9"
EXAMPLES = (
    Example("a provider's key in a log line", "logs", [_log(f"calling with Authorization: {_KEY}")], ["provider_key"]),
    Example(
        "a connection string",
        "logs",
        [_log("connecting to postgres://app:" + "vR7qpL2m" + "@db-1:5432/orders")],
        ["connection_string"],
    ),
    Example(
        "a key in a document that is retrieved",
        "spans",
        [
            {
                "@timestamp": 1_795_000_000_000_000_000,
                "serviceName": "rag",
                "attributes": {"gen_ai.retrieval.documents": f'[{{"id": "d7", "content": "the key is {_KEY}"}}]'},
            }
        ],
        ["provider_key"],
    ),
    Example("a number of social security in a log", "logs", [_log("saved SSN 536-22-8726")], ["personal_data_in_log"]),
    Example("one's own address", "logs", [_log("mail to ann@site.org is queued")]),
    Example("placeholders and counts", "logs", [_log("password=<redacted> api_key=${API_KEY} tokens=1532")]),
)

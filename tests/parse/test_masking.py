"""Masking: what is found is gone everywhere, the rest is as it was, and the same value is the same pseudonym."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from treering.model.batch import batch
from treering.model.columns import to_record
from treering.parse.sensitive.masking import COLUMN, WITHHELD, Masking
from treering.parse.sensitive.personal import PERSONAL
from treering.parse.sensitive.secrets import KINDS, Around, Kind

KEY = "sk-proj-" + "Ab3dEf6hIj9kLmN0pQrStUvWx12ZaBcD4efG"
OTHER = "ghp_" + "q8Zt1Lr5Vx0Yb7Nd3Kc9Ws2Mf6Hj4Gp8Ea1T"
MAIL, CARD = "ann.lee@corp.de", "4539148803436467"
MASK = re.compile(r"\[masked (?P<kind>[^\[\]]+) (?P<name>[a-p]{8})\]")


def mask(text: str) -> re.Match[str]:
    """Return the only mask of a text that has one."""
    (found,) = MASK.finditer(text)
    return found


def masked(records: list[dict[str, Any]], key: bytes = b"k" * 16) -> tuple[list[dict[str, Any]], list[str | None]]:
    """Return the records as they are stored, and what each had masked."""
    given_batch = batch("logs", records, received_ns=1)
    data = Masking([*KINDS, *PERSONAL], key, lambda _kind, _rows: None)(given_batch).data
    names = data.schema.names
    rows = [
        dict(zip(names, row, strict=True))
        for row in zip(*(data.column(name).to_pylist() for name in names), strict=True)
    ]
    return [to_record(row) for row in rows], [row.get(COLUMN) for row in rows]


def test_a_secret_becomes_its_kind_and_the_same_pseudonym_everywhere() -> None:
    (one, two, three), told = masked(
        [{"body": f"key {KEY} and {KEY}"}, {"attributes": {"http.header": f"x {KEY}"}}, {"body": f"other {OTHER}"}]
    )
    found = [*MASK.finditer(one["body"]), *MASK.finditer(two["attributes"]["http.header"])]
    assert [match["kind"] for match in found] == ["OpenAI key"] * 3
    assert len({match["name"] for match in found}) == 1
    assert mask(three["body"])["name"] != found[0]["name"]
    assert told == ["OpenAI key", "OpenAI key", "GitHub token"]


def test_another_key_makes_other_pseudonyms() -> None:
    (one,), _ = masked([{"body": KEY}])
    (two,), _ = masked([{"body": KEY}], b"z" * 16)
    assert one != two


def test_the_name_of_a_field_says_what_its_value_is() -> None:
    (record,), told = masked([{"user": {"password": "hunter2Xy9z"}, "card": int(CARD), "count": int(CARD)}])
    assert MASK.fullmatch(record["user"]["password"])
    assert mask(record["card"])["kind"] == "card number"
    assert record["count"] == int(CARD)
    assert told == ["card number, password or key by name"]


def test_a_number_and_a_text_in_one_field_are_both_masked() -> None:
    records, _ = masked([{"card": int(CARD)}, {"card": CARD}, {"card": 7}, {"card": "none"}])
    assert mask(records[0]["card"])["name"] == mask(records[1]["card"])["name"]
    assert [record["card"] for record in records[2:]] == [7, "none"]


def test_json_stays_json() -> None:
    messages = json.dumps([{"role": "user", "content": f'say "pass=abcd1234X\\" to {MAIL}'}, {"ssn": "523-45-6781"}])
    (record,), told = masked([{"body": messages, "list": [{"password": "abc12345xyQ"}, {"n": 1.5, "ok": True}]}])
    first, second = json.loads(record["body"])
    assert MAIL not in first["content"]
    assert MASK.fullmatch(second["ssn"])
    assert MASK.fullmatch(record["list"][0]["password"])
    assert record["list"][1] == {"n": 1.5, "ok": True}
    assert told[0] is not None


def test_what_no_column_holds_is_masked_too() -> None:
    wide = {f"f{number}": f"v{number}" for number in range(1100)} | {"last": f"mail {MAIL}"}
    (record,), _ = masked([wide])
    assert MASK.search(record["last"])
    assert record["f1099"] == "v1099"


def test_records_without_anything_are_the_same_batch() -> None:
    plain = batch("logs", [{"body": "nothing here", "n": 5, "t": [1, {"a": None}]}], received_ns=1)
    counted: Counter[str] = Counter()
    assert Masking(KINDS, b"k" * 16, lambda kind, rows: counted.update({kind: rows}))(plain) is plain
    assert not counted


def test_any_number_of_secrets_is_masked_and_too_many_are_withheld() -> None:
    keys = " ".join(f"{OTHER[:-4]}{number:04d}" for number in range(300))
    (record,), _ = masked([{"body": keys}])
    assert len(MASK.findall(record["body"])) == 300
    assert "ghp_" not in record["body"]


def test_a_text_that_never_ends_to_be_sensitive_is_withheld() -> None:
    endless = Kind("masked", "token", ("masked",), re.compile("(masked)"), lambda _: True, Around.ANYTHING)
    made = Masking([endless], b"k" * 16, lambda _kind, _rows: None)(batch("logs", [{"body": "masked"}], received_ns=1))
    assert made.data.column("body:s").to_pylist() == [WITHHELD]


def test_depth_is_bounded() -> None:
    deep: Any = f"key {KEY}"
    for _ in range(300):
        deep = [deep]
    told = {"body": "[" * 5_000 + json.dumps(KEY) + "]" * 5_000, "deep": deep, "key": KEY}
    (record,), _ = masked([told])
    assert KEY not in json.dumps(record)
    assert record["body"].startswith("[[[[")


TEXT = st.text(max_size=60)
SECRETS = st.sampled_from([KEY, OTHER, MAIL])


@given(st.lists(st.tuples(TEXT, SECRETS, TEXT), min_size=1, max_size=8), st.booleans())
def test_no_secret_survives_and_masking_twice_is_masking_once(parts: list[tuple[str, str, str]], nested: bool) -> None:
    texts = [f"{before} {secret} {after}" for before, secret, after in parts]
    records = [{"body": text, "deep": {"list": [text, {"x": text}]}} if nested else {"body": text} for text in texts]
    stored, told = masked(records)
    written = json.dumps(stored, ensure_ascii=False)
    assert not any(secret in written for secret in (KEY, OTHER, MAIL))
    assert all(told)
    again, _ = masked(stored)
    assert again == stored


LEAVES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text('ab 1{["', max_size=8)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3))


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b", "password", "card"]), VALUES), min_size=1, max_size=4))
def test_what_holds_no_secret_is_kept_as_it_is(records: list[dict[str, Any]]) -> None:
    before = batch("logs", records, received_ns=1)
    stored, told = masked(records)
    if not any(told):
        names = before.data.schema.names
        rows = zip(*(before.data.column(name).to_pylist() for name in names), strict=True)
        assert stored == [to_record(dict(zip(names, row, strict=True))) for row in rows]

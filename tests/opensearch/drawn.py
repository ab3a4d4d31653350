"""Random records, conditions and searches, and a mapping with every kind of field that queries treat apart."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

NOW = 1_700_000_000_000_000_000
INDEX = "translation"
MAPPING: dict[str, Any] = {
    "properties": {
        "@timestamp": {"type": "date_nanos"},
        "kw": {"type": "keyword"},
        "short": {"type": "keyword", "ignore_above": 6},
        "body": {"type": "text"},
        "title": {"type": "text", "fields": {"raw": {"type": "keyword", "ignore_above": 10}}},
        "n": {"type": "long"},
        "i": {"type": "integer"},
        "d": {"type": "double"},
        "f": {"type": "float"},
        "b": {"type": "boolean"},
        "ip": {"type": "ip"},
        "at": {"type": "date"},
        "tags": {"type": "keyword"},
        "obj": {"properties": {"x": {"type": "keyword"}}},
    }
}
WORDS = ["error", "timeout", "Model-A", "gpt-4.1", "don't", "user_id", "1,024", "foo.bar", "a:b", "Über", "e", "日本"]
TEXT = st.lists(st.sampled_from([*WORDS, "%", "*", "?", "_", "\\", '"', "x" * 12]), max_size=5).map(" ".join)
SHORT = st.sampled_from(["", "a", "B", "abc", "ABC", "abcdefghij", "K", "\u212a", "k", "a_b", "a%b", "a*b", "ab\nc"])
WHOLE = st.sampled_from([0, 1, -1, 5, 7, 2**31 - 1, -(2**31)])
LONG = st.one_of(WHOLE, st.sampled_from([2**53, 2**53 + 1, 2**62, -(2**63)]))
REAL = st.sampled_from([0.0, 0.1, -0.1, 2.5, 6.2, 1e300, -7.25, 16777217.0, 5.0])
SMALL = st.sampled_from([0.0, 0.1, -0.1, 2.5, 6.2, 1e30, 16777217.0, 0.30000001192092896])
STAMPS = [
    "2024-01-01T00:00:00Z", "2024-01-01T00:00:00.123456789Z", "2024-01-01T00:00:00.123Z", "2024-02-29T12:30:00.000001Z",
    "2024-01-01T00:00:01Z", "1999-12-31T23:59:59.999999999Z",
]  # fmt: skip
ADDRESSES = ["10.0.0.1", "10.1.2.3", "192.168.0.1", "2001:db8::1", "::ffff:10.0.0.1", "::1"]
RECORD = st.fixed_dictionaries(
    {},
    optional={
        "@timestamp": st.sampled_from(STAMPS),
        "kw": SHORT,
        "short": SHORT,
        "body": TEXT,
        "title": st.one_of(TEXT, SHORT),
        "n": LONG,
        "i": WHOLE,
        "d": REAL,
        "f": SMALL,
        "b": st.booleans(),
        "ip": st.sampled_from(ADDRESSES),
        "at": st.sampled_from(STAMPS),
        "tags": st.one_of(SHORT, st.lists(SHORT, max_size=3)),
        "obj": st.fixed_dictionaries({}, optional={"x": SHORT}),
    },
)


def quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "''") + "'"


TEXTS = ["kw", "short", "body", "title", "tags", "obj.x"]
NUMBERS = ["n", "i", "d", "f"]
SIGN = st.sampled_from(["=", "!=", "<", "<=", ">", ">="])
VALUE = st.one_of(SHORT, TEXT, st.sampled_from(WORDS))
NUMBER = st.one_of(LONG.filter(lambda n: abs(n) < 2**62).map(str), REAL.filter(lambda r: abs(r) < 1e9).map(str))
STAMP = st.sampled_from([stamp[:-1].replace("T", " ") for stamp in STAMPS])
FORM = st.lists(st.one_of(SHORT, st.sampled_from(["%", "_", "err", "%ou%"])), max_size=4).map("".join)


def _joined(*parts: Any) -> Any:
    return st.tuples(*(part if isinstance(part, st.SearchStrategy) else st.just(part) for part in parts)).map(" ".join)


def _one(names: list[str]) -> Any:
    return st.sampled_from(names).map(lambda name: f"`{name}`")


TEXT_VALUE = VALUE.map(quoted)
LIKED = _one(["kw", "short", "body", "title"])
PATTERN = st.sampled_from(["err.*out", "^a", "b+c?", "[xy]{3}", "x|y", "ab\\\\*c"]).map(lambda form: f"'{form}'")
FUNCTION = st.sampled_from(["match", "match_phrase", "match_phrase_prefix", "match_bool_prefix"])
LUCENE = [
    "err*", "*ou*", "body:error", "n:5", "n:[1 TO 6]", "-error", "+error -timeout", "kw:a*", "title:a?c", "tags:abc",
    "_exists_:n", "NOT kw:abc",
]  # fmt: skip


def _listed(one: Any) -> Any:
    return st.tuples(one, one).map(lambda pair: f"({pair[0]}, {pair[1]})")


IN = st.sampled_from(["in", "not in"])
LEAF = st.one_of(
    _joined(_one(TEXTS), SIGN, TEXT_VALUE),
    _joined(_one(NUMBERS), SIGN, NUMBER),
    _joined(NUMBER, SIGN, _one(NUMBERS)),
    _joined(_one(["@timestamp", "at"]), SIGN, STAMP.map(quoted)),
    _joined(_one(["@timestamp", "at"]), "between", STAMP.map(quoted), "and", STAMP.map(quoted)),
    _joined(_one(["ip"]), st.sampled_from(["=", "!="]), st.sampled_from(ADDRESSES).map(quoted)),
    _joined(_one(["b"]), st.sampled_from(["=", "!="]), st.sampled_from(["true", "false"])),
    _joined(_one(TEXTS), IN, _listed(TEXT_VALUE)),
    _joined(_one(NUMBERS), IN, _listed(WHOLE.map(str))),
    _joined(_one(["n", "d"]), "between", NUMBER, "and", NUMBER),
    _joined(LIKED, st.sampled_from(["like", "ilike"]), FORM.map(quoted)),
    _joined(LIKED, "contains", TEXT_VALUE),
    _joined(LIKED, "regexp", PATTERN),
    _joined(_one([*TEXTS, *NUMBERS, "b", "ip", "at"]), st.sampled_from(["is null", "is not null"])),
    _one([*TEXTS, *NUMBERS, "@timestamp"]).map(lambda name: f"isnotnull({name})"),
    st.tuples(FUNCTION, _one(["body", "title", "kw", "tags", "n", "b", "at"]), TEXT_VALUE).map(
        lambda found: f"{found[0]}({found[1]}, {found[2]})"
    ),
    TEXT_VALUE.map(lambda text: f"multi_match(['body', 'title', 'kw'], {text})"),
    st.sampled_from(LUCENE).map(lambda text: f"query_string(['*'], {quoted(text)})"),
    st.sampled_from(["10.0.0.0/8", "192.168.0.0/16", "2001:db8::/32"]).map(lambda block: f"cidrmatch(ip, '{block}')"),
)
CONDITION = st.recursive(
    LEAF,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda p: f"({p[0]} {p[1]} {p[2]})"),
        inner.map(lambda text: f"not ({text})"),
    ),
    max_leaves=4,
)
SEARCHES = [
    "error", "timeout NOT error", '"foo bar"', "kw=abc", "n>3", "n!=5", "err*", "tags=abc", "b=true", "body=error",
    "short IN (abc, B)", "@timestamp>=2024-01-01", "don't", "e OR 日本", "NOT kw=abc",
]  # fmt: skip
SEARCH = st.one_of(
    st.sampled_from(SEARCHES),
    VALUE.filter(str.strip).map(lambda text: json.dumps(text, ensure_ascii=False)),
)

"""JSON as text: reading, building, editing by path."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treering.core.errors import UserError
from treering.query.native.json import edit, extract, steps

S = "string"
DOC = '{"a":1,"b":[1,2,{"c":"x"}],"d":{"e":null,"f":true}}'
CASES = [
    (("json", "[1, 2]"), "[1, 2]", S),
    (("json", '{"a'), None, S),
    (("json_valid", "x"), False, "boolean"),
    (("json_valid", (S, None)), None, "boolean"),
    (("json_array_length", "[1,[2,3]]"), 2, "int"),
    (("json_array_length", '{"a":1}'), None, "int"),
    (("json_array_length", "x"), None, "int"),
    (("json_keys", DOC), '["a","b","d"]', S),
    (("json_keys", "[1]"), None, S),
    (("json_extract", DOC, "a"), "1", S),
    (("json_extract", DOC, "b{2}.c"), "x", S),
    (("json_extract", DOC, "$.b[2].c"), "x", S),
    (("json_extract", DOC, "b{}"), '[1,2,{"c":"x"}]', S),
    (("json_extract", DOC, "d.e"), None, S),
    (("json_extract", DOC, "a", "zz"), "[1,null]", S),
    (("json_extract", "x", "a"), None, S),
    (("json_extract", (S, None), "a"), None, S),
    (("json_object", "a", 1, "b", (S, None)), '{"a":1,"b":null}', S),
    (("json_object", "key", 123.45), '{"key":123.45}', S),
    (("json_array", 1, "a", True), '[1,"a",true]', S),
    (("json_array",), "[]", S),
    (("json_set", DOC, "a", "x"), DOC.replace('"a":1', '"a":"x"'), S),
    (("json_set", '{"a":[{"b":1},{"b":2}]}', "a{}.b", "3"), '{"a":[{"b":"3"},{"b":"3"}]}', S),
    (("json_set", "x", "a", 1), None, S),
    (("json_append", DOC, "b", "q", "b", 3), DOC.replace('"x"}]', '"x"},"q",3]'), S),
    (("json_append", DOC, "d.f", 3), DOC, S),
    (("json_extend", '{"a":[1]}', "a", "[1,2]"), '{"a":[1,1.0,2.0]}', S),
    (("json_extend", '{"a":[1]}', "a", ("array", [5])), '{"a":[1,5]}', S),
    (("json_delete", DOC, "b{2}.c", "a"), '{"b":[1,2,{}],"d":{"e":null,"f":true}}', S),
    (("json_delete", '{"a":[1,2,3]}', "a{}"), '{"a":[]}', S),
    (("json_delete", DOC, "d.e"), DOC, S),
]


@pytest.mark.parametrize(("call", "value", "kind"), CASES)
def test_answers(answer, call, value, kind):
    assert answer(*call) == (value, kind)


@pytest.mark.parametrize(
    "call", [("json_object", "a"), ("json_object", 1, 2), ("json_set", "{}", "a"), ("json_extract", "{}", "a{x")]
)
def test_refuses(lower, call):
    with pytest.raises(UserError):
        lower(*call)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1, max_size=2), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(VALUES, st.text("ab.{}0[]*-$", max_size=8))
def test_any_path_over_any_document_is_an_answer_or_a_refusal(document, path):
    text = json.dumps(document)
    try:
        steps(path)
    except ValueError:
        return
    assert isinstance(extract(text, [path]), str | None)
    for kind in ("set", "append", "extend", "delete"):
        json.loads(edit(kind, text, [path], ['"v"']))


@given(st.dictionaries(st.text("abc", min_size=1), VALUES), st.text("abc", min_size=1), VALUES)
def test_what_is_set_is_read_back(document, key, value):
    changed = json.loads(edit("set", json.dumps(document), [key], [json.dumps(value)]))
    kept = key in document or not isinstance(value, bool | int | float)
    assert changed.keys() == {**document, key: value}.keys()
    assert {**changed, key: value} == {**document, key: value}
    assert changed[key] == value if kept else json.loads(changed[key]) == value

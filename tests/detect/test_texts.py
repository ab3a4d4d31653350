"""Messages that are one text are read at once, and say what they say part by part."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from treering.detect._texts import read_item, read_raw

TEXTS = st.text() | st.sampled_from(["", " \n", "a </document> b", '<document id="d1">x</document> y', '"content"'])
PARTS = st.fixed_dictionaries(
    {"type": st.sampled_from(["text", "tool_call", "tool_call_response"]), "content": TEXTS | st.none()},
    optional={"id": st.text(max_size=3)},
)
MESSAGES = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from(["user", "system", "assistant", "tool", "somebody"]) | st.none(),
        "parts": st.lists(PARTS, max_size=2) | TEXTS,
        "name": st.text(max_size=3),
        "content": TEXTS,
    },
)


@given(st.sampled_from(["user", "assistant", "tool", "document"]), MESSAGES)
def test_a_message_is_read_the_same_at_once(role: str, message: dict[str, object]) -> None:
    raw = msgspec.json.encode(message)
    assert read_raw(role, raw) == tuple(read_item(role, msgspec.json.decode(raw)))

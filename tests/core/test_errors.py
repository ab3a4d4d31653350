from __future__ import annotations

from treering.core.errors import UserError, Where


def test_the_caret_stands_under_the_thing() -> None:
    text = "source=logs\n| wher x > 1"
    error = UserError("unknown command 'wher'", hint="did you mean 'where'?", where=Where(text, 14, 4))
    assert str(error) == "unknown command 'wher'\n| wher x > 1\n  ^^^^\nhint: did you mean 'where'?"


def test_a_place_beyond_the_line_is_cut_to_it() -> None:
    assert Where("abc", 2, 50).caret() == "abc\n  ^"
    assert Where("abc", 3).caret() == "abc\n   ^"


def test_an_api_answer_carries_the_position() -> None:
    error = UserError("no", where=Where("abc", 1, 2))
    assert error.as_dict() == {"type": "UserError", "message": "no", "hint": "", "position": {"offset": 1, "length": 2}}

from __future__ import annotations

import pytest

from treering.core import registry
from treering.core.errors import UserError


def test_a_component_is_found_by_its_module_name() -> None:
    assert registry.load("treering.core", "clock").SystemClock().now_ns() > 0


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    with pytest.raises(UserError) as caught:
        registry.load("treering.core", "clok")
    assert caught.value.hint == "did you mean 'clock'?"


def test_names_are_sorted_and_public() -> None:
    names = registry.names("treering.core")
    assert names == sorted(names)
    assert "registry" in names

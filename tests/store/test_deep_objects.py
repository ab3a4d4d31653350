"""Records nested deeper than anybody means: they are kept, found and shown, and cost the others nothing."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from treering.app.asking import asker
from treering.app.config import Settings
from treering.app.pipeline import open_store
from treering.model.batch import batch

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treering.stage.detector import Ask

DEPTHS = (1, 6, 15, 16, 17, 40, 90)
_CPU_S = 10.0  # with a statement that doubled at each level it would be hours


def nested(levels: int) -> Any:
    found: Any = {"b": 1, "c": [1, 2]}
    for _ in range(levels):
        found = {"a": found}
    return found


def unfolded(value: Any) -> Any:
    """Return an object whose names with dots are objects again: to a mapping both are the same."""
    if not isinstance(value, dict):
        return value
    made: dict[str, Any] = {}
    for name, below in value.items():
        *steps, last = name.split(".")
        at = made
        for step in steps:
            at = at.setdefault(step, {})
        at[last] = unfolded(below)
    return made


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    store = open_store(Settings(data=str(tmp_path_factory.mktemp("deep"))))
    records = [{"body": f"{levels} deep", "attributes": {"x": nested(levels)}} for levels in DEPTHS]
    store.append([batch("logs", [*records, {"body": "flat"}], received_ns=time.time_ns())])
    yield asker(store, time.time_ns)
    store.close()


def test_whole_records_are_shown_as_they_were_sent(ask: Ask) -> None:
    began = time.process_time()
    shown = {row["body"]: row["attributes"] for row in ask("source=logs")}
    assert time.process_time() - began < _CPU_S
    assert shown["flat"] is None
    for levels in DEPTHS:
        assert unfolded(json.loads(shown[f"{levels} deep"])) == {"x": nested(levels)}


@pytest.mark.parametrize("levels", DEPTHS)
def test_a_value_is_found_however_deep_it_lies(ask: Ask, levels: int) -> None:
    assert ask(f"source=logs | where attributes.x{'.a' * levels}.b = 1 | fields body") == [{"body": f"{levels} deep"}]

"""What is kept of drills."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.app.drill.results import FILE, Entry, Results
from treering.app.drill.score import Result

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_file_that_cannot_be_read_is_told_and_begun_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Results(tmp_path).entries == []
    assert not caplog.records
    (tmp_path / FILE).write_bytes(b"[{")
    held = Results(tmp_path)
    assert held.entries == []
    assert FILE in caplog.text
    held.add(Entry(1, "drill", "ann", Result(0, 0, 0.0, (), (), ())))
    assert [entry.label for entry in Results(tmp_path).entries] == ["drill"]

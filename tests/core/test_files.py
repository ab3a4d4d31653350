"""Files replaced as a whole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from treering.core.files import replaced

if TYPE_CHECKING:
    from pathlib import Path


def test_the_new_content_stands_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replaced(path, b"one")
    replaced(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_what_stood_there_stays_when_the_new_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replaced(path, b"one")
    (tmp_path / "state.tmp").mkdir()
    with pytest.raises(OSError, match="directory"):
        replaced(path, b"two")
    assert path.read_bytes() == b"one"

"""Files that are replaced as a whole: a crash leaves the old or the new content, never half of it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def replaced(path: Path, content: bytes) -> None:
    """Write `content` as the file `path`, durable when it has its name. Raises `OSError`."""
    temporary = path.with_suffix(".tmp")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

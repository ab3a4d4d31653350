"""Dashboards as files: those of `content/dashboards` and the user's own folder, TOML, YAML or JSON."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from treering.core.config import decode
from treering.core.errors import UserError, nearest
from treering.model.dashboard import Dashboard

if TYPE_CHECKING:
    from collections.abc import Callable
    from importlib.resources.abc import Traversable

MOST_FILES, MOST_BYTES = 200, 200_000
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
_READERS: dict[str, Callable[[bytes], Any]] = {
    ".toml": msgspec.toml.decode,
    ".json": msgspec.json.decode,
    ".yaml": msgspec.yaml.decode,
    ".yml": msgspec.yaml.decode,
}


def files(folder: Path | None = None) -> dict[str, Traversable]:
    """Return the dashboard files by name; one in `folder` stands before the shipped one of the same name.

    Raises `UserError` when `folder` is no folder.
    """
    if folder is not None and not folder.is_dir():
        raise UserError(f"no folder of dashboards at {folder}", hint="`dashboards` in treering.toml names it")
    shipped = resources.files("treering.content").joinpath("dashboards").iterdir()
    own = [] if folder is None else sorted(folder.iterdir())[:MOST_FILES]
    found = [*sorted(shipped, key=lambda file: file.name), *own]
    return {stem: file for file in found if (stem := _stem(file.name)) and file.is_file()}


def load(name: str, folder: Path | None = None) -> Dashboard:
    """Return the dashboard called `name`. Raises `UserError` when there is none or its file says the impossible."""
    known = files(folder)
    if name not in known:
        raise UserError(f"no dashboard named {name[:60]!r}", hint=nearest(name, list(known)))
    return read(known[name])


def read(file: Traversable) -> Dashboard:
    """Return the dashboard in `file`. Raises `UserError` naming the file and what is wrong in it."""
    data = file.read_bytes()
    if len(data) > MOST_BYTES:
        raise UserError(f"{file.name} has {len(data)} bytes, a dashboard at most {MOST_BYTES}")
    try:
        tables = _READERS[Path(file.name).suffix](data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file.name}: {error}") from error
    return decode(tables, Dashboard, file.name)


def _stem(name: str) -> str:
    path = Path(name)
    return path.stem if path.suffix in _READERS and _NAME.fullmatch(path.stem) else ""

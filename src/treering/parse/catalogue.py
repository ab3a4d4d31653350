"""All line formats: those that are data and those that are modules of `treering.parse.formats`, loaded once."""

from __future__ import annotations

import importlib.resources
import re
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from treering.core import registry
from treering.parse import alternatives
from treering.parse.regular import FormatData, regular
from treering.stage.parser import LineFormat

if TYPE_CHECKING:
    from collections.abc import Callable

GROUP = "treering.parse.formats"
# Formats from here on explain lines by their shape only: they are asked last, and never shut out a specific format.
WEAK = 80


@cache
def format_data() -> dict[str, FormatData]:
    """Return the format files by name."""
    folder = importlib.resources.files("treering.content").joinpath("formats")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".json")), key=lambda file: file.name)
    loaded = (msgspec.json.decode(file.read_bytes(), type=FormatData) for file in files)
    return {data.name: data for data in loaded}


@cache
def formats() -> tuple[LineFormat, ...]:
    """Return all formats, the most specific first."""
    made = [regular(data) for data in format_data().values() if not data.module]
    for name in registry.names(GROUP):
        module = registry.load(GROUP, name)
        made.append(module.build(module.Config()))
    return tuple(sorted(made, key=lambda one: (one.rank, one.name)))


@cache
def candidates(first: str) -> tuple[LineFormat, ...]:
    """Return the specific formats that a line beginning with `first` can have, the most specific first."""
    return tuple(one for one in formats() if one.rank < WEAK and (not one.begins or first in one.begins))


@cache
def may_match(first: str) -> Callable[[str], object]:
    """Return a fast test that fails only for lines, beginning with `first`, which no specific format explains."""
    # One pattern for all: trying its branches inside the matcher costs a tenth of asking format by format.
    return alternatives.compiled(one.hint for one in candidates(first)).match


@cache
def hinted(one: LineFormat) -> Callable[[str], object]:
    """Return a fast test that fails only for lines which are not of the format."""
    return re.compile(one.hint).match


@cache
def weak() -> tuple[LineFormat, ...]:
    """Return the formats that go by shape only."""
    return tuple(one for one in formats() if one.rank >= WEAK)

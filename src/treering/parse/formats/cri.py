"""Kubernetes container logs (the container runtime interface's format): `time stream P|F line`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.core.config import Config
from treering.stage.parser import LineFormat, Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times

_LINE = re.compile(r"(\d{4}-\d\d-\d\dT\S{8,26}) (stdout|stderr) ([PF])(?::\S*)?(?: (.*))?", re.DOTALL)


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return the container's line of each entry; the runtime's time is when the line was observed."""
    return [_one(line, times) for line in lines]


def _one(line: str, times: Times) -> Wrapped | None:
    found = _LINE.fullmatch(line)
    if found is None or (moment := times(found[1])) is None:
        return None
    outer: Record = {"@timestamp": moment, "attributes": {"log.iostream": found[2]}}
    return Wrapped(outer, found[4] or "", found[2], found[3] == "F")


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(
        name="cri",
        hint=r"\d{4}-\d\d-\d\dT\S+ std",
        title="Kubernetes container log",
        parse=parse,
        rank=10,
        begins=frozenset("12"),
    )

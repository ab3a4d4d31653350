"""Lines that a launcher gathered from several processes and marked: ranks of torchrun, processes, containers."""

from __future__ import annotations

import re
import string
from typing import TYPE_CHECKING, Any

from treering.core.config import Config
from treering.stage.parser import LineFormat, Wrapped

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times

_RANK = re.compile(r"\[(?P<word>rank|default|local_rank|worker)[ _]?(?P<rank>\d{1,6})\]: ?", re.IGNORECASE)
_PROCESS = re.compile(
    r"\((?:(?P<name>[A-Za-z_][\w.:<>-]{0,80}) )?(?:rank=(?P<rank>\d{1,6}) )?"
    r"pid=(?P<pid>\d{1,10})(?:, ip=(?P<ip>[\w.:]+))?\) ?"
)
# Ray prints what its own processes say without their number: `(raylet)`, `(autoscaler +1m12s)`.
_RAY = re.compile(r"\((?P<name>raylet|autoscaler|gcs_server|scheduler)(?:, ip=(?P<ip>[\w.:]+))?(?: \+[\dhms.]+)?\) ")
# Docker Compose writes `web-1  | …`, PM2 `0|web  | …`; without a number it may as well be a row of a table.
_CONTAINER = re.compile(
    r"(?:\d{1,4}\|(?P<process>[A-Za-z][\w.-]{0,62})|(?P<name>[A-Za-z][\w.-]{0,60}[-_]\d{1,3})) {1,40}\| ?"
)


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:  # noqa: ARG001  marks have no time
    """Return each process's own line.

    A mark is `[rank0]:`, `[default0]:`, `(APIServer pid=1)`, `(pid=7, ip=…)`, `(raylet)` or `web-1  |`.
    """
    return [
        _ranked(line) if line[0] == "[" else _process(line) if line[0] == "(" else _contained(line) for line in lines
    ]


def _contained(line: str) -> Wrapped | None:
    found = _CONTAINER.match(line)
    if found is None:
        return None
    attributes = {"container.name": found["name"]} if found["name"] else {"process.title": found["process"]}
    return Wrapped({"attributes": attributes}, line[found.end() :], found[0])


def _ranked(line: str) -> Wrapped | None:
    found = _RANK.match(line)
    if found is None:
        return None
    word = "training.rank" if found["word"].lower() == "rank" else "training.local_rank"
    outer: Record = {"attributes": {word: int(found["rank"])}}
    return Wrapped(outer, line[found.end() :], found[0])


def _process(line: str) -> Wrapped | None:
    found = _PROCESS.match(line) or _RAY.match(line)
    if found is None:
        return None
    groups = found.groupdict()
    attributes: dict[str, Any] = {"process.pid": int(groups["pid"])} if groups.get("pid") else {}
    if groups["name"]:
        attributes["process.title"] = groups["name"]
    if groups.get("rank"):
        attributes["training.rank"] = int(groups["rank"])
    outer: Record = {"attributes": attributes}
    if found["ip"]:
        outer["resource"] = {"attributes": {"host.ip": found["ip"]}}
    return Wrapped(outer, line[found.end() :], found[0])


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(
        name="prefixed",
        hint=r"\[[A-Za-z_ ]{4,12}\d+\]:|\(.*pid=|\((?:raylet|autoscaler|gcs_server|scheduler)[ ,)]|"
        r"(?:\d{1,4}\|)?[A-Za-z][\w.-]{0,62} {1,40}\|",
        title="lines marked with their process or rank",
        parse=parse,
        rank=5,
        begins=frozenset("[(" + string.ascii_letters + string.digits),
    )

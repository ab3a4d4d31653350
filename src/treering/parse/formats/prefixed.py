"""Lines that a launcher gathered from several processes and marked: ranks of torchrun, processes of vLLM and Ray."""

from __future__ import annotations

import re
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


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:  # noqa: ARG001  marks have no time
    """Return each process's own line; a mark is `[rank0]:`, `[default0]:`, `(APIServer pid=1)` or `(pid=7, ip=…)`."""
    return [_ranked(line) if line[0] == "[" else _process(line) for line in lines]


def _ranked(line: str) -> Wrapped | None:
    found = _RANK.match(line)
    if found is None:
        return None
    word = "training.rank" if found["word"].lower() == "rank" else "training.local_rank"
    outer: Record = {"attributes": {word: int(found["rank"])}}
    return Wrapped(outer, line[found.end() :], found[0])


def _process(line: str) -> Wrapped | None:
    found = _PROCESS.match(line)
    if found is None:
        return None
    attributes: dict[str, Any] = {"process.pid": int(found["pid"])}
    if found["name"]:
        attributes["process.title"] = found["name"]
    if found["rank"]:
        attributes["training.rank"] = int(found["rank"])
    outer: Record = {"attributes": attributes}
    if found["ip"]:
        outer["resource"] = {"attributes": {"host.ip": found["ip"]}}
    return Wrapped(outer, line[found.end() :], found[0])


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(
        name="prefixed",
        hint=r"\[[A-Za-z_ ]{4,12}\d+\]:|\(.*pid=",
        title="lines marked with their process or rank",
        parse=parse,
        rank=5,
        begins=frozenset("[("),
    )

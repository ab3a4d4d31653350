"""logfmt: `time=… level=info msg="…" key=value` (Go's slog and logrus text, Ollama, Grafana, Heroku)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.core.config import Config
from treering.parse.fields import shape
from treering.parse.pairs import logfmt
from treering.stage.parser import LineFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times, Wrapped

_TELLING = ("level=", "lvl=", "msg=", "severity=", "message=")


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return the records of logfmt lines: those with a level or a message, or with three pairs and nothing else."""
    return [_one(line, times) for line in lines]


def _one(line: str, times: Times) -> Record | None:
    if "=" not in line or len(line) > 1 << 20:
        return None
    pairs, extent = logfmt(line)
    if len(pairs) < 2 or line[extent:].strip():
        return None
    if len(pairs) < 3 and not any(mark in line for mark in _TELLING):
        return None
    return shape(pairs, times, force=True)


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(name="logfmt", hint=r"[^=]+=", title="logfmt", parse=parse, rank=60)

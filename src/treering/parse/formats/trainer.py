"""Metric lines of training loops: the dicts that Hugging Face's Trainer prints, with numbers or quoted numbers."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treering.core.config import Config
from treering.parse.pairs import metric, metric_name
from treering.stage.parser import LineFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times, Wrapped

_ITEM = re.compile(r"\s*+'(\w[\w./@ -]{0,80})'\s*:\s*(?:'([^']{0,80})'|([^\s,'\"{}\[\]()]{1,40}))\s*(,|$)")


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:  # noqa: ARG001  these lines have no time
    """Return a record with `training.*` attributes for each line that is a flat dict of names and numbers."""
    return [_one(line) for line in lines]


def _one(line: str) -> Record | None:
    text = line.strip()
    if text[:2] != "{'" or text[-1] != "}" or len(text) > 65536:
        return None
    text = text[1:-1]
    attributes: dict[str, Any] = {}
    position = numbers = 0
    while position < len(text):
        found = _ITEM.match(text, position)
        if found is None:
            return None
        name, quoted, bare, _ = found.groups()
        number = metric(quoted if quoted is not None else bare)
        numbers += isinstance(number, int | float)
        attributes[f"training.{metric_name(name)}"] = number
        position = found.end()
    # A dict of words is somebody's data, not a training loop's report.
    if numbers * 2 < len(attributes) or not attributes:
        return None
    return {"body": line, "attributes": attributes}


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(
        name="trainer", hint=r"\s*\{'", title="Trainer metrics", parse=parse, rank=20, begins=frozenset("{ ")
    )

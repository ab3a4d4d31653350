"""Fields read out of a text by patterns that the engine's own regular expressions cannot say."""

from __future__ import annotations

import functools
import json
import re

from treering.query import grok, regexes
from treering.query.native import Native


@functools.lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return regexes.compiled(text)


def parse(text: str, pattern: str) -> str:
    """Return the named groups of a pattern that matches the whole text as a JSON object, else an empty one."""
    found = _pattern(pattern).fullmatch(text)
    return json.dumps(found.groupdict() if found is not None else {}, ensure_ascii=False)


def match(text: str, pattern: str) -> str:
    """Return the fields that a grok pattern finds in a text as a JSON object."""
    return json.dumps(grok.compiled(pattern).match(text), ensure_ascii=False)


NATIVES = (
    Native("ppl_parse", parse, ("VARCHAR", "VARCHAR"), "VARCHAR"),
    Native("ppl_grok", match, ("VARCHAR", "VARCHAR"), "VARCHAR"),
)

"""The variable parts of texts under numbers: `patterns … show_numbered_token=true`."""

from __future__ import annotations

import functools
import json
import re

from treering.query import regexes
from treering.query.native import Native


@functools.lru_cache(maxsize=256)
def _pattern(text: str) -> re.Pattern[str]:
    return regexes.compiled(text)


def numbered(text: str, pattern: str) -> str:
    """Return the text with its first, second, … match as `<token1>`, `<token2>`, …."""
    parts: list[str] = []
    end = 0
    for number, found in enumerate(_pattern(pattern).finditer(text), 1):
        parts += [text[end : found.start()], f"<token{number}>"]
        end = found.end()
    return "".join([*parts, text[end:]])


def tokens(texts: str, pattern: str) -> str:
    """Return, for a JSON list of texts of one pattern, the matches of each number as a JSON object of lists."""
    found: dict[str, list[str]] = {}
    for text in json.loads(texts):
        for number, match in enumerate(_pattern(pattern).finditer(text), 1):
            found.setdefault(f"<token{number}>", []).append(match[0])
    return json.dumps(found, ensure_ascii=False)


NATIVES = (
    Native("ppl_numbered", numbered, ("VARCHAR", "VARCHAR"), "VARCHAR"),
    Native("ppl_tokens", tokens, ("VARCHAR", "VARCHAR"), "VARCHAR"),
)

"""Texts of our own, drawn from `grammar.toml`: attacks and benign texts with the same words, in many languages."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from random import Random

_CHOICE = re.compile(r"\{([^{}]*)\}")
_LIST = re.compile(r"\$([a-z]+)")


@cache
def _grammar() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parent / "grammar.toml").read_text("utf-8"))


def texts(section: str, each: int, random: Random, languages: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """Return up to `each` different texts of every line of a section, with `lang` and `kind`."""
    found: dict[str, dict[str, Any]] = {}
    for group in _grammar()[section]:
        if languages and group["lang"] not in languages:
            continue
        for line in group["texts"]:
            for text in dict.fromkeys(drawn(line, random) for _ in range(each)):
                found.setdefault(text, {"text": text, "lang": group["lang"], "kind": group["family"]})
    return list(found.values())


def drawn(line: str, random: Random) -> str:
    """Return one text of a line of the grammar."""
    lists = _grammar()["lists"]

    def listed(match: re.Match[str]) -> str:
        return str(random.choice(lists[match[1]])) if match[1] in lists else match[0]

    def chosen(match: re.Match[str]) -> str:
        return str(random.choice(match[1].split("|")))

    while _CHOICE.search(line) or any(name in lists for name in _LIST.findall(line)):
        line = _CHOICE.sub(chosen, _LIST.sub(listed, line) if "{" not in line else _CHOICE.sub(chosen, line))
    return _varied(line.strip(), random)


def _varied(text: str, random: Random) -> str:
    """Return `text` as different people type it."""
    draw = random.random()
    if draw < 0.25:
        return text.lower()
    if draw < 0.3:
        return text.upper()
    if draw < 0.4:
        return text.rstrip(".?!")
    return text[:1].upper() + text[1:]

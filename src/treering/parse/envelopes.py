"""JSON objects around an array of records, as APIs answer and clouds export: which they are, and what is in them."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from treering.parse.fields import LOG_NAMES

DEEPEST = 2
_NAMES = (
    "items|Items|Records|records|events|Events|data|entries|value|rows|results|logs|runs|traces|spans|observations|hits"
)
_OUTER = "hits|log|response|result|data"
_TEXT = r'"(?:[^"\\]++|\\.)*+"'
_SCALAR = rf"(?:{_TEXT}|[-+\w.]++|\{{[^{{}}\[\]]*+\}}|\[[^{{}}\[\]]*+\])"
_MEMBERS = rf"(?:\s*+{_TEXT}\s*+:\s*+{_SCALAR}\s*+,)*+"
_OPENS = re.compile(
    rf'\{{{_MEMBERS}\s*+(?:"(?:{_OUTER})"\s*:\s*\{{{_MEMBERS}\s*+)?"(?:{_NAMES})"\s*:\s*\[\s*\{{'
    r'(?!\s*"object"\s*:\s*"embedding")'
)
ARRAY = re.compile(rf'\s*"(?:{_NAMES})"\s*:\s*\[\s*\{{?\s*$')
_KEY = re.compile(r'^\s*"((?:[^"\\]|\\.)*)"\s*:')
# Answers of models hold arrays too, and are records themselves.
_RECORDS = LOG_NAMES | {"model", "usage", "choices", "messages", "id"}
_HEAD = 65_536


def opens(line: str) -> bool:
    """Whether a stream whose first line is `line` holds such objects, each in one line."""
    return line.startswith("{") and _OPENS.match(line[:_HEAD]) is not None


def taken(line: str) -> list[str] | None:
    """Return the records of such an object as lines; None where it is none."""
    if not opens(line):
        return None
    try:
        whole = msgspec.json.decode(line.rstrip().rstrip(","))
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    found = _records(whole) if type(whole) is dict else None
    return None if found is None else [msgspec.json.encode(_unpacked(one)).decode() for one in found]


def _records(whole: dict[str, Any]) -> list[dict[str, Any]] | None:
    if whole.keys() & _RECORDS:
        return None
    held = [whole, *(whole[name] for name in _OUTER.split("|") if type(whole.get(name)) is dict)]
    arrays = [one[name] for one in held for name in _NAMES.split("|") if type(one.get(name)) is list]
    found: list[Any] = max(arrays, key=len, default=[])
    return found if found and all(type(one) is dict for one in found) else None


def is_around(lines: list[str]) -> bool:
    """Whether an object that begins with these lines says nothing of its own that a record would."""
    names = [found[1] for line in lines if (found := _KEY.match(line))]
    return len(lines) < 100 and not _RECORDS & set(names)


def inner(line: str) -> str:
    """Return the document of a search's hit as a line, any other record as it is."""
    if '"_source"' not in line:
        return line
    try:
        return msgspec.json.encode(_unpacked(msgspec.json.decode(line))).decode()
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return line


def _unpacked(one: Any) -> Any:
    source = one.get("_source") if type(one) is dict else None
    return {**source, **{name: one[name] for name in ("_index", "_id") if name in one}} if type(source) is dict else one

"""Plain text whose time and level are found by their shape; the last resort before text as it stands.

The time may stand at the start or behind a few words; the level is an upper-case word near it, or any spelling inside
brackets or before a colon. What precedes the message and is understood is cut off it; anything else stays in it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from treering.core.config import Config
from treering.parse.severity import severity_number
from treering.parse.stacktraces import opens
from treering.stage.parser import LineFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.stage.parser import Record, Times, Wrapped

_UPPER = (
    "TRACE|DEBUG|INFO|INFORMATION|NOTICE|WARN|WARNING|ERROR|SEVERE|CRITICAL|CRIT|ALERT|FATAL|EMERG|EMERGENCY|PANIC|"
    "VERBOSE|FINE|FINER|FINEST|FAILURE|ERR|DBG|WRN|INF|FTL|LOG|STATEMENT|HINT|DETAIL"
)
_ANY = f"{_UPPER}|{_UPPER.lower()}|{'|'.join(word.title() for word in _UPPER.split('|'))}"
# Right after the time, or at the start of a line that has none: `INFO`, `[info]`, `Info:`, `<Error>`, `, Info  `.
_LEADING = re.compile(
    rf"[\s|,;:\])>-]*(?:[\[(<](?P<bracket>{_ANY}|[TDVIWEF])[\])>]:?|"
    rf"(?P<upper>{_UPPER}|[VDIWEF](?= [\w.]+[:(]))\b:?|(?P<colon>{_ANY})(?::(?=\s|$)|(?=\s{{2,}})))(?:[\s|:-]+|$)"
)
_NEAR = re.compile(
    rf"(?<![\w.-])(?:[\[(<]\s*(?P<bracket>{_ANY})\s*[\])>]|(?P<upper>{_UPPER})(?![\w.=-])|"
    r"(?<=\d )(?P<letter>[VDIWEF])(?= ))"
)
_OPENING = re.compile(r"[\s\[(<\"']*")
_CLOSING = re.compile(r"[\])>\"']?[,;:|]?(?: - |\s*[|]\s*|\s+|$)?")
_REACH = 110
# A time after one of these words is what a message is about, not when it was written.
_SENTENCE = frozenset(
    {"at", "on", "by", "since", "until", "before", "after", "from", "to", "expires", "till", "of", "for"}
)


def parse(lines: Sequence[str], times: Times) -> list[Record | Wrapped | None]:
    """Return a record for each line in which a time or a level is found."""
    return [_one(line, times) for line in lines]


def _one(line: str, times: Times) -> Record | None:
    found = times.find(line)
    opening = _OPENING.match(line)
    leads = found is not None and opening is not None and found[0] <= opening.end()
    if found is None or not (leads or _heads(line[: found[0]])):
        return _levelled(line, times)
    _, end, moment = found
    record: Record = {"@timestamp": moment}
    body = line
    if leads:
        closing = _CLOSING.match(line, end)
        body = line[closing.end() if closing else end :]
        if (level := _LEADING.match(body)) and _set_level(record, level):
            body = body[level.end() :]
    if "severityText" not in record and (level := _NEAR.search(line, 0, end + _REACH)):
        _set_level(record, level)
    record["body"] = body
    return record


def _heads(before: str) -> bool:
    """Whether what stands before a time looks like a header: numbers and names, not the beginning of a sentence."""
    words = before.split()
    if not words or words[-1].lower() in _SENTENCE:
        return False
    first = words[0].strip("[](),:;'\"")
    return first.isupper() or not first.isalpha()


def _levelled(line: str, times: Times) -> Record | None:
    record: Record = {}
    level = _LEADING.match(line)
    # `panic: …` and `fatal error: …` begin a stack trace.
    if level is None or opens(line) or level["upper"] in {"V", "D", "I", "W", "E", "F"} or line[0] in "|,;)>-":
        return None
    if level["upper"] and not level[0].rstrip().endswith(":") and not level["upper"].isupper():
        return None
    if not _set_level(record, level):
        return None
    record["body"] = body = line[level.end() :]
    # winston's simple format: `error: 2026-11-27T10:00:00.123Z the message`.
    if (found := times.find(body, 64)) is not None and found[0] == 0:
        record["@timestamp"], record["body"] = found[2], body[found[1] :].lstrip(" :-")
    return record


def _set_level(record: Record, found: re.Match[str]) -> bool:
    text = next(group for group in found.groups() if group)
    number = severity_number(text)
    if number is None:
        return False
    record["severityText"] = text
    record["severityNumber"] = number
    return True


def build(config: Config) -> LineFormat:  # noqa: ARG001  nothing to configure
    """Return the format."""
    return LineFormat(name="plain", title="plain text with time or level", parse=parse, rank=95, multiline=True)

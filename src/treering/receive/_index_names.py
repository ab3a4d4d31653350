"""Index names as OpenSearch takes them: what is a valid one, and date math (`<filebeat-{now/d}-000001>`)."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from treering.core.errors import UserError

_FORBIDDEN = frozenset('\\/*?"<>| ,#:')
_MATH = re.compile(
    r"\{now(?P<steps>(?:[+-]\d{1,4}[yMwdhms])*)(?:/(?P<unit>[yMwdhms]))?(?:\{(?P<format>[^{}|]+)[^{}]*\})?\}"
)
_STEP = re.compile(r"([+-]\d+)([yMwdhms])")
_SECONDS = {"w": 604_800, "d": 86_400, "h": 3600, "m": 60, "s": 1}
_JODA = (
    ("yyyy", "%Y"),
    ("uuuu", "%Y"),
    ("MM", "%m"),
    ("dd", "%d"),
    ("HH", "%H"),
    ("mm", "%M"),
)


def problem(name: str) -> str | None:
    """Return what is wrong with an index name, in OpenSearch's words, or None."""
    if not name or name in (".", ".."):
        return "must not be '.' or '..'"
    if name[0] in "_-+":
        return "must not start with '_', '-', or '+'"
    if name != name.lower():
        return "must be lowercase"
    if not _FORBIDDEN.isdisjoint(name) or not name.isprintable():
        return 'must not contain the following characters [\\, /, *, ?, ", <, >, |, space, ,, #, :]'
    if len(name.encode(errors="replace")) > 255:
        return "index name is too long, must be at most 255 bytes"
    return None


def resolve(name: str, now_ns: int) -> str:
    """Return `name` with its date math computed for `now_ns`. Raises `UserError` when the expression is wrong."""
    if not (name.startswith("<") and name.endswith(">")):
        return name
    now = datetime.fromtimestamp(now_ns // 1_000_000_000, UTC)
    resolved = _MATH.sub(lambda match: _moment(match, now), name[1:-1])
    if "{" in resolved:
        raise UserError(f"invalid date math expression [{name[:120]}]")
    return resolved


def _moment(match: re.Match[str], now: datetime) -> str:
    moment = now
    try:
        for amount, unit in _STEP.findall(match["steps"]):
            moment = _add(moment, int(amount), unit)
    except (ValueError, OverflowError) as error:
        raise UserError(f"invalid date math expression [{match[0][:120]}]") from error
    floor = _floor(moment, match["unit"])
    pattern = match["format"] or "yyyy.MM.dd"
    for letters, directive in _JODA:
        pattern = pattern.replace(letters, floor.strftime(directive))
    return pattern


def _add(moment: datetime, amount: int, unit: str) -> datetime:
    if unit in _SECONDS:
        return moment + timedelta(seconds=amount * _SECONDS[unit])
    months = moment.year * 12 + moment.month - 1 + amount * (12 if unit == "y" else 1)
    return moment.replace(year=months // 12, month=months % 12 + 1, day=min(moment.day, 28))


def _floor(moment: datetime, unit: str | None) -> datetime:
    if unit == "w":
        moment -= timedelta(days=moment.weekday())
    kept = {None: 6, "s": 6, "m": 5, "h": 4, "d": 3, "w": 3, "M": 2, "y": 1}[unit]
    parts = (moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second)
    return datetime(*(parts[:kept] + (1, 1, 1, 0, 0, 0)[kept:]), tzinfo=UTC)  # type: ignore[arg-type, misc]

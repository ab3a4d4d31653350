"""Instants as integers: nanoseconds since 1970-01-01 UTC, from the texts and numbers that protocols send.

Log lines in human formats are the business of `treering.parse`; here are only RFC 3339 and epoch numbers.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import numpy as np
from arro3.core import Array, DataType

if TYPE_CHECKING:
    from collections.abc import Sequence

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_NS = 86_400_000_000_000
_FRACTION = re.compile(r"[.,](\d{7,})")
_MOST_DIGITS = 40  # Python refuses to read numbers of thousands of digits; no instant has as many as this
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?")
MIN_NS, MAX_NS = -(2**63) + 1, 2**63 - 1


def rfc3339_ns(text: str) -> int | None:
    """Return the instant that `text` names (RFC 3339 or ISO 8601; no zone means UTC), or None.

    Digits below a nanosecond are cut off. Instants outside 1677-09-21 … 2262-04-11 have no such integer: None.
    """
    if len(text) < 8 or not text[:4].isdigit():
        return None
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    span: timedelta = moment - _EPOCH
    value = span.days * _DAY_NS + span.seconds * 1_000_000_000 + span.microseconds * 1000
    if extra := _FRACTION.search(text):
        value += int(extra[1][6:9].ljust(3, "0"))
    return value if MIN_NS <= value <= MAX_NS else None


def epoch_ns(text: str, unit_ns: int) -> int | None:
    """Return the instant of a decimal number of `unit_ns` nanoseconds since the epoch, exactly, or None."""
    if not _NUMBER.fullmatch(text):
        return None
    whole, _, fraction = text.partition(".")
    if len(whole) > _MOST_DIGITS:
        return None
    value = int(whole) * unit_ns
    if fraction := fraction[:_MOST_DIGITS]:
        part = int(fraction) * unit_ns // 10 ** len(fraction)
        value += -part if whole.startswith("-") else part
    return value if MIN_NS <= value <= MAX_NS else None


def parse_texts(texts: Sequence[str], unit_ns: int) -> list[int | None]:
    """Return the instant of each text: RFC 3339, or a number of `unit_ns` nanoseconds since the epoch."""
    if (fast := _parse_uniform(texts)) is not None:
        return fast
    return [rfc3339_ns(text) if not _NUMBER.fullmatch(text) else epoch_ns(text, unit_ns) for text in texts]


def instants(texts: Sequence[str | None]) -> Array | None:
    """Return the RFC 3339 texts as Arrow timestamps, or None unless every text that is there names an instant."""
    column = Array(texts, DataType.utf8())
    found = column.cast(DataType.timestamp("ns"))
    if found.null_count != column.null_count or column.null_count == len(texts):
        return None
    # Arrow takes a 61st second, a small z, two spaces and the one instant before MIN_NS; `rfc3339_ns` does not.
    whole = "".join(filter(None, texts))
    return None if any(odd in whole for odd in (":60", "z", "  ", "1677-")) else found


def _parse_uniform(texts: Sequence[str]) -> list[int | None] | None:
    # NumPy reads ISO 8601 some five times faster than datetime, but only without a zone, and it wraps silently
    # outside the range of int64: both are checked on the whole column first.
    if len(texts) < 8 or min(texts)[:4] < "1678" or max(texts)[:4] > "2261":
        return None
    if not all(20 <= len(text) <= 30 and text[-1] == "Z" and text[10] == "T" for text in texts):
        return None
    try:
        values = np.array([text[:-1] for text in texts], dtype="datetime64[ns]")
    except ValueError:
        return None
    if np.isnat(values).any():
        return None
    numbers: list[int | None] = values.astype(np.int64).tolist()
    return numbers


def format_ns(value: int) -> str:
    """Return the instant as RFC 3339 in UTC with as many fractional digits (0, 3, 6, 9) as it needs."""
    seconds, fraction = divmod(value, 1_000_000_000)
    text = (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S")
    if len(text) < 19:  # strftime does not pad years on every platform
        text = text.rjust(19, "0")
    if not fraction:
        return text + "Z"
    digits = f"{fraction:09d}"
    if digits.endswith("000000"):
        digits = digits[:3]
    elif digits.endswith("000"):
        digits = digits[:6]
    return f"{text}.{digits}Z"

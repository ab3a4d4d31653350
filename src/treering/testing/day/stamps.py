"""Timestamps as the components write them, all in UTC."""

from __future__ import annotations

import functools
from datetime import UTC, datetime

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
SECOND_NS = 1_000_000_000


@functools.lru_cache(maxsize=256)
def _moment(second: int) -> datetime:
    return datetime.fromtimestamp(second, UTC)


def iso(at_ns: int, digits: int = 0) -> str:
    """Return `2026-11-24T09:00:00Z` with `digits` of the fraction."""
    second, fraction = divmod(at_ns, SECOND_NS)
    point = f".{fraction:09d}"[: digits + 1] if digits else ""
    return f"{_moment(second):%Y-%m-%dT%H:%M:%S}{point}Z"


def nginx(at_ns: int) -> str:
    """Return `24/Nov/2026:09:00:00 +0000`, the time of access logs."""
    moment = _moment(at_ns // SECOND_NS)
    return f"{moment.day:02d}/{_MONTHS[moment.month - 1]}/{moment:%Y:%H:%M:%S} +0000"


def nginx_error(at_ns: int) -> str:
    """Return `2026/11/24 09:00:00`, the time of nginx's error log."""
    return f"{_moment(at_ns // SECOND_NS):%Y/%m/%d %H:%M:%S}"


def gin(at_ns: int) -> str:
    """Return `2026/11/24 - 09:00:00`, the time of gin's access lines."""
    return f"{_moment(at_ns // SECOND_NS):%Y/%m/%d - %H:%M:%S}"


def vllm(at_ns: int) -> str:
    """Return `11-24 09:00:00`, vLLM's time without a year."""
    return f"{_moment(at_ns // SECOND_NS):%m-%d %H:%M:%S}"


def bsd(at_ns: int) -> str:
    """Return `Nov 24 09:00:00`, the time of RFC 3164."""
    moment = _moment(at_ns // SECOND_NS)
    return f"{_MONTHS[moment.month - 1]} {moment.day:2d} {moment:%H:%M:%S}"


def glog(at_ns: int) -> str:
    """Return `1124 09:00:00.123000`, the time of PyTorch's own lines."""
    second, fraction = divmod(at_ns, SECOND_NS)
    return f"{_moment(second):%m%d %H:%M:%S}.{fraction // 1_000_000:03d}000"


def torch_summary(at_ns: int) -> str:
    """Return `2026-11-24_09:00:00`, the time in torchrun's summary of a failure."""
    return f"{_moment(at_ns // SECOND_NS):%Y-%m-%d_%H:%M:%S}"

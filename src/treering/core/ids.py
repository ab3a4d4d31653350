"""Identifiers that sort by time."""

from __future__ import annotations

import os

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def time_id(now_ns: int) -> str:
    """Return a 26-character identifier: 48 bits of milliseconds, 80 random bits (ULID layout, lower case)."""
    value = ((now_ns // 1_000_000) & ((1 << 48) - 1)) << 80 | int.from_bytes(os.urandom(10), "big")
    return "".join(_CROCKFORD[(value >> shift) & 31] for shift in range(125, -1, -5))


def row_id(seq: int) -> str:
    """Return the `_id` of a record that was sent without one: its `_seq`, so that nothing has to be stored for it."""
    return f"~{seq:x}"


def row_seq(identifier: str) -> int | None:
    """Return the `_seq` that a `row_id` stands for, or None for an id that a sender chose."""
    digits = identifier[1:]
    if not identifier.startswith("~") or not digits or digits.strip("0123456789abcdef"):
        return None
    return int(digits, 16)

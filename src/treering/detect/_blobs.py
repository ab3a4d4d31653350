"""What a long word stands for, if it is text in base64, base32 or hexadecimal."""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_BLOB = 20_000
"""Characters above which nothing is decoded."""
_HEXADECIMAL = re.compile(r"(?:[0-9a-fA-F]{2})+")


def decodings(blob: str) -> Iterator[str]:
    """Yield each text of printable characters that `blob` stands for. Tokens with a JSON header and keys are none."""
    if blob.startswith(("eyJ", "ssh-")) or len(blob) > MOST_BLOB:
        return
    for way in [bytes.fromhex] if _HEXADECIMAL.fullmatch(blob) else [_base64, _base32]:
        try:
            said = way(blob).decode()
        except (ValueError, binascii.Error):
            continue  # not in this encoding, or no text
        if said.isprintable() or "\n" in said:
            yield said


def _base64(blob: str) -> bytes:
    bare = blob.rstrip("=")
    return base64.b64decode(bare.replace("-", "+").replace("_", "/") + "=" * (-len(bare) % 4), validate=True)


def _base32(blob: str) -> bytes:
    bare = blob.rstrip("=").upper()
    return base64.b32decode(bare + "=" * (-len(bare) % 8))

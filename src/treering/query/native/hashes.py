"""Hashes of java.lang as unsigned words of 32 bits."""

from __future__ import annotations

import ipaddress
import json
import struct
from typing import Any

from treering.model.times import format_ns
from treering.query import members
from treering.query.native import Native

_WORD = 0xFFFFFFFF
_IPV4 = 4


def text_hash(text: str) -> int:
    """Return `String.hashCode`: 31 times the hash so far plus the next UTF-16 unit."""
    found = 0
    units = text.encode("utf-16-le", "surrogatepass")
    for (unit,) in struct.iter_unpack("<H", units):
        found = (found * 31 + unit) & _WORD
    return found


def double_hash(number: float) -> int:
    """Return `Double.hashCode`: both halves of the bits."""
    (bits,) = struct.unpack("<Q", struct.pack("<d", number))
    return int((bits ^ (bits >> 32)) & _WORD)


def document_hash(text: str) -> int:
    """Return the hash of a JSON document as maps, lists and values of java.util and java.lang."""
    return _hash(json.loads(text))


def address_hash(text: str) -> int:
    """Return the hash of the node's class for addresses: 59 and that of the list of bytes, or of IPv6's groups."""
    address = ipaddress.ip_address(text)
    size = 1 if address.version == _IPV4 else 2
    found = 1
    for start in range(0, len(address.packed), size):
        found = (found * 31 + int.from_bytes(address.packed[start : start + size])) & _WORD
    return (59 + found) & _WORD


def _hash(value: Any) -> int:  # noqa: PLR0911  one branch per kind of value
    match value:
        case dict():
            return sum(text_hash(name) ^ _hash(item) for name, item in value.items()) & _WORD
        case list():
            found = 1
            for item in value:
                found = (found * 31 + _hash(item)) & _WORD
            return found
        case str():
            return text_hash(value)
        case bool():
            return 1231 if value else 1237
        case int():
            return (value ^ (value >> 32)) & _WORD
        case float():
            return double_hash(value)
        case _:
            return 0


def _printed(moment: int) -> str:
    """An instant as PPL prints it."""
    text = format_ns(moment)[:-1].replace("T", " ")
    return text.rstrip("0") if "." in text else text


def documents(text: str, formats: str) -> str:
    """Return items of a nested field with their dates printed; `formats` are pairs of path and format as JSON."""
    shown = members.shown(json.loads(text), dict(json.loads(formats)), _printed)
    return json.dumps(shown, ensure_ascii=False, separators=(",", ":"))


NATIVES = (
    Native("ppl_document_hash", document_hash, ("VARCHAR",), "BIGINT"),
    Native("ppl_documents", documents, ("VARCHAR", "VARCHAR"), "VARCHAR"),
    Native("ppl_text_hash", text_hash, ("VARCHAR",), "BIGINT"),
    Native("ppl_address_hash", address_hash, ("VARCHAR",), "BIGINT"),
    Native("ppl_double_hash", double_hash, ("DOUBLE",), "BIGINT"),
)

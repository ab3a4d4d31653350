"""Number bases, checksums, number formats and the regular expressions that the engine's own library refuses."""

from __future__ import annotations

import functools
import hashlib
import ipaddress
import itertools
import json
import re
import zlib
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import Any

from treering.query import analyzer, regexes
from treering.query.native import Native

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def in_base(number: int, base: int) -> str:
    """Return a whole number's digits in a base from 2 to 36."""
    rest, digits = abs(number), ""
    while rest:
        rest, digit = divmod(rest, base)
        digits = _DIGITS[digit] + digits
    return ("-" if number < 0 else "") + (digits or "0")


def conv(text: str, source: int, target: int) -> str:
    """Return the digits of `text` in another base."""
    if not (2 <= source <= 36 and 2 <= target <= 36):
        raise ValueError("conv takes bases from 2 to 36")
    if not re.fullmatch(r"[+-]?[0-9A-Za-z]+", text):
        raise ValueError(f"conv cannot read {text[:40]!r} as a number")
    return in_base(int(text, source), target)


def number(text: str, base: int) -> float | None:
    """Return `tonumber(text, base)`: null where the text is no number in that base."""
    if not 2 <= base <= 36:
        raise ValueError("tonumber takes a base from 2 to 36")
    try:
        if base == 10 and "." in text:
            return float(text)
        digits = text.lstrip("+-").lower()
        prefixed = digits.startswith("0") and digits[1:2] in {"x", "b", "o"} and base <= int(digits[1], 36)
        return float(int(text, base)) if re.fullmatch(r"[+-]?[0-9A-Za-z]+", text) and not prefixed else None
    except ValueError:
        return None


def formatted(text: str, form: str) -> str | None:
    """Return `tostring(number, form)` for the forms binary, hex, commas, duration and duration_millis."""
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    if not value.is_finite():
        return None
    if form in {"binary", "hex"}:
        return in_base(int(value), 2 if form == "binary" else 16)
    if form == "commas":
        short = value.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        return f"{short:,.2f}".rstrip("0").rstrip(".")
    if form in {"duration", "duration_millis"}:
        seconds = int(value) if form == "duration" else int(value) // 1000
        return f"{seconds // 3600 % 24:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return text


def digest(text: str, bits: int) -> str:
    """Return the SHA-2 digest of a text in hexadecimal (FIPS 180-4)."""
    if bits not in {0, 224, 256, 384, 512}:
        raise ValueError("sha2 takes 224, 256, 384 or 512 bits")
    return hashlib.new(f"sha{bits or 256}", text.encode()).hexdigest()


def _search(text: str, pattern: str) -> Any:
    return regexes.bounded(pattern, lambda form: form.search(text, **regexes.LIMITS))


def regex_match(text: str, pattern: str) -> bool:
    """Return whether a part of the text matches."""
    return _search(text, pattern) is not None


def regex_replace(text: str, pattern: str, replacement: str) -> str:
    """Return the text with every match replaced; `replacement` has groups as `\\1`."""
    return regexes.bounded(pattern, lambda form: str(form.sub(replacement, text, **regexes.LIMITS)))


def regex_group(text: str, pattern: str, group: int) -> str | None:
    """Return what a group matched where the pattern is first found, or null."""
    found = _search(text, pattern)
    return found[group] if found else None


def regex_groups(text: str, pattern: str, group: int, most: int) -> str | None:
    """Return what a group matched at each place as a JSON list, or null where the pattern is not found."""

    def ask(form: Any) -> list[str | None]:
        return [match[group] for match in itertools.islice(form.finditer(text, **regexes.LIMITS), most)]

    found = regexes.bounded(pattern, ask)
    return json.dumps(found, ensure_ascii=False) if found else None


def regex_offsets(text: str, pattern: str) -> str | None:
    """Return `name=start-end&…`, from 0 and both included, of the groups where the pattern is first found, or null."""
    found = _search(text, pattern)
    if found is None:
        return None
    spans = [(name, found.start(name), found.end(name) - 1) for name in found.re.groupindex if found[name] is not None]
    return "&".join(f"{name}={start}-{end}" for name, start, end in spans)


def translated(text: str, before: str, after: str) -> str:
    """Return the text with each character of `before` replaced by the one at its place in `after`."""
    return text.translate({ord(one): other for one, other in zip(before, after, strict=False)})


def sliced(text: str, start: int, end: int) -> str:
    """Return the part between two positions counted in UTF-16 units, as Java does; a halved character is left out."""
    return text.encode("utf-16-le", "ignore")[2 * start : 2 * end].decode("utf-16-le", "ignore")


def locate(text: str, part: str, start: int) -> int:
    """Return where a text has a part, from 1 in UTF-16 units, looking from a position on; 0 where it has none."""
    found = sliced(text, start, len(text) * 2).find(part)
    if found < 0:
        return 0
    return start + len(sliced(text, start, len(text) * 2)[:found].encode("utf-16-le")) // 2 + 1


@functools.lru_cache(maxsize=256)
def _network(text: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    return ipaddress.ip_network(text, strict=False)


@functools.lru_cache(maxsize=65_536)
def in_network(address: str, network: str) -> bool:
    """Return whether an address lies in a network; what is no address, or one of another family, does not."""
    block = _network(network)
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None and block.version == 4:
        found = found.ipv4_mapped
    return found in block


NATIVES = (
    Native("ppl_has_word", analyzer.has_word, ("VARCHAR", "VARCHAR", "BOOLEAN"), "BOOLEAN"),
    Native("ppl_conv", conv, ("VARCHAR", "BIGINT", "BIGINT"), "VARCHAR"),
    Native("ppl_crc32", lambda text: zlib.crc32(text.encode()), ("VARCHAR",), "BIGINT"),
    Native("ppl_sha2", digest, ("VARCHAR", "BIGINT"), "VARCHAR"),
    Native("ppl_tonumber", number, ("VARCHAR", "BIGINT"), "DOUBLE"),
    Native("ppl_tostring", formatted, ("VARCHAR", "VARCHAR"), "VARCHAR"),
    Native("ppl_regex_match", regex_match, ("VARCHAR", "VARCHAR"), "BOOLEAN"),
    Native("ppl_regex_group", regex_group, ("VARCHAR", "VARCHAR", "BIGINT"), "VARCHAR"),
    Native("ppl_regex_groups", regex_groups, ("VARCHAR", "VARCHAR", "BIGINT", "BIGINT"), "VARCHAR"),
    Native("ppl_regex_offsets", regex_offsets, ("VARCHAR", "VARCHAR"), "VARCHAR"),
    Native("ppl_translate", translated, ("VARCHAR", "VARCHAR", "VARCHAR"), "VARCHAR"),
    Native("ppl_slice", sliced, ("VARCHAR", "BIGINT", "BIGINT"), "VARCHAR"),
    Native("ppl_locate", locate, ("VARCHAR", "VARCHAR", "BIGINT"), "INTEGER"),
    Native("ppl_in_network", in_network, ("VARCHAR", "VARCHAR"), "BOOLEAN"),
    Native("ppl_regex_replace", regex_replace, ("VARCHAR", "VARCHAR", "VARCHAR"), "VARCHAR"),
)

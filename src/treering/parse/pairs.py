"""Key-value texts inside log lines, in the styles that loggers write them; every function takes linear time."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_INTEGER = re.compile(r"-?(?:0|[1-9]\d{0,17})", re.ASCII)
_DECIMAL = re.compile(
    r"-?(?:0|[1-9]\d{0,14})\.\d{1,17}(?:[eE][+-]?\d{1,3})?|-?\d(?:\.\d{1,17})?[eE][+-]?\d{1,3}", re.ASCII
)
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "μs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_EXPONENTS = {"ns": -9, "us": -6, "µs": -6, "μs": -6, "ms": -3, "s": 0}
_WORDS = re.compile(r"\W+")
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|.)", re.DOTALL)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f", "0": "\0"}

# Possessive and atomic on purpose: a hostile line must not make the matcher try again what it has passed.
_QUOTED = r'"((?:[^"\\]++|\\.)*+)"'
_LOGFMT = re.compile(rf"""\s*+([^\s="'\[\](){{}}<>,;|]++)=(?:{_QUOTED}|([^\s"]\S*+)|(?=\s|$))""", re.DOTALL)
_NESTED = r'(?:[^\[\]"]++|\[[^\[\]]*+\]|"(?:[^"\\]++|\\.)*+")*+'
_BRACKETED = re.compile(rf"\s*+\[(?:{_QUOTED}|([^\s=\]\"\[]++))=(?:{_QUOTED}(?=\])|({_NESTED}))\]", re.DOTALL)
_COLON_MARK = re.compile(
    r'"(?:[^"\\]++|\\.)*+(?:"|$)|(?P<open>[(\[{])|(?P<close>[)\]}])|'
    r"(?P<next>, +(?=[A-Za-z_][\w.-]{0,60}(?: [\w.-]{1,40}){0,4}:\s))",
    re.DOTALL,
)


def value(text: str, key: str = "") -> Any:
    """Return a number or a boolean where `text` plainly is one, else the text.

    Values of keys that name versions and ids stay texts: 1.10 is not 1.1 there.
    """
    first = text[:1]
    if first.isdigit() or first == "-":
        if _INTEGER.fullmatch(text):
            return text if _is_label(key) else int(text)
        if _DECIMAL.fullmatch(text):
            return text if _is_label(key) else float(text)
        return text
    if text == "true":
        return True
    if text == "false":
        return False
    return text


def _is_label(key: str) -> bool:
    return key.lower().endswith(("version", "ver", "_id", ".id"))


def unescape(text: str) -> str:
    """Return a quoted text without its backslash escapes (JSON's and C's)."""
    if "\\" not in text:
        return text
    return _ESCAPE.sub(_escaped, text)


def _escaped(found: re.Match[str]) -> str:
    code = found[1]
    if code[0] in "ux" and len(code) > 1:
        character = chr(int(code[1:], 16))
        return "\ufffd" if "\ud800" <= character <= "\udfff" else character
    return _ESCAPES.get(code, "\\" + code)


def seconds(text: str) -> float | None:
    """Return the seconds of a duration as Go prints it (`1m2.5s`, `50.263µs`), or None."""
    compact = text.replace(" ", "")
    parts = _DURATION.findall(compact)
    if not parts or "".join(number + unit for number, unit in parts) != compact:
        return None
    if len(parts) == 1 and parts[0][1] not in "mh":
        # Read as one decimal number, so that 201.54 ms is 0.20154 and not a neighbour of it.
        return float(f"{parts[0][0]}e{_EXPONENTS[parts[0][1]]}")
    return sum(float(number) * _UNITS[unit] for number, unit in parts)


def logfmt(text: str) -> tuple[dict[str, Any], int]:
    """Return the pairs of `key=value key="quoted" …` and how many characters they cover from the start.

    A key that comes twice holds the list of its values.
    """
    pairs: dict[str, Any] = {}
    position = 0
    while found := _LOGFMT.match(text, position):
        key, quoted, bare = found.groups()
        given = unescape(quoted) if quoted is not None else value(bare, key) if bare is not None else ""
        if key in pairs:
            earlier = pairs[key]
            given = [*earlier, given] if isinstance(earlier, list) else [earlier, given]
        pairs[key] = given
        position = found.end()
        if position < len(text) and not text[position].isspace():
            break
    return pairs, position


def bracketed(text: str) -> tuple[dict[str, Any], int]:
    """Return the pairs of `[key=value] [key="quoted"] …` (zap as Milvus and TiDB configure it), and their extent."""
    pairs: dict[str, Any] = {}
    position = 0
    while found := _BRACKETED.match(text, position):
        quoted_key, bare_key, quoted, bare = found.groups()
        key = unescape(quoted_key) if quoted_key is not None else bare_key
        pairs[key] = unescape(quoted) if quoted is not None else value(bare, key)
        position = found.end()
    return pairs, position


def colons(text: str) -> tuple[dict[str, Any], int]:
    """Return the pairs of `key: value, key: value` (tracing's pretty form, vLLM's statistics), and their extent.

    A comma inside quotes or brackets does not end a value, nor one that no key follows.
    """
    pairs: dict[str, Any] = {}
    start = depth = 0
    for found in _COLON_MARK.finditer(text):
        if found["open"]:
            depth += 1
        elif found["close"]:
            depth = max(0, depth - 1)
        elif found["next"] and not depth:
            _colon_pair(pairs, text[start : found.start()])
            start = found.end()
    _colon_pair(pairs, text[start:])
    return pairs, len(text) if pairs else 0


def _colon_pair(pairs: dict[str, Any], text: str) -> None:
    key, mark, raw = text.strip().partition(": ")
    if not mark:
        return
    pairs[key] = unescape(raw[1:-1]) if len(raw) > 1 and raw[0] == raw[-1] == '"' else value(raw, key)


def pipes(text: str) -> tuple[dict[str, Any], int]:
    """Return the pairs of `key: value | key: value |` (Megatron's iteration lines), and their extent.

    The keys are phrases there; their words are joined with underscores.
    """
    pairs: dict[str, Any] = {}
    for part in text.split("|"):
        key, mark, raw = part.partition(":")
        if mark and (name := metric_name(key)) and raw.strip():
            pairs[name] = metric(raw.strip())
    return pairs, len(text)


def metric_name(phrase: str) -> str:
    """Return a phrase such as `elapsed time (ms)` as one lower-case word."""
    return _WORDS.sub("_", phrase.strip().lower()).strip("_")


def metric(text: str) -> Any:
    """Return the number that `text` is, NaN and infinities included, else the text."""
    if text.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        return float(text)
    return value(text)


STYLES: dict[str, Callable[[str], tuple[dict[str, Any], int]]] = {
    "logfmt": logfmt,
    "bracketed": bracketed,
    "colons": colons,
    "pipes": pipes,
}

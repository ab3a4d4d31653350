"""Java's regular expressions, which PPL's manual means, in the dialects of the engine (RE2) and of Python.

RE2 has no look-around, no back-reference and no possessive quantifier; patterns with those are tried one way after the
other (`bounded`), which may take for ever on a text made for it: each text has its time.
"""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any, TypeVar

from treering.core.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Callable

_Found = TypeVar("_Found")
_QUOTED = re.compile(r"\\Q(.*?)(?:\\E|$)", re.DOTALL)
_NAMED = re.compile(r"\(\?<([A-Za-z][A-Za-z0-9]*)>")
_UNICODE = re.compile(r"\\u([0-9A-Fa-f]{4})")
_CLASSES = {
    "Alpha": "a-zA-Z",
    "Digit": "0-9",
    "Alnum": "a-zA-Z0-9",
    "Upper": "A-Z",
    "Lower": "a-z",
    "Punct": r"!-/:-@\[-`{-~",
    "Space": r"\s",
    "L": "a-zA-Z",
    "N": "0-9",
    "Lu": "A-Z",
    "Ll": "a-z",
    "P": r"!-/:-@\[-`{-~",
}
_CLASS = re.compile(r"\\p\{(?:Is)?(\w+)\}")
_BEYOND_RE2 = re.compile(r"\(\?(?:[=!>]|<[=!])|(?<!\\)(?:\\\\)*\\[1-9]|[*+?}]\+|\\[GZ]")


def named(pattern: str) -> str:
    """Return the pattern with named groups and `\\u0041` as RE2 writes them."""
    return _NAMED.sub(r"(?P<\1>", _UNICODE.sub(r"\\x{\1}", pattern))


def _python(pattern: str) -> str:
    plain = _QUOTED.sub(lambda found: re.escape(found[1]), _NAMED.sub(r"(?P<\1>", pattern))
    plain = _CLASS.sub(lambda found: f"[{_CLASSES.get(found[1], 'a-z')}]", plain)
    return plain.replace(r"\h", r"[ \t]").replace(r"\z", r"\Z").replace(r"\R", r"(?:\r\n|\n|\r)")


def compiled(pattern: str) -> re.Pattern[str]:
    """Return Python's pattern. Raises `ValueError` (`re.error`) when it does not parse."""
    return re.compile(_python(pattern))


LIMITS = {"timeout": 1.0, "concurrent": True}
"""With what `bounded` has a pattern asked: seconds of processor for one text, and that other threads run meanwhile."""


def bounded(pattern: str, ask: Callable[[Any], _Found]) -> _Found:
    """Return what `ask` finds by a pattern, used with `LIMITS`. Raises `ValueError` when that takes too long."""
    try:
        return ask(_tried(pattern))
    except TimeoutError:
        message = f"the regular expression {pattern[:80]!r} needs more than {LIMITS['timeout']:g} s on one text"
        raise ValueError(message) from None


@functools.lru_cache(maxsize=256)
def _tried(pattern: str) -> Any:
    import regex  # Python's own has no limit of time, and stops all threads

    return regex.compile(_python(pattern))


def check(pattern: str) -> str:
    """Return the pattern for RE2. Raises `UserError` when it does not parse."""
    try:
        compiled(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"invalid regular expression {pattern[:200]!r}: {error}") from None
    return named(pattern)


def beyond_re2(pattern: str) -> bool:
    """Return whether the pattern needs what RE2 lacks."""
    return _BEYOND_RE2.search(pattern) is not None


def replacement(text: str) -> str:
    r"""Return a replacement with groups as `$1` (Java) or `\1` (sed) in the form of RE2 and Python, `\1`."""
    out, at = [], 0
    while at < len(text):
        char, following = text[at], text[at + 1 : at + 2]
        if char in "$\\" and following.isdigit():
            out.append("\\" + following)
            at += 2
        elif char == "\\" and following:
            out.append("\\\\" if following == "\\" else following)
            at += 2
        else:
            out.append("\\\\" if char == "\\" else char)
            at += 1
    return "".join(out)

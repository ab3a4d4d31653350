"""Masks: a log message with its variable parts replaced by `<*>`, judged from the message alone.

Numbers and words with digits, hexadecimal, UUIDs, addresses, paths, URLs, hosts, dates and sizes are variable. Runs of
placeholders become one, so that lists of different lengths have one shape.
"""

from __future__ import annotations

import re

WILD = "<*>"
MAX_LENGTH = 600

# Every alternative is linear: bounded repeats, or classes that cannot match what follows them.
_PARTS = re.compile(
    r"""
 (?P<url>\b[a-zA-Z][a-zA-Z0-9+.-]{1,15}://[^\s"'<>\])},;]+)
|(?P<date>\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),?\ +)?(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\ +\d{1,2}
  (?:,?\ +\d{4})?(?:\ +\d\d:\d\d(?::\d\d)?)?(?:\ +[A-Z]{3,4})?(?:\ +\d{4})?\b)
|(?P<uuid>\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b)
|(?P<mac>\b(?:[0-9a-fA-F]{1,2}[:-]){5}[0-9a-fA-F]{1,2}\b)
|(?P<ipv6>(?<![\w:.])(?:[0-9a-fA-F]{1,4}:){2,7}(?::?[0-9a-fA-F]{1,4}){1,7}(?:%\w{1,16})?(?![\w:])
  |(?<![\w:.])(?=[0-9a-fA-F:]{0,45}\d)(?:[0-9a-fA-F]{1,4}:){0,7}::?(?:[0-9a-fA-F]{1,4}:){0,6}[0-9a-fA-F]{1,4}(?![\w:]))
|(?P<less>(?<=\ )<\d{1,18}(?:\.\d{1,18})?(?:\ ?(?:sec|ms|s|min|h)\b)?)
|(?P<size>(?<![\w.])-?\d{1,18}(?:\.\d{1,18})?\ ?(?:[KMGTP]i?B|B|[kmg]b)\b)
|(?P<path>(?<![\w.<>/*-])(?:~|\.{1,2}|[A-Za-z]:)?(?:[/\\]++[\w.@%+~#$*-]++){2,}+[/\\]?(?:\?[^\s"'<>]*)?
  |(?<![\w.<>/*-])/[\w.@%+~#$-]++/?(?:\?[^\s"'<>]*)?(?=[\s,;:)\]'"]|$))
|(?P<host>(?<![\w.@/-])(?:[\w-]{1,63}\.){1,8}[a-zA-Z]{2,18}(?=:\d)
  |(?<![\w.@/-])(?:[a-z0-9-]{1,63}\.){1,8}(?:com|net|org|edu|gov|io|cn|hk|de|fr|uk|jp|kr|ru|br|it|nl|pl|in|us|tw|local
  |internal)(?![\w.(-]))
|(?P<mail>\b[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}\b)
|(?P<hex>\b(?:0x)?(?=[a-fA-F]{0,63}\d)[0-9a-fA-F]{6,64}\b|\b[0-9a-f]{8,64}\b|\b0x[0-9a-fA-F]{1,32}\b)
""",
    re.VERBOSE,
)
# Without any of these nothing in `_PARTS` but a long hexadecimal word can match; prose is spared the search.
_HINT = re.compile(r"[\d/\\@:]|\.[a-zA-Z]|\b[0-9a-f]{8}")
_TOKENS = re.compile(r"""<\*>|[=:,;()\[\]{}"'|<>]|[^\s=:,;()\[\]{}"'|<>]+|\s+""")
_DIGIT = re.compile(r"\d")
_JOINED = re.compile(r"<\*>(?:[:.,/@#+-]<\*>)+")
_RUN = re.compile(r"(?:<\*> ?){3,}")
_LIST = re.compile(r"<\*>(?:, ?<\*>)+")
_STUCK = re.compile(r"(?:<\*>){2,}")
_ASIDE = re.compile(r"<\*> bytes \(<\*>\)")


def mask(message: str) -> str:
    """Return the masked first line of `message`; what lies beyond `MAX_LENGTH` characters does not count."""
    line = message[: MAX_LENGTH * 2].partition("\n")[0]
    text = " ".join(line.split())[:MAX_LENGTH].replace(WILD, " ")
    if _HINT.search(text):
        text = _PARTS.sub("\x00", text)
    words = [WILD if "\x00" in word or _DIGIT.search(word) else word for word in _TOKENS.findall(text)]
    text = _JOINED.sub(WILD, "".join(words))
    text = _RUN.sub(_one, text)
    text = _STUCK.sub(WILD, _LIST.sub(WILD, text))
    # An empty pair of brackets stands where another line has a value; an amount is often given twice.
    return _ASIDE.sub("<*> bytes", text.replace(" ()", " (<*>)")).strip()


def _one(found: re.Match[str]) -> str:
    return WILD + " " if found[0].endswith(" ") else WILD


def tokens(masked: str) -> tuple[str, ...]:
    """Return the words, delimiters, blanks and placeholders of a masked message; joined they are the message."""
    return tuple(_TOKENS.findall(masked))


def readable(parts: tuple[str, ...]) -> str:
    """Return tokens as one text with neighbouring placeholders joined."""
    return _JOINED.sub(WILD, "".join(parts))

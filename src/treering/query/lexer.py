"""Words of PPL text, in three reading modes, each with its place.

An expression reads `a*2` as three words, a list of field names reads `a*` as one pattern, and the search clause reads
`log-2024*` or `10.0.0.1` as one word (opensearch-project/sql, OpenSearchPPLLexer).
"""

from __future__ import annotations

import re
from enum import StrEnum

import msgspec

from treering.core.errors import UserError, Where

MAX_TEXT = 1 << 20


class Kind(StrEnum):
    """What a word is."""

    NAME = "name"
    QUOTED = "quoted"  # `a name between backticks`
    STRING = "string"
    NUMBER = "number"
    SPAN = "span"  # a number with a unit, such as 15m
    WORD = "word"  # bare text of the search clause
    OP = "op"
    END = "end"


class Mode(StrEnum):
    """How the next word is to be read."""

    EXPRESSION = "expression"
    PATTERN = "pattern"
    SEARCH = "search"


class Token(msgspec.Struct, frozen=True, gc=False):
    """A word: its kind, its value without quotes, and where it stands in the text."""

    kind: Kind
    value: str
    start: int
    end: int

    def is_op(self, *ops: str) -> bool:
        """Whether it is one of these operators."""
        return self.value in ops and self.kind is _OP

    def is_word(self, *words: str) -> bool:
        """Whether it is one of these lower-case words, whatever its own case."""
        return (self.kind is _NAME or self.kind is _WORD) and self.value.lower() in words


# Members of an enumeration take longer to look up than a word takes to read.
_KINDS = {str(kind): kind for kind in Kind} | {"bang": Kind.OP}
_OP, _NAME, _WORD = Kind.OP, Kind.NAME, Kind.WORD


_SPACE = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_STRINGS = r"""(?P<string>"(?:\\.|""|[^"\\])*"|'(?:\\.|''|[^'\\])*')|(?P<quoted>`(?:``|[^`])*`)"""
_OPS = r"(?P<op><=|>=|!=|<>|==|->|[=<>+\-*/%()\[\],.|:^{}])"
_PATTERNS = {
    Mode.EXPRESSION: re.compile(
        _STRINGS
        + r"|(?P<percentile>(?i:percentile|perc|p)\d+\.\d+(?=\s*\())"
        + r"|(?P<number>(?:\d+\.\d+|\.\d+)[fFdD]?(?!\w)|(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d+)?(?!\w))"
        + r"|(?P<span>\d+(?:\.\d+)?[^\W\d]\w*)"
        # `<<FIELD>>` is a placeholder of foreach, alone or as a part of a name.
        + r"|(?P<name>@?[^\W\d][\w\-]*(?<!-)(?:<<\w+>>\w*)*|(?:<<\w+>>\w*)+|@[\w\-]+)|"
        + _OPS,
        re.DOTALL,
    ),
    Mode.PATTERN: re.compile(_STRINGS + r"|(?P<number>\d+(?!\w))|(?P<name>[@*\w][\w\-*@]*)|" + _OPS, re.DOTALL),
    Mode.SEARCH: re.compile(
        _STRINGS
        + r"|(?P<op><=|>=|!=|<>|==|[=<>(),|\[\]])|(?P<word>(?:\\[^\s;\"']|[^\s;|()=<>!,\"'`\[\]\\])+)|(?P<bang>!)",
        re.DOTALL,
    ),
}


def token(text: str, position: int, mode: Mode) -> Token:
    """Return the word at or after `position`, skipping space and comments. Raises `UserError` where none can stand."""
    space = _SPACE.match(text, position)
    start = space.end() if space else position
    if start >= len(text):
        return Token(Kind.END, "", len(text), len(text))
    found = _PATTERNS[mode].match(text, start)
    if found is None or found.lastgroup is None:
        raise UserError(_complaint(text[start]), where=Where(text, start, 1))
    raw = found[0]
    match found.lastgroup:
        case "string":
            return Token(Kind.STRING, unquote(raw), start, found.end())
        case "quoted":
            return Token(Kind.QUOTED, raw[1:-1].replace("``", "`"), start, found.end())
        case "percentile":
            return Token(Kind.NAME, raw, start, found.end())
        case group:
            return Token(_KINDS[group], raw, start, found.end())


def _complaint(character: str) -> str:
    if character in "\"'`":
        return f"this {character} is never closed"
    return f"unexpected character {character!r}"


_ESCAPES = {quote: re.compile(rf"""\\(["'\\])|({quote}){quote}""") for quote in "\"'"}


def unquote(raw: str) -> str:
    r"""Return the value of a quoted string: doubled quotes are one, `\'`, `\"`, `\\` are one; other escapes stay."""
    return _ESCAPES[raw[0]].sub(lambda found: found[1] or found[2], raw[1:-1])


def quote(value: str) -> str:
    """Return `value` as a quoted string that `unquote` reads back."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def name(value: str) -> str:
    """Return a field name as PPL text, between backticks unless every step is a plain word."""
    if re.fullmatch(r"@?[^\W\d][\w]*(?:\.@?[^\W\d][\w]*)*", value) and value.lower() not in RESERVED:
        return value
    return "`" + value.replace("`", "``") + "`"


# Words that mean something else than a field where an expression can stand.
_RESERVED = (
    "and or not xor in like ilike between is null true false case cast interval exists as by date time timestamp "
    "contains regexp eval else from span asc desc a d on with"
)
RESERVED = frozenset(_RESERVED.split())

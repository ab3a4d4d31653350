"""A query without what it looks for: fit to be kept where the values themselves should not be."""

from __future__ import annotations

from treering.core.errors import UserError
from treering.query import lexer
from treering.query.lexer import Kind, Mode, Token

MOST = 2000
_UNKNOWN = "?"
_SOURCES = ("source", "index")
_WORDS = ("search", "and", "or", "not", "in", "as", *_SOURCES)
_SIGNS = ("=", "==", "!=", "<>", "<", ">", "<=", ">=")
# A number so long may be that of an account; a shorter one is a threshold or a size.
_LONG_NUMBER = 6


def shape(text: str) -> str:
    """Return `text` with `?` for every quoted text, searched word and long number, at most 2,000 characters.

    Commands, functions, the names of streams and fields and short numbers stay; comments go. What cannot be read is
    left out from there on.
    """
    parts: list[str] = []
    mode, at, before = Mode.SEARCH, 0, Token(Kind.OP, "|", 0, 0)
    keeps = False
    while len(parts) < MOST:
        try:
            found = lexer.token(text, at, mode)
            following = lexer.token(text, found.end, mode)
        except UserError:
            parts.append(" …")
            break
        if found.kind is Kind.END:
            break
        if mode is Mode.EXPRESSION and before.is_op("[") and found.is_word("search", *_SOURCES):
            mode = Mode.SEARCH
        keeps = _keeps_stream(found, before, keeps=keeps)
        gap = " " if parts and found.start > at else ""
        parts.append(gap + _shown(text, found, before, following, mode, keeps=keeps))
        mode = _next_mode(found, mode)
        at, before = found.end, found
    return "".join(parts)[:MOST]


def _keeps_stream(found: Token, before: Token, *, keeps: bool) -> bool:
    """Whether the words here name streams."""
    if found.is_word(*_SOURCES) or found.is_op(*_SIGNS):
        return found.is_word(*_SOURCES) or keeps
    return keeps and (before.is_op("=", ",") or found.is_op(","))


def _shown(text: str, found: Token, before: Token, following: Token, mode: Mode, *, keeps: bool) -> str:
    raw = text[found.start : found.end]
    if found.kind is Kind.STRING:
        return _UNKNOWN
    if found.kind is Kind.NUMBER:
        return _UNKNOWN if len(raw) >= _LONG_NUMBER else raw
    if mode is not Mode.SEARCH or found.kind is not Kind.WORD or keeps or found.is_word(*_WORDS):
        return raw
    names = following.is_op(*_SIGNS) or following.is_word("in")
    return raw if names and ":" not in raw and not before.is_op(*_SIGNS) else _UNKNOWN


def _next_mode(found: Token, mode: Mode) -> Mode:
    if mode is Mode.SEARCH and found.is_op("|", "]"):
        return Mode.EXPRESSION
    return mode

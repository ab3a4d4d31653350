"""The standard analyzer of Lucene, on query text in Python and on records as SQL.

Words are those of Unicode's text segmentation (UAX #29) in lower case: letters, digits and `_` in one run; `.`, `:` and
an apostrophe join letters, `.`, `,`, `;` and an apostrophe join digits; every Han or Hiragana character is a word. So a
record is asked with one regular expression per word or phrase instead of being split.
"""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from typing import TYPE_CHECKING

from sqlglot import exp

from treering.query.copying import copied

if TYPE_CHECKING:
    from collections.abc import Iterator

# MidLetter, MidNum and what is both (MidNumLet), of Unicode's WordBreakProperty.
_BOTH = ".'\u2018\u2019\u2024\ufe52\uff07\uff0e"
_LETTER_JOINS = f"{_BOTH}:\u00b7\u0387\u055f\u05f4\u2027\ufe13\ufe55\uff1a"
_DIGIT_JOINS = f"{_BOTH},;\u037e\u0589\u060c\u060d\u066c\u07f8\u2044\ufe10\ufe14\ufe50\ufe54\uff0c\uff1b"
_ALONE = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
# Katakana, Thai, Lao, Myanmar, Khmer, Tai: their words end where other scripts begin.
_APART = (
    "\u30a0-\u30ff\u31f0-\u31ff\uff66-\uff9f\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u1950-\u19df\u1a20-\u1aaf\ua9e0-\ua9ff"
    "\uaa60-\uaadf"
)
_ASCII_WORD = re.compile(r"(?:[a-z0-9_]*?[a-z](?:[.:'][a-z])+|[a-z0-9_]*?[0-9](?:[.,;'][0-9])+)+[a-z0-9_]*|[a-z0-9_]+")
# The same classes in the syntax of RE2, which DuckDB uses.
_W = r"\p{L}\p{N}\p{M}_"
_SQL_WORD = (
    rf"[{_ALONE}]"
    rf"|(?:[{_W}]*?\p{{L}}(?:[{_LETTER_JOINS}]\p{{L}})+|[{_W}]*?\p{{N}}(?:[{_DIGIT_JOINS}]\p{{N}})+)+[{_W}]*"
    rf"|[{_W}]+"
)
# What begins or goes on with a word, and what belongs to the character before it: marks, and signs without a width.
_BASE = r"\p{L}\p{Nd}\p{Nl}_"
_EXTEND = (
    r"\p{M}\x{AD}\x{600}-\x{605}\x{61C}\x{6DD}\x{70F}\x{180E}\x{200C}-\x{200F}\x{202A}-\x{202E}"
    r"\x{2060}-\x{2064}\x{2066}-\x{206F}\x{FEFF}\x{FFF9}-\x{FFFB}"
)
_EMOJI = r"\x{2600}-\x{27BF}\x{1F000}-\x{1FAFF}"
MAX_WORD = 255
_JOINS = ".:',;"
_BEYOND = r"\x{80}-\x{10FFFF}"


def has_word(text: str, word: str, prefix: bool) -> bool:
    """Return whether a text has the word, or one that begins with it."""
    return any(found == word or (prefix and found.startswith(word)) for found in words(text))


def words(text: str) -> list[str]:
    """Return the words of a text as the index holds them."""
    form = _ASCII_WORD if text.isascii() else _form()
    return [word for word in form.findall(text.lower()) if word.strip("_") and len(word) <= MAX_WORD]


@functools.cache
def _form() -> re.Pattern[str]:
    """Return the expression of a word of any script: Python's classes know neither marks nor kinds of digits."""
    of: dict[str, list[str]] = {"letter": [], "digit": [], "extend": []}
    alone = re.compile(rf"[{_ALONE}{_APART}]")
    for number in itertools.chain(range(0x20000), range(0xE0000, 0xE0200)):
        character = chr(number)
        category = unicodedata.category(character)
        if category[0] == "M" or (category == "Cf" and character != "\u200b"):
            of["extend"].append(character)
        elif category == "Nd":
            of["digit"].append(character)
        elif (category[0] == "L" or category == "Nl") and not alone.match(character):
            of["letter"].append(character)
    letter, digit, extend = ("".join(_ranges(found)) for found in of.values())
    inside = rf"[{letter}{digit}_{extend}]"
    letters = rf"{inside}*?[{letter}][{extend}]*(?:[{_LETTER_JOINS}][{extend}]*[{letter}][{extend}]*)+"
    digits = rf"{inside}*?[{digit}][{extend}]*(?:[{_DIGIT_JOINS}][{extend}]*[{digit}][{extend}]*)+"
    return re.compile(
        rf"[{_ALONE}]|[{_APART}][{_APART}{extend}]*|(?=[{letter}{digit}_])(?:(?:{letters}|{digits})+{inside}*|{inside}+)"
    )


def _ranges(characters: list[str]) -> Iterator[str]:
    """Yield ranges of characters that follow each other, as a class has them."""
    start = last = characters[0]
    for character in [*characters[1:], ""]:
        if character and ord(character) == ord(last) + 1:
            last = character
            continue
        yield start if start == last else f"{start}-{last}"
        start = last = character


def _is_alone(character: str) -> bool:
    return re.match(rf"[{_ALONE}]", character) is not None


def _joins(character: str) -> tuple[str, str]:
    """Return the characters that would join this one to another word, and the class of the neighbour they need."""
    if character.isdigit():
        return _DIGIT_JOINS, r"\p{Nd}"
    return (_LETTER_JOINS, r"\p{L}\p{Nl}") if character.isalpha() else ("", "")


def _before(character: str) -> str:
    """What may stand before a word that begins with `character`."""
    if _is_alone(character):
        return ""
    joins, neighbour = _joins(character)
    apart = "" if re.match(rf"[{_APART}]", character) else _APART
    free = rf"^|[{_ALONE}{apart}]|[^{_BASE}{_EXTEND}{joins}]"
    if not joins:
        return rf"(?:{free})[{_EXTEND}]*"
    other = rf"(?:[^{neighbour}{_EXTEND}]|[{_ALONE}{apart}])[{_EXTEND}]*"
    return rf"(?:{free}|(?:^[{_EXTEND}]*|{other})[{joins}])[{_EXTEND}]*"


def _after(character: str) -> str:
    """What may stand after a word that ends with `character`."""
    if _is_alone(character):
        return ""
    joins, neighbour = _joins(character)
    apart = "" if re.match(rf"[{_APART}]", character) else _APART
    free = rf"$|[{_ALONE}{apart}]|[^{_BASE}{_EXTEND}{joins}]"
    other = rf"(?:[^{neighbour}{_EXTEND}]|[{_ALONE}{apart}])"
    return rf"(?:{free}|[{joins}][{_EXTEND}]*(?:$|{other}))" if joins else rf"(?:{free})"


def _between(left: str, right: str) -> str:
    """What may stand between two words that follow each other; emoji are words themselves."""
    inside = rf"[^{_BASE}{_EMOJI}]*"
    if _is_alone(left) or _is_alone(right):
        return inside
    (joins, kind), (_, other) = _joins(left), _joins(right)
    apart = rf"[^{_BASE}{_EMOJI}{_EXTEND}]"
    if joins and kind == other:
        return rf"(?:[^{_BASE}{_EMOJI}{_EXTEND}{joins}]|[{joins}][{_EXTEND}]*{apart}){inside}"
    return rf"{apart}{inside}"


def phrase(terms: list[str], *, slop: int = 0, prefix: bool = False) -> str:
    """Return the RE2 expression of words in a row in lower-case text; with `prefix` the last one may go on.

    With `slop` up to that many words may stand in between, and two words may be swapped for two of them.
    """
    forms = [_row(terms, slop, prefix=prefix)]
    if slop >= len(terms) == 2:
        forms.append(_row(terms[::-1], slop - 2, prefix=False, middle=prefix))
    return "|".join(forms)


def _row(terms: list[str], slop: int, *, prefix: bool, middle: bool = False) -> str:
    """Return words in a row; with `middle` the first one may go on."""
    parts = [_before(terms[0][0]), re.escape(terms[0])]
    for left, right in itertools.pairwise(terms):
        rest = f"[{_W}]*" if middle else ""
        gap = rf"{rest}[^{_W}]+" if middle else _between(left[-1], right[0])
        parts.append(rf"(?:{gap}|{rest}[^{_W}]+(?:[{_W}]+[^{_W}]+){{1,{slop}}})" if slop > 0 else gap)
        parts.append(re.escape(right))
    if not prefix:
        parts.append(_after(terms[-1][-1]))
    return "".join(parts)


def _sure(term: str, *, prefix: bool) -> str:
    """Return the RE2 expression of a word of ASCII between characters of ASCII, or at the ends of the text."""
    free, joins, other = _beside(term[0])
    before = rf"(?:^|{free}|(?:^|{other})[{joins}])" if joins else rf"(?:^|{free})"
    if prefix:
        return before + term
    free, joins, other = _beside(term[-1])
    after = rf"(?:$|{free}|[{joins}](?:$|{other}))" if joins else rf"(?:$|{free})"
    return before + term + after


def _beside(character: str) -> tuple[str, str, str]:
    """Return what of ASCII ends a word next to `character`, what joins it to others of its kind, and other kinds."""
    joins, kind = ("", "")
    if character != "_":
        joins, kind = (".,;'", "0-9") if character.isdigit() else (".:'", "a-z")
    return rf"[^a-z0-9_{joins}{_BEYOND}]", joins, rf"[^{kind}{_BEYOND}]"


def _perhaps(term: str, *, prefix: bool) -> str:
    """Return the RE2 expression of a word of ASCII next to a character beyond it."""
    left = rf"[{_BEYOND}][{_JOINS}]?{term}"
    return left if prefix else rf"{left}|{term}[{_JOINS}]?[{_BEYOND}]"


def _rough(lowered: exp.Expression, term: str) -> exp.Expression:
    """Return whether a word is in lower-case text at all, be it a part of another.

    Looking into each of several texts that are asked as one saves putting together those that do not have it. The
    engine does this once for each different value where those are few, which it does not for regular expressions.
    """
    text = lowered.this
    parts = text.expressions[1:] if isinstance(text, exp.Anonymous) and text.name == "concat_ws" else [text]
    tests: list[exp.Expression] = [
        exp.Anonymous(this="contains", expressions=[exp.Lower(this=copied(part)), exp.Literal.string(term)])
        for part in parts
    ]
    return exp.Paren(this=functools.reduce(lambda a, b: exp.Or(this=a, expression=b), tests))


def _has_word(lowered: exp.Expression, term: str, *, prefix: bool) -> exp.Expression:
    """Return whether lower-case text has a word of ASCII.

    The classes of letters of all scripts take some 14 ms to compile, for each query anew, so that texts are asked for
    them only where a letter beyond ASCII is next to the word; there the words are counted out.
    """
    sure = exp.Literal.string(_sure(term, prefix=prefix))
    perhaps = exp.Literal.string(_perhaps(term, prefix=prefix))
    word = exp.Literal.string(term)
    found: exp.Expression = exp.Anonymous(this="regexp_matches", expressions=[lowered, sure])
    near = exp.Anonymous(this="regexp_matches", expressions=[copied(lowered), perhaps])
    counted = exp.Anonymous(this="ppl_has_word", expressions=[copied(lowered), word, exp.Boolean(this=prefix)])
    has = _rough(lowered, term)
    either = exp.Paren(this=exp.Or(this=found, expression=exp.Paren(this=exp.And(this=near, expression=counted))))
    return exp.Paren(this=exp.And(this=has, expression=either))


def matches(lowered: exp.Expression, terms: list[str], *, slop: int = 0, prefix: bool = False) -> exp.Expression:
    """Return whether lower-case text has the words in a row; a cheap search for each word comes first."""
    if len(terms) == 1 and isinstance(lowered, exp.Lower) and re.fullmatch(r"[a-z0-9_]+", terms[0]):
        return _has_word(lowered, terms[0], prefix=prefix)
    pattern = exp.Literal.string(phrase(terms, slop=slop, prefix=prefix))
    test: exp.Expression = exp.Anonymous(this="regexp_matches", expressions=[lowered, pattern])
    for term in terms:
        has = exp.Anonymous(this="contains", expressions=[lowered, exp.Literal.string(term)])
        test = exp.And(this=has, expression=test)
    return exp.Paren(this=test)


def wildcard(pattern: str) -> str:
    r"""Return the RE2 expression of a Lucene wildcard pattern: `*`, `?`, and `\` before what is meant literally."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    forms = {"*": ".*", "?": "."}
    return "".join(forms.get(part, re.escape(part[1:] if len(part) > 1 else part)) for part in parts)


def words_of(lowered: exp.Expression) -> exp.Expression:
    """Return the words of lower-case text as an SQL list, for tests that need each of them."""
    return exp.Anonymous(this="regexp_extract_all", expressions=[lowered, exp.Literal.string(_SQL_WORD)])


def any_word(lowered: exp.Expression, test: exp.Expression, name: str = "w") -> exp.Expression:
    """Return whether some word of lower-case text satisfies `test`, an expression over the column `name`."""
    body = exp.Lambda(this=test, expressions=[exp.to_identifier(name)])
    kept = exp.Anonymous(this="list_filter", expressions=[words_of(lowered), body])
    return exp.GT(this=exp.Anonymous(this="len", expressions=[kept]), expression=exp.Literal.number(0))

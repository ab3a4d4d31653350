"""The standard analyzer of Lucene, on query text in Python and on records as SQL.

Words are those of Unicode's text segmentation (UAX #29) in lower case: letters, digits and `_` in one run; `.`, `:` and
an apostrophe join letters, `.`, `,`, `;` and an apostrophe join digits; every Han or Hiragana character is a word. So a
record is asked with one regular expression per word or phrase instead of being split.
"""

from __future__ import annotations

import itertools
import re

from sqlglot import exp

_LETTER_JOINS, _DIGIT_JOINS = ".:'’·", ".,;'"
_ALONE = "\u3040-\u309f\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_CHAR, _LETTER = rf"[^\W{_ALONE}]", rf"[^\W\d_{_ALONE}]"
_WORD = re.compile(
    rf"[{_ALONE}]"
    rf"|(?:{_CHAR}*?{_LETTER}(?:[{_LETTER_JOINS}]{_LETTER})+|{_CHAR}*?\d(?:[{_DIGIT_JOINS}]\d)+)+{_CHAR}*"
    rf"|{_CHAR}+"
)
# The same classes in the syntax of RE2, which DuckDB uses.
_W = r"\p{L}\p{N}\p{M}_"
_SQL_WORD = (
    rf"[{_ALONE}]"
    rf"|(?:[{_W}]*?\p{{L}}(?:[{_LETTER_JOINS}]\p{{L}})+|[{_W}]*?\p{{N}}(?:[{_DIGIT_JOINS}]\p{{N}})+)+[{_W}]*"
    rf"|[{_W}]+"
)
MAX_WORD = 255
_JOINS = ".:',;"
_BEYOND = r"\x{80}-\x{10FFFF}"


def has_word(text: str, word: str, prefix: bool) -> bool:
    """Return whether a text has the word, or one that begins with it."""
    return any(found == word or (prefix and found.startswith(word)) for found in words(text))


def words(text: str) -> list[str]:
    """Return the words of a text as the index holds them."""
    return [word for word in _WORD.findall(text.lower()) if word.strip("_") and len(word) <= MAX_WORD]


def _is_alone(character: str) -> bool:
    return re.match(rf"[{_ALONE}]", character) is not None


def _joins(character: str) -> tuple[str, str]:
    """Return the characters that would join this one to another word, and the class of the neighbour they need."""
    if character.isdigit():
        return _DIGIT_JOINS, r"\p{N}"
    return (_LETTER_JOINS, r"\p{L}") if character.isalpha() else ("", "")


def _before(character: str) -> str:
    """What may stand before a word that begins with `character`."""
    if _is_alone(character):
        return ""
    joins, neighbour = _joins(character)
    other = rf"(?:{neighbour.replace('p', 'P')}|[{_ALONE}])"
    free = rf"^|[{_ALONE}]|[^{_W}{joins}]"
    return rf"(?:{free}|(?:^|{other})[{joins}])" if joins else rf"(?:{free})"


def _after(character: str) -> str:
    """What may stand after a word that ends with `character`."""
    if _is_alone(character):
        return ""
    joins, neighbour = _joins(character)
    other = rf"(?:{neighbour.replace('p', 'P')}|[{_ALONE}])"
    free = rf"$|[{_ALONE}]|[^{_W}{joins}]"
    return rf"(?:{free}|[{joins}](?:$|{other}))" if joins else rf"(?:{free})"


def _between(left: str, right: str) -> str:
    """What may stand between two words that follow each other."""
    if _is_alone(left) or _is_alone(right):
        return rf"[^{_W}]*"
    (joins, kind), (_, other) = _joins(left), _joins(right)
    return rf"(?:[^{_W}{joins}]|[^{_W}]{{2,}})" if joins and kind == other else rf"[^{_W}]+"


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
        gap = rf"[{_W}]*[^{_W}]+" if middle else _between(left[-1], right[0])
        parts.append(rf"(?:{gap}|[^{_W}]+(?:[{_W}]+[^{_W}]+){{1,{slop}}})" if slop > 0 else gap)
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
        joins, kind = (_DIGIT_JOINS, "0-9") if character.isdigit() else (_LETTER_JOINS[:3], "a-z")
    return rf"[^a-z0-9_{joins}{_BEYOND}]", joins, rf"[^{kind}{_BEYOND}]"


def _perhaps(term: str, *, prefix: bool) -> str:
    """Return the RE2 expression of a word of ASCII next to a character beyond it."""
    left = rf"[{_BEYOND}][{_JOINS}]?{term}"
    return left if prefix else rf"{left}|{term}[{_JOINS}]?[{_BEYOND}]"


def _has_word(lowered: exp.Expression, term: str, *, prefix: bool) -> exp.Expression:
    """Return whether lower-case text has a word of ASCII.

    The classes of letters of all scripts take some 14 ms to compile, for each query anew, so that texts are asked for
    them only where a letter beyond ASCII is next to the word; there the words are counted out.
    """
    sure = exp.Literal.string(_sure(term, prefix=prefix))
    perhaps = exp.Literal.string(_perhaps(term, prefix=prefix))
    word = exp.Literal.string(term)
    found: exp.Expression = exp.Anonymous(this="regexp_matches", expressions=[lowered, sure])
    near = exp.Anonymous(this="regexp_matches", expressions=[lowered.copy(), perhaps])
    counted = exp.Anonymous(this="ppl_has_word", expressions=[lowered.copy(), word, exp.Boolean(this=prefix)])
    has = exp.Anonymous(this="contains", expressions=[lowered.copy(), word.copy()])
    either = exp.Paren(this=exp.Or(this=found, expression=exp.Paren(this=exp.And(this=near, expression=counted))))
    return exp.Paren(this=exp.And(this=has, expression=either))


def matches(lowered: exp.Expression, terms: list[str], *, slop: int = 0, prefix: bool = False) -> exp.Expression:
    """Return whether lower-case text has the words in a row; a cheap search for each word comes first."""
    if len(terms) == 1 and re.fullmatch(r"[a-z0-9_]+", terms[0]):
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

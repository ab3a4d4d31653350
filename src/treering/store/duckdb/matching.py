"""Which rows of a segment satisfy a condition on texts, as its token index knows: surely, perhaps, or not at all."""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.model.columns import REST, Kind
from treering.query import analyzer
from treering.query.types import Type, type_of
from treering.stage.condition import ANY, ONE, Constant, Either, Every, Gap, HasForm, HasWords, Known, Negated, OneOf
from treering.store.duckdb.index import fingerprint
from treering.store.duckdb.text import fold
from treering.store.duckdb.tokens import LONGEST, bit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from treering.model.schema import FieldType, StreamSchema
    from treering.stage.condition import Condition
    from treering.store.duckdb.hits import Found, Hits
    from treering.store.duckdb.index import Index
    from treering.store.duckdb.manifest import Segment
    from treering.store.duckdb.postings import Posting, Values

_PIECE = re.compile(r"[a-z0-9_]+")
_WORD = re.compile(r"[a-z0-9_\u0080-\U0010ffff]+")
# What numbers, truth values and instants look like as text: columns of those are not in the index.
OF_NUMBERS = re.compile(r"[0-9etz]+|[a-z]*(?:tru|fal|als|lse|rue|inf|nan|ini|nit|ity)[a-z]*|[a-z]{1,2}")
# RE2 takes U+017F for an `s` where case is not minded, the index does not.
_OTHER_CASES = re.compile(r"[sS]")
# Parts that are shorter are in too many tokens.
_SHORTEST = 3
SURE, MAYBE = 1, 2


@dataclass(frozen=True, slots=True)
class Rows:
    """Places of a segment as packed bits: those that satisfy a condition, and others that may."""

    sure: Any
    maybe: Any

    def __or__(self, other: Rows) -> Rows:
        """Return where either is so."""
        sure = self.sure | other.sure
        return Rows(sure, (self.maybe | other.maybe) & ~sure)

    def __and__(self, other: Rows) -> Rows:
        """Return where both are so."""
        sure = self.sure & other.sure
        return Rows(sure, (self.sure | self.maybe) & (other.sure | other.maybe) & ~sure)


Memory = dict[tuple["Index", str, "str | bool"], "Found"]


class Matcher:
    """Answers conditions over one segment."""

    def __init__(self, index: Index, item: Segment, schema: StreamSchema, memory: Memory) -> None:
        """Answer by `index`, which is that of `item`; `memory` is what questions of one query have found."""
        self._memory = memory
        self._index = index
        self._item = item
        self._schema = schema
        self._held = index.postings
        self._tokens: dict[str, Hits] = {}
        self.extent, self.present = self._held.extent, self._held.rows_at()
        size = -(-self.extent // 8)
        self._none, self._all = np.zeros(size, dtype=np.uint8), np.full(size, 255, dtype=np.uint8)
        self.nothing, self.unknown = Rows(self._none, self._none), Rows(self._none, self._all)

    def codes(self, condition: Condition) -> Any:
        """Return for each row SURE where the condition is true, MAYBE where it may be, 0 where it is not."""
        found = self.rows(condition)
        codes = np.unpackbits(found.sure, count=self.extent)
        if found.maybe.any():
            codes += MAYBE * np.unpackbits(found.maybe, count=self.extent)
        return codes if self.present is None else codes[self.present]

    def rows(self, condition: Condition) -> Rows:  # noqa: PLR0911  one branch per kind of condition
        """Return the rows for which the condition is true."""
        match condition:
            case Every():
                return self._every(map(self.rows, condition.parts))
            case Either():
                return self._either(map(self.rows, condition.parts))
            case Known():
                return self.rows(condition.part)
            case Negated(part=Known() as part):
                found = self.rows(part)
                return Rows(~(found.sure | found.maybe), found.maybe)
            case Constant(truth=bool() as truth):
                return Rows(self._all, self._none) if truth else self.nothing
            case HasWords():
                return self._of_field(condition, lambda column: self._words(column, condition))
            case HasForm():
                return self._of_field(condition, lambda column: self._form(column, condition))
            case OneOf():
                return self._of_field(condition, lambda column: self._one_of(column, condition))
            case _:
                return self.unknown

    def _every(self, parts: Iterable[Rows]) -> Rows:
        found = Rows(self._all, self._none)
        for part in parts:
            found = found & part
        return found

    def _either(self, parts: Iterable[Rows]) -> Rows:
        found = self.nothing
        for part in parts:
            found = found | part
        return found

    def _of_field(self, condition: HasWords | HasForm | OneOf, ask: Callable[[str], Rows]) -> Rows:
        """Ask the columns in which the segment has the field, nothing where it has none.

        Which value of several columns a row shows, or what of a list, is for the engine to say: the index knows only
        where none can be.
        """
        field = self._schema.get(condition.field)
        if field is None or not _is_plain_text(field):
            return self.unknown
        names = (*field.physical, *field.options.get("lists", ()))
        inside = [column for column in names if column in self._item.columns.members]
        rest = any(column in self._item.rest.members for column in names)
        if not inside and not rest:
            return self.nothing
        if len(inside) == 1 and not rest and _kind(inside[0]) is Kind.STRING:
            return ask(inside[0])
        if any(map(_could_be_a_number, _asked(condition))):
            return self.unknown
        texts = [column for column in inside if _kind(column) in {Kind.STRING, Kind.JSON}]
        return _loose(self._either(map(ask, [*texts, REST] if rest else texts)))

    # Columns whose texts are all known

    def _by_value(self, held: Values, test: Callable[[str], bool], *, exact: bool = True) -> Rows:
        """Ask each of the different texts; of one that is not ASCII the engine knows better."""
        sure, maybe = np.zeros(256, dtype=np.uint8), np.zeros(256, dtype=np.uint8)
        for code, text in enumerate(held.texts, 1):
            if not text.isascii():
                maybe[code] = 1
            elif test(text):
                (sure if exact else maybe)[code] = 1
        maybe[0] = held.empty and test("")
        if not sure.any() and not maybe.any():
            return self.nothing
        codes = self._held.codes(held.codes)
        return Rows(
            np.packbits(sure[codes]) if sure.any() else self._none,
            np.packbits(maybe[codes]) if maybe.any() else self._none,
        )

    # Words

    def _words(self, column: str, asked: HasWords) -> Rows:
        *firsts, last = asked.words
        parts = [*(self._word(column, word) for word in firsts), self._word(column, last, prefix=asked.prefix)]
        if asked.phrase:
            return _loose(self._every(parts)) if firsts else parts[0]
        if asked.least >= len(parts):
            return self._every(parts)
        return self._either(parts) if asked.least <= 1 else _loose(self._either(parts))

    def _word(self, column: str, word: str, *, prefix: bool = False) -> Rows:
        """Return the rows that have a word of Lucene's, or one that begins so."""
        plain = _PIECE.fullmatch(word) is not None
        if plain and not prefix and not self._can_have(column, word):
            return self.nothing
        if (held := self._held.values.get(column)) is not None:
            return self._by_value(held, lambda text: analyzer.has_word(text, word, prefix))
        if not plain:
            return self._mentions(column, [word], bounded=not prefix)
        if prefix:
            return _loose(self._containing(column, word, prefix=True))
        posting = self._posting(column, word)
        return self._blocks(column, word) if posting is None else self._sets(posting.word, posting)

    def _posting(self, column: str, token: str) -> Posting | None:
        return self._held.words.get(column, {}).get(token)

    def _sets(self, sure: int, posting: Posting) -> Rows:
        found = self._held.bits(sure)
        return Rows(found, self._held.bits(posting.unsure) & ~found if posting.unsure >= 0 else self._none)

    def _can_have(self, column: str, token: str) -> bool:
        return self._in(column, self._hits(token))

    def _in(self, column: str, hits: Hits) -> bool:
        return hits.blocks != 0 and hits.columns >> bit_of(column) & 1 == 1

    def _blocks(self, column: str, token: str) -> Rows:
        """Return the rows of the blocks that have a token."""
        hits = self._hits(token)
        return self._inside(hits.blocks) if self._in(column, hits) else self.nothing

    def _inside(self, blocks: int) -> Rows:
        if not blocks:
            return self.nothing
        starts = [int(seq) - self._held.first for seq in self._index.first_seqs]
        marked = np.zeros(self._held.extent, dtype=np.uint8)
        for block, (low, high) in enumerate(zip(starts, [*starts[1:], self._held.extent], strict=True)):
            if blocks >> block & 1:
                marked[low:high] = 1
        return Rows(self._none, np.packbits(marked))

    def _hits(self, token: str) -> Hits:
        if token not in self._tokens:
            self._tokens[token] = self._index.token(fingerprint(token.encode()))
        return self._tokens[token]

    def _token(self, column: str, token: str) -> Rows:
        """Return the rows in which a token is, be it a word or not."""
        posting = self._posting(column, token)
        return self._blocks(column, token) if posting is None else self._sets(posting.present, posting)

    def _containing(self, column: str, text: str, *, prefix: bool = False) -> Rows:
        """Return the rows with a token that has `text` in it, or begins with it."""
        known = self._held.words.get(column, {})
        found = self.nothing
        for token, posting in known.items():
            if token.startswith(text) if prefix else text in token:
                found = found | self._sets(posting.present, posting)
        key = self._index, text, prefix
        if (others := self._memory.get(key)) is None:
            others = self._memory[key] = self._index.found(text.encode(), prefix=prefix)
        blocks = [hits for hits in others.hidden if self._in(column, hits)]
        blocks += [hits for token, hits in others.tokens if token not in known and self._in(column, hits)]
        return found | self._inside(functools.reduce(lambda held, hits: held | hits.blocks, blocks, 0))

    # Forms

    def _form(self, column: str, asked: HasForm) -> Rows:
        texts = [part for part in asked.parts if isinstance(part, str)]
        part = texts[0].lower() if asked.parts == (ANY, *texts, ANY) and len(texts) == 1 else ""
        minds = not asked.any_case and not asked.word and any(text.lower() != text.upper() for text in texts)
        plain = asked.exact and _PIECE.fullmatch(part) is not None and len(part) <= LONGEST and not minds
        if (held := self._held.values.get(column)) is not None:
            if plain:
                return self._by_value(held, lambda text: part in text.lower())
            return self._by_value(held, _Form(asked), exact=asked.exact and not asked.word)
        if plain:
            return self._containing(column, part)
        if not asked.exact and asked.any_case:
            texts = [piece for text in texts for run in _PIECE.findall(fold(text)) for piece in _OTHER_CASES.split(run)]
            return self._mentions(column, texts, bounded=False)
        found = self._mentions(column, texts, bounded=False)
        if asked.exact and not minds and asked.parts[:1] == asked.parts[-1:] == (ANY,):
            found = self._inside_tokens(column, asked) | found
        return found

    def _inside_tokens(self, column: str, asked: HasForm) -> Rows:
        """Return the rows with a common token that has the form by itself."""
        form = _Form(asked)
        sure = self._none
        for token, posting in self._held.words.get(column, {}).items():
            if form(token):
                sure = sure | self._held.bits(posting.present)
        return Rows(sure, self._none)

    def _one_of(self, column: str, asked: OneOf) -> Rows:
        texts = [value for value in asked.values if isinstance(value, str)]
        if len(texts) < len(asked.values):
            return self.unknown
        if (held := self._held.values.get(column)) is not None:
            return self._by_value(held, lambda text: text in texts)
        return self._either(self._mentions(column, [text], bounded=True) for text in texts)

    def _mentions(self, column: str, texts: Iterable[str], *, bounded: bool) -> Rows:
        """Return the rows that may have all these texts; a `bounded` one begins and ends with no part of a token."""
        found = Rows(self._all, self._none)
        for text in map(fold, texts):
            for piece in _PIECE.finditer(text):
                left, right = bounded or piece.start() > 0, bounded or piece.end() < len(text)
                if len(piece[0]) > LONGEST or (len(piece[0]) < _SHORTEST and not (left and right)):
                    continue
                if left and right:
                    found = found & self._token(column, piece[0])
                else:
                    found = found & self._containing(column, piece[0], prefix=left)
        return _loose(found)


def _kind(column: str) -> Kind:
    return Kind(column[-1])


def _asked(condition: HasWords | HasForm | OneOf) -> Iterable[str]:
    """Return the texts that a condition asks for."""
    match condition:
        case HasWords():
            return condition.words
        case HasForm():
            return [part for part in condition.parts if isinstance(part, str)] or [""]
        case OneOf():
            return map(str, condition.values)


def _could_be_a_number(text: str) -> bool:
    """Whether a value that is no text could have `text` in it: the index has none of those."""
    return all(map(OF_NUMBERS.fullmatch, _WORD.findall(fold(text))))


def _loose(found: Rows) -> Rows:
    """Return that all rows that satisfied a condition may satisfy a narrower one."""
    return Rows(np.zeros_like(found.sure), found.sure | found.maybe)


class _Form:
    """Whether a text of ASCII has a form; of the forms of words and of those that are not exact, whether it may."""

    def __init__(self, asked: HasForm) -> None:
        parts = [{ONE: ".", ANY: ".*"}[part] if isinstance(part, Gap) else re.escape(part) for part in asked.parts]
        self._form = re.compile("".join(parts), re.DOTALL | (re.IGNORECASE if asked.any_case else 0))
        self._word = asked.word

    def __call__(self, text: str) -> bool:
        if self._word:
            return self._form.search(text.lower()) is not None
        return self._form.fullmatch(text) is not None


def _is_plain_text(field: FieldType) -> bool:
    return type_of(field) is Type.STRING and "value" not in field.options and field.path is None

"""From a condition on words to the rows of segments that can satisfy it."""

from __future__ import annotations

import functools
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.model.columns import REST, SYSTEM, Kind
from treering.query.types import MAPPING, Type
from treering.store.duckdb.cache import Cache
from treering.store.duckdb.hits import ALL_COLUMNS, NOWHERE, Found, Hits
from treering.store.duckdb.index import Index, Outdated, Tally, fingerprint
from treering.store.duckdb.manifest import side
from treering.store.duckdb.matching import MAYBE, OF_NUMBERS, Matcher, Memory
from treering.store.duckdb.text import fold
from treering.store.duckdb.tokens import LONGEST, bit_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from treering.model.schema import StreamSchema
    from treering.stage.condition import Condition
    from treering.stage.store import Tokens
    from treering.store.duckdb.manifest import Segment

Spans = tuple[tuple[int, int], ...]
_OPEN_FILES = 512
_CACHED_BYTES = 96 << 20
_TEXTS = {Kind.STRING, Kind.JSON}
# Above this share of blocks a list of ranges costs more than it saves.
_WORTH_IT = 0.7
_ONE_TOKEN = re.compile(r"[a-z0-9_\u0080-\U0010ffff]+")
_ONE_FORM = re.compile(r"[a-z0-9_#]+")
_RUNS = re.compile(r"[a-z0-9_#]+|[\u0080-\u2fff]+|[\u3000-\U0010ffff]")


class Lookup:
    """Reads token indexes; keeps some of them mapped."""

    def __init__(self, folder: Path | None) -> None:
        """Read the indexes below `folder`."""
        self.trouble: dict[str, str] = {}
        self._folder = folder
        self._open: OrderedDict[str, Index] = OrderedDict()
        # Segments never change, and what a page asks first it asks again for each of its parts.
        self.cache = Cache(_CACHED_BYTES)
        self._lock = threading.Lock()

    def ranges(
        self, items: Sequence[Segment], tokens: Tokens, schema: StreamSchema, memory: Memory
    ) -> list[Spans | None]:
        """Return, for each segment, the ranges of `_seq` whose rows can satisfy `tokens`; None stands for all.

        `memory` is what questions of one query have found, and begins empty.
        """
        question = _Question(schema, memory)
        return [self._ranges(item, tokens, question) for item in items]

    def columns(
        self, items: Sequence[Segment], tokens: Sequence[Tokens], schema: StreamSchema, memory: Memory
    ) -> int | None:
        """Return the columns of `items`, as bits of `bit_of`, in which words of `tokens` can be; None: in all."""
        question, found = _Question(schema, memory), 0
        for item in items:
            index = self._index(item)
            columns = None if index is None else question.columns(index, item, tokens)
            if columns is None:
                return None
            found |= columns
        return found

    def codes(self, item: Segment, meaning: Condition, schema: StreamSchema, memory: Memory) -> Any:
        """Return for each row of a segment whether it satisfies a condition: SURE, MAYBE or 0. Not to be changed."""
        # The schema is kept beside the codes, so that its identity stays its own.
        key = item.file, meaning, id(schema)
        return self.cache.get(key, lambda: (self._coded(item, meaning, schema, memory), schema), _size)[0]

    def _coded(self, item: Segment, meaning: Condition, schema: StreamSchema, memory: Memory) -> Any:
        index = self._index(item)
        if index is None or not index.postings.extent:
            return np.full(item.rows, MAYBE, dtype=np.uint8)
        return Matcher(index, item, schema, memory).codes(meaning)

    def tally(self, item: Segment, word: str) -> Tally | None:
        """Return in how many rows of the segment `word` stands, where that is known."""
        index = self._index(item)
        if index is None:
            return None
        if not index.token(fingerprint(word.encode())).blocks:
            return _NOT_THERE
        return index.tally(word)

    def _ranges(self, item: Segment, tokens: Tokens, question: _Question) -> Spans | None:
        index = self._index(item)
        if index is None:
            return None
        found = question.blocks(index, item, tokens)
        if found.bit_count() > _WORTH_IT * index.header.blocks:
            return None
        spans: list[tuple[int, int]] = []
        for block in range(index.header.blocks):
            if found >> block & 1:
                first = int(index.first_seqs[block])
                last = int(index.first_seqs[block + 1]) - 1 if block + 1 < index.header.blocks else item.max_seq
                if spans and spans[-1][1] + 1 == first:
                    spans[-1] = (spans[-1][0], last)
                else:
                    spans.append((first, last))
        return tuple(spans)

    def _index(self, item: Segment) -> Index | None:
        if "tokens" not in item.traits or self._folder is None:
            return None
        with self._lock:
            held = self._open.get(item.file)
            if held is not None:
                self._open.move_to_end(item.file)
                return held
        try:
            held = Index(self._folder / side(item.file, "tokens"), self.cache)
        except Outdated:  # until it is merged
            return None
        except (OSError, ValueError, KeyError) as error:
            name = side(item.file, "tokens")
            self.trouble[name] = f"cannot read {name}: {error}"
            return None
        with self._lock:
            self._open[item.file] = held
            while len(self._open) > _OPEN_FILES:
                self._open.popitem(last=False)
        return held


def _is_number(text: str) -> bool:
    return OF_NUMBERS.fullmatch(text.replace("#", "0")) is not None


def _is_one(op: str, text: str) -> bool:
    """Whether the index can be asked for a text: it is one token or a part of one, or has a token's form."""
    if op == "form":
        return _ONE_FORM.fullmatch(text) is not None and text.strip("#") != "" and len(text) <= LONGEST
    return op in {"token", "prefix", "substring"} and _ONE_TOKEN.fullmatch(text) is not None


def _size(held: tuple[Any, object]) -> int:
    return int(held[0].nbytes)


_NOT_THERE = Tally({}, sole=True)


class _Question:
    """Asks the indexes of several segments for the same words."""

    def __init__(self, schema: StreamSchema, memory: Memory) -> None:
        self._memory = memory
        self._schema = schema
        self._prints: dict[str, int] = {}
        # The value of a `constant_keyword` is in no record.
        self._constants = {field.name for field in schema if "value" in field.options}

    def blocks(self, index: Index, item: Segment, tokens: Tokens) -> int:
        """Return the blocks, as bits, that can satisfy `tokens`."""
        if tokens.op == "and":
            found = index.full
            for part in tokens.parts:
                found &= self.blocks(index, item, part) if found else 0
            return found
        if tokens.op == "or" and tokens.parts:
            found = 0
            for part in tokens.parts:
                found |= self.blocks(index, item, part) if found != index.full else 0
            return found
        text = fold(tokens.text)
        if not _is_one(tokens.op, text):
            return index.full
        if (known := self._by_field(index, item, tokens.field, text)) is not None:
            return known
        return self._of_one(index, tokens.op, text, self._own(item, tokens.field)).blocks

    def columns(self, index: Index, item: Segment, tokens: Sequence[Tokens]) -> int | None:
        """Return the columns, as bits, in which any of the words can be; None where the index cannot tell."""
        found = 0
        for part in tokens:
            if part.op in {"and", "or"}:
                columns = self.columns(index, item, part.parts)
            else:
                text = fold(part.text)
                known = _is_one(part.op, text)
                numeric = _is_number(text) and _has_unindexed(item, part.field, self._schema)
                columns = self._of_each(index, part.op, text) if known and not numeric else None
            if columns is None:
                return None
            found |= columns
        return found

    def _of_each(self, index: Index, op: str, text: str) -> int:
        """Return the columns of the runs of a text; it is in no others."""
        found = 0
        for place, run in enumerate(runs := _RUNS.findall(text)):
            found |= self._of_run(index, op, run, place == 0, place == len(runs) - 1, ALL_COLUMNS).columns
        return found

    def _own(self, item: Segment, asked: str | None) -> int:
        """Return the columns of a segment, as bits, in which a field's texts are."""
        field = self._schema.get(asked) if asked is not None else None
        field = self._schema.get(field.path) if field is not None and field.path else field
        if field is None:
            return ALL_COLUMNS
        held = [name for name in field.physical if name in item.columns.members]
        found = functools.reduce(lambda bits, name: bits | 1 << bit_of(name), held, 0)
        # What is left of a record that has too many fields is one column, and other names may stand in lists.
        return found | 1 << bit_of(REST) if REST in item.columns.members else found

    def _by_field(self, index: Index, item: Segment, asked: str | None, text: str) -> int | None:
        """Return the blocks where the index need not or cannot be asked."""
        field = self._schema.get(asked) if asked is not None else None
        name = field.path if field is not None and field.path else asked
        if self._constants and (name is None or name in self._constants):
            return index.full
        if name is not None and not name.startswith("_") and not (item.columns.has(name) or item.rest.has(name)):
            return 0
        if _is_number(text) and _has_unindexed(item, name, self._schema):
            return index.full
        return None

    def _of_one(self, index: Index, op: str, text: str, columns: int) -> Hits:
        """Return where a token can be, or a token with a part; a text in two scripts is several tokens."""
        blocks, inside = index.full, 0
        for place, run in enumerate(runs := _RUNS.findall(text)):
            if run.isascii() and (exact := self._exact(index, run)).blocks == index.full and exact.columns & columns:
                inside = ALL_COLUMNS  # a word in all blocks; which others it is a part of makes no difference
                continue
            found = self._of_run(index, op, run, place == 0, place == len(runs) - 1, columns)
            blocks, inside = blocks & found.blocks, inside | found.columns
            if not blocks:
                return NOWHERE
        return Hits(blocks, inside)

    def _of_run(self, index: Index, op: str, run: str, first: bool, last: bool, columns: int) -> Hits:
        left, right = first and op == "substring", last and op in {"prefix", "substring"}
        if op == "form":
            return self._found(index, run, op, lambda: index.formed(run.encode())).hits(columns)
        if run.isascii() and not left and not right:
            exact = self._exact(index, run)
            return exact if exact.columns & columns else NOWHERE
        prefix = run.isascii() and not left
        return self._found(index, run, prefix, lambda: part(index, run, prefix=prefix)).hits(columns)

    def _found(self, index: Index, run: str, how: str | bool, find: Callable[[], Found]) -> Found:
        key = index, run, how
        if (known := self._memory.get(key)) is None:
            known = self._memory[key] = find()
        return known

    def _exact(self, index: Index, run: str) -> Hits:
        if run not in self._prints:
            self._prints[run] = fingerprint(run.encode())
        return index.token(self._prints[run])


def part(index: Index, run: str, *, prefix: bool) -> Found:
    """Return where a token with a part, or one that begins with it, can be."""
    data = run.encode("utf-8", "surrogatepass")
    if prefix:
        return index.found(data[:LONGEST], prefix=True)
    everywhere = (Hits(index.full, ALL_COLUMNS),)
    return Found(everywhere, []) if len(data) > LONGEST else index.found(data, prefix=False)


def _has_unindexed(item: Segment, field: str | None, schema: StreamSchema) -> bool:
    """Whether the segment has values that are no texts in a field that queries see as text."""
    candidates = schema if field is None else filter(None, [schema.get(field)])
    return any(
        field is not None or MAPPING.get(candidate.type, Type.STRING) is Type.STRING
        for candidate in candidates
        for name in candidate.physical
        if name not in SYSTEM and Kind(name[-1]) not in _TEXTS and name in item.columns.members
    )

"""Secrets and personal data out of a batch: each is replaced by its kind and a pseudonym, before anything keeps it.

`my key is sk-proj-…` becomes `my key is [masked OpenAI key kfbdmaoc]`. The pseudonym is a keyed hash (BLAKE2b,
RFC 7693): equal wherever the same value appears, so that a secret or a person can still be followed and counted, and
worth nothing without the key. What a record had masked is in `attributes.treering.masked`.

Read are all texts, texts in objects and lists, and whole numbers whose field is named like a secret. Misses what the
[scan](scan.py) does: names of people, numbers without a word that says what they are; and names of fields, document
ids and instants, which are not read.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
from arro3.core import Array, Field, RecordBatch, Schema

from treering.model.batch import Batch
from treering.model.columns import ARROW, OWN, REST, Kind, logical, of_sender, split
from treering.parse.sensitive.scan import Scan, distinct

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from treering.parse.sensitive.secrets import Kind as Sensitive

COLUMN = f"{OWN}attributes/treering.masked:{Kind.STRING}"
WITHHELD = "[withheld: cannot be masked]"
_DEEPEST = 200
_ROUNDS = 20
"""A number that a word stands for counts once a scan: lists of them take as many scans as they are long."""
_LETTERS = bytes.maketrans(b"0123456789", b"ghijklmnop")


class Masking:
    """Masks the batches that it is called with. Safe to call from several threads."""

    def __init__(self, kinds: Sequence[Sensitive], key: bytes, count: Callable[[str, int], None]) -> None:
        """Look for `kinds`; `key` (16 to 64 bytes) makes the pseudonyms, `count` gets a kind and its records."""
        self._scan = Scan(kinds, bounded=False)
        self._key = key
        self._count = count

    def __call__(self, batch: Batch) -> Batch:
        """Return the same records without the sensitive data that were found; the batch itself where there are none."""
        found = list(self._changed(batch.data))
        if not found:
            return batch
        columns = {name: batch.data.column(name) for name in batch.data.schema.names}
        kinds: list[set[str]] = [set() for _ in range(batch.rows)]
        for name, values, masks in found:
            self._place(columns, name, values, masks, kinds)
        for kind, rows in Counter(chain.from_iterable(kinds)).items():
            self._count(kind, rows)
        told = [", ".join(sorted(some)) or None for some in kinds]
        columns[COLUMN] = Array(told, ARROW[Kind.STRING])
        schema = Schema([Field(name, column.type) for name, column in columns.items()])
        return Batch(batch.stream, RecordBatch.from_arrays(list(columns.values()), schema=schema))

    def _changed(self, data: RecordBatch) -> Iterator[tuple[str, list[Any], dict[Any, _Masked]]]:
        """Yield the columns with sensitive data, their values, and what becomes of those that have any."""
        columns: list[tuple[str, str, list[Any], list[Any]]] = []
        for name in data.schema.names:
            if (prefix := self._read(name)) is not None:
                values: Any = data.column(name).to_pylist()
                columns.append((name, prefix, values, [one for one in dict.fromkeys(values) if one is not None]))
        texts = [f"{prefix}{value}" for _, prefix, _, some in columns for value in some]
        hits, at = self._scan.hits(texts), 0
        for name, prefix, values, some in columns:
            numbers = [number for number in range(len(some)) if at + number in hits]
            masks = {some[number]: self._masked(name, prefix, some[number], texts[at + number]) for number in numbers}
            at += len(some)
            if masks := {value: mask for value, mask in masks.items() if mask.kinds}:
                yield name, values, masks

    def _read(self, name: str) -> str | None:
        """Return what is read before each value of a column, so that its name counts; None if it is not read."""
        if name == REST:
            return ""
        if not of_sender(name):
            return None
        pointer, kind = split(name)
        telling = self._telling(logical(pointer))
        if kind is Kind.LONG:
            return telling or None
        return telling if kind in (Kind.STRING, Kind.JSON) else None

    def _telling(self, name: str) -> str:
        return f"{name}: " if self._scan.says(name) else ""

    def _masked(self, name: str, prefix: str, value: Any, read: str) -> _Masked:
        """Return a value in which something was found as it is kept."""
        is_json = name == REST or name.endswith(f":{Kind.JSON}")
        if isinstance(value, str) and (is_json or value[:1] in ("{", "[")):
            try:
                return self._masked_object(msgspec.json.decode(value), read)
            except (msgspec.DecodeError, RecursionError):
                pass  # a text that only begins like JSON, or is nested as no record can be
        return self._masked_text(str(value), prefix)

    def _masked_text(self, text: str, prefix: str = "") -> _Masked:
        kinds: dict[str, None] = {}
        for _ in range(_ROUNDS):
            hits = [hit for hit in self._scan.hits([prefix + text]).get(0, ()) if hit.start >= len(prefix)]
            if not hits:
                return _Masked(text, tuple(kinds))
            parts, at = [], 0
            for hit in sorted(distinct(hits), key=lambda hit: hit.start):
                start, end = hit.start - len(prefix), hit.end - len(prefix)
                parts += [text[at:start], self._mask(hit.kind.name, text[start:end])]
                at = end
                kinds[hit.kind.name] = None
            text = "".join([*parts, text[at:]])
        return _Masked(WITHHELD, tuple(kinds))

    def _place(
        self, columns: dict[str, Any], name: str, values: list[Any], masks: dict[Any, _Masked], kinds: list[set[str]]
    ) -> None:
        """Put the masked values into their columns; a number becomes the text of its mask, in the column of texts."""
        for row, value in enumerate(values):
            if (mask := masks.get(value)) is not None:
                kinds[row].update(mask.kinds)
        texts = [None if (mask := masks.get(value)) is None else mask.text for value in values]
        if (kind := columns[name].type) == ARROW[Kind.LONG]:
            numbers = [value if text is None else None for value, text in zip(values, texts, strict=True)]
            columns[name] = Array(numbers, kind)
            name = f"{split(name)[0]}:{Kind.STRING}"
        # Not `values`: masked numbers of the same field may have come into the column.
        kept = columns[name].to_pylist() if name in columns else [None] * len(values)
        merged = [one if text is None else text for one, text in zip(kept, texts, strict=True)]
        columns[name] = Array(merged, ARROW[Kind.STRING])

    def _mask(self, kind: str, value: str) -> str:
        raw = hashlib.blake2b(value.encode("utf-8", "surrogatepass"), digest_size=4, key=self._key).hexdigest()
        # Letters only: digits after the name of a kind would be found again.
        return f"[masked {kind} {raw.encode().translate(_LETTERS).decode()}]"

    def _masked_object(self, whole: Any, read: str) -> _Masked:
        """Return JSON whose texts and numbers are masked one by one, so that it stays JSON.

        What only the whole shows, as a word in one member that says what a number in another is, is masked wherever a
        value has it.
        """
        seen = {read[hit.start : hit.end]: hit.kind.name for hit in distinct(self._scan.hits([read]).get(0, ()))}
        kinds: dict[str, None] = {}

        def masked(name: str, value: Any, depth: int) -> Any:
            if depth > _DEEPEST:
                kinds.update(dict.fromkeys(seen.values()))
                return WITHHELD
            if isinstance(value, dict):
                return {key: masked(key, item, depth + 1) for key, item in value.items()}
            if isinstance(value, list):
                return [masked(name, item, depth + 1) for item in value]
            if isinstance(value, bool) or not isinstance(value, str | int | float):
                return value
            one = self._masked_text(str(value), self._telling(name))
            text = one.text
            kinds.update(dict.fromkeys(one.kinds))
            for secret, kind in seen.items():
                if secret in text:
                    text = text.replace(secret, self._mask(kind, secret))
                    kinds[kind] = None
            return value if text == str(value) else text

        return _Masked(msgspec.json.encode(masked("", whole, 0)).decode(), tuple(kinds))


class _Masked(msgspec.Struct, frozen=True):
    """What is kept of a value, and which kinds of sensitive data it had."""

    text: str
    kinds: tuple[str, ...]

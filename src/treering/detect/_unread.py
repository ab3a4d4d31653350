"""What was said in a batch and not read before: each call of a conversation repeats all that was said in it.

A message is known by a digest of its bytes as they were sent and of who speaks in its field, whoever sent it. A
detector may leave out what it found harmless wherever it comes again; it has to look at everything else each time,
since whom it concerns is another call's matter. Digests are 64 bits of SipHash with a key of the process (unless
PYTHONHASHSEED sets one), so that nobody can make a message that is taken for another one; after a restart everything
is read once more.
"""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from itertools import chain, islice
from threading import Lock
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from treering.detect._derived import derived
from treering.detect._screen import EVERYTHING, screen
from treering.detect._texts import LIST, Said, read_item, read_raw, read_value
from treering.model.buffers import Texts

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping, Sequence

    from treering.detect._screen import Flags
    from treering.detect._texts import Source
    from treering.model.rows import Rows

MOST = 100_000


class Harmless:
    """What a detector has read lately and has nothing to say of."""

    def __init__(self, most: int = MOST) -> None:
        """Remember the last `most` messages; some 100 bytes each."""
        self._most = most
        self.known: dict[int, None] = {}

    def add(self, keys: Iterable[int]) -> None:
        """Note messages that are not to be read again."""
        self.known.update(dict.fromkeys(keys))
        for _ in range(len(self.known) - self._most):
            del self.known[next(iter(self.known))]


class _Screened:
    """What the screen said of the last messages, for all batches; may be used by several threads."""

    def __init__(self) -> None:
        self._held: dict[int, int] = {}
        self._lock = Lock()
        self.get = self._held.get

    def add(self, found: Mapping[int, int]) -> None:
        """Note flags by the digests of messages."""
        with self._lock:
            self._held.update(found)
            for key in list(islice(self._held, max(0, len(self._held) - MOST))):
                del self._held[key]


@cache
def _flags_of(files: tuple[str, ...]) -> _Screened:  # noqa: ARG001  the phrases of files have flags of their own
    return _Screened()


class Messages:
    """The messages of a batch by their digests, for all detectors that ask."""

    def __init__(self, rows: Rows) -> None:
        """Look at `rows`; nothing is read yet."""
        self._rows = rows
        self._keys: dict[tuple[str, str, int], Sequence[int]] = {}
        self._raw: dict[int, tuple[str, bytes]] = {}
        self._said: dict[int, tuple[Said, ...]] = {}
        self._flags: dict[tuple[str, ...], dict[int, int]] = {}

    def unread(self, source: Source, places: Sequence[int], harmless: Harmless) -> list[int]:
        """Return the digests of messages of the records at `places` that are not `harmless`, each once."""
        met = dict.fromkeys(chain.from_iterable(self._messages(source, places)))
        return [key for key in met if key not in harmless.known]

    def flagged(self, source: Source, files: tuple[str, ...] = ()) -> Flags:
        """Return what the screen says of each record of a source, as `flags` says it of all its messages."""
        keys = self._messages(source, range(self._rows.count))
        flat = list(chain.from_iterable(keys))
        held = self.flags(flat, files)
        bits = np.fromiter(map(held.__getitem__, flat), dtype=np.uint16, count=len(flat))
        sizes = np.fromiter(map(len, keys), dtype=np.int64, count=len(keys))
        found = np.zeros(len(keys), dtype=np.uint16)
        if flat:
            found[sizes > 0] = np.bitwise_or.reduceat(bits, (np.cumsum(sizes) - sizes)[sizes > 0])
        return found

    def _messages(self, source: Source, places: Sequence[int]) -> list[Sequence[int]]:
        """Return the digests of the messages of each record."""
        name = source.column, source.role
        new = [place for place in places if (*name, place) not in self._keys]
        for place, value in zip(new, self._rows.at(source.column, new) if new else (), strict=True):
            role = source.roles[place] if source.roles else source.role
            self._keys[*name, place] = self._digests(role, value) if value and role else ()
        return [self._keys[*name, place] for place in places]

    def records(self, source: Source, places: Sequence[int], keys: Container[int]) -> list[tuple[int, int]]:
        """Return record and digest of messages with these digests, each time that one occurs, as they stand there.

        `places` are among those that `unread` was asked for.
        """
        name = source.column, source.role
        return [(place, key) for place in places for key in self._keys[*name, place] if key in keys]

    def flags(self, keys: Iterable[int], files: tuple[str, ...] = ()) -> dict[int, int]:
        """Return for each digest, and others, what the screen says of the message, with the phrases of `files`, too."""
        held, known = self._flags.setdefault(files, {}), _flags_of(files)
        new = [key for key in dict.fromkeys(keys) if key not in held]
        met = {key: bits for key in new if (bits := known.get(key)) is not None}
        held |= met
        raws = {key: self._raw[key][1] if key in self._raw else None for key in new if key not in met}
        held.update((key, EVERYTHING) for key, raw in raws.items() if raw is None)
        texts = {key: raw for key, raw in raws.items() if raw is not None}
        if texts:
            ends = np.cumsum([0, *map(len, texts.values())])
            read = Texts(np.frombuffer(b"".join(texts.values()), np.uint8), ends)
            found = dict(zip(texts, screen(files).look(read, json=False).tolist(), strict=True))
            held |= found
            known.add(found)
        return held

    def role(self, key: int) -> str:
        """Return who speaks in the field of a message unless it says otherwise, empty for what is no text."""
        return self._raw[key][0] if key in self._raw else ""

    def read(self, key: int) -> tuple[Said, ...]:
        """Return what a message says; one that is no JSON after all says what stands there."""
        said = self._said.get(key)
        if said is None:
            role, raw = self._raw[key]
            try:
                said = read_raw(role, raw)
            except (msgspec.DecodeError, RecursionError):
                said = tuple(read_item(role, raw.decode("utf-8", "replace")))
            self._said[key] = said
        return said

    def _digests(self, role: str, value: object) -> Sequence[int]:
        if isinstance(value, str) and value[0] == "[":
            with suppress(msgspec.DecodeError, UnicodeEncodeError, RecursionError):
                raws = [(role, bytes(item)) for item in LIST.decode(value)]
                keys = list(map(hash, raws))
                self._raw.update(zip(keys, raws, strict=True))
                return keys
        key = hash((role, value if isinstance(value, str) else repr(value)))
        if key not in self._said:
            self._said[key] = tuple(read_value(role, value))
            if isinstance(value, str):
                self._raw[key] = role, value.encode("utf-8", "replace")
        return (key,)


def messages(rows: Rows) -> Messages:
    """Return the messages of a batch, the same object for every detector."""
    return derived(rows, Messages)

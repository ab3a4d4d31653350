"""Who has been shown how much of a collection: distinct retrieved documents by principal, a day at a time.

Somebody who asks sees the same documents as others do; somebody who scrapes sees new ones again and again, however
slowly. So the number of documents is compared with that of the other principals of the collection.
"""

from __future__ import annotations

import math
import re
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from treering.detect._whom import Whom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treering.model.rows import Rows

_FIELD = "attributes.gen_ai.retrieval.documents"
_COLLECTIONS = ("attributes.gen_ai.data_source.id", "attributes.db.collection.name")
_KEYS = ("attributes.gen_ai.key.id", "attributes.api.key.id")
_ID = re.compile(r'"id":\s*"([^"\\]{1,200})"')
_DAY_NS = 86_400 * 10**9
_MOST = 1_000
_BITS = 8192
_PEERS, _USUAL, _NEW = 5, 0.9, 0.8
_LATELY = 50


class Seen(msgspec.Struct):
    """The documents that a principal was shown of a collection; `fresh` tells of the last 50 whether each was new.

    Counted in a bitmap (Whang and others, A linear-time probabilistic counting algorithm, ACM TODS 1990): a kilobyte
    each, within a few percent up to ten thousand documents.
    """

    first_ns: int
    bitmap: bytearray = msgspec.field(default_factory=lambda: bytearray(_BITS // 8))
    bits: int = 0
    fresh: list[bool] = []
    told: int = 0

    @property
    def documents(self) -> int:
        """About how many documents there are."""
        return round(-_BITS * math.log(max(1, _BITS - self.bits) / _BITS))

    def add(self, document: str) -> None:
        """Note a document."""
        place = int.from_bytes(blake2b(document.encode(errors="surrogatepass"), digest_size=8).digest()) % _BITS
        new = not self.bitmap[place >> 3] >> (place & 7) & 1
        self.fresh = [*self.fresh[1 - _LATELY :], new]
        if new:
            self.bitmap[place >> 3] |= 1 << (place & 7)
            self.bits += 1


class Scraped(NamedTuple):
    """That somebody has been shown unusually much: row, principal, collection, documents, and what others saw."""

    row: int
    principal: str
    collection: str
    documents: int
    usual: int
    first_ns: int


class Coverage(msgspec.Struct):
    """All principals and collections, at most 1,000; the one that was quiet longest goes first."""

    seen: dict[str, Seen] = {}

    def look(self, rows: Rows, least: int, times: float) -> Iterator[Scraped]:
        """Yield who is shown at least `least` documents and `times` as many as nearly all others, at each doubling."""
        if not rows.has(_FIELD):
            return
        whom, collections = Whom(rows), [rows.texts(name) for name in _COLLECTIONS]
        keys = next((rows.texts(name) for name in _KEYS if rows.has(name)), [None] * rows.count)
        for index, value in enumerate(rows.values(_FIELD)):
            user = (whom.name("user", index) or keys[index]) if value else ""
            collection = next((held for column in collections if (held := column[index])), "")
            if not user or not collection:
                continue
            at_ns = int(rows.times[index])
            seen = self._seen(user, collection, at_ns)
            text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
            for document in _ID.findall(text):
                seen.add(document)
            count = seen.documents
            if count < max(least, 2 * seen.told) or sum(seen.fresh) < _NEW * len(seen.fresh):
                continue
            peers = [
                other.documents
                for name, other in self.seen.items()
                if name.endswith(f"\0{collection}") and other is not seen
            ]
            most = _quantile(peers, _USUAL)
            if len(peers) >= _PEERS and count >= times * most:
                seen.told = count
                yield Scraped(index, user, collection, count, most, seen.first_ns)

    def _seen(self, user: str, collection: str, at_ns: int) -> Seen:
        name = f"{user}\0{collection}"
        held = self.seen.pop(name, None)
        if held is None or at_ns - held.first_ns > _DAY_NS:
            held = Seen(at_ns)
        self.seen[name] = held
        if len(self.seen) > _MOST:
            del self.seen[next(iter(self.seen))]
        return held


def _quantile(values: Sequence[int], share: float) -> int:
    """Return the quantile of some counts, 0 when there are none."""
    held = sorted(values)
    return held[min(len(held) - 1, int(share * len(held)))] if held else 0

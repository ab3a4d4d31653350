"""The token index of several segments made one, without looking at their rows again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from treering.store.duckdb import joining
from treering.store.duckdb.index import KINDS, Content, Tally, fingerprint, sorted_prints
from treering.store.duckdb.postings import Postings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.store.duckdb.names import Names


def merged(
    parts: Sequence[Content], least_rows: int, *, counted: bool = True, known: tuple[Sequence[Names], Any] | None = None
) -> Content:
    """Return the index of several segments one after another; blocks of fewer rows than `least_rows` are joined.

    Not `counted`, because rows were left out, it knows no counts. `known` are the columns of each segment and the
    sequence numbers of all rows; without them it has no postings.
    """
    rows = np.concatenate([part.rows for part in parts])
    first_seqs = np.concatenate([part.first_seqs for part in parts])
    joined = np.zeros(len(rows), dtype=np.int64)
    block, size = 0, 0
    for place, count in enumerate(rows.tolist()):
        if place and size + count > least_rows:
            block, size = block + 1, 0
        joined[place] = block
        size += count
    new = np.flatnonzero(np.concatenate(([True], joined[1:] != joined[:-1])))
    words = -(-len(new) // 64)
    bases = np.cumsum([0, *(len(part.rows) for part in parts)])
    moves = [joined[base : base + len(part.rows)] for part, base in zip(parts, bases, strict=False)]
    prints, masks = _union(
        [(part.prints, _moved(part.masks, move, words)) for part, move in zip(parts, moves, strict=True)]
    )
    listed, listed_masks = _lists(
        [(part.listed, _moved(part.listed_masks, move, words)) for part, move in zip(parts, moves, strict=True)]
    )
    special = np.zeros((len(KINDS), words + 1), dtype=np.uint64)
    for part, move in zip(parts, moves, strict=True):
        special |= _moved(part.special, move, words)
    tallies = _added(parts) if counted else {}
    kept = Postings(int(first_seqs[0]), 0) if known is None else joining.joined(parts, *known)
    return Content(
        prints, masks, listed, listed_masks, special, first_seqs[new], np.add.reduceat(rows, new), tallies, kept
    )


def _added(parts: Sequence[Content]) -> dict[str, Tally]:
    """Return the counts of the words for which every part that has them has counts."""
    found: dict[str, Tally] = {}
    for word in {word for part in parts for word in part.tallies}:
        print_ = fingerprint(word.encode())
        held = [part.tallies.get(word) for part in parts if _has(part.prints, print_)]
        known = [tally for tally in held if tally is not None]
        columns = {column for tally in known for column in tally.rows}
        if len(known) < len(held):
            continue
        sole = len(columns) == 1 and all(tally.sole for tally in known)
        if sole or all(columns <= tally.rows.keys() for tally in known):
            found[word] = Tally({name: sum(tally.rows.get(name, 0) for tally in known) for name in columns}, sole)
    return found


def _has(prints: Any, print_: int) -> bool:
    place = int(np.searchsorted(prints, print_))
    return place < len(prints) and int(prints[place]) == print_


def _moved(masks: Any, move: Any, words: int) -> Any:
    """Return sets with every block at its new place."""
    return np.concatenate((_moved_blocks(masks[:, :-1], move, words), masks[:, -1:]), axis=1)


def _moved_blocks(masks: Any, move: Any, words: int) -> Any:
    result = np.zeros((len(masks), words), dtype=np.uint64)
    if int(move[-1]) - int(move[0]) == len(move) - 1:
        up, by = divmod(int(move[0]), 64)
        for word in range(masks.shape[1]):
            if up + word < words:
                result[:, up + word] |= masks[:, word] << np.uint64(by)
            if by and up + word + 1 < words:
                result[:, up + word + 1] |= masks[:, word] >> np.uint64(64 - by)
        return result
    for old, new in enumerate(move.tolist()):
        bit = (masks[:, old >> 6] >> np.uint64(old & 63)) & np.uint64(1)
        result[:, new >> 6] |= bit << np.uint64(new & 63)
    return result


def _lists(parts: Sequence[tuple[bytes, Any]]) -> tuple[bytes, Any]:
    """Return the texts of several lists as one, and their block sets."""
    places: dict[bytes, int] = {}
    sources: list[int] = []
    for listed, masks in parts:
        sources += [places.setdefault(word, len(places)) for word in listed.split(b"\n")[1 : len(masks) + 1]]
    masks = np.concatenate([masks for _, masks in parts])
    joined = np.zeros((len(places), masks.shape[1]), dtype=np.uint64)
    np.bitwise_or.at(joined, np.array(sources, dtype=np.int64), masks)
    words = list(places)
    first = [int.from_bytes(word[:8].ljust(8, b"\0"), "big") for word in words]
    order = np.argsort(np.array(first, dtype=np.uint64))
    return b"\n".join([b"", *(words[place] for place in order.tolist()), b""]), joined[order]


def _union(parts: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    prints = np.concatenate([prints for prints, _ in parts])
    masks = np.concatenate([masks for _, masks in parts])
    prints, order = sorted_prints(prints)
    masks = masks[order]
    if not len(prints):
        return prints, masks
    new = np.flatnonzero(np.concatenate(([True], prints[1:] != prints[:-1])))
    return prints[new], np.bitwise_or.reduceat(masks, new, axis=0)

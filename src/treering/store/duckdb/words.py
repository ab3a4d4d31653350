"""The words of a segment, their blocks, columns and rows, found by a small WebAssembly program.

Cutting text into tokens is a loop over bytes with a hash table, five times faster compiled (`wasm/words.c`) than as
steps over whole arrays.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.core.wasm import Instance

if TYPE_CHECKING:
    from treering.model.buffers import Texts

PROGRAM = Path(__file__).parent / "wasm" / "words.wasm"
_PIECE_BYTES = 1 << 20
_BEYOND = 16  # bytes after a text that may be read
_TOKEN = np.dtype(
    [
        ("hash", "<u8"),
        ("order", "<u8"),
        ("text", "<u4"),
        ("length", "u1"),
        ("digits", "u1"),
        ("hexes", "u1"),
        ("many", "u1"),
        ("counting", "<u4", 3),
        ("hits", "<u4"),
    ]
)
_TALLY = np.dtype([("token", "<u4"), ("column", "<u4"), ("rows", "<u4")])
_VALUE = np.dtype([("text", "<u4"), ("length", "<u4")])
_KEPT = np.dtype([("token", "<u4"), ("begin", "<u4"), ("end", "<u4")])
MOST_VALUES, LONGEST_VALUE = 32, 256  # as words.c has it
AS_WORD, AS_UNSURE = 1 << 31, 1 << 30
ROW = AS_UNSURE - 1


class Words:
    """Collects distinct tokens and the blocks of rows they are in.

    `tokens()` are in order of first appearance: `hash`, `length`, `digits` and `hexes` (how many bytes are digits, and
    hexadecimal), `order` (sorts as the first eight bytes do), `many` (1 for one in several columns; of `tallies`),
    `hits` (how often it is in the column it was seen in last).
    """

    def __init__(self, blocks: int, block_rows: int) -> None:
        """Start empty; rows are numbered from 0, `block_rows` to a block."""
        self._program = Instance(PROGRAM)
        self.words = max(1, -(-blocks // 64))
        self._block_rows = block_rows
        self._call = self._program.call
        self._bytes = self._program.memory
        self._call("begin", self.words)
        self._room = self._call("room_for", 0)
        self._size = 0
        self._rows = 0

    def add(self, texts: Texts, rows: Any, column: int = 0, bit: int = 0, *, counted: bool = True) -> None:
        """Take in `texts` of a column, which are those of `rows` (ascending).

        `bit` (0 to 63) stands for the column in the sets of columns; without `counted` no rows are told of its tokens.
        """
        first, offsets = 0, texts.offsets
        while first < len(rows):
            last = int(np.searchsorted(offsets, offsets[first] + _PIECE_BYTES, side="right")) - 1
            last = min(max(last, first + 1), len(rows))
            about = column, bit, int(counted)
            self._piece(texts.data[offsets[first] : offsets[last]], offsets[first : last + 1], rows[first:last], about)
            first = last

    def _piece(self, data: Any, offsets: Any, rows: Any, about: tuple[int, int, int]) -> None:
        count = len(rows)
        numbers = np.concatenate((offsets - offsets[0], rows)).astype("<u4")
        after = -(-(len(data) + _BEYOND) // 8) * 8
        size = after + numbers.nbytes
        if size > self._size:
            self._room, self._size = self._call("room_for", size), size
        room = self._bytes(self._room, size)
        room[: len(data)] = data
        room[after:] = numbers.view(np.uint8)
        ends = self._room + after
        self._call("add", self._room, ends, ends + 4 * (count + 1), count, self._block_rows, *about)

    def keep(self, rows: int, *, tokens: bool) -> None:
        """Keep of the next column the different values, and with `tokens` which rows each token is in."""
        self._call("keep", rows, int(tokens))
        self._rows = rows

    def values(self) -> tuple[list[bytes], Any] | None:
        """Return the different texts of the column kept, and for each row the number of its text plus one, 0 for none.

        None when there are more than `MOST_VALUES` of them, or long ones.
        """
        count = self._call("values_found")
        if count > MOST_VALUES:
            return None
        found = self._bytes(self._call("values_at"), count * _VALUE.itemsize).view(_VALUE).tolist()
        texts = [self._bytes(start, length).tobytes() for start, length in found]
        return texts, self._bytes(self._call("codes_at"), self._rows).copy()

    def candidates(self, column: int, least: int, least_digits: int) -> Any:
        """Return the places of the tokens of the column kept that are in at least so many rows; tokens with digits."""
        count = self._call("found")
        out = self._call("room_for", count * 4)
        end = self._call("candidates", column, least, least_digits, out)
        return self._bytes(out, end - out).view("<u4").copy()

    def rows_of(self, places: Any) -> list[Any]:
        """Return the rows of each of these tokens of the column kept, ascending.

        `AS_WORD` is set where the token is a word of Lucene's, `AS_UNSURE` where only Unicode's tables would tell.
        """
        numbers = places.astype("<u4")
        chosen = self._call("room_for", numbers.nbytes)
        self._bytes(chosen, numbers.nbytes)[:] = numbers.view(np.uint8)
        at = self._call("kept", chosen, len(places))
        found = self._bytes(at, len(places) * _KEPT.itemsize).view(_KEPT).tolist()
        return [self._bytes(begin, end - begin).view("<u4").copy() for _, begin, end in found]

    def tokens(self) -> Any:
        """Return what is known of each token as a structured array."""
        count = self._call("found")
        return self._bytes(self._call("found_tokens"), count * _TOKEN.itemsize).view(_TOKEN)

    def masks(self) -> Any:
        """Return for each token the blocks it is in, as bits of `words` 64-bit words, and one word for its columns."""
        count, words = self._call("found"), self.words + 1
        return self._bytes(self._call("found_masks"), count * words * 8).view("<u8").reshape(count, words)

    def tallies(self) -> Any:
        """Return, as the last thing asked, `token` (its place), `column` and the `rows` that have it there as a word.

        A word as Lucene's standard analyzer finds it. Left out are those of fewer than eight rows and those where only
        Unicode's tables would tell.
        """
        count = self._call("tally_all")
        return self._bytes(self._call("found_tallies"), count * _TALLY.itemsize).view(_TALLY)

    def longer(self) -> Any:
        """Return the blocks that hold a token too long to be told from others that begin like it."""
        return self._bytes(self._call("found_longer"), (self.words + 1) * 8).view("<u8")

    def lines(self, places: Any, size: int) -> bytes:
        """Return the texts of the tokens at `places`, `size` bytes together, with newlines before and after each."""
        numbers = places.astype("<u4")
        chosen = self._call("room_for", numbers.nbytes + size + len(places))
        self._bytes(chosen, numbers.nbytes)[:] = numbers.view(np.uint8)
        out = chosen + numbers.nbytes
        end = self._call("lines", chosen, len(places), out)
        return bytes(self._bytes(out, end - out)) + b"\n"

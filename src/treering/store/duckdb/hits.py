"""Where tokens may be in a segment, as far as its index tells."""

from __future__ import annotations

from dataclasses import dataclass

BITS = 64


@dataclass(frozen=True, slots=True)
class Hits:
    """Where a token may be: blocks as bits, and columns as bits of `tokens.bit_of`."""

    blocks: int
    columns: int

    def __or__(self, other: Hits) -> Hits:
        """Return where either may be."""
        return Hits(self.blocks | other.blocks, self.columns | other.columns)


@dataclass(frozen=True, slots=True)
class Found:
    """Tokens with a part and where each may be; where `hidden` says, others may be that are not told one by one."""

    hidden: tuple[Hits, ...]
    tokens: list[tuple[str, Hits]]

    def hits(self, columns: int) -> Hits:
        """Return where any of them may be in some of the columns."""
        found = NOWHERE
        for hits in (*self.hidden, *(hits for _, hits in self.tokens)):
            if hits.columns & columns:
                found |= hits
        return found


NOWHERE, ALL_COLUMNS = Hits(0, 0), (1 << BITS) - 1

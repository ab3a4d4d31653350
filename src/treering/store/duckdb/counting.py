"""How many rows have a word, as far as the token index knows it by itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering.store.duckdb import relation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treering.model.schema import StreamSchema
    from treering.stage.store import Scan, Word
    from treering.store.duckdb.catalog import StreamView
    from treering.store.duckdb.index import Tally
    from treering.store.duckdb.lookup import Lookup
    from treering.store.duckdb.manifest import Segment


def known(
    word: Word, scan: Scan, views: Sequence[StreamView], schema: StreamSchema, lookup: Lookup
) -> tuple[int, frozenset[str]]:
    """Return the rows that have `word` in the segments where that is known, and the files of those segments.

    It is known of a segment that lies wholly inside the scan's time, from which nothing was deleted, and whose index
    has counted the word.
    """
    texts, wholes = _physical(word.texts, schema), _physical(word.wholes, schema)
    total, files = 0, []
    for view in views:
        for item in view.segments:
            if item.damage or not _whole(scan, item) or len(view.dead_inside(item.min_seq, item.max_seq)):
                continue
            tally = lookup.tally(item, word.text)
            rows = None if tally is None else _rows(tally, texts, wholes, single=len(word.texts | word.wholes) == 1)
            if rows is not None:
                total += rows
                files.append(item.file)
    return total, frozenset(files)


def _physical(names: frozenset[str], schema: StreamSchema) -> frozenset[str]:
    return frozenset(relation.physical(relation.types(sorted(names), schema)))


def _whole(scan: Scan, item: Segment) -> bool:
    starts = scan.start_ns is None or scan.start_ns <= item.min_ns
    return starts and (scan.end_ns is None or item.max_ns < scan.end_ns)


def _rows(tally: Tally, texts: frozenset[str], wholes: frozenset[str], *, single: bool) -> int | None:
    """Return the rows with the word in one of the columns `texts`, or None when some may have it elsewhere as well."""
    if tally.sole:
        if any(column in wholes for column in tally.rows):
            return None
        return sum(rows for column, rows in tally.rows.items() if column in texts)
    held = [rows for column, rows in tally.rows.items() if column in texts]
    return held[0] if single and len(texts) == 1 and held else None

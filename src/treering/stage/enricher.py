"""The contract of enrichers: what a batch gains on its way into the store.

Must: return a batch of the same stream with the same rows in the same order, whose other columns are untouched; return
batches of streams that do not concern it as they are, at no cost; be safe to call from several threads at once. Must
not: change or drop what a sender wrote, read or write anything, take more than a small share of what storing the batch
takes. May: keep state of its own, within a bound; move a sender's values to another column if `_origin` says so; have a
method `close`, which is called once after the last batch.

What an enricher raises never loses a record: the sink passes the batch on as it was and counts the failure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from treering.model.batch import Batch

Enricher: TypeAlias = Callable[[Batch], Batch]

"""Every shared PPL query gives the same rows over a real node's data as over the embedded store's."""

from __future__ import annotations

import re
import tomllib
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.query import ppl_cases
from treering.store.opensearch import Config
from treering.store.opensearch.engine import OpenSearchStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.opensearch.common import Shared

KNOWN = tomllib.loads((Path(__file__).parent / "known_differences.toml").read_text(encoding="utf8"))
# A part of the cases on every run; the rest with the slow tests.
QUICK = re.compile(r"ai/\d*[05]$")


def difference(case: dict[str, Any], embedded: tuple[int, Any], found: tuple[int, Any]) -> str | None:
    """Return how an answer differs from the embedded store's, or None."""
    if embedded[0] != 200 or found[0] != 200:
        return None if embedded[0] == found[0] else f"status {found[0]}, expected {embedded[0]}: {found[1]!s:.200}"
    wanted = case | embedded[1] | {"status": 200, "error": None}
    why, types = ppl_cases.scorer().check(wanted, *found)
    if why is None and any(one != other for one, other in types or ()):
        return f"types {types}"
    return why


class Both:
    """The documents of the cases in the embedded store and on a node, loaded when a case needs them."""

    def __init__(self, store: OpenSearchStore) -> None:
        self.embedded = ppl_cases.Bench()
        self.clustered = ppl_cases.Bench()
        self.clustered.store = store

    def difference(self, case: dict[str, Any]) -> str | None:
        return difference(case, *(bench.asked(case) for bench in (self.embedded, self.clustered)))


@pytest.fixture(scope="module")
def both(opensearch: Shared, shared: Path) -> Iterator[Both]:
    name = f"cases{uuid.uuid4().hex[:8]}"
    # One thread: a query that compares two sums of the same fractions needs them added up in one order.
    store = OpenSearchStore(
        Config(urls=(opensearch.url,), prefix=f"{name}-", alias=f"{name}.{{stream}}", replicas=0, read=(), threads=1)
    )
    try:
        yield Both(store)
    finally:
        for info in store.streams():
            store.delete(info.name)
        store.close()


def test_some_queries_give_the_rows_of_the_embedded_store(both: Both) -> None:
    chosen = [case for case in ppl_cases.cases() if QUICK.match(case["id"])]
    assert len(chosen) > 30
    assert {case["id"]: why for case in chosen if (why := both.difference(case)) and case["id"] not in KNOWN} == {}


@pytest.mark.slow
def test_every_query_gives_the_rows_of_the_embedded_store(both: Both) -> None:
    found = {case["id"]: why for case in ppl_cases.cases() if (why := both.difference(case)) is not None}
    news = {case: why for case, why in found.items() if case not in KNOWN}
    assert not news, "\n".join(f"{case}: {why}" for case, why in news.items())
    gone = set(KNOWN) - set(found)
    assert not gone, f"these agree now; take them off known_differences.toml: {sorted(gone)}"


def test_every_known_difference_has_a_reason() -> None:
    assert all(reason.strip() for reason in KNOWN.values())

"""A regular expression reads only where its literals are, and a list of the newest that match it misses none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treering import query as ppl
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore
from treering.testing.store_contract import START_NS, logs

if TYPE_CHECKING:
    from pathlib import Path


def test_literals_of_a_pattern_are_looked_up(tmp_path: Path) -> None:
    store = DuckdbStore(tmp_path)
    bodies = [f"request {n:08x} took {n % 97} ms" for n in range(20_000)]
    bodies[12_345] = "Zirconium 7781 found"
    bodies[3] = "zirconium 42 found"
    store.append(logs([{"@timestamp": START_NS + n, "body": body} for n, body in enumerate(bodies)]))
    store.flush()
    for text, wanted in (
        ("where regexp_match(body, 'Zir[a-z]+ium \\\\d+ found')", 1),
        ("where body regexp 'irconium'", 2),
        ("where regexp_match(body, '(?i)zirconium|nothing')", 2),
        ("regex body='ircon.* found$' | sort - @timestamp | head 5", 2),
        ("regex body!='request'", 2),
    ):
        compiled = ppl.compile(f"source=logs | {text} | fields body", schema=store.schema, now_ns=START_NS)
        found = store.run(compiled, Limits())
        assert len(found.rows) == wanted, text
        assert (found.rows_scanned < 10_000) == ("!=" not in text), text
    store.close()

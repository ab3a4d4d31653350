"""Score the queries in `../shared/ppl` in this process: `python tests/query/ppl_cases.py [--only TEXT] [--show N]`.

The comparison is that of `score.py` there. `--all` takes every case, else those of the commands built so far.
"""

from __future__ import annotations

import argparse
import collections
import functools
import importlib.util
import json
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from treering import query as ppl
from treering.core.errors import UserError
from treering.model.batch import batch
from treering.query.commands.join import SETTING
from treering.stage.store import Limits
from treering.store.duckdb import DuckdbStore

FOLDER = Path(__file__).resolve().parents[3] / "shared" / "ppl"
COMMANDS = frozenset(
    (
        "source search index where fields table eval stats timechart sort head dedup top rare rename eventstats "
        "streamstats trendline bin chart xyseries transpose addtotals addcoltotals join inner left right full cross "
        "semi anti lookup append appendpipe appendcol multisearch union parse grok rex regex replace fillnull "
        "fieldformat mvexpand expand flatten mvcombine nomv reverse convert "
        "spath foreach timewrap makeresults describe show graphlookup patterns"
    ).split()
)
NOW_NS = 1_795_500_000_000_000_000  # 2026-11-24: after every document


@dataclass(frozen=True)
class Outcome:
    """One case and why it failed, or None."""

    case: dict[str, Any]
    why: str | None
    seconds: float = 0.0


@functools.cache
def scorer() -> Any:
    """Return the scorer of the recordings as a module."""
    spec = importlib.util.spec_from_file_location("ppl_score", FOLDER / "score.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@functools.cache
def cases() -> list[dict[str, Any]]:
    """Return all recorded cases."""
    with (FOLDER / "cases.jsonl").open(encoding="utf8") as lines:
        return [json.loads(line) for line in lines if line.strip()]


def in_scope(case: dict[str, Any]) -> bool:
    """Whether the case uses only the commands built so far."""
    return set(scorer().commands(case["query"])) <= COMMANDS


class Bench:
    """A store with the indexes that cases read, each loaded when first needed."""

    def __init__(self) -> None:
        self.store = DuckdbStore()
        self.loaded: set[str] = set()

    def load(self, names: list[str]) -> None:
        """Create the streams and send their documents."""
        for name in names:
            if name in self.loaded:
                continue
            self.loaded.add(name)
            body = json.loads((FOLDER / "mappings" / f"{name}.json").read_text())
            self.store.create(name, body.get("mappings", {}))
            lines = (FOLDER / "data" / f"{name}.ndjson").read_bytes().split(b"\n")
            records = [msgspec.json.decode(line) for line in lines if line.strip()]
            if records:
                ids = [str(index + 1) for index in range(len(records))]
                self.store.append([batch(name, records, received_ns=NOW_NS, ids=ids, unit_ns=10**6)])

    def answer(self, query: str, settings: dict[str, str] | None = None) -> tuple[int, Any]:
        """Return status and body as the server would, with settings of the cluster."""
        joins = (settings or {}).get(SETTING) == "true"
        try:
            compiled = ppl.compile(query, schema=self.store.schema, now_ns=NOW_NS, default_source=None, all_joins=joins)
            return 200, json.loads(json.dumps(ppl.render(self.store.run(compiled, Limits()))))
        except UserError as error:
            return 400, str(error)

    def prepare(self, case: dict[str, Any]) -> None:
        """Load what a case reads."""
        names = set(case["indexes"])
        for pattern in re.findall(r"=\s*([\w.-]*\*[\w.*-]*)", case["query"].split("|")[0]):
            names.update(path.stem for path in (FOLDER / "mappings").glob(f"{pattern}.json"))
        self.load(sorted(names))

    def asked(self, case: dict[str, Any]) -> tuple[int, Any]:
        """Return status and body of the answer to a case."""
        self.prepare(case)
        try:
            return self.answer(case["query"], case.get("settings"))
        except Exception as error:  # noqa: BLE001  any fault counts as a wrong answer
            return 500, f"{type(error).__name__}: {error}"

    def run(self, case: dict[str, Any]) -> Outcome:
        """Answer one case and compare."""
        self.prepare(case)
        started = time.perf_counter()
        status, body = self.asked(case)
        why, _ = scorer().check(case, status, body)
        return Outcome(case, why, time.perf_counter() - started)


def main() -> None:
    """Print the failing cases and the counts."""
    options = argparse.ArgumentParser()
    options.add_argument("--only", default="")
    options.add_argument("--show", type=int, default=0)
    options.add_argument("--all", action="store_true")
    options.add_argument("--width", type=int, default=600)
    given = options.parse_args()
    chosen = [case for case in cases() if given.all or in_scope(case)]
    chosen = [case for case in chosen if given.only in case["id"] or given.only in case["query"]]
    bench = Bench()
    started = time.perf_counter()
    outcomes = [bench.run(case) for case in chosen]
    failed = [outcome for outcome in outcomes if outcome.why is not None]
    for outcome in failed[: given.show]:
        query = " ".join(outcome.case["query"].split())
        print(f"-- {outcome.case['id']}\n   {query[: given.width]}\n   => {str(outcome.why)[: given.width]}")
    reasons = collections.Counter(re.sub(r"\s+", " ", outcome.why.split("\n")[0])[:90] for outcome in failed)
    for reason, count in reasons.most_common(25):
        print(f"{count:5d}  {reason}")
    print(f"{len(outcomes) - len(failed)}/{len(outcomes)} in {time.perf_counter() - started:.1f} s", file=sys.stderr)


if __name__ == "__main__":
    main()

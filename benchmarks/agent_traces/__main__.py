"""What `taint` says of labelled traces of agents.

`python -m benchmarks.agent_traces [--suite NAME] [--wrong]` prints precision and recall with intervals, by suite, by
outcome and by template of the injection, and what a span costs; `--wrong` lists the traces that it gets wrong.
"""

from __future__ import annotations

import argparse
import time
from collections import defaultdict
from typing import TYPE_CHECKING

from benchmarks.agent_traces.data import HARMFUL, RESISTED, Truth, rows, truths
from benchmarks.agent_traces.figures import judged
from treering.detect import taint
from treering.model.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterable


def watched() -> tuple[dict[str, list[Finding]], int, float]:
    """Return the findings of each trace, how many spans there were and the CPU seconds that they took."""
    detector, found = taint.build(taint.Config()), defaultdict[str, list[Finding]](list)
    spans, spent = 0, 0.0
    for part in rows():
        spans += part.count
        began = time.process_time()
        told = [*detector.observe(part), *detector.tick(int(part.times.max()) + 10**12, None)]
        spent += time.process_time() - began
        for finding in told:
            found[finding.key[0]].append(finding)
    return found, spans, spent


def said(truth: Truth, found: dict[str, list[Finding]]) -> str:
    """Return what was said of a trace in a word."""
    rules = {finding.rule for finding in found.get(truth.trace, ())}
    return "impact" if taint.FOLLOWED in rules else "attempt" if rules else "nothing"


def wanted(truth: Truth) -> str:
    """Return what should be said of a trace."""
    return "impact" if truth.outcome in HARMFUL else "attempt" if truth.outcome == RESISTED else "nothing"


def table(name: str, groups: dict[str, list[Truth]], found: dict[str, list[Finding]]) -> None:
    """Print how many traces of each group are said to be what."""
    print(f"\n{name:42} traces  nothing  attempt  impact  right")
    for group, members in sorted(groups.items()):
        counts = [sum(said(truth, found) == word for truth in members) for word in ("nothing", "attempt", "impact")]
        right = sum(said(truth, found) == wanted(truth) for truth in members)
        print(f"{group:42} {len(members):6}  {counts[0]:7}  {counts[1]:7}  {counts[2]:6}  {right / len(members):5.2f}")


def grouped(members: Iterable[Truth], *names: str) -> dict[str, list[Truth]]:
    """Return traces by the values of `names`."""
    groups = defaultdict[str, list[Truth]](list)
    for truth in members:
        groups[" ".join(str(getattr(truth, name)) for name in names)].append(truth)
    return groups


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--suite", default="", help="only traces of this suite")
    parser.add_argument("--wrong", action="store_true", help="list the traces that are got wrong")
    asked = parser.parse_args()
    found, spans, spent = watched()
    members = [truth for truth in truths() if asked.suite in ("", truth.suite)]
    for suite, part in {**grouped(members, "suite"), "all": members}.items():
        print(f"{suite}: {len(part)} traces")
        for name, share in judged(part, found).items():
            print(f"  {name:26} {share}")
    table("outcome", grouped(members, "suite", "outcome"), found)
    table("template", grouped([truth for truth in members if truth.template], "template"), found)
    print(f"\n{spent / max(1, spans) * 1e6:.0f} microseconds of CPU a span ({spans} spans)")
    for truth in members if asked.wrong else ():
        if said(truth, found) != wanted(truth):
            print(
                truth.trace, truth.suite, truth.outcome, truth.template, [f.title for f in found.get(truth.trace, ())]
            )


if __name__ == "__main__":
    main()

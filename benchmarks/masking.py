"""What masking costs a record that holds nothing to mask, and one that does.

`python -m benchmarks.masking [--rows 5000]` prints µs of CPU a record, in the process, the least of five runs.
"""

from __future__ import annotations

import argparse
import time

from benchmarks.records import START_NS, documents
from treering.model.batch import Batch, batch
from treering.parse.sensitive.masking import Masking
from treering.parse.sensitive.personal import PERSONAL
from treering.parse.sensitive.secrets import KINDS

_SAID = " from ann.lee@corp.example, key ghp_q8Zt1Lr5Vx0Yb7Nd3Kc9Ws2Mf6Hj4Gp8Ea1T"


def cost(mask: Masking, given: Batch, runs: int = 5) -> float:
    """Return the least µs of CPU a record."""
    spent = []
    for _ in range(runs):
        began = time.process_time()
        mask(given)
        spent.append((time.process_time() - began) / given.rows * 1e6)
    return min(spent)


def main() -> None:
    """Measure."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rows", type=int, default=5000)
    rows = list(documents(options.parse_args().rows))
    plain = batch("logs", rows, received_ns=START_NS)
    sensitive = batch("logs", [{**row, "body": row["body"] + _SAID} for row in rows], received_ns=START_NS)
    for name, kinds in (("secrets", KINDS), ("secrets and personal data", (*KINDS, *PERSONAL))):
        mask = Masking(kinds, b"k" * 16, lambda _kind, _rows: None)
        print(f"  {name:<28}{cost(mask, plain):6.1f} µs, {cost(mask, sensitive):6.1f} µs where every record has two")


if __name__ == "__main__":
    main()

"""The pass that chooses which answers are read for code leaves none out that the reading would stop at."""

from __future__ import annotations

import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from treering.detect import active_output
from treering.model.batch import batch
from treering.model.rows import Rows

PIECES = [
    "or",
    "from",
    "set ",
    "table",
    "-e",
    "(",
    "\u00a0",
    "eval",
    "drop",
    "for",
    "nc",
    "rm ",
    "Update",
    " ",
    "<",
    "-",
    "--",
    "/",
    "\\",
    "é",
    "“",
    "\n",
    "delete ",
    "_",
]
ANSWERS = st.lists(st.lists(st.sampled_from(PIECES), max_size=8).map("".join), min_size=1, max_size=5)


@given(ANSWERS)
def test_no_answer_with_a_hint_is_left_out(answers: list[str]) -> None:
    said = [
        msgspec.json.encode([{"role": "assistant", "parts": [{"type": "text", "content": text}]}]).decode()
        for text in answers
    ]
    records = [{"@timestamp": 1, "attributes": {"gen_ai.output.messages": text}} for text in said]
    chosen = active_output._hinted(Rows(batch("spans", records, received_ns=1), 0), np.arange(len(records)))
    hinted = {number for number, text in enumerate(said) if active_output._HINT.search(text[2:])}
    assert hinted <= set(chosen)

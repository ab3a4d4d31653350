"""Makes the weights by which the screen lets texts through to the model: `python -m benchmarks.injection gate`.

A logistic regression over hashed words and pairs of words, as `detect/wasm/screen.c` reads them in messages of JSON. A
text counts by its stretch of words with the highest sum. Limits are what a share of benign texts of sources that are
never trained on lies above; those whose licence keeps them out of training count one by one, each source alike.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from benchmarks.injection import data
from benchmarks.injection.train import MOST_OF_A_SOURCE, SEED, TARGET, log
from treering.detect import _prompt_scan
from treering.detect._screen import GATE, Screen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.injection.data import Row

STRENGTH, DRIFT = 0.3, 0.1
"""Of the regression; what each word takes away, so that the sum of a long harmless text does not grow."""
WINDOW, STEP = 64, 32
MOST_CHARACTERS = 20_000
PASSED = {"user": 0.1, "other": 0.1}
"""Shares of benign texts of people, and of documents, that are let through."""


def main() -> None:
    """Train and write the weights."""
    screen = Screen(_prompt_scan.scanner().phrases, weigh=False)
    rows = [row for row in data.training(SEED) if row.role != "system" and "planted" not in row.kind]
    rows = [row for row in rows if row.kind not in {"order", "bare_indirect_instruction"}]
    owner, cut = windows(screen, rows)
    weights = quantised(fitted(rows, owner, cut))
    unseen = [r for name in ("train", "look") for r in data.rows(name) if r.label == 0]
    unseen = [r for r in unseen if r.source in data.UNLICENSED or r.source in data.LOOKED_AT]
    sums = np.array([highest(weights, screen.words(message(row))) for row in unseen])
    role = np.array(["other" if row.role == "tool" else row.role for row in unseen])
    limits = {name: int(np.quantile(sums[role == name], 1 - share)) for name, share in PASSED.items()}
    log("limits", limits)
    np.savez_compressed(TARGET.with_name("gate.npz"), weights=weights, limits=np.array([*limits.values()], np.int32))


def message(row: Row) -> str:
    """Return the text of a row as spans have it."""
    text = row.text[:MOST_CHARACTERS]
    part = {"type": "text", "content": text} if row.role == "user" else {"type": "tool_call_response", "response": text}
    return json.dumps([{"role": row.role, "parts": [part]}], ensure_ascii=False)


def windows(screen: Screen, rows: Sequence[Row]) -> tuple[list[int], list[Any]]:
    """Return the features of overlapping stretches of words, and the row that each is of."""
    owner, cut = [], []
    for index, row in enumerate(rows):
        words = screen.words(message(row))
        for first in range(0, max(1, len(words) - STEP), STEP):
            owner.append(index)
            cut.append(words[first : first + WINDOW].reshape(-1))
    return owner, cut


def fitted(rows: Sequence[Row], owner: Sequence[int], cut: Sequence[Any]) -> Any:
    """Return what a word, or pair of words, adds to the log-odds of an attack."""
    groups = [(rows[index].source, rows[index].label) for index in owner]
    count = {group: groups.count(group) for group in set(groups)}
    worth = [min(1.0, MOST_OF_A_SOURCE / count[group]) for group in groups]
    ends = np.cumsum([0, *map(len, cut)])
    ones = np.ones(ends[-1], np.float32)
    matrix = sparse.csr_matrix((ones, np.concatenate(cut).astype(np.int32), ends), shape=(len(cut), GATE))
    matrix.sum_duplicates()
    model = LogisticRegression(C=STRENGTH, solver="liblinear", tol=1e-2, random_state=SEED)
    model.fit(matrix, [label for _, label in groups], sample_weight=worth)
    return model.coef_[0]


def quantised(weights: Any) -> Any:
    """Return int8 weights; the few greatest are cut off."""
    unit = np.quantile(np.abs(weights[weights != 0]), 0.9995) / 127
    return np.clip(np.rint((weights - DRIFT / 2) / unit), -127, 127).astype(np.int8)


def highest(weights: Any, words: Any) -> int:
    """Return the highest sum of a stretch of words, as the screen counts it."""
    best = now = 0
    for worth in weights[words].sum(axis=1, dtype=np.int64).tolist():
        now = max(0, now + worth)
        best = max(best, now)
    return best

"""Makes the weights of the model of suspicious texts: `python -m benchmarks.injection train`, or `train user`.

Logistic regressions (L2, liblinear) over hashed n-grams, one for each head. Calibration is source-held-out: each family
of sources is scored by weights that were fitted without it, and these scores and those of the phrases are fitted to
labels.
Thresholds are those that benign sources which were never trained on leave: a budget of false alarms each.
"""

from __future__ import annotations

import json
import os
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from benchmarks.injection import data, reading
from benchmarks.injection.data import DATA, USER, Row
from benchmarks.injection.features import Reader, Windows
from benchmarks.injection.figures import above, auc, recall, thresholds
from treering.detect import _prompt_scan
from treering.detect._injection_model import DOUBTFUL, MEANING, Layers, fused, meaning_odds, rules_evidence
from treering.detect._ngrams import FEATURES, STARTS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TARGET = Path(__file__).parents[2] / "src" / "treering" / "content" / "models" / "injection.npz"
MOST_OF_A_SOURCE = 1500
FOLDS = 4
DRAWN, HIDDEN, ROUNDS = 30_000, 48, 12
"""Of the network over what words mean: windows drawn, units of its hidden layer, rounds."""
STEPS = 1023
"""Steps between no weight and the greatest of a kind."""
STRENGTH = (10.0, 3.0)
"""Of the regressions of the two heads: the greater, the less the weights are held back."""
SEED = 7


class Linear(NamedTuple):
    """Weights of the features and the intercept; the network beside them, where there is one."""

    weights: Any
    intercept: float
    layers: Layers | None


def log(*words: object) -> None:
    """Tell how far it is, with the CPU seconds so far."""
    print(f"{time.process_time():7.1f} s", *words, flush=True)


class Head:
    """Rows of one head, their windows and weights in training."""

    def __init__(self, head: int, rows: Sequence[Row], seed: int = SEED) -> None:
        """Read `rows`, which are those of `training` that this head learns from."""
        self.head, self.rows = head, rows
        people = [row.role != "tool" for row in rows]
        parts = [(USER, [i for i, p in enumerate(people) if p]), (DATA, [i for i, p in enumerate(people) if not p])]
        read = [(Reader(h).windows([rows[i] for i in chosen], seed), np.array(chosen)) for h, chosen in parts if chosen]
        self.windows = Windows(
            sparse.vstack([w.matrix for w, _ in read]).tocsr(),
            np.concatenate([w.meaning for w, _ in read]),
            np.concatenate([chosen[w.owner] for w, chosen in read]),
            np.concatenate([w.label for w, _ in read]),
        )
        self.worth = self._worth()

    def _worth(self) -> Any:
        """Return a weight for each window: no source counts more than `MOST_OF_A_SOURCE` texts."""
        groups: dict[tuple[str, str, int], list[int]] = {}
        for index, row in enumerate(self.rows):
            groups.setdefault((row.source, "passage" if row.kind == "passage" else "", row.label), []).append(index)
        worth = np.zeros(len(self.rows))
        for (_, kind, _), members in groups.items():
            worth[members] = min(1.0, (MOST_OF_A_SOURCE * (0.3 if kind else 1.0)) / len(members))
        held = np.bincount(self.windows.owner, minlength=len(self.rows))
        text_worth = (worth / np.maximum(held, 1))[self.windows.owner]
        tool = np.array([row.role == "tool" for row in self.rows])[self.windows.owner]
        return np.where(tool, np.where(self.windows.label == 1, 1.0, 0.5), text_worth)

    def fit(self, use: Any) -> Linear:
        """Return what is learnt from the rows for which `use` is true."""
        chosen = use[self.windows.owner] & (self.windows.label >= 0)
        model = LogisticRegression(C=STRENGTH[self.head], solver="liblinear", tol=1e-2, max_iter=200, random_state=SEED)
        model.fit(self.windows.matrix[chosen], self.windows.label[chosen], sample_weight=self.worth[chosen])
        layers = self._network(chosen) if self.head == USER else None
        return Linear(model.coef_[0].astype(np.float32), float(model.intercept_[0]), layers)

    def _network(self, chosen: Any) -> Layers:
        """Return a network that learnt from the windows for which `chosen` is true, drawn by their worth."""
        worth = np.where(chosen, self.worth, 0.0)
        drawn = np.random.default_rng(SEED).choice(len(worth), DRAWN, p=worth / worth.sum())
        model = MLPClassifier(
            HIDDEN, alpha=1e-3, max_iter=ROUNDS, random_state=SEED, batch_size=256, learning_rate_init=2e-3
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is stopped early on purpose
            model.fit(self.windows.meaning[drawn], self.windows.label[drawn])
        (hidden, output), (biases, bias) = model.coefs_, model.intercepts_
        return Layers(*(part.astype(np.float32) for part in (hidden, biases, output[:, 0], bias)))


class Scored:
    """Rows to judge, all of their windows, and what the phrases say of them."""

    def __init__(self, head: int, rows: Sequence[Row]) -> None:
        """Read `rows` as `head` reads them."""
        self.rows = rows
        self.windows = Reader(head).windows(rows)
        self.number = np.maximum(np.bincount(self.windows.owner, minlength=len(rows)), 1)
        self.label = np.array([row.label for row in rows])
        self.source = np.array([row.source for row in rows])
        self.family = np.array([row.family for row in rows])
        self.evidence = evidence(rows)

    def odds(self, model: Linear) -> Any:
        """Return the log-odds of each row by the model alone."""
        best = np.full(len(self.rows), -30.0)
        odds = self.windows.matrix @ model.weights + model.intercept
        if model.layers is not None:
            odds = (1 - MEANING) * odds + MEANING * meaning_odds(self.windows.meaning, model.layers)
        np.maximum.at(best, self.windows.owner, odds)
        return best - np.log(self.number)


def evidence(rows: Sequence[Row]) -> Any:
    """Return what the phrases say of each row."""
    scanner = _prompt_scan.scanner()
    said = [("tool" if row.role == "tool" else "user", row.text[:40_000]) for row in rows]
    found = [v for first in range(0, len(said), 2000) for v in scanner.verdicts(said[first : first + 2000])]
    return np.array([rules_evidence(v.score) if v else 0.0 for v in found])


def learns(head: int, row: Row) -> bool:
    """Return whether `head` is trained on `row`: an order is fine where a person gives it."""
    if row.role == "system":
        return False
    if head == USER:
        return row.role == "user"
    return row.kind not in {"order", "bare_indirect_instruction", "composed", "passage"}


def folds(family: Any) -> list[list[str]]:
    """Return the families in parts of about the same number of rows, the largest first."""
    names, counts = np.unique(family, return_counts=True)
    parts: list[tuple[int, list[str]]] = [(0, []) for _ in range(FOLDS)]
    for index in np.argsort(-counts):
        smallest = min(range(FOLDS), key=lambda part: parts[part][0])
        held, known = parts[smallest]
        parts[smallest] = held + int(counts[index]), [*known, str(names[index])]
    return [known for _, known in parts]


def apart(rows: Sequence[Row], families: Sequence[str]) -> Any:
    """Return which rows have nothing of `families` in them."""
    return np.array(
        [row.family not in families and data.FAMILY.get(row.container, row.container) not in families for row in rows]
    )


def out_of_source(head: Head, judged: Scored, unseen: Scored) -> tuple[Any, dict[str, Any]]:
    """Return log-odds of rows, and of `unseen` for each family, by weights that know nothing of the family."""
    odds, others = np.zeros(len(judged.rows)), dict[str, Any]()
    for families in folds(judged.family):
        model = head.fit(apart(head.rows, families))
        held = np.isin(judged.family, families)
        odds[held] = judged.odds(model)[held]
        others |= dict.fromkeys(families, unseen.odds(model))
        log("without", *families)
    return odds, others


def held_out(judged: Scored, odds: Any, unseen: Scored, others: dict[str, Any], weighed: Any) -> dict[str, Any]:
    """Return the figures of each family as if it had never been seen, against benign sources that never are."""
    found: dict[str, Any] = {}
    both = fused(weighed, odds, judged.evidence)
    for family, other in others.items():
        benign = fused(weighed, other, unseen.evidence)
        attacks = both[(judged.family == family) & (judged.label == 1)]
        own = both[(judged.family == family) & (judged.label == 0)]
        limit = above(benign, 0.01)
        figures: dict[str, Any] = {}
        if len(attacks):
            shares = {f"R@{share:.1%}": round(recall(attacks, benign, share), 3) for share in (0.01, 0.001)}
            figures |= {"AUC": round(auc(attacks, benign), 3)} | shares | {"attacks": len(attacks)}
        if len(own):
            figures |= {"FPR": round(float(np.mean(own > limit)), 4), "benign": len(own)}
        found[family] = figures
    return found


def fusion(judged: Scored, odds: Any) -> Any:
    """Return how model and phrases are weighed: (model, phrases, any phrase, constant)."""
    inputs = np.stack((odds, judged.evidence, judged.evidence > DOUBTFUL), axis=1)
    weight = np.zeros(len(odds))
    for source in np.unique(judged.source):
        for label in (0, 1):
            members = (judged.source == source) & (judged.label == label)
            weight[members] = min(1.0, 500 / max(1, members.sum()))
    model = LogisticRegression(C=10.0)
    model.fit(inputs, judged.label, sample_weight=weight)
    return np.array([*model.coef_[0], model.intercept_[0]])


def quantised(weights: Any) -> tuple[Any, Any]:
    """Return int16 weights and the unit of each kind; what is worth less than half a unit is gone."""
    whole, units = np.zeros(FEATURES, np.int16), []
    for first, last in zip(STARTS, (*STARTS[1:], FEATURES), strict=True):
        unit = float(np.abs(weights[first:last]).max()) / STEPS
        whole[first:last] = np.rint(weights[first:last] / unit)
        units.append(unit)
    return whole, np.array(units)


def main(only: str = "") -> None:
    """Train and write the model; with `only` one of its heads (`user` or `data`), the other stays as it is."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    rows = data.training(SEED)
    log(len(rows), "rows of", len({row.source for row in rows}), "sources")
    log("limits of spellings", reading.main(rows, TARGET.with_name("reading.npz")))
    heads, facts = {}, {}
    for head, name in ((USER, "user"), (DATA, "data")):
        if only in ("", name):
            model, weighed, facts[name] = made(head, rows)
            log(name, facts[name])
            heads[head] = model, weighed
    write(heads, facts)


def made(head: int, rows: Sequence[Row]) -> tuple[Linear, Any, dict[str, Any]]:
    """Return what a head learns from `rows`, how model and phrases are weighed, and the figures."""
    learnt = Head(head, [row for row in rows if learns(head, row)])
    log("head", head, "has", learnt.windows.matrix.shape[0], "windows")
    role = "user" if head == USER else "tool"
    judged = Scored(head, [row for row in rows if row.role == role and row.label >= 0])
    unseen = Scored(head, benign_never_trained(head))
    odds, others = out_of_source(learnt, judged, unseen)
    weighed = fusion(judged, odds)
    known = held_out(judged, odds, unseen, others, weighed)
    model = learnt.fit(np.ones(len(learnt.rows), bool))
    scores, source = fused(weighed, unseen.odds(model), unseen.evidence), unseen.source
    if head == DATA:
        own = judged.label == 0
        scores = np.concatenate((scores, fused(weighed, odds, judged.evidence)[own]))
        source = np.concatenate((source, judged.source[own]))
    limits = thresholds(scores, source)
    facts = {"thresholds": limits, "benign": len(scores), "fusion": weighed.tolist(), "held_out": known}
    return model, weighed, facts


def benign_never_trained(head: int) -> list[Row]:
    """Return benign rows of sources that are in no training."""
    found = [row for name in ("train", "look") for row in data.rows(name) if row.label == 0]
    role = "user" if head == USER else "tool"
    return [
        row for row in found if row.role == role and (row.source in data.UNLICENSED or row.source in data.LOOKED_AT)
    ]


def write(heads: Mapping[int, tuple[Linear, Any]], facts: dict[str, Any]) -> None:
    """Write the file that is shipped, with what it holds of a head that was not trained."""
    TARGET.parent.mkdir(exist_ok=True)
    held: dict[str, Any] = {}
    if len(heads) < len(STRENGTH):
        with np.load(TARGET, allow_pickle=False) as file:
            held = {name: file[name] for name in file.files}
        facts = json.loads(bytes(held["facts"])) | facts
    else:
        held = {
            "weights": np.zeros((len(heads), FEATURES), np.int16),
            "units": np.zeros((len(heads), len(STARTS)), np.float32),
            "intercepts": np.zeros(len(heads), np.float32),
            "fusion": np.zeros((len(heads), 4), np.float32),
        }
    for head, (model, weighed) in heads.items():
        held["weights"][head], held["units"][head] = quantised(model.weights)
        held["intercepts"][head], held["fusion"][head] = model.intercept, weighed
        held |= model.layers._asdict() if model.layers is not None else {}
    held["facts"] = np.frombuffer(json.dumps(facts).encode(), np.uint8)
    np.savez_compressed(TARGET, **held)
    log(TARGET.name, TARGET.stat().st_size, "bytes")

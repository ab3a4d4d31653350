"""Clusters and outliers of numbers, by scikit-learn (the extra `ml`), which is imported when it is asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from treering.query.native import Native

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]

MOST, SEED = 200_000, 7
# Scores of an isolation forest beyond this are outliers (Liu, Ting, Zhou: Isolation Forest, 2008); it becomes 1.
BOUND = 0.6


def clusters(rows: str, settings: str) -> str:
    """Return `[cluster]` for each list of numbers, null where one of them is: k-means from a fixed seed.

    `settings`: `centroids`, `iterations`, `distance_type`: EUCLIDEAN, COSINE (of directions) or L1 (of medians).
    """
    told = json.loads(settings)
    points, places, count = _read(rows)
    answer: list[list[Any]] = [[None] for _ in range(count)]
    if not len(points):
        return json.dumps(answer)
    if told["distance_type"] == "COSINE":
        lengths = np.linalg.norm(points, axis=1, keepdims=True)
        points = points / np.where(lengths > 0, lengths, 1.0)
    number = min(int(told["centroids"]), len(np.unique(points, axis=0)))
    labels = (_medians if told["distance_type"] == "L1" else _means)(points, number, int(told["iterations"]))
    for place, label in zip(places, labels.tolist(), strict=True):
        answer[place] = [int(label)]
    return json.dumps(answer)


def _means(points: Points, number: int, iterations: int) -> NDArray[np.int64]:
    from sklearn.cluster import KMeans

    found = KMeans(number, max_iter=max(1, iterations), n_init=4, random_state=SEED).fit(points)
    return np.asarray(found.labels_, dtype=np.int64)


def _medians(points: Points, number: int, iterations: int) -> NDArray[np.int64]:
    """Lloyd's steps with the distance of taxicabs, whose centres are medians; from the centres of k-means++."""
    from sklearn.cluster import kmeans_plusplus

    centers, _ = kmeans_plusplus(points, number, random_state=SEED)
    labels = np.zeros(len(points), dtype=np.int64)
    for _ in range(max(1, iterations)):
        labels = np.argmin(np.stack([np.abs(points - center).sum(axis=1) for center in centers]), axis=0)
        following = [
            np.median(points[labels == n], axis=0) if (labels == n).any() else c for n, c in enumerate(centers)
        ]
        if np.allclose(following, centers):
            break
        centers = np.asarray(following)
    return labels


def outliers(rows: str, settings: str) -> str:
    """Return `[score, anomalous]` for each list of numbers; a score above the threshold is anomalous.

    `settings`: `number_of_trees`, `sample_size`, `output_after`, `training_data_size`, `anomaly_score_threshold`.
    """
    told = json.loads(settings)
    points, places, count = _read(rows)
    answer: list[list[Any]] = [[None, None] for _ in range(count)]
    size = int(told["training_data_size"]) or len(points)
    scores = _scores(points, points[:size], told)
    for place, score in zip(places, scores, strict=True):
        answer[place] = [score, score > told["anomaly_score_threshold"]]
    return json.dumps(answer)


def series(rows: str, settings: str) -> str:
    """Return `[score, anomaly_grade]` for each `[time, number, …]`: outliers among the last few rows taken together.

    `settings`: `number_of_trees`, `sample_size`, `output_after`, `shingle_size`, `anomaly_rate`. The grade is 0 up to
    the score that the rate allows, else how far towards the greatest possible score it lies.
    """
    told = json.loads(settings)
    points, places, count = _read(rows)
    answer: list[list[Any]] = [[None, None] for _ in range(count)]
    if not len(points):
        return json.dumps(answer)
    order = np.argsort(points[:, 0], kind="stable")
    ordered = points[order, 1:]
    width = min(int(told["shingle_size"]), len(ordered))
    windows = np.lib.stride_tricks.sliding_window_view(ordered, width, axis=0).reshape(len(ordered) - width + 1, -1)
    scores = [0.0] * (width - 1) + _scores(windows, windows, {**told, "output_after": 0})
    scores[: int(told["output_after"])] = [0.0] * min(int(told["output_after"]), len(scores))
    bound = max(1.0, float(np.quantile(scores, 1 - told["anomaly_rate"])))
    for place, score in zip(order, scores, strict=True):
        grade = min(1.0, max(0.0, (score - bound) / (1 / BOUND - bound))) if bound < 1 / BOUND else 0.0
        answer[places[place]] = [score, grade]
    return json.dumps(answer)


def _scores(points: Points, training: Points, told: dict[str, Any]) -> list[float]:
    """Return an isolation forest's scores, 1 where outliers begin, 0 for the first points."""
    if len(training) < 2:
        return [0.0] * len(points)
    from sklearn.ensemble import IsolationForest

    samples = max(2, min(int(told["sample_size"]), len(training)))
    forest = IsolationForest(
        n_estimators=max(1, int(told["number_of_trees"])), max_samples=samples, random_state=SEED
    ).fit(training)
    found = np.asarray(-forest.score_samples(points) / BOUND)
    found[: int(told["output_after"])] = 0.0
    scores: list[float] = found.tolist()
    return scores


def _read(rows: str) -> tuple[Points, list[int], int]:
    """Return the rows without nulls, where they stand, and how many rows there are."""
    given = json.loads(rows)
    if len(given) > MOST:
        raise ValueError(f"learning looks at {MOST} rows at most, not {len(given)}; narrow the search")
    places = [place for place, row in enumerate(given) if None not in row]
    return np.array([given[place] for place in places], dtype=np.float64), places, len(given)


NATIVES = (
    Native("ppl_clusters", clusters, ("VARCHAR", "VARCHAR"), "VARCHAR"),
    Native("ppl_outliers", outliers, ("VARCHAR", "VARCHAR"), "VARCHAR"),
    Native("ppl_outliers_of_series", series, ("VARCHAR", "VARCHAR"), "VARCHAR"),
)

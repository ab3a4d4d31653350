"""An isolation forest (Liu, Ting and Zhou, Isolation Forest, ICDM 2008), all trees grown and asked at once.

Each tree isolates a sample of points by random cuts; what is isolated after few cuts is unlike the others. Scores are
those of the paper with the sign of scikit-learn's `score_samples`, which a test compares: it takes 100 ms for a
hundred trees of 256 points, of which 90 are spent around its trees, and two seconds to be imported.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Points = NDArray[np.float64]
    Integers = NDArray[np.int64]

_SAMPLE = 256
_EULER = 0.5772156649015329
_LEAF = -1


class Forest:
    """The trees, as complete binary trees in arrays: the children of node i are 2i + 1 and 2i + 2."""

    def __init__(self, points: Points, trees: int, seed: int) -> None:
        """Grow `trees` trees on samples of `points` (rows), at most 256 each, the same for the same `seed`."""
        chance = np.random.default_rng(seed)
        size = min(_SAMPLE, len(points))
        self._depth = math.ceil(math.log2(max(size, 2)))
        self._usual = float(_usual_length(np.array([size]))[0]) or 1.0
        nodes = 2 ** (self._depth + 1) - 1
        self._feature = np.full((trees, nodes), _LEAF, dtype=np.int64)
        self._threshold = np.zeros((trees, nodes))
        self._length = np.zeros((trees, nodes))
        drawn = np.argsort(chance.random((trees, len(points))), axis=1)[:, :size].ravel()
        self._grow(points[drawn], np.repeat(np.arange(trees), size), chance)

    def _grow(self, sample: Points, tree: Integers, chance: np.random.Generator) -> None:
        """Cut the nodes of one level after the other; what can be cut no further is a leaf."""
        node = np.zeros(len(sample), dtype=np.int64)
        for depth in range(self._depth + 1):
            order = np.lexsort((node, tree))
            sample, tree, node = sample[order], tree[order], node[order]
            starts = np.flatnonzero(np.append(True, (node[1:] != node[:-1]) | (tree[1:] != tree[:-1])))
            sizes = np.diff(np.append(starts, len(node)))
            low, high = np.minimum.reduceat(sample, starts), np.maximum.reduceat(sample, starts)
            where = tree[starts], node[starts]
            self._length[where] = depth + _usual_length(sizes)
            splits = np.asarray((high > low).any(axis=1))
            if depth == self._depth or not splits.any():
                return
            # One of the features that differ within the node, each with the same chance.
            feature = np.argmax(np.where(high > low, chance.random(low.shape), -1.0), axis=1)
            at = np.arange(len(starts))
            low, high = low[at, feature], high[at, feature]
            threshold = low + (high - low) * chance.random(len(starts))
            self._feature[where] = np.where(splits, feature, _LEAF)
            self._threshold[where] = threshold
            mine: Integers = np.repeat(at, sizes)
            right = np.asarray(sample[np.arange(len(sample)), feature[mine]] > threshold[mine])
            kept = splits[mine]
            sample, tree, node = sample[kept], tree[kept], (2 * node + 1 + right)[kept]

    def scores(self, points: Points) -> Points:
        """Return the score of each point: -1 for what is isolated at once, about -0.5 for what is usual."""
        trees = np.arange(len(self._feature))[:, None]
        node = np.zeros((len(self._feature), len(points)), dtype=np.int64)
        column = np.arange(len(points))[None, :]
        for _ in range(self._depth):
            feature = self._feature[trees, node]
            right = points[column, feature] > self._threshold[trees, node]
            node = np.where(feature == _LEAF, node, 2 * node + 1 + right)
        found: Points = -(2.0 ** (-self._length[trees, node].mean(axis=0) / self._usual))
        return found


def _usual_length(sizes: Integers) -> Points:
    """Return the usual length of the path to one of so many points: of an unsuccessful search in a binary tree."""
    many = np.maximum(sizes, 3).astype(np.float64)
    length = 2 * (np.log(many - 1) + _EULER) - 2 * (many - 1) / many
    return np.where(sizes > 2, length, np.where(sizes == 2, 1.0, 0.0))

"""Average linkage with a threshold and members that exclude each other, in memory that grows with n, not n².

The average affinity of two clusters of vectors is the dot product of their mean vectors, so clusters are kept as means
and compared in blocks. Clusters that are each other's best match are merged in rounds; average linkage is reducible
(a merged cluster is never nearer to a third than the nearer of its parts was), so the rounds give the same clusters
as merging one best pair at a time, and a cluster looks for a new match only after its old one has changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

IntArray = NDArray[np.int64]

_BLOCK_CELLS = 8_000_000
"""Scores held at once."""
_TIE = 1e-9
"""Scores closer than this are equal; what separates them is rounding."""


@dataclass(slots=True)
class _Clusters:
    means: NDArray[np.float64]
    weights: NDArray[np.float64]
    owners: csr_matrix
    """Clusters × owners: how many members each cluster has of each owner."""


def average_linkage(
    vectors: NDArray[np.float64], weights: NDArray[np.float64], owner: IntArray, threshold: float
) -> IntArray:
    """Return the cluster of each row, numbered by first row.

    Args:
        vectors: finite, shape ``(n, dim)``; the affinity of two rows is their dot product.
        weights: how much each row counts in an average, positive.
        owner: rows of one owner never share a cluster.
        threshold: clusters are merged while their average affinity reaches it.
    """
    count = len(vectors)
    ones = (np.ones(count, dtype=np.int64), (np.arange(count), owner))
    clusters = _Clusters(vectors, weights.copy(), csr_matrix(ones))
    of_row = np.arange(count)
    best, score = _best_matches(clusters, np.arange(count))
    while True:
        left, right = _mutual(best, score, threshold)
        if not len(left):
            return _numbered(of_row)
        new_of_old = _merge(clusters, left, right)
        of_row = new_of_old[of_row]
        best, score = _renew(clusters, best, score, new_of_old, np.r_[left, right])


def _best_matches(clusters: _Clusters, rows: IntArray) -> tuple[IntArray, NDArray[np.float64]]:
    """Return for each of the rows the best cluster that it may join, and its score (-inf: none)."""
    count = len(clusters.means)
    best, score = np.zeros(len(rows), dtype=np.int64), np.full(len(rows), -np.inf)
    step = max(1, _BLOCK_CELLS // max(count, 1))
    for low in range(0, len(rows), step):
        part = rows[low : low + step]
        block = clusters.means[part] @ clusters.means.T
        shared_row, shared_column = (clusters.owners[part] @ clusters.owners.T).nonzero()
        block[shared_row, shared_column] = -np.inf  # a cluster shares its owners with itself, too
        top = block.max(axis=1, keepdims=True)
        # Among equals the nearest by XOR of the numbers: equals then choose each other in pairs, where choosing the
        # first would merge one pair a round and take n rounds over n identical voices.
        rank = np.where(block >= top - _TIE, part[:, None] ^ np.arange(count), 2 * count)
        best[low : low + step] = rank.argmin(axis=1)
        score[low : low + step] = top[:, 0]
    return best, score


def _mutual(best: IntArray, score: NDArray[np.float64], threshold: float) -> tuple[IntArray, IntArray]:
    """Return pairs that chose each other; where ties leave none, the best pair."""
    rows = np.flatnonzero(score >= threshold)
    left = rows[(best[best[rows]] == rows) & (rows < best[rows])]
    if not len(left) and len(rows):
        top = rows[np.argmax(score[rows])]
        left = np.array([top])
    return left, best[left]


def _merge(clusters: _Clusters, left: IntArray, right: IntArray) -> IntArray:
    """Merge the pairs in place and return the new number of each old cluster."""
    count = len(clusters.means)
    target = np.arange(count)
    target[right] = left
    kept = np.flatnonzero(target == np.arange(count))
    weights = clusters.weights[left] + clusters.weights[right]
    share = (clusters.weights[left] / weights)[:, None]
    clusters.means = clusters.means.copy()
    clusters.means[left] = share * clusters.means[left] + (1 - share) * clusters.means[right]
    clusters.weights[left] = weights
    new_of_old = np.searchsorted(kept, target)
    gather = csr_matrix((np.ones(count, dtype=np.int64), (new_of_old, np.arange(count))))
    clusters.owners = gather @ clusters.owners
    clusters.means, clusters.weights = clusters.means[kept], clusters.weights[kept]
    return new_of_old


def _renew(
    clusters: _Clusters, best: IntArray, score: NDArray[np.float64], new_of_old: IntArray, touched: IntArray
) -> tuple[IntArray, NDArray[np.float64]]:
    """Return best matches in the new numbering, sought again where the old match has changed."""
    changed = np.zeros(len(new_of_old), dtype=bool)
    changed[touched] = True
    kept = np.unique(new_of_old, return_index=True)[1]
    stale = np.flatnonzero(changed[kept] | changed[best[kept]])
    best, score = new_of_old[best[kept]], score[kept]
    best[stale], score[stale] = _best_matches(clusters, stale)
    return best, score


def _numbered(group: IntArray) -> IntArray:
    _, first, number = np.unique(group, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[number]

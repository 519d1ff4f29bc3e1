"""Average linkage with a threshold and rows that exclude each other, in memory that grows with n, not n².

The average score of two clusters of vectors is the dot product of their mean vectors, so clusters are kept as means and
compared in blocks. Clusters that are each other's best match are merged in rounds; average linkage is reducible (a
merged cluster is never nearer to a third than the nearer of its parts was), so the rounds give the same clusters as
merging one best pair at a time, and a cluster looks for a new match only after its old one has changed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, triu

IntArray = NDArray[np.int64]
FloatRows = NDArray[np.float64]

_BLOCK_CELLS = 8_000_000
"""Scores held at once."""
_TIE = 1e-9
"""Scores closer than this are equal; what separates them is rounding."""


_OCCASIONAL = 0.5
"""Share of the smaller cluster's owners that two clusters may have in common and be one all the same."""


@dataclass(slots=True)
class _Clusters:
    of_row: IntArray
    means: FloatRows
    weights: FloatRows
    owners: csr_matrix
    """Clusters × owners: how many rows each cluster has of each owner."""

    def scores(self, some: IntArray) -> FloatRows:
        """Return average scores of some clusters with all, shape ``(n_some, n)``; -inf where they share an owner."""
        block: FloatRows = self.means[some] @ self.means.T
        block[(self.owners[some] @ self.owners.T).nonzero()] = -np.inf  # a cluster shares its owners with itself, too
        return block

    def merge(self, left: IntArray, right: IntArray) -> IntArray:
        """Merge disjoint pairs and return the new number of each old cluster."""
        count = len(self.means)
        target = np.arange(count)
        target[right] = left
        kept = np.flatnonzero(target == np.arange(count))
        new_of_old = np.searchsorted(kept, target)
        gather = csr_matrix((np.ones(count), (new_of_old, np.arange(count))))
        weights = gather @ self.weights
        self.means = (gather @ (self.weights[:, None] * self.means)) / weights[:, None]
        self.owners, self.weights, self.of_row = gather @ self.owners, weights, new_of_old[self.of_row]
        return new_of_old


def average_linkage(
    vectors: FloatRows, weights: FloatRows, owner: IntArray, *, threshold: float, overrule: float
) -> IntArray:
    """Return the cluster of each row, numbered by first row.

    Rows of one owner exclude each other. When nothing more can be merged, owners that split a row in two by mistake are
    overruled: clusters that match well, and have only few of their owners in common, become one.

    Args:
        vectors: finite, shape ``(n, dim)``; the score of two rows is their dot product.
        weights: how much each row counts in an average, positive.
        owner: who each row belongs to, counted from 0.
        threshold: clusters are merged while their average score reaches it.
        overrule: average score at which clusters are merged against a few common owners.
    """
    count = len(vectors)
    rows = np.arange(count)
    owners = csr_matrix((np.ones(count), (rows, owner)))
    clusters = _Clusters(of_row=rows, means=vectors, weights=weights.astype(np.float64), owners=owners)
    _merge_matches(clusters, threshold)
    _reunite(clusters, overrule)
    return _numbered(clusters.of_row)


def _merge_matches(clusters: _Clusters, threshold: float) -> None:
    best, score = _best_matches(clusters, np.arange(len(clusters.means)))
    while True:
        left, right = _mutual(best, score, threshold)
        if not len(left):
            return
        new_of_old = clusters.merge(left, right)
        best, score = _renew(clusters, best, score, new_of_old, np.r_[left, right])


def _reunite(clusters: _Clusters, overrule: float) -> None:
    """Merge clusters that only a few common owners keep apart, the best match first."""
    while True:
        present = clusters.owners.astype(bool).astype(np.int64)
        common = triu(present @ present.T, k=1).tocoo()
        smaller = np.minimum(present.sum(axis=1).A1[common.row], present.sum(axis=1).A1[common.col])
        few = common.data <= _OCCASIONAL * smaller
        left, right = common.row[few].astype(np.int64), common.col[few].astype(np.int64)
        score = np.einsum("ij,ij->i", clusters.means[left], clusters.means[right])
        order = [at for at in np.lexsort((right, left, -score)) if score[at] >= overrule]
        if not order:
            return
        touched: set[int] = set()
        pairs = []
        for at in order:
            pair = int(left[at]), int(right[at])
            if touched.isdisjoint(pair):
                pairs.append(pair)
            touched.update(pair)
        merged = np.array(pairs)
        clusters.merge(merged[:, 0], merged[:, 1])


def _best_matches(clusters: _Clusters, rows: IntArray) -> tuple[IntArray, FloatRows]:
    """Return for each of the rows the best cluster that it may join, and its score (-inf: none)."""
    count = len(clusters.means)
    best, score = np.zeros(len(rows), dtype=np.int64), np.full(len(rows), -np.inf)
    step = max(1, _BLOCK_CELLS // max(count, 1))
    for low in range(0, len(rows), step):
        part = rows[low : low + step]
        block = clusters.scores(part)
        top = block.max(axis=1, keepdims=True)
        # Among equals the nearest by XOR of the numbers: equals then choose each other in pairs, where choosing the
        # first would merge one pair a round and take n rounds over n identical voices.
        rank = np.where(block >= top - _TIE, part[:, None] ^ np.arange(count), 2 * count)
        best[low : low + step] = rank.argmin(axis=1)
        score[low : low + step] = top[:, 0]
    return best, score


def _mutual(best: IntArray, score: FloatRows, threshold: float) -> tuple[IntArray, IntArray]:
    """Return pairs that chose each other; where ties leave none, the best pair."""
    rows = np.flatnonzero(score >= threshold)
    left = rows[(best[best[rows]] == rows) & (rows < best[rows])]
    if not len(left) and len(rows):
        left = rows[[np.argmax(score[rows])]]
    return left, best[left]


def _renew(
    clusters: _Clusters, best: IntArray, score: FloatRows, new_of_old: IntArray, touched: IntArray
) -> tuple[IntArray, FloatRows]:
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

"""Which of a clip's voice vectors belong to the same person; pure arithmetic, no model."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage

from storage.records import FloatArray, SpeakerBounds

Labels = NDArray[np.intp]

_STRANGERS_DISTANCE: Final = 0.38
"""Mean cosine distance of two groups of windows from which they are two people."""


def group_voices(vectors: FloatArray, bounds: SpeakerBounds) -> Labels:
    """Return the voice of each vector, shape ``(n,)``, numbered in order of first appearance.

    Args:
        vectors: unit rows in order of time, shape ``(n, dim)``.
        bounds: how many voices there are known to be.
    """
    if len(vectors) <= 1:
        return np.zeros(len(vectors), np.intp)
    tree = linkage(vectors.astype(np.float64), "average", "cosine")
    labels = fcluster(tree, _STRANGERS_DISTANCE, "distance")
    found = int(labels.max())
    wanted = min(max(found, bounds.min_speakers or 1), bounds.max_speakers or found)
    if wanted != found:
        labels = fcluster(tree, wanted, "maxclust")
    return in_order_of_appearance(labels)


def in_order_of_appearance(labels: NDArray[np.integer]) -> Labels:
    """Return the labels renumbered from 0 in the order in which they are first met."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def centroids(vectors: FloatArray, labels: Labels) -> FloatArray:
    """Return the direction of each voice, shape ``(voices, dim)``."""
    members = np.equal.outer(np.arange(int(labels.max(initial=-1)) + 1), labels)
    sums = members.astype(np.float64) @ vectors
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True), np.float32)

"""Who is who, found in several ways: Voxlake's, and those that people would use without it.

All return a group per row; groups are numbers that mean nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray
from tasks.evaluation.identity import Identity
from tasks.linking.local import LocalSpeakers, name_local_speakers
from tasks.linking.speakers import Links, link_speakers
from tasks.linking.voices import IntArray, LabelColumns, VoicePrior

Tree = NDArray[np.float64]

SKLEARN_DISTANCE = 0.5
"""Where scikit-learn stops: it has no default, so the middle between the same direction and none in common."""
_EACH_MERGE = 1_000
_GRID = np.arange(0.05, 1.1, 0.005)


class Linked(NamedTuple):
    """What Voxlake found."""

    local: LocalSpeakers
    links: Links

    @property
    def of_local(self) -> IntArray:
        """Group of each local speaker; who has no speaker is alone."""
        count = len(self.local)
        groups: IntArray = np.where(self.links.speaker >= 0, self.links.speaker, count + np.arange(count))
        return groups

    @property
    def of_label(self) -> IntArray:
        """Group of each label."""
        return self.of_local[self.local.of_label]


def voxlake(labels: LabelColumns, prior: VoicePrior) -> Linked:
    """Link as the job does, by what is known of the model beforehand and nothing else."""
    local = name_local_speakers(labels, prior)
    return Linked(local, link_speakers(local, prior))


def average_linkage(vectors: FloatArray) -> Tree:
    """Return SciPy's exact average linkage on cosine distance."""
    from scipy.cluster.hierarchy import linkage

    tree: Tree = linkage(vectors, method="average", metric="cosine")
    return tree


def cut(tree: Tree, distance: float) -> IntArray:
    """Return the groups of a tree at a distance."""
    from scipy.cluster.hierarchy import fcluster

    return fcluster(tree, distance, "distance").astype(np.int64)


class Best(NamedTuple):
    """Where a tree is best cut."""

    distance: float
    groups: IntArray
    identity: Identity


def best_cut(tree: Tree, score: Callable[[IntArray], Identity]) -> Best:
    """Return the best cut of a tree, chosen with the truth in hand: what no threshold set beforehand surpasses.

    Small trees are cut after each merge, large ones every 0.005.
    """
    heights = np.unique(tree[:, 2])
    distances = np.r_[heights[0] / 2, heights] if len(heights) <= _EACH_MERGE else _GRID
    cuts = (Best(float(one), groups, score(groups)) for one in distances for groups in [cut(tree, float(one))])
    return max(cuts, key=lambda best: best.identity.f1)


def sklearn_average(vectors: FloatArray, distance: float = SKLEARN_DISTANCE) -> IntArray:
    """Return scikit-learn's average linkage on cosine distance."""
    from sklearn.cluster import AgglomerativeClustering

    clustering = AgglomerativeClustering(
        n_clusters=None, metric="cosine", linkage="average", distance_threshold=distance
    )
    return clustering.fit_predict(vectors).astype(np.int64)


def connected(vectors: FloatArray, cosine: float) -> IntArray:
    """Return who is joined to whom by steps of at least that cosine."""
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    _, groups = connected_components(csr_array(vectors @ vectors.T >= cosine), directed=False)
    return groups.astype(np.int64)


def midpoint(prior: VoicePrior) -> float:
    """Return the cosine halfway between strangers' and one person's, as a model's makers would tell it."""
    return (prior.strangers + prior.same) / 2

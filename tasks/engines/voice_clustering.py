"""Which of a clip's voice vectors belong to the same person; pure arithmetic, no model.

Three steps. Average linkage at a short distance makes many groups, each surely of one person. A Viterbi pass gives
every vector to the nearest group, reluctant to change voice in the middle of speech; groups too small to know are
dissolved. Then the likeliest two groups are joined, and joined again, until no two are alike. As long as that leaves
fewer groups, the vectors are given to the nearest once more, and what is alike then is joined.

Likeness is the cosine between the centres of two groups, relative to what two groups of one voice would have: the
less speech in a group and the worse the recording, the further chance takes a centre from its voice. So one bar serves
short turns and long ones, clear recordings and poor: 1.0 is the same voice, strangers lie about 0.7.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray, SpeakerBounds

Labels = NDArray[np.intp]
Scores = NDArray[np.float64]

_SURELY_ONE_VOICE: Final = 0.28
"""Mean cosine distance up to which windows are taken for one person without a second look."""
_ALIKE: Final = 0.9
"""Likeness from which two groups are one person. Much lower joins strangers in one room, which nothing later can undo;
higher makes two of a person who sounds different in a short turn."""
_ALIKE_SCRAP: Final = 0.85
"""The same where one of the two may be a scrap of the other. The longer a clip, the more scraps of the same few voices
there are, and the surer it is how those sound."""
_SCRAP: Final = 5.0
_WELL_KNOWN: Final = 10.0
"""A scrap has so many times less speech than the other, and the other so many windows of it."""
_FEWEST_VECTORS: Final = 4
"""A group of fewer is a cough, a laugh or two people at once, not a voice."""
_CHANGE_MID_SPEECH: Final = 0.4
_CHANGE_AFTER_PAUSE: Final = 0.15
"""What changing the voice costs, in cosine similarity; people mostly take turns in pauses."""
_USUAL_COHESION: Final = 0.78
_USUAL_WEIGHT: Final = 256
"""Mean cosine inside one voice, and how many pairs of vectors this expectation is worth."""
_STRANGER: Final = 0.6
"""Usual cosine of a window with the centre of a voice it does not belong to."""
_MARGIN_SCALE: Final = 0.05
_ROUNDS: Final = 3


def group_voices(vectors: FloatArray, after_pause: NDArray[np.bool_], lag: int, bounds: SpeakerBounds) -> Labels:
    """Return the voice of each vector, shape ``(n,)``, numbered in order of first appearance.

    Args:
        vectors: unit rows in order of time, shape ``(n, dim)``.
        after_pause: whether there was a pause just before the vector, shape ``(n,)``.
        lag: how many vectors later one no longer hears the same sound.
        bounds: how many voices there are known to be.
    """
    if len(vectors) <= 1:
        return np.zeros(len(vectors), np.intp)
    exact = vectors.astype(np.float64)
    change = np.where(after_pause, _CHANGE_AFTER_PAUSE, _CHANGE_MID_SPEECH)
    fewest, most = bounds.min_speakers or 1, bounds.max_speakers or len(vectors)
    labels = _first_groups(exact, fewest)
    labels = _dissolved(exact, _settled(exact, _dissolved(exact, labels, fewest), change, fewest), fewest)
    while (joined := _joined(exact, labels, lag, fewest, most)).max() < labels.max():
        labels = _settled(exact, joined, change, fewest)
    return in_order_of_appearance(labels)


def belonging(vectors: FloatArray, labels: Labels) -> Scores:
    """Return how surely each vector is of its voice and no other, in [0, 1], shape ``(n,)``.

    Compared is its cosine with its own voice's centre and the nearest other's, or a usual stranger's if that is
    nearer; so a clip of a single voice has doubts as well.
    """
    if not len(labels):
        return np.zeros(0)
    similarity = _similarity_to_voices(vectors.astype(np.float64), labels)
    rows = np.arange(len(labels))
    own = similarity[rows, labels]
    similarity[rows, labels] = _STRANGER
    margin = own - np.maximum(similarity.max(axis=1, initial=-1.0), _STRANGER)
    return np.asarray(1 / (1 + np.exp(-margin / _MARGIN_SCALE)), np.float64)


def in_order_of_appearance(labels: Labels) -> Labels:
    """Return the labels renumbered from 0 in the order in which they are first met."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.intp)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[inverse]


def _first_groups(vectors: Scores, fewest: int) -> Labels:
    from scipy.cluster.hierarchy import fcluster, linkage

    tree = linkage(vectors, "average", "cosine")
    labels = fcluster(tree, _SURELY_ONE_VOICE, "distance")
    if labels.max() < fewest:
        labels = fcluster(tree, fewest, "maxclust")
    return _compact(labels)


def _dissolved(vectors: Scores, labels: Labels, fewest: int) -> Labels:
    """Return the labels without groups too small: the smallest first, its members go to the nearest that is left.

    One after another, so that crumbs of one voice gather into a group that stays.
    """
    labels = labels.copy()
    members = _members(labels)
    sizes, sums = members.sum(axis=1), members @ vectors
    for _ in range(len(sizes) - fewest):
        smallest = int(np.where(sizes > 0, sizes, np.inf).argmin())
        if sizes[smallest] >= _FEWEST_VECTORS:
            break
        sizes[smallest] = 0
        left = np.flatnonzero(sizes)
        centres = sums[left] / np.linalg.norm(sums[left], axis=1, keepdims=True)
        moving = np.flatnonzero(labels == smallest)
        labels[moving] = left[(vectors[moving] @ centres.T).argmax(axis=1)]
        np.add.at(sizes, labels[moving], 1)
        np.add.at(sums, labels[moving], vectors[moving])
    return _compact(labels)


def _settled(vectors: Scores, labels: Labels, change: Scores, fewest: int) -> Labels:
    """Return the labels after giving every vector to its nearest voice, a few times over.

    A round that would lose voices below ``fewest`` is not made.
    """
    for _ in range(_ROUNDS):
        path = _compact(_best_path(_similarity_to_voices(vectors, labels), change))
        if path.max() + 1 < fewest or np.array_equal(path, labels):
            break
        labels = path
    return labels


def _best_path(similarity: Scores, change: Scores) -> Labels:
    """Return the voices of greatest total similarity less the cost of changes (Viterbi).

    Args:
        similarity: of each vector to each voice, shape ``(n, voices)``.
        change: cost of another voice than the vector before, shape ``(n,)``.
    """
    n, n_voices = similarity.shape
    voices = np.arange(n_voices)
    came_from = np.empty((n, n_voices), np.intp)
    total = similarity[0]
    for i in range(1, n):
        best = int(total.argmax())
        stays = total >= total[best] - change[i]
        came_from[i] = np.where(stays, voices, best)
        total = np.where(stays, total, total[best] - change[i]) + similarity[i]
    path = np.empty(n, np.intp)
    path[-1] = total.argmax()
    for i in range(n - 1, 0, -1):
        path[i - 1] = came_from[i, path[i]]
    return path


def _joined(vectors: Scores, labels: Labels, lag: int, fewest: int, most: int) -> Labels:
    """Return the labels with the likeliest two voices made one, as long as they are alike or there are too many."""
    cohesion = _cohesion(vectors, labels, lag)
    members = _members(labels)
    sums, windows = members @ vectors, members.sum(axis=1) / lag
    voices = np.arange(len(members))
    while voices.max() + 1 > fewest:
        parts = _members(voices)
        over_bar = _likeness(parts @ sums, parts @ windows, cohesion) - _bar(parts @ windows)
        one, other = np.unravel_index(int(over_bar.argmax()), over_bar.shape)
        if over_bar[one, other] < 0 and len(parts) <= most:
            break
        voices = _compact(np.where(voices == one, other, voices))
    return voices[labels]


def _bar(windows: Scores) -> Scores:
    """Return the likeness from which two voices are one, shape ``(voices, voices)``.

    Args:
        windows: how many windows of different sound are in each, shape ``(voices,)``.
    """
    more, less = (of.outer(windows, windows) for of in (np.maximum, np.minimum))
    return np.where((more >= _WELL_KNOWN) & (more >= _SCRAP * less), _ALIKE_SCRAP, _ALIKE)


def _likeness(sums: Scores, windows: Scores, cohesion: float) -> Scores:
    """Return the likeness of each voice to those before it, below the diagonal; minus infinity elsewhere.

    Args:
        sums: of the vectors of each voice, shape ``(voices, dim)``.
        windows: how many windows of different sound are in it, shape ``(voices,)``.
        cohesion: mean cosine of such windows of one voice.
    """
    centres = sums / np.linalg.norm(sums, axis=1, keepdims=True)
    nearness = np.sqrt(cohesion / (cohesion + (1 - cohesion) / windows))
    likeness = centres @ centres.T / np.outer(nearness, nearness)
    likeness[np.triu_indices(len(likeness))] = -np.inf
    return np.asarray(likeness, np.float64)


def _cohesion(vectors: Scores, labels: Labels, lag: int) -> float:
    """Return the mean cosine inside the voices, of vectors that share no sound, drawn towards the usual value.

    Of all voices together: in one alone there is often too little speech to tell.
    """
    members = _members(labels)
    total = float(np.square(members @ vectors).sum()) - len(vectors)
    n_pairs = float(np.square(members.sum(axis=1)).sum()) - len(vectors)
    for gap in range(1, min(lag, len(vectors))):
        same = labels[gap:] == labels[:-gap]
        total -= 2 * float(np.einsum("ij,ij->i", vectors[gap:], vectors[:-gap])[same].sum())
        n_pairs -= 2 * int(same.sum())
    return (total / 2 + _USUAL_WEIGHT * _USUAL_COHESION) / (n_pairs / 2 + _USUAL_WEIGHT)


def _similarity_to_voices(vectors: Scores, labels: Labels) -> Scores:
    """Return the cosine of each vector with the centre of each voice, shape ``(n, voices)``."""
    sums = _members(labels) @ vectors
    return np.asarray(vectors @ (sums / np.linalg.norm(sums, axis=1, keepdims=True)).T, np.float64)


def _members(labels: Labels) -> Scores:
    """Return 1.0 where a vector is of a voice, shape ``(voices, n)``."""
    return np.equal.outer(np.arange(int(labels.max()) + 1), labels).astype(np.float64)


def _compact(labels: NDArray[np.integer]) -> Labels:
    """Return the labels renumbered from 0 without gaps."""
    return np.asarray(np.unique(labels, return_inverse=True)[1], np.intp)

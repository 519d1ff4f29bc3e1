"""Recordings whose number of speakers is known beforehand."""

from __future__ import annotations

import numpy as np

from storage.records import SpeakerBounds
from tasks.linking.agglomerate import Merged, Objection
from tasks.linking.evidence import VoiceGroups
from tasks.linking.voices import IntArray

_WITHOUT_HOPE = -1e12


def merge_within_bounds(
    groups: VoiceGroups, rows: IntArray, bounds: SpeakerBounds, bar: float, objection: Objection, merged: Merged
) -> IntArray:
    """Merge some groups one pair at a time, the best first, and return the group that each is part of now.

    Merging goes on below the bar until there are no more than ``max_speakers``, and stops above it rather than leave
    fewer than ``min_speakers``.

    Args:
        groups: Changed in place.
        rows: The groups of one recording.
        bounds: How many speakers it has.
        bar: What must speak for a pair, in nats.
        objection: Asked once for every pair.
        merged: Told of a merge.
    """
    count = len(rows)
    part_of = rows.copy()
    if not count:
        return part_of
    alive = np.ones(count, bool)
    score = np.full((count, count), -np.inf)
    for at in range(1, count):
        _score_row(groups, rows, score, at, np.flatnonzero(np.arange(count) < at), objection)
    fewest, most = bounds.min_speakers or 1, bounds.max_speakers or count
    while (left := int(alive.sum())) > fewest:
        one, other = np.unravel_index(int(score.argmax()), score.shape)
        if left == 1 or (score[one, other] <= bar and left <= most):
            break
        kept, gone = sorted((int(one), int(other)))
        groups.merge(rows[[kept]], rows[[gone]])
        merged(int(rows[kept]), int(rows[gone]))
        part_of[part_of == rows[gone]] = rows[kept]
        alive[gone] = False
        score[gone, :] = score[:, gone] = -np.inf
        _score_row(groups, rows, score, kept, np.flatnonzero(alive & (np.arange(count) != kept)), objection)
    return part_of


def _score_row(
    groups: VoiceGroups, rows: IntArray, score: np.ndarray, at: int, others: IntArray, objection: Objection
) -> None:
    """Score one group with others; what is certain to be wrong stays possible, behind everything else."""
    found = groups.between(np.full(len(others), rows[at]), rows[others])
    against = np.array([objection(int(rows[at]), int(rows[other])) for other in others])
    score[at, others] = score[others, at] = np.maximum(found - against, _WITHOUT_HOPE)

"""What benchmarks score beside what ``tasks.evaluation`` counts: several recordings as one, and rows of partitions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from storage.formats.document import DocumentTurn
from tasks.evaluation.identity import Identity


def on_one_clock(recordings: Iterable[tuple[Sequence[DocumentTurn], int]]) -> list[DocumentTurn]:
    """Return all turns as if the recordings, with their durations, had been played one after the other."""
    turns, offset_ms = [], 0
    for own, duration_ms in recordings:
        turns += [
            DocumentTurn(start_ms=offset_ms + turn.start_ms, end_ms=offset_ms + turn.end_ms, speaker=turn.speaker)
            for turn in own
        ]
        offset_ms += duration_ms
    return turns


def identity_of(
    truth: NDArray[np.integer],
    found: NDArray[np.integer],
    *,
    weight: NDArray[np.number] | None = None,
    items: NDArray[np.bool_] | None = None,
) -> Identity:
    """Return B-cubed over the rows of two partitions, numbers from 0.

    Args:
        truth: person of each row.
        found: speaker of each row.
        weight: of each row; all weigh the same by default.
        items: rows that are asked about; by default all.
    """
    weight = np.ones(len(truth)) if weight is None else weight.astype(np.float64)
    there = weight > 0
    weight, items = weight[there], None if items is None else items[there]
    _, truth = np.unique(truth[there], return_inverse=True)
    _, found = np.unique(found[there], return_inverse=True)
    _, pair = np.unique(found * (int(truth.max(initial=0)) + 1) + truth, return_inverse=True)
    shared = np.bincount(pair, weight)[pair]
    counted = weight if items is None else weight * items
    if not counted.any():
        return Identity(precision=1.0, recall=1.0)
    return Identity(
        precision=float(np.average(shared / np.bincount(found, weight)[found], weights=counted)),
        recall=float(np.average(shared / np.bincount(truth, weight)[truth], weights=counted)),
    )

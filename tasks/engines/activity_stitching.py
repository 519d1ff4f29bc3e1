"""Activities of a long clip from those of pieces of it that overlap: the same voice gets the same column.

A model that tells few speakers apart hears more of them in pieces, as long as no piece holds more than it can tell.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray, Span

_ACTIVE: Final = 0.5
_ALIKE: Final = 0.5
"""Share of their common length (Dice) in which two labels of neighbouring pieces must be active together."""
_LEAST_FRAMES: Final = 4
"""In fewer frames two labels agree by chance."""


def overlapping_pieces(
    speech: Sequence[Span], length_ms: int, *, piece_ms: int, overlap_ms: int, grid_ms: int
) -> list[Span]:
    """Return pieces that cover a clip, each beginning and ending in a pause where there is one.

    Args:
        speech: Detected speech in clip time, sorted and disjoint.
        length_ms: Length of the clip.
        piece_ms: About how long a piece is.
        overlap_ms: About how much of it the next piece hears again.
        grid_ms: Starts are multiples of this, the model's frame.
    """
    points = _quiet_points(speech, length_ms, overlap_ms, grid_ms)
    last, steps = len(points) - 1, max(2, round(piece_ms / overlap_ms))
    pieces, first = [], 0
    while True:
        stop = min(first + steps, last)
        pieces.append(Span(start_ms=points[first], end_ms=points[stop]))
        if stop == last:
            return pieces
        first = stop - 1


def _quiet_points(speech: Sequence[Span], length_ms: int, every_ms: int, grid_ms: int) -> list[int]:
    """Return where to cut, from 0 to the end: in the nearest pause, if it is no more than a quarter away."""
    pauses = [(before.end_ms + after.start_ms) // 2 for before, after in pairwise(speech)]
    points = [0]
    for wanted_ms in range(every_ms, length_ms - every_ms // 2, every_ms):
        nearest_ms = min(pauses, key=lambda pause_ms: abs(pause_ms - wanted_ms), default=wanted_ms)
        chosen_ms = nearest_ms if abs(nearest_ms - wanted_ms) <= every_ms // 4 else wanted_ms
        points.append(chosen_ms // grid_ms * grid_ms)
    return [*points, length_ms]


def stitched(parts: Sequence[FloatArray], starts: Sequence[int]) -> FloatArray:
    """Return the activities of the whole, one column for each voice found.

    Columns of neighbouring parts are one voice where both hear it in their overlap; a column that fits none of the
    part before it is a new voice, one that is never active is none. Where two parts overlap, the first half comes
    from the earlier one.

    Args:
        parts: Activity of each part, shape ``(n_frames, n_columns)``.
        starts: First frame of each part in the whole, rising; each part begins before the one before it ends, and
            ends after it.
    """
    voices, n_voices = _voices(parts, starts)
    ends = [start + len(part) for start, part in zip(starts, parts, strict=True)]
    middles = [(start + end) // 2 for start, end in zip(starts[1:], ends[:-1], strict=True)]
    whole = np.zeros((ends[-1], n_voices), np.float32)
    for part, start, names, (first, last) in zip(parts, starts, voices, pairwise([0, *middles, ends[-1]]), strict=True):
        for column, voice in names.items():
            whole[first:last, voice] = part[first - start : last - start, column]
    return whole


def _voices(parts: Sequence[FloatArray], starts: Sequence[int]) -> tuple[list[dict[int, int]], int]:
    """Return the voice of each column of each part, of those that are ever active, and the number of voices."""
    found: list[dict[int, int]] = []
    n_voices = 0
    for i, part in enumerate(parts):
        same: dict[int, int] = {}
        if i:
            seam = slice(starts[i] - starts[i - 1], None)
            pairs = matching(parts[i - 1][seam], part[: len(parts[i - 1][seam])])
            same = {right: found[-1][left] for left, right in pairs}
        for column in np.flatnonzero((part > _ACTIVE).any(axis=0)).tolist():
            if column not in same:
                same[column], n_voices = n_voices, n_voices + 1
        found.append(same)
    return found, n_voices


def matching(left: FloatArray, right: FloatArray) -> list[tuple[int, int]]:
    """Return pairs of columns that are active together, each column in one pair at most.

    Args:
        left: Activities of some frames, shape ``(n_frames, n_left)``.
        right: Others' activities of the same frames, shape ``(n_frames, n_right)``.
    """
    from scipy.optimize import linear_sum_assignment

    one, other = _active(left), _active(right)
    together = one.T @ other
    likeness = 2 * together / np.maximum(one.sum(axis=0)[:, None] + other.sum(axis=0)[None, :], 1)
    likeness[(likeness < _ALIKE) | (together < _LEAST_FRAMES)] = 0
    rows, columns = linear_sum_assignment(likeness * together, maximize=True)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if likeness[i, j]]


def _active(activity: FloatArray) -> NDArray[np.float64]:
    return (activity > _ACTIVE).astype(np.float64)

"""Activities of a long clip from those of pieces of it that overlap: the same voice gets the same column.

A model that tells few speakers apart hears more of them in pieces, as long as no piece holds more than it can tell.
"""

from __future__ import annotations

from collections import Counter
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
"""In fewer frames two labels agree by chance, and one that is active in no more is nobody."""
_NO_GUIDE: Final = -1


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


def stitched(parts: Sequence[FloatArray], starts: Sequence[int], guide: FloatArray | None = None) -> FloatArray:
    """Return the activities of the whole, one column for each voice found.

    Columns of neighbouring parts are one voice where both hear it in their overlap. A column that fits none of the
    part before it is the voice that an earlier column of the same guide was, or a new voice; one that is hardly ever
    active is none. Where two parts overlap, the first half comes from the earlier one.

    Args:
        parts: Activity of each part, shape ``(n_frames, n_columns)``.
        starts: First frame of each part in the whole, rising; each part begins before the one before it ends, and
            ends after it.
        guide: Activity of the whole as it was heard at once, shape ``(n_frames, n_guides)``. What is one of its
            columns is taken for one voice, unless some part hears two voices in it.
    """
    guides = [
        _guides(part, None if guide is None else guide[s:][: len(part)]) for part, s in zip(parts, starts, strict=True)
    ]
    voices, n_voices = _voices(parts, starts, guides)
    ends = [start + len(part) for start, part in zip(starts, parts, strict=True)]
    middles = [(start + end) // 2 for start, end in zip(starts[1:], ends[:-1], strict=True)]
    whole = np.zeros((ends[-1], n_voices), np.float32)
    for part, start, names, (first, last) in zip(parts, starts, voices, pairwise([0, *middles, ends[-1]]), strict=True):
        for column, voice in names.items():
            whole[first:last, voice] = part[first - start : last - start, column]
    return whole


_Columns = dict[int, int]


def _guides(part: FloatArray, guide: FloatArray | None) -> _Columns:
    """Return the column of the guide that most of each active column falls into, if most of it falls into one."""
    length = _active(part).sum(axis=0)
    columns = np.flatnonzero(length >= _LEAST_FRAMES).tolist()
    if guide is None or not guide.shape[1]:
        return dict.fromkeys(columns, _NO_GUIDE)
    together = _active(part).T @ _active(guide)
    best = together.argmax(axis=1)
    is_most = together.max(axis=1) >= _ALIKE * length
    return {column: int(best[column]) if is_most[column] else _NO_GUIDE for column in columns}


def _voices(
    parts: Sequence[FloatArray], starts: Sequence[int], guides: Sequence[_Columns]
) -> tuple[list[_Columns], int]:
    """Return the voice of each active column of each part, and the number of voices."""
    doubtful = {guide for of_part in guides for guide, times in Counter(of_part.values()).items() if times > 1}
    voice_of_guide: _Columns = {}
    found: list[_Columns] = []
    n_voices = 0
    for i, (part, of_part) in enumerate(zip(parts, guides, strict=True)):
        same: _Columns = {}
        if i:
            seam = parts[i - 1][starts[i] - starts[i - 1] :]
            same = {right: found[-1][left] for left, right in matching(seam, part[: len(seam)])}
        for column, guide in of_part.items():
            is_sure = guide != _NO_GUIDE and guide not in doubtful
            known = voice_of_guide.get(guide) if is_sure else None
            if column not in same and known is not None and known not in same.values():
                same[column] = known
            elif column not in same:
                same[column], n_voices = n_voices, n_voices + 1
            if is_sure:
                voice_of_guide.setdefault(guide, same[column])
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

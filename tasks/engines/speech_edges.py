"""Where speech really begins and ends, inside spans that a detector has padded; pure arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from storage.records import SAMPLES_PER_MS, Clip, Span, duration_ms

_FRAME_MS: Final = 10
_FRAME_SAMPLES: Final = _FRAME_MS * SAMPLES_PER_MS
_FURTHEST_MS: Final = 150
"""What a detector adds to each side at most; further in, quiet is a pause in somebody's speech."""
_BELOW_SPEECH_DB: Final = 40.0
"""So much below the loud parts of a span nothing is heard as speech."""
_ABOVE_FLOOR_DB: Final = 3.0
_SOFTEST_DB: Final = -100.0


def tightened(speech: Sequence[Span], clip: Clip) -> list[Span]:
    """Return the spans, their edges moved in past what is as quiet as the room, by 150 ms at most.

    Spans are cut to the clip; those without a whole millisecond inside it are left out, all others keep some speech.

    Args:
        speech: spans in clip time, sorted and disjoint.
        clip: finite samples.
    """
    inside = [
        Span(start_ms=span.start_ms, end_ms=min(span.end_ms, duration_ms(clip)))
        for span in speech
        if span.start_ms < min(span.end_ms, duration_ms(clip))
    ]
    levels = _levels_db(clip)
    if not len(levels):
        return inside
    audible_db = float(np.percentile(levels, 5)) + _ABOVE_FLOOR_DB
    return [_tightened(span, levels, audible_db) for span in inside]


def _tightened(span: Span, levels: NDArray[np.float32], audible_db: float) -> Span:
    first = span.start_ms // _FRAME_MS
    heard = levels[first : -(-span.end_ms // _FRAME_MS)]
    if not len(heard):
        return span
    loud = np.flatnonzero(heard > max(audible_db, float(np.percentile(heard, 95)) - _BELOW_SPEECH_DB))
    if not len(loud):
        return span
    begins_ms = (first + int(loud[0])) * _FRAME_MS
    ends_ms = (first + int(loud[-1]) + 1) * _FRAME_MS
    return Span(
        start_ms=max(span.start_ms, min(begins_ms, span.start_ms + _FURTHEST_MS)),
        end_ms=min(span.end_ms, max(ends_ms, span.end_ms - _FURTHEST_MS)),
    )


def _levels_db(clip: Clip) -> NDArray[np.float32]:
    """Return the level of each whole 10 ms, averaged with its neighbours."""
    frames = clip[: len(clip) // _FRAME_SAMPLES * _FRAME_SAMPLES].reshape(-1, _FRAME_SAMPLES)
    if not len(frames):
        return np.zeros(0, np.float32)
    energy = np.einsum("ij,ij->i", frames, frames, dtype=np.float64, casting="safe")
    power = np.pad(energy / _FRAME_SAMPLES, 1, mode="edge")
    smooth = (power[:-2] + power[1:-1] + power[2:]) / 3
    levels = 10 * np.log10(np.maximum(smooth, 10 ** (_SOFTEST_DB / 10)))
    return np.asarray(levels, np.float32)

"""From clips to windows that a speaker model hears, and from their vectors to one fingerprint per clip."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from storage.records import Clip, FloatArray, duration_ms

SHORTEST_VOICE_MS: Final = 500
"""Below this a vector says more about the words than about the voice."""
_SILENCE_RMS: Final = 1e-5
"""Below -100 dBFS there is no voice, only the last bit of a converter."""
_SPEECH_RMS: Final = 0.05


def has_voice(clip: Clip) -> bool:
    """Return whether there is sound enough for a fingerprint; a constant is no sound."""
    return duration_ms(clip) >= SHORTEST_VOICE_MS and _deviation(clip) >= _SILENCE_RMS


def raised(clip: Clip) -> Clip:
    """Return a clip that sounds at the usual level of speech, so that loudness tells nothing about a voice."""
    mean = np.float32(clip.mean(dtype=np.float64))
    return (clip - mean) * np.float32(_SPEECH_RMS / _deviation(clip))


def window_starts(n_samples: int, window: int) -> list[int]:
    """Return first samples of windows of equal length that cover a clip evenly, as few as it takes.

    A clip that is shorter than a window is one window of its own length.

    >>> window_starts(10, 4)
    [0, 3, 6]
    """
    count = max(1, -(-n_samples // window))
    spare = max(0, n_samples - window)
    return [spare * i // max(1, count - 1) for i in range(count)]


def pooled(vectors: FloatArray, owners: Sequence[int], n_clips: int) -> FloatArray:
    """Return one unit vector per clip, the mean direction of its windows; NaN where it has none.

    Args:
        vectors: One row per window, shape ``(n_windows, dim)``, of any length.
        owners: Clip of each window.
        n_clips: Number of rows wanted.
    """
    sums = np.zeros((n_clips, vectors.shape[1]))
    heard = np.isfinite(vectors).all(axis=1)
    np.add.at(sums, np.asarray(owners, dtype=np.int64)[heard], _unit(vectors[heard].astype(np.float64)))
    return _unit(sums).astype(np.float32)


def _unit(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    is_zero = length < np.finfo(np.float32).eps
    return np.where(is_zero, np.nan, rows / np.where(is_zero, 1.0, length))


def _deviation(clip: Clip) -> float:
    return float(clip.std(dtype=np.float64)) if len(clip) else 0.0

"""How much a fingerprint is worth, and how noisy it therefore is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray
from tasks.linking.voices import IntArray, ScoreArray

_HALF_MS = 3_000
"""With so much speech a fingerprint is worth half of one of unlimited speech."""
LASTING = 0.4
"""Share of a good fingerprint's noise that more fingerprints of the same recording do not average away: the room that
is left in it, the mood, the subject."""
_USUAL_MS = 10_000
_LEAST_NOISE, _MOST_NOISE = 0.02, 50.0


def quality_of(speech_ms: IntArray, activity: FloatArray | None = None) -> ScoreArray:
    """Return how many fingerprints of unlimited speech one is worth; of several of one voice, add them up.

    Args:
        speech_ms: Speech under each.
        activity: How sure the diarizer was that it is one voice, in [0, 1]: speech counts by it. NaN, or None, where it
            does not say.

    >>> quality_of(np.array([3_000, 27_000])).tolist()
    [0.5, 0.9]
    """
    sure_ms = speech_ms if activity is None else speech_ms * np.nan_to_num(activity.astype(np.float64), nan=1.0)
    worth: ScoreArray = sure_ms / (sure_ms + _HALF_MS)
    return worth


def noise_of(quality: NDArray[np.floating], noise: float, lasting: float = LASTING) -> ScoreArray:
    """Return the variance of voices' noise, that of persons being 1.

    Args:
        quality: of each voice, positive.
        noise: of a voice of quality 1.
        lasting: share of that which does not fall with quality.
    """
    return np.clip(noise * shape_of(quality, lasting), _LEAST_NOISE, _MOST_NOISE)


def shape_of(quality: NDArray[np.floating], lasting: float = LASTING) -> ScoreArray:
    """Return noise relative to that of a voice of quality 1."""
    return lasting + (1 - lasting) / np.maximum(quality.astype(np.float64), 1e-3)


def noise_for(centred_cosine: float, lasting: float = LASTING) -> float:
    """Return the noise of quality 1 at which two voices of ten seconds each have that cosine, strangers having 0."""
    usual = float(shape_of(quality_of(np.array([_USUAL_MS])), lasting)[0])
    return (1 / max(centred_cosine, 1e-3) - 1) / usual

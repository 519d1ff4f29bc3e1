"""Voices as columns: what diarization and fingerprints know of each label, and how alike two voices are.

Cosines of different models live on different scales, so every score here is an *affinity*: 0 is what two strangers
reach on average, 1 what one person reaches in two different rooms.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray

IntArray = NDArray[np.int64]
ScoreArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelColumns:
    """One row per label that a diarizer gave in a chunk, in any order; fingerprints of one model.

    (recording, channel, chunk, label) is unique.
    """

    recording_id: Sequence[str]
    channel: IntArray
    chunk_index: IntArray
    label: Sequence[str]
    start_ms: IntArray
    """When the label is first heard, in recording time."""
    speech_ms: IntArray
    """Speech under the fingerprint; where there is none, speech of the label."""
    vectors: FloatArray
    """Unit length, shape ``(n, dim)``; a row that is not finite, or zero, is no fingerprint."""

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePrior:
    """What cosines of one model look like, before anything is known of an archive."""

    strangers: float
    """Mean cosine of two people in two rooms."""
    same: float
    """Mean cosine of one person in two rooms."""

    def cosine(self, affinity: float) -> float:
        """Return the cosine of an affinity."""
        return self.strangers + affinity * (self.same - self.strangers)

    def affinity(self, cosine: ScoreArray) -> ScoreArray:
        """Return cosines on the common scale."""
        return (cosine - self.strangers) / (self.same - self.strangers)

    def centred(self, share: float) -> VoicePrior:
        """Return what remains when ``share`` of the mean voice is taken out of every vector.

        Strangers owe their cosine to that mean, whose squared length is therefore ``strangers``.
        """
        left = self.strangers * (1 - share) ** 2
        length = 1 - self.strangers + left
        return VoicePrior(strangers=left / length, same=(self.same - self.strangers + left) / length)


PRIORS = {
    "resemblyzer": VoicePrior(strangers=0.58, same=0.82),
    "titanet": VoicePrior(strangers=0.05, same=0.565),
}
"""By the first part of the model's name. Resemblyzer's was measured on read speech in simulated rooms; TitaNet's puts
the bar between recordings at a cosine of 0.4, where NeMo itself takes two voices for one."""
COMMON_PRIOR = VoicePrior(strangers=0.05, same=0.60)
"""For models trained with an angular margin (ECAPA, WeSpeaker), whose strangers are near orthogonal."""


def prior_of(model: str) -> VoicePrior:
    """Return the prior of an embedding model, named as in ``Fingerprint.model``."""
    return next((prior for name, prior in PRIORS.items() if model.startswith(name)), COMMON_PRIOR)


def normalised(vectors: NDArray[np.floating]) -> ScoreArray:
    """Return rows of unit length; a row that is zero or not finite becomes NaN."""
    rows = np.asarray(vectors, dtype=np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    usable = np.isfinite(length) & (length > np.finfo(np.float32).eps)
    return np.where(usable, rows / np.where(usable, length, 1.0), np.nan)


def has_voice(vectors: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Return which rows are fingerprints."""
    usable: NDArray[np.bool_] = np.isfinite(vectors).all(axis=1) & (vectors.shape[1] > 0)
    return usable

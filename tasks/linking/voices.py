"""Voices as columns: what diarization and fingerprints know of each label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
ScoreArray = NDArray[np.float64]

_BLOCK_ROWS = 4_096
_BLOCK_VALUES = 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LabelColumns:
    """One row per label that a diarizer gave in a chunk, in any order; fingerprints of one model.

    (recording, channel, chunk, label) is unique.
    """

    recording_ids: tuple[str, ...]
    """Every recording once, sorted."""
    recording: IntArray
    """Of each label, as a place among ``recording_ids``."""
    channel: IntArray
    chunk_index: IntArray
    label: Sequence[str]
    start_ms: IntArray
    """When the label is first heard, in recording time."""
    speech_ms: IntArray
    """Speech under the fingerprint; where there is none, speech of the label."""
    vectors: FloatArray
    """Unit length, shape ``(n, dim)``; a row that is not finite, or zero, is no fingerprint."""
    activity: FloatArray | None = None
    """How sure the diarizer was of the label, in [0, 1]; NaN, or None, where it does not say."""

    def __len__(self) -> int:
        """Return the number of labels."""
        return len(self.label)


@dataclass(frozen=True, slots=True, kw_only=True)
class VoiceScale:
    """What cosines between voices mean."""

    offset: float
    """Mean cosine of two strangers, in [0, 1)."""
    dimensions: float
    """In so many directions persons differ: the cosine of two strangers, less the offset, spreads like that of random
    vectors, with a variance of 1 / dimensions."""

    def centred(self, cosine: ScoreArray) -> ScoreArray:
        """Return cosines on the scale on which strangers reach 0 and a vector reaches 1 with itself."""
        return (cosine - self.offset) / (1 - self.offset)

    def evidence(self, squares: ScoreArray, precision: ScoreArray) -> ScoreArray:
        """Return what speaks for vectors sharing a person rather than being noise around nothing.

        Args:
            squares: Squared length of the sum of the centred vectors, each divided by its noise.
            precision: Sum of the inverse noises.
        """
        found: ScoreArray = 0.5 * self.dimensions * (squares / (1 + precision) - np.log1p(precision))
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class VoicePrior:
    """What cosines of one model look like, before anything is known of an archive."""

    strangers: float
    """Mean cosine of two people in two rooms."""
    roommates: float
    """Mean cosine of two people in one room."""
    same: float
    """Mean cosine of one person in two rooms, with ten seconds of speech in each."""
    same_room: float
    """The same in one room."""
    dimensions: float
    """Of the space in which persons differ; see ``VoiceScale``."""

    def centred(self, share: float) -> VoicePrior:
        """Return what remains when ``share`` of the mean voice is taken out of every vector.

        Strangers owe their cosine to that mean, whose squared length is therefore ``strangers``.
        """
        gone = self.strangers * (1 - (1 - share) ** 2)
        strangers, roommates, same, same_room = (
            (cosine - gone) / (1 - gone) for cosine in (self.strangers, self.roommates, self.same, self.same_room)
        )
        return VoicePrior(
            strangers=strangers, roommates=roommates, same=same, same_room=same_room, dimensions=self.dimensions
        )


PRIORS = {
    "resemblyzer": VoicePrior(strangers=0.58, roommates=0.64, same=0.81, same_room=0.88, dimensions=45),
    "titanet": VoicePrior(strangers=0.05, roommates=0.17, same=0.60, same_room=0.60, dimensions=100),
}
"""By the first part of the model's name. Resemblyzer's was measured on read speech in simulated rooms; TitaNet's
centres the bar between recordings about a cosine of 0.4, where NeMo itself takes two voices for one."""
COMMON_PRIOR = PRIORS["titanet"]
"""For models trained with an angular margin (ECAPA, WeSpeaker), whose strangers are near orthogonal."""


def prior_of(model: str) -> VoicePrior:
    """Return the prior of an embedding model, named as in ``Fingerprint.model``."""
    return next((prior for name, prior in PRIORS.items() if model.startswith(name)), COMMON_PRIOR)


def normalised(vectors: NDArray[np.floating]) -> FloatArray:
    """Return rows of unit length; a row that is zero or not finite becomes NaN."""
    rows = np.array(vectors, dtype=np.float32)
    normalise(rows)
    return rows


def normalise(rows: FloatArray) -> None:
    """Do the same to rows in place."""
    for low in range(0, len(rows), _BLOCK_ROWS):
        block = rows[low : low + _BLOCK_ROWS]
        wide = block.astype(np.float64)
        length = np.sqrt(np.einsum("ij,ij->i", wide, wide))[:, None]
        usable = np.isfinite(length) & (length > np.finfo(np.float32).eps)
        block /= np.where(usable, length, np.nan).astype(np.float32)


def has_voice(vectors: NDArray[np.floating]) -> BoolArray:
    """Return which rows are fingerprints."""
    usable: BoolArray = np.isfinite(vectors.sum(axis=1)) & (vectors.shape[1] > 0)
    return usable


def sums_by(group: IntArray, rows: NDArray[np.floating], n_groups: int) -> NDArray[np.float64]:
    """Return the sum of each group's rows, shape ``(n_groups, dim)``; groups without rows have zeros."""
    from scipy.sparse import csr_array

    n_rows, dim = rows.shape
    is_part = csr_array((np.ones(n_rows), (group, np.arange(n_rows))), shape=(n_groups, n_rows))
    sums = np.empty((n_groups, dim))
    width = max(1, _BLOCK_VALUES // max(n_rows, 1))
    for low in range(0, dim, width):
        sums[:, low : low + width] = is_part @ rows[:, low : low + width].astype(np.float64)
    return sums

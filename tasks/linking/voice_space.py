"""The space in which voices of different recordings are compared: less the mean voice, less the room.

What all voices of an archive share says nothing about who speaks, and what the voices of one recording share is mostly
its room and microphone. Both are estimated from the archive itself, and each is taken out only as far as many people,
and many recordings, stand behind the estimate: with one voice nothing is, or the voice itself would go.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.linking.voices import IntArray, ScoreArray, VoicePrior, normalised

_HALF_PEOPLE = 2.0
"""With so many people besides the first, half of the mean voice is taken out."""
_HALF_RECORDINGS = 2.0
"""With so many recordings besides the first, half of what a large crowd shares is taken for its room."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoiceSpace:
    """What to take out of vectors, and the scale of what remains."""

    mean: ScoreArray
    """Part of the mean voice, shape ``(dim,)``."""
    rooms: ScoreArray
    """Part of each recording's distance from the mean voice, shape ``(n_recordings, dim)``."""
    prior: VoicePrior
    """Scale of cosines in this space."""

    def project(self, vectors: ScoreArray, recording: IntArray) -> ScoreArray:
        """Return unit vectors of this space; a vector that is all mean and room, which nothing tells apart, is 0."""
        rows: ScoreArray = normalised(vectors - self.mean - self.rooms[recording])
        return np.nan_to_num(rows, nan=0.0)


def plain_space(dim: int, n_recordings: int, prior: VoicePrior) -> VoiceSpace:
    """Return the space of the model itself, with nothing taken out."""
    return VoiceSpace(mean=np.zeros(dim), rooms=np.zeros((n_recordings, dim)), prior=prior)


def fit_space(
    vectors: ScoreArray, recording: IntArray, people: IntArray, n_recordings: int, prior: VoicePrior
) -> VoiceSpace:
    """Return the space that an archive suggests.

    Args:
        vectors: one finite unit vector per local speaker, shape ``(n, dim)``.
        recording: number of each one's recording, below ``n_recordings``.
        people: number of each one's person, as far as is known, counted from 0 without gaps.
        n_recordings: recordings, also those without a vector.
        prior: scale of the model's own cosines.
    """
    n_people = int(people.max()) + 1
    mean = _means_by(people, vectors, n_people).mean(axis=0)
    share = (n_people - 1) / (n_people - 1 + _HALF_PEOPLE)
    voices = np.bincount(recording, minlength=n_recordings)
    n_heard = np.count_nonzero(voices)
    trust = (n_heard - 1) / (n_heard - 1 + _HALF_RECORDINGS) * np.maximum(voices - 1, 0) / np.maximum(voices, 1)
    rooms = _means_by(recording, vectors, n_recordings) - mean
    return VoiceSpace(mean=share * mean, rooms=trust[:, None] * rooms, prior=prior.centred(share))


def _means_by(group: IntArray, rows: ScoreArray, n_groups: int) -> ScoreArray:
    total = np.zeros((n_groups, rows.shape[1]))
    np.add.at(total, group, rows)
    means: ScoreArray = total / np.maximum(np.bincount(group, minlength=n_groups), 1)[:, None]
    return means

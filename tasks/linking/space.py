"""The space in which voices of different recordings are compared: less what others share with them, on one scale.

What all voices of an archive share says nothing about who speaks, and what the voices of one recording share is mostly
its room and microphone. What is left may still be of a kind that is frequent in the archive: two voices of a crowd are
near each other without being one. So that which a voice shares with the people around it is taken out as well: what
normalising scores by cohorts does (adaptive s-norm; Cumani et al. 2011), done to the vectors themselves (localised
centring; Hara et al. 2015). How much there is of all this, how strangers' cosines spread and how near one person comes
to itself in two rooms is counted in the archive: over voices of one recording, who are certainly different people, and
over people as far as they are known. Few people say little; until then a prior counts (``tasks.linking.voices``).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from storage.records import FloatArray
from tasks.linking.quality import noise_for, shape_of
from tasks.linking.voices import IntArray, ScoreArray, VoicePrior, VoiceScale, normalised, sums_by

_HALF_PEOPLE = 2.0
"""With so many people besides the first, half of the mean voice is taken out."""
_HALF_ROOM = 0.06
"""With such a share of rooms in voices, half of what a crowd in one room shares is taken for the room. It is more than
a model of independent directions says: rooms change just what tells voices apart."""
_PRIOR_PEOPLE = 20.0
"""What the prior knows of cosines weighs like so many people."""
_PRIOR_RECORDINGS = 10.0
"""What the prior knows of rooms weighs like so many recordings."""
_PRIOR_RETURNING = 10.0
"""What the prior knows of one person's cosines weighs like so many people heard in several recordings."""
_SPACING = (1, 7, 61, 331, 1_009, 2_003)
"""Voices so far apart in their order are compared, to see strangers."""
_LEAST_DIMENSIONS, _MOST_DIMENSIONS = 5.0, 1_000.0
_MOST_ROOM = 0.6
_BLOCK_ROWS = 4_096
_PROJECTED_ROWS = 32_768
_COHORT = 100
"""So many people of an archive tell what is around a voice."""
_OWN = 2
"""Nearest people that are not counted as being around a voice: it may be one of them, or of two that are one."""
_AROUND = 4
"""The nearest of so many people are around a voice."""
_HALF_SHARED = 25.0
"""With so many people known, half of the mean of those around a voice is taken out of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class VoiceSpace:
    """What to take out of vectors, and what remains."""

    mean: FloatArray
    """Part of the mean voice, shape ``(dim,)``."""
    room: float
    """Share of a voice's variance that is its room's."""
    scale: VoiceScale
    """Of cosines in this space."""
    noise: float
    """Variance of a voice of quality 1, that of persons being 1."""
    cohort: FloatArray
    """People of the archive, unit rows without mean and room, shape ``(n_people, dim)``; none where few are known."""
    returning: float = 0.5
    """Share of voices that are heard again, in (0, 1)."""

    def match_nats(self, same_nats: float) -> float:
        """Return what must speak for a match: the less, the more voices return.

        Args:
            same_nats: The same where half of them do.
        """
        return same_nats - math.log(self.returning / (1 - self.returning))

    def project(self, vectors: FloatArray, recording: IntArray, rows: IntArray | None = None) -> FloatArray:
        """Return unit vectors of this space; a vector that nothing tells apart from mean, room and cohort is 0.

        Args:
            vectors: Unit rows, finite where they are wanted, shape ``(n, dim)``; all voices of a recording together,
                for they tell its room.
            recording: Of each, numbers from 0.
            rows: Which of the vectors; all by default.
        """
        rows = np.arange(len(vectors)) if rows is None else rows
        projected = np.empty((len(rows), vectors.shape[1]), np.float32)
        for block in _whole_recordings(recording[rows]):
            some = rows[block]
            projected[block] = self._projected(vectors[some], np.unique(recording[some], return_inverse=True)[1])
        return projected

    def _projected(self, vectors: FloatArray, recording: IntArray) -> FloatArray:
        rows = vectors - self.mean
        count = int(recording.max(initial=-1)) + 1
        voices = np.maximum(np.bincount(recording, minlength=count), 1)
        known = self.room / (self.room + _HALF_ROOM) * (voices - 1) / voices
        rooms = (sums_by(recording, rows, count) * (known / voices)[:, None]).astype(np.float32)
        rows -= rooms[recording]
        alone = np.nan_to_num(normalised(rows), copy=False, nan=0.0)
        return _less_cohort(alone, self.cohort)


def _whole_recordings(recording: IntArray) -> Iterator[IntArray]:
    """Yield places of voices, all of a recording together, so many that memory follows the block and not the lake."""
    order = np.argsort(recording, kind="stable")
    numbers = recording[order]
    low = 0
    while low < len(order):
        last = numbers[min(low + _PROJECTED_ROWS, len(order)) - 1]
        high = int(np.searchsorted(numbers, last, side="right"))
        yield order[low:high]
        low = high


def prior_space(dim: int, prior: VoicePrior) -> VoiceSpace:
    """Return the space in which nothing is taken out, and what the prior says of it."""
    scale = VoiceScale(offset=prior.strangers, dimensions=prior.dimensions)
    nothing, nobody = np.zeros(dim, np.float32), np.empty((0, dim), np.float32)
    return VoiceSpace(mean=nothing, room=0.0, cohort=nobody, scale=scale, noise=_prior_noise(prior))


def fit_space(
    vectors: FloatArray, quality: FloatArray, recording: IntArray, people: IntArray, prior: VoicePrior
) -> VoiceSpace:
    """Return the space that an archive suggests.

    Args:
        vectors: One finite unit vector per local speaker, sorted by recording, shape ``(n, dim)``.
        quality: Of each (``tasks.linking.quality``).
        recording: Number of each one's recording.
        people: Number of each one's person, as far as is known, counted from 0 without gaps.
        prior: Of the model.
    """
    n_people = int(people.max()) + 1
    share = (n_people - 1) / (n_people - 1 + _HALF_PEOPLE)
    sizes = np.bincount(people, minlength=n_people)
    means = sums_by(people, vectors, n_people) / sizes[:, None]
    mean = (share * means.mean(axis=0)).astype(np.float32)
    left = prior.centred(share)
    room = _room_share(normalised(vectors - mean), recording, people, left)
    nobody = np.empty((0, vectors.shape[1]), np.float32)
    bare = VoiceSpace(mean=mean, room=room, cohort=nobody, scale=VoiceScale(offset=0.0, dimensions=1.0), noise=1.0)
    rows = bare.project(vectors, recording)
    cohort = _cohort(rows, people, n_people)
    rows = _less_cohort(rows, cohort)
    scale = _scale(_stranger_cosines(rows, recording, people), n_people, left)
    noise = _noise(rows, quality, recording, people, scale, left)
    return VoiceSpace(mean=mean, room=room, cohort=cohort, scale=scale, noise=noise)


def _cohort(rows: FloatArray, people: IntArray, n_people: int) -> FloatArray:
    """Return the voices of people drawn evenly from all, nobody where there are too few to be around anybody."""
    if n_people < _OWN * _AROUND:
        return rows[:0]
    drawn = np.unique(np.linspace(0, n_people - 1, min(n_people, _COHORT)).astype(np.int64))
    return normalised(sums_by(people, rows, n_people)[drawn])


def _less_cohort(rows: FloatArray, cohort: FloatArray) -> FloatArray:
    """Return rows without what they share with the people around them, of unit length; a row that is 0 stays so."""
    from scipy.sparse import csr_array

    n_people = len(cohort)
    if not n_people:
        return rows
    around, wide = n_people // _AROUND, cohort.astype(np.float64)
    share = n_people / (n_people + _HALF_SHARED)
    left = np.empty_like(rows)
    for low in range(0, len(rows), _BLOCK_ROWS):
        block = rows[low : low + _BLOCK_ROWS].astype(np.float64)
        dots = block @ wide.T
        ranked = np.sort(dots, axis=1)
        is_around = csr_array((dots >= ranked[:, [-_OWN - around]]) & (dots < ranked[:, [-_OWN]]), dtype=np.float64)
        left[low : low + _BLOCK_ROWS] = block - (share / around) * (is_around @ wide) * np.any(block, 1, keepdims=True)
    return np.nan_to_num(normalised(left), copy=False, nan=0.0)


def _prior_noise(prior: VoicePrior) -> float:
    return noise_for((prior.same - prior.strangers) / (1 - prior.strangers))


def _stranger_cosines(rows: FloatArray, recording: IntArray, people: IntArray) -> ScoreArray:
    """Return cosines of different people in different recordings."""
    found = [np.empty(0)]
    for step in _SPACING:
        one, other = np.arange(len(rows) - step), np.arange(step, len(rows))
        apart = (recording[one] != recording[other]) & (people[one] != people[other])
        found.append(np.einsum("ij,ij->i", rows[one[apart]], rows[other[apart]], dtype=np.float64))
    return np.concatenate(found)


def _room_share(rows: FloatArray, recording: IntArray, people: IntArray, left: VoicePrior) -> float:
    """Return how much nearer strangers are in one room than in two."""
    one, other = np.arange(len(rows) - 1), np.arange(1, len(rows))
    together = (recording[one] == recording[other]) & (people[one] != people[other])
    roommates = np.einsum("ij,ij->i", rows[one[together]], rows[other[together]], dtype=np.float64)
    strangers = _stranger_cosines(rows, recording, people)
    expected = (left.roommates - left.strangers) / (1 - left.strangers)
    if not len(roommates) or not len(strangers):
        return expected
    found = (roommates.mean() - strangers.mean()) / (1 - strangers.mean())
    n_recordings = len(np.unique(recording[one[together]]))
    trust = n_recordings / (n_recordings + _PRIOR_RECORDINGS)
    return float(np.clip(trust * found + (1 - trust) * expected, 0.0, _MOST_ROOM))


def _scale(strangers: ScoreArray, n_people: int, left: VoicePrior) -> VoiceScale:
    if not len(strangers):
        return VoiceScale(offset=left.strangers, dimensions=left.dimensions)
    trust = n_people / (n_people + _PRIOR_PEOPLE)
    # Strangers can be further apart than at random, where few share a mean or a room that was taken out; not nearer.
    offset = float(np.clip(trust * strangers.mean() + (1 - trust) * left.strangers, 0.0, 0.95))
    spread = (trust * strangers.var() + (1 - trust) * (1 - left.strangers) ** 2 / left.dimensions) / (1 - offset) ** 2
    return VoiceScale(offset=offset, dimensions=float(np.clip(1 / spread, _LEAST_DIMENSIONS, _MOST_DIMENSIONS)))


def _noise(
    rows: FloatArray,
    quality: FloatArray,
    recording: IntArray,
    people: IntArray,
    scale: VoiceScale,
    left: VoicePrior,
) -> float:
    """Return the noise that explains how near people come to themselves in several recordings.

    A person's mean cosine over pairs of its voices is expected to be the mean product of ``1 / sqrt(1 + noise)``.
    """
    sizes = np.bincount(people)
    recordings = np.bincount(np.unique(np.stack([people, recording]), axis=1)[0], minlength=len(sizes))
    returning = np.flatnonzero((sizes > 1) & (recordings == sizes))
    expected = _prior_noise(left)
    if not len(returning):
        return expected
    place = np.full(len(sizes), -1)
    place[returning] = np.arange(len(returning))
    some = np.flatnonzero(place[people] >= 0)
    who, n = place[people[some]], sizes[returning]
    pairs = n * (n - 1)
    sums = sums_by(who, rows[some], len(returning))
    found = scale.centred((np.einsum("ij,ij->i", sums, sums) - n) / pairs).mean()
    shape = shape_of(quality[some])

    def predicted(noise: float) -> float:
        reliability = 1 / np.sqrt(1 + noise * shape)
        total, squares = np.bincount(who, reliability), np.bincount(who, reliability**2)
        return float(((total**2 - squares) / pairs).mean())

    trust = len(returning) / (len(returning) + _PRIOR_RETURNING)
    goal = trust * found + (1 - trust) * predicted(expected)
    return _solve(predicted, float(goal))


def _solve(predicted: Callable[[float], float], goal: float) -> float:
    """Return the noise at which a falling function reaches the goal."""
    low, high = 1e-3, 30.0
    for _ in range(40):
        middle = (low * high) ** 0.5
        low, high = (middle, high) if predicted(middle) > goal else (low, middle)
    return high

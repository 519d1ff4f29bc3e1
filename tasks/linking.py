"""The reduce: which local speakers of an archive are the same person.

Local speakers are compared in a space that is freed of the archive's mean voice and of each recording's room
(``tasks.voice_space``). How far depends on the number of people, which nobody knows at first: linking starts from plain
cosines and is repeated with the people it found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from tasks.average_linkage import average_linkage
from tasks.local_linking import LocalSpeakers
from tasks.voice_space import VoiceSpace, fit_space, plain_space
from tasks.voices import IntArray, ScoreArray, VoicePrior, has_voice, normalised

UnlinkedReason = Literal["no_fingerprint", "too_little_speech"]
"""Why a local speaker has no speaker: nothing to compare, or too little of it to found a speaker or to join one."""

_BLOCK_ROWS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """When local speakers of different recordings are one person, as affinities (see ``tasks.voices``)."""

    same: float = 0.60
    """Average affinity of two groups of local speakers that are one person."""
    softness: float = 0.12
    """Distance from a decision's boundary at which the odds of being right are e to 1."""
    min_speech_ms: int = 2_000
    """With less speech a local speaker founds no speaker; it may join one."""
    passes: int = 2
    """How often linking is repeated with the people found."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Links:
    """One row per local speaker, in their order."""

    speaker: IntArray
    """Number of the speaker, counted by first local speaker; -1 where there is none."""
    confidence: NDArray[np.float32]
    """Probability in [0, 1] that the link is right: a logistic of the distance to the nearer boundary, being no match
    and being somebody else. Of somebody heard in one recording: that nobody else is the same person. NaN where there
    is nothing to compare with."""
    margin: NDArray[np.float32]
    """Affinity to the own speaker (the threshold, for somebody heard in one recording) minus that to the nearest other
    speaker it could be; NaN where there is no other."""
    reason: tuple[UnlinkedReason | None, ...]
    """Why there is no speaker."""


def link_speakers(local: LocalSpeakers, prior: VoicePrior, *, options: LinkOptions | None = None) -> Links:
    """Return the speakers of an archive; local speakers of one recording are always different speakers.

    Args:
        local: local speakers of all recordings (``tasks.local_linking``).
        prior: scale of the model's cosines.
        options: thresholds.
    """
    options = options or LinkOptions()
    heard = has_voice(local.vectors)
    founders = np.flatnonzero(heard & (local.speech_ms >= options.min_speech_ms))
    recording = _numbers_of(local.recording_id)
    speaker = np.full(len(local), -1, dtype=np.int64)
    space = plain_space(local.vectors.shape[1], int(recording.max(initial=-1)) + 1, prior)
    places = np.zeros(local.vectors.shape)
    if len(founders):
        vectors = normalised(local.vectors)
        weights = np.sqrt(local.speech_ms[founders])
        space, people = _find_people(vectors[founders], weights, recording[founders], space, options)
        speaker[founders] = people
        places[heard] = space.project(vectors[heard], recording[heard])
        _join_short(speaker, places, recording, np.flatnonzero(heard & (speaker < 0)), space.prior, options)
    confidence, margin = _certainty(speaker, places, recording, space.prior, options)
    reasons = tuple(
        _reason(is_linked=number >= 0, is_heard=voice)
        for number, voice in zip(speaker.tolist(), heard.tolist(), strict=True)
    )
    return Links(speaker=speaker, confidence=confidence, margin=margin, reason=reasons)


def _numbers_of(names: tuple[str, ...]) -> IntArray:
    number = {name: index for index, name in enumerate(sorted(set(names)))}
    return np.array([number[name] for name in names], dtype=np.int64)


def _reason(*, is_linked: bool, is_heard: bool) -> UnlinkedReason | None:
    if is_linked:
        return None
    return "too_little_speech" if is_heard else "no_fingerprint"


def _find_people(
    vectors: ScoreArray, weights: ScoreArray, recording: IntArray, space: VoiceSpace, options: LinkOptions
) -> tuple[VoiceSpace, IntArray]:
    """Return the space of the last pass, the first being in the space given, and the person of each vector."""
    prior, n_recordings = space.prior, len(space.rooms)
    people = average_linkage(vectors, weights, recording, prior.cosine(options.same))
    for _ in range(options.passes):
        space = fit_space(vectors, recording, people, n_recordings, prior)
        places = space.project(vectors, recording)
        people = average_linkage(places, weights, recording, space.prior.cosine(options.same))
    return space, people


def _join_short(
    speaker: IntArray, places: ScoreArray, recording: IntArray, short: IntArray, prior: VoicePrior, options: LinkOptions
) -> None:
    """Let those with little speech join the speaker they match, best match first; one of a recording to a speaker."""
    affinity = _Rivals(speaker, places, recording, prior).affinities(short)
    best, score = affinity.argmax(axis=1), affinity.max(axis=1)
    taken: set[tuple[int, int]] = set()
    for row in np.lexsort((short, -score)):
        place = int(recording[short[row]]), int(best[row])
        if score[row] >= options.same and place not in taken:
            taken.add(place)
            speaker[short[row]] = best[row]


class _Rivals:
    """How near local speakers are to the speakers that they could be."""

    def __init__(self, speaker: IntArray, places: ScoreArray, recording: IntArray, prior: VoicePrior) -> None:
        self.recording, self.places, self.prior = recording, places, prior
        linked = np.flatnonzero(speaker >= 0)
        n_speakers = int(speaker.max(initial=-1)) + 1
        self.sizes = np.bincount(speaker[linked], minlength=n_speakers)
        member = csr_matrix((np.ones(len(linked)), (speaker[linked], linked)), shape=(n_speakers, len(speaker)))
        self.totals: ScoreArray = member @ places
        present = csr_matrix(
            (np.ones(len(linked)), (recording[linked], speaker[linked])),
            shape=(int(recording.max(initial=-1)) + 1, n_speakers),
        )
        self.present = present

    def affinities(self, rows: IntArray) -> ScoreArray:
        """Return average affinities, shape ``(n_rows, n_speakers)``; -inf where the recording has that speaker."""
        affinity = self.prior.affinity(self.places[rows] @ (self.totals / self.sizes[:, None]).T)
        affinity[self.present[self.recording[rows]].nonzero()] = -np.inf
        return affinity

    def own(self, rows: IntArray, speaker: IntArray) -> ScoreArray:
        """Return the average affinity of rows to the others of their speaker; NaN where there are none."""
        others = np.maximum(self.sizes[speaker] - 1, 0)
        rest = self.totals[speaker] - self.places[rows]
        cosine = np.einsum("ij,ij->i", self.places[rows], rest) / np.where(others, others, np.nan)
        return self.prior.affinity(cosine)


def _certainty(
    speaker: IntArray, places: ScoreArray, recording: IntArray, prior: VoicePrior, options: LinkOptions
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return confidence and margin of each local speaker."""
    confidence = np.full(len(speaker), np.nan, dtype=np.float32)
    margin = confidence.copy()
    linked = np.flatnonzero(speaker >= 0)
    rivals = _Rivals(speaker, places, recording, prior)
    for low in range(0, len(linked), _BLOCK_ROWS):
        rows = linked[low : low + _BLOCK_ROWS]
        nearest = rivals.affinities(rows).max(axis=1)
        own = rivals.own(rows, speaker[rows])
        alone = np.isnan(own)
        margin[rows] = np.where(alone, options.same, own) - nearest
        distance = np.where(alone, margin[rows], np.fmin(own - options.same, margin[rows]))
        confidence[rows] = 1 / (1 + np.exp(-distance / options.softness))
    nothing = np.isinf(margin)
    margin[nothing] = np.nan
    confidence[nothing & np.isin(speaker, np.flatnonzero(rivals.sizes == 1))] = np.nan
    return confidence, margin

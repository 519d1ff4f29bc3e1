"""The reduce: which local speakers of an archive are the same person.

Local speakers are compared in a space that is freed of the archive's mean voice and of each recording's room
(``tasks.linking.voice_space``). How far depends on the number of people, which nobody knows at first: linking starts
from plain cosines and is repeated with the people it found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tasks.linking.local import LocalSpeakers
from tasks.linking.voice_space import VoiceSpace, fit_space, plain_space
from tasks.linking.voices import IntArray, ScoreArray, VoicePrior, has_voice, normalised

UnlinkedReason = Literal["no_fingerprint", "too_little_speech"]
"""Why a local speaker has no speaker: nothing to compare, or too little of it to found a speaker or to join one."""

_BLOCK_ROWS = 1024
"""Local speakers compared at once with all speakers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """When local speakers of different recordings are one person, as affinities (see ``tasks.linking.voices``)."""

    same: float = 0.68
    """Average affinity of two groups of local speakers that are one person."""
    overrule: float = 0.78
    """The same of groups that were heard together in a few recordings: their diarizer has split one person there."""
    softness: float = 0.12
    """Distance from a decision's boundary at which the odds of being right are e to 1. On simulated sessions of read
    speech, of links with confidence 0.4-0.6, 0.6-0.8, 0.8-0.9 and more, 55, 72, 90 and 98 % were right."""
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
    """Return the speakers of an archive.

    Local speakers of one recording are different speakers, except where two are each clearly linked to the same person
    by what both match in other recordings: then their diarizer has split one.

    Args:
        local: local speakers of all recordings (``tasks.linking.local``).
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
        weights = np.sqrt(np.maximum(local.speech_ms[founders], 1))
        space, speaker[founders] = _find_people(vectors[founders], weights, recording[founders], space, options)
        places[heard] = space.project(vectors[heard], recording[heard])
        short = np.flatnonzero(heard & (speaker < 0))
        _join_short(speaker, short, _Speakers(speaker, places, recording, space.prior), options)
    confidence, margin = _certainty(speaker, _Speakers(speaker, places, recording, space.prior), options)
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
    people = _cluster(vectors, weights, recording, prior, options)
    for _ in range(options.passes):
        space = fit_space(vectors, recording, people, n_recordings, prior)
        people = _cluster(space.project(vectors, recording), weights, recording, space.prior, options)
    return space, people


def _cluster(
    places: ScoreArray, weights: ScoreArray, recording: IntArray, prior: VoicePrior, options: LinkOptions
) -> IntArray:
    from tasks.linking.average_linkage import average_linkage

    threshold, overrule = prior.cosine(options.same), prior.cosine(options.overrule)
    return average_linkage(places, weights, recording, threshold=threshold, overrule=overrule)


class _Speakers:
    """How near local speakers are to speakers."""

    def __init__(self, speaker: IntArray, places: ScoreArray, recording: IntArray, prior: VoicePrior) -> None:
        from scipy.sparse import csr_matrix

        self.recording, self._places, self._prior = recording, places, prior
        linked = np.flatnonzero(speaker >= 0)
        n_speakers, n_recordings = int(speaker.max(initial=-1)) + 1, int(recording.max(initial=-1)) + 1
        ones = np.ones(len(linked))
        self._sizes = np.bincount(speaker[linked], minlength=n_speakers)
        members = csr_matrix((ones, (speaker[linked], linked)), shape=(n_speakers, len(speaker)))
        self._totals: ScoreArray = members @ places
        self._present = csr_matrix((ones, (recording[linked], speaker[linked])), shape=(n_recordings, n_speakers))

    def affinities(self, rows: IntArray) -> ScoreArray:
        """Return average affinities, shape ``(n_rows, n_speakers)``; NaN for speakers heard in the row's recording."""
        affinity = self._prior.affinity(self._places[rows] @ (self._totals / self._sizes[:, None]).T)
        affinity[self._present[self.recording[rows]].nonzero()] = np.nan
        return affinity

    def own(self, rows: IntArray, speaker: IntArray) -> ScoreArray:
        """Return average affinities of rows to the others of their own speaker; NaN where there are none."""
        others = self._sizes[speaker] - 1.0
        others[others == 0] = np.nan
        rest = self._totals[speaker] - self._places[rows]
        return self._prior.affinity(np.einsum("ij,ij->i", self._places[rows], rest) / others)


def _join_short(speaker: IntArray, short: IntArray, speakers: _Speakers, options: LinkOptions) -> None:
    """Let those with little speech join the speaker they match, the best of a recording where several match."""
    best, score = np.zeros(len(short), dtype=np.int64), np.full(len(short), -np.inf)
    for low in range(0, len(short), _BLOCK_ROWS):
        affinity = np.nan_to_num(speakers.affinities(short[low : low + _BLOCK_ROWS]), nan=-np.inf)
        best[low : low + _BLOCK_ROWS], score[low : low + _BLOCK_ROWS] = affinity.argmax(axis=1), affinity.max(axis=1)
    taken: set[tuple[int, int]] = set()
    for at in np.lexsort((short, -score)):
        place = int(speakers.recording[short[at]]), int(best[at])
        if score[at] >= options.same and place not in taken:
            taken.add(place)
            speaker[short[at]] = best[at]


def _certainty(
    speaker: IntArray, speakers: _Speakers, options: LinkOptions
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return confidence and margin of each local speaker."""
    from scipy.special import expit

    confidence = np.full(len(speaker), np.nan, dtype=np.float32)
    margin = confidence.copy()
    linked = np.flatnonzero(speaker >= 0)
    for low in range(0, len(linked), _BLOCK_ROWS):
        rows = linked[low : low + _BLOCK_ROWS]
        nearest = np.fmax.reduce(speakers.affinities(rows), axis=1)
        own = speakers.own(rows, speaker[rows])
        margin[rows] = np.where(np.isnan(own), options.same, own) - nearest
        distance = np.fmin(own - options.same, margin[rows])  # NaN only where both are
        confidence[rows] = expit(distance / options.softness)
    return confidence, margin

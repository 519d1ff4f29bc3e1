"""Find out what cosines mean in an archive, from a part of it that is large enough to tell."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from storage.records import FloatArray
from tasks.linking.clusters import Clusters, Voices, cluster
from tasks.linking.quality import noise_of
from tasks.linking.returning import returning_share
from tasks.linking.space import VoiceSpace, fit_space, prior_space
from tasks.linking.voices import BoolArray, IntArray, VoicePrior

_FEWEST_VOICES, _MOST_VOICES = 1_000, 20_000
_SHARE = 10
"""Of large archives one voice in so many is enough, between those numbers."""


def calibrate(
    vectors: FloatArray,
    quality: FloatArray,
    recording: IntArray,
    chunks: Sequence[set[int]],
    prior: VoicePrior,
    *,
    same_nats: float,
    together_nats: float,
) -> VoiceSpace:
    """Return the space in which the archive's voices are to be compared; how many return, a part does not tell.

    How much is to be taken out of voices depends on who is who, which nobody knows at first: voices are linked by the
    prior, and again with what the people found say.

    Args:
        vectors: One finite unit vector per local speaker, sorted by recording, shape ``(n, dim)``.
        quality: Of each.
        recording: Of each.
        chunks: In which each was heard, as in ``Voices``.
        prior: Of the model.
        same_nats: As in ``LinkOptions``.
        together_nats: As in ``Clusters.of_each``.
    """

    def voices_in(space: VoiceSpace) -> Voices:
        return Voices(
            vectors=space.project(vectors, recording),
            noise=noise_of(quality, space.noise),
            chunks=chunks,
            scale=space.scale,
        )

    space = prior_space(vectors.shape[1], prior)
    for is_first in (True, False):
        found = Clusters.of_each(voices_in(space), together_nats=together_nats)
        pairs = found.near_pairs()
        if not is_first:
            space = replace(space, returning=returning_share(len(vectors), pairs))
        cluster(found, pairs, same_nats=space.match_nats(same_nats))
        people = np.unique(found.part_of, return_inverse=True)[1]
        space = fit_space(vectors, quality, recording, people, prior)
    return space


def sample_recordings(recording: IntArray, recording_ids: tuple[str, ...]) -> BoolArray:
    """Return which voices to calibrate with: all voices of recordings drawn by their names' hashes."""
    enough = min(max(_FEWEST_VOICES, len(recording) // _SHARE), _MOST_VOICES)
    if len(recording) <= enough:
        return np.ones(len(recording), bool)
    present = np.unique(recording)
    wanted = max(1, len(present) * enough // len(recording))
    hashes = [hashlib.sha256(recording_ids[place].encode()).hexdigest() for place in present.tolist()]
    return np.isin(recording, present[np.argsort(np.array(hashes))[:wanted]])

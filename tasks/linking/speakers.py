"""The reduce: which local speakers of an archive are the same person."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from tasks.linking.calibrate import calibrate, sample_recordings
from tasks.linking.certainty import Certainty, Odds, Rivals, candidates_of, certainty_of, rivals_of
from tasks.linking.clusters import Clusters, Voices, attach, cluster
from tasks.linking.constraints import NO_CONSTRAINTS, Constraints
from tasks.linking.local import LocalSpeakers
from tasks.linking.quality import noise_of
from tasks.linking.returning import returning_share
from tasks.linking.space import VoiceSpace
from tasks.linking.voices import BoolArray, IntArray, VoicePrior, has_voice

UnlinkedReason = Literal["no_fingerprint", "too_little_speech", "forgotten"]
"""Why a local speaker has no speaker: nothing to compare; too little clean speech to found a speaker or to join one;
or people said that it is to be forgotten."""
Basis = Literal["clustered", "attached", "decided"]
"""How a local speaker came to its speaker: as one of those that speakers are made of, afterwards, or by people's word
alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkOptions:
    """When local speakers of different recordings are one person; log-odds in nats."""

    same_nats: float = 2.0
    """What must speak for two groups of local speakers being one person where half of all voices are heard again,
    besides the logarithm of the number of people that it could be."""
    together_nats: float = 10.0
    """What must speak for it besides, for each chunk in which both are heard: its diarizer has split one person."""
    softness: float = 2.0
    """Nats that count as one when confidence is told: voices are less independent than the model takes them to be."""
    min_speech_ms: int = 2_000
    """With less speech a local speaker founds no speaker; it may join one."""
    whole_below: int = 2_000
    """With fewer local speakers a lake is linked as a whole every time: it takes no time."""
    most_growth: float = 0.1
    """Share of the local speakers linked as a whole that may be added before the whole is linked again."""
    fragment_ms: int = 5_000
    """A speaker with less speech in all, heard in one recording alone, is a fragment: it has an ID and counts as nobody
    until more of it is found."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Found:
    """The people of an archive, as further voices may be compared with them."""

    space: VoiceSpace
    clusters: Clusters
    speaker_of: IntArray
    """Number of the speaker that each row of the groups is; -1 for rows that are nobody."""
    rivals: Rivals


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Links:
    """One row per local speaker, in their order."""

    speaker: IntArray
    """Number of the speaker, counted by first local speaker; -1 where there is none."""
    certainty: Certainty
    reason: tuple[UnlinkedReason | None, ...]
    """Why there is no speaker."""
    basis: tuple[Basis | None, ...]
    """How it came to its speaker."""
    found: Found | None
    """What was compared; None where there was nothing."""


def link_speakers(
    local: LocalSpeakers,
    prior: VoicePrior,
    *,
    options: LinkOptions | None = None,
    constraints: Constraints | None = None,
) -> Links:
    """Return the speakers of an archive.

    Args:
        local: local speakers of all recordings (``tasks.linking.local``).
        prior: scale of the model's cosines.
        options: what must speak for one person.
        constraints: what people decided.
    """
    options, constraints = options or LinkOptions(), constraints or NO_CONSTRAINTS
    heard, is_seed = _usable(local, options, constraints)
    group = np.full(len(local), -1)
    if not is_seed.any():
        return _links(local, group, np.zeros(len(local), bool), None, Certainty.unknown(len(local)), constraints)
    space = _calibrated(local, heard[is_seed], prior, options)
    voices = voices_in(space, local, heard)
    seeds, short = np.flatnonzero(is_seed), np.flatnonzero(~is_seed)
    clusters = Clusters.of_each(
        voices.take(seeds, *_among(constraints, heard[seeds])), together_nats=options.together_nats
    )
    pairs = clusters.near_pairs()
    space = replace(space, returning=returning_share(len(seeds), pairs))
    same_nats = space.match_nats(options.same_nats)
    cluster(clusters, pairs, same_nats=same_nats)
    of_voice = np.full(len(heard), -1)
    of_voice[seeds] = clusters.part_of
    of_voice[short] = attach(clusters, voices.take(short), same_nats=same_nats)
    odds = Odds(same_nats=same_nats, softness=options.softness, returning=space.returning)
    near = candidates_of(voices, clusters)
    certainty = certainty_of(voices, seeds, np.arange(len(seeds)), of_voice, clusters, near, odds)
    group[heard] = clusters.people(of_voice)
    speaker, speaker_of_person = _numbered(group, len(seeds))
    rows = clusters.alive()
    speaker_of = np.full(len(seeds), -1)
    speaker_of[rows] = speaker_of_person[clusters.people(rows)]
    found = Found(
        space=space,
        clusters=clusters,
        speaker_of=speaker_of,
        rivals=rivals_of(clusters, of_voice, near, odds),
    )
    wide_seed = np.zeros(len(local), bool)
    wide_seed[heard] = is_seed
    return _links(local, speaker, wide_seed, found, certainty.spread(heard, len(local)), constraints)


def voices_in(space: VoiceSpace, local: LocalSpeakers, rows: IntArray) -> Voices:
    """Return some local speakers, all of their recordings, as voices of a space."""
    return Voices(
        vectors=space.project(local.vectors, local.recording, rows),
        noise=noise_of(local.quality[rows], space.noise),
        chunks=local.chunks_of(rows),
        scale=space.scale,
    )


def _usable(local: LocalSpeakers, options: LinkOptions, constraints: Constraints) -> tuple[IntArray, BoolArray]:
    """Return the local speakers that can be compared, and which of these may found a speaker.

    People's word needs no length.
    """
    is_usable = has_voice(local.vectors)
    is_usable[constraints.forgotten] = False
    may_found = local.speech_ms >= options.min_speech_ms
    for rows in (*constraints.together, *(side for sides in constraints.apart for side in sides)):
        may_found[rows] = True
    heard = np.flatnonzero(is_usable)
    return heard, may_found[heard]


def _calibrated(local: LocalSpeakers, rows: IntArray, prior: VoicePrior, options: LinkOptions) -> VoiceSpace:
    some = rows[sample_recordings(local.recording[rows], local.recording_ids)]
    return calibrate(
        local.vectors[some],
        local.quality[some],
        local.recording[some],
        local.chunks_of(some),
        prior,
        same_nats=options.same_nats,
        together_nats=options.together_nats,
    )


def _among(
    constraints: Constraints, rows: IntArray
) -> tuple[tuple[IntArray, ...], tuple[tuple[IntArray, IntArray], ...]]:
    """Return people's word in places among rows, which are sorted; rows that are not there are left out.

    What was said of somebody who is not there holds for those who were said to be the same person.
    """
    person = {row: group for group in constraints.together for row in group.tolist()}

    def places(some: IntArray) -> IntArray:
        found: IntArray = np.searchsorted(rows, some[np.isin(some, rows)])
        return found

    def side(some: IntArray) -> IntArray:
        return places(np.unique(np.concatenate([some, *(person[row] for row in some.tolist() if row in person)])))

    together = tuple(places(some) for some in constraints.together)
    return together, tuple((side(ours), side(theirs)) for ours, theirs in constraints.apart)


def _numbered(group: IntArray, n_groups: int) -> tuple[IntArray, IntArray]:
    """Return speakers numbered by their first row, -1 staying, and the number of each group."""
    present, first = np.unique(group[group >= 0], return_index=True)
    speaker_of = np.full(n_groups, -1)
    speaker_of[present[np.argsort(first)]] = np.arange(len(present))
    return np.where(group >= 0, speaker_of[group], -1), speaker_of


def _links(
    local: LocalSpeakers,
    speaker: IntArray,
    is_seed: BoolArray,
    found: Found | None,
    certainty: Certainty,
    constraints: Constraints,
) -> Links:
    """Return links, with those whom only people's word joins to a speaker, and with reasons."""
    speaker = speaker.copy()
    basis = [
        basis_of(is_linked=number >= 0, is_seed=seed)
        for number, seed in zip(speaker.tolist(), is_seed.tolist(), strict=True)
    ]
    for rows in constraints.together:
        known = speaker[rows][speaker[rows] >= 0]
        for row in rows[speaker[rows] < 0].tolist() if len(known) else ():
            speaker[row], basis[row] = known[0], "decided"
    forgotten = set(constraints.forgotten.tolist())
    heard = has_voice(local.vectors)
    return Links(
        speaker=speaker,
        certainty=certainty,
        reason=tuple(
            reason_of(is_linked=number >= 0, is_heard=bool(heard[row]), is_forgotten=row in forgotten)
            for row, number in enumerate(speaker.tolist())
        ),
        basis=tuple(basis),
        found=found,
    )


def basis_of(*, is_linked: bool, is_seed: bool) -> Basis | None:
    """Return how a local speaker came to its speaker, if it has one."""
    if not is_linked:
        return None
    return "clustered" if is_seed else "attached"


def reason_of(*, is_linked: bool, is_heard: bool, is_forgotten: bool = False) -> UnlinkedReason | None:
    """Return why a local speaker has no speaker, if it has none."""
    if is_linked:
        return None
    if is_forgotten:
        return "forgotten"
    return "too_little_speech" if is_heard else "no_fingerprint"

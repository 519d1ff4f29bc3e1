"""How sure links are: what speaks for a voice's own speaker, against the runner-up and against nobody."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from storage.records import FloatArray
from tasks.linking.clusters import Clusters, Voices, bar
from tasks.linking.neighbours import nearest
from tasks.linking.voices import BoolArray, IntArray, ScoreArray

_RIVALS = 5
"""Nearest speakers that are looked at, a voice's own among them."""
_UNRECOGNISED = 0.1
"""Share of the voices that are heard again which are too odd for that to be found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """What is expected before anybody listens."""

    same_nats: float
    """As in ``cluster``."""
    softness: float
    """Nats that count as one."""
    returning: float
    """Share of voices that are heard again, in (0, 1)."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Certainty:
    """One row per voice; log-odds in nats, above the bar that any match has to reach."""

    own: ScoreArray
    """What speaks for the voice being one of its speaker's other voices; 0 where it is the only one; NaN where it has
    no speaker."""
    rival: ScoreArray
    """What speaks for the likeliest other speaker, NaN where it could be no other."""
    confidence: FloatArray
    """Probability in [0, 1] that it is this speaker, not somebody else and not nobody; NaN where there is nobody else
    to compare with."""

    @property
    def margin(self) -> FloatArray:
        """Return what speaks for the speaker, less what speaks for the runner-up, in nats; NaN where there is none."""
        return (self.own - self.rival).astype(np.float32)

    @classmethod
    def unknown(cls, count: int) -> Certainty:
        """Return what is known of voices before they are compared."""
        nothing = np.full(count, np.nan)
        return cls(own=nothing, rival=nothing.copy(), confidence=nothing.astype(np.float32))

    def first(self, count: int) -> Certainty:
        """Return the same of the first voices alone."""
        return Certainty(own=self.own[:count], rival=self.rival[:count], confidence=self.confidence[:count])

    def spread(self, rows: IntArray, count: int) -> Certainty:
        """Return the same where these voices are some rows of many."""
        wide = Certainty.unknown(count)
        for name in ("own", "rival", "confidence"):
            getattr(wide, name)[rows] = getattr(self, name)
        return wide


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rivals:
    """People that come nearest to each other: one row per pair, by rows of their groups."""

    group: IntArray
    other: IntArray
    nats: ScoreArray
    """What speaks for the two being one, above the bar."""
    confidence: FloatArray
    """Probability in [0, 1] that they are."""


def certainty_of(
    voices: Voices,
    seed: IntArray,
    seed_row: IntArray,
    group: IntArray,
    clusters: Clusters,
    near: IntArray,
    odds: Odds,
) -> Certainty:
    """Return how sure the group of each voice is.

    Args:
        voices: All voices, in the space of the clusters.
        seed: Those of the voices that were clustered.
        seed_row: Row of the groups that each of these began as.
        group: Of each voice; -1 for none.
        clusters: The people.
        near: Who may be each (``candidates_of``).
        odds: What is expected before anybody listens.
    """
    least = bar(len(clusters.alive()), odds.same_nats)
    others = _others(voices, group, clusters, near) - least
    own = np.full(len(voices), np.nan)
    own[group >= 0] = _own(voices, seed, seed_row, group, clusters)[group >= 0] - least
    size = np.bincount(clusters.part_of, minlength=len(clusters.part_of))
    size += np.bincount(np.delete(group, seed)[np.delete(group, seed) >= 0], minlength=len(size))
    own[(group >= 0) & (size[group] == 1)] = 0.0
    rival = np.fmax.reduce(others, axis=1) if others.shape[1] else np.full(len(voices), np.nan)
    is_alone = (group < 0) | (size[group] == 1)
    missed = np.where(is_alone, _UNRECOGNISED * odds.returning / (1 - odds.returning), 1.0)
    confidence = _probability(own, others, odds.softness, missed)
    confidence[np.isnan(rival) & is_alone] = np.nan
    return Certainty(own=own, rival=rival, confidence=confidence)


def candidates_of(voices: Voices, clusters: Clusters) -> IntArray:
    """Return rows of the groups that come nearest to each voice, shape ``(n, candidates)``."""
    alive = clusters.alive()
    near, _ = nearest(voices.vectors, clusters.centres(alive), _RIVALS)
    groups: IntArray = np.where(near >= 0, alive[np.maximum(near, 0)], -1)
    return groups


def rivals_of(clusters: Clusters, group: IntArray, near: IntArray, odds: Odds) -> Rivals:
    """Return which people come nearest to each, as far as these came near one of their voices.

    Args:
        clusters: The people.
        group: Of each voice; -1 for none.
        near: Who may be each voice (``candidates_of``).
        odds: What is expected before anybody listens.
    """
    from scipy.special import expit

    count = len(clusters.part_of)
    one, other = np.repeat(group, near.shape[1]), near.ravel()
    real = (one >= 0) & (other >= 0)
    one, other = np.divmod(np.unique(one[real] * count + other[real]), count)
    apart = clusters.people(one) != clusters.people(other)
    one, other = one[apart], other[apart]
    nats = clusters.groups.between(one, other) - bar(len(clusters.alive()), odds.same_nats)
    return Rivals(group=one, other=other, nats=nats, confidence=expit(nats / odds.softness).astype(np.float32))


def _own(voices: Voices, seed: IntArray, seed_row: IntArray, group: IntArray, clusters: Clusters) -> ScoreArray:
    own = np.full(len(voices), np.nan)
    own[seed] = clusters.groups.left_by(voices.vectors, voices.noise, seed_row, group[seed], seed)
    attached = np.setdiff1d(np.flatnonzero(group >= 0), seed)
    own[attached] = clusters.groups.joined_by(voices.vectors, voices.noise, group[attached], attached)
    return own


def _others(voices: Voices, group: IntArray, clusters: Clusters, candidate: IntArray) -> ScoreArray:
    """Return what speaks for other groups, shape ``(n, candidates)``; NaN where it could not be."""
    possible = (candidate >= 0) & (clusters.people(candidate) != clusters.people(group)[:, None])
    voice, place = np.nonzero(possible)
    score = np.full(candidate.shape, np.nan)
    together = _are_together(voices, clusters.people(group), voice, clusters.people(candidate)[voice, place])
    voice, place = voice[~together], place[~together]
    score[voice, place] = clusters.groups.joined_by(voices.vectors, voices.noise, candidate[voice, place], voice)
    return score


def _are_together(voices: Voices, person: IntArray, voice: IntArray, other: IntArray) -> BoolArray:
    """Return which pairs of a voice and another person were heard in one chunk.

    Args:
        voices: All voices.
        person: Of each voice; -1 for none.
        voice: Voice of each pair.
        other: Other person of each pair.
    """
    sizes = np.array([len(some) for some in voices.chunks], np.int64)
    chunk = np.fromiter(chain.from_iterable(voices.chunks), np.int64, int(sizes.sum()))
    width = int(chunk.max(initial=0)) + 1
    bearer = np.repeat(person, sizes)
    heard = np.unique(bearer[bearer >= 0] * width + chunk[bearer >= 0])
    first = np.cumsum(sizes) - sizes
    pair = np.repeat(np.arange(len(voice)), sizes[voice])
    within = np.arange(len(pair)) - np.repeat(np.cumsum(sizes[voice]) - sizes[voice], sizes[voice])
    key = other[pair] * width + chunk[first[voice[pair]] + within]
    found = np.zeros(len(voice), bool)
    at = np.searchsorted(heard, key)
    is_there = heard[np.minimum(at, len(heard) - 1)] == key if len(heard) else np.zeros(len(key), bool)
    found[pair[is_there]] = True
    return found


def _probability(own: ScoreArray, others: ScoreArray, softness: float, nobody: ScoreArray) -> FloatArray:
    """Return the share of the own speaker among all that it could be.

    Args:
        own: What speaks for it, above the bar; NaN counts as the bar.
        others: What speaks for others; NaN for none.
        softness: Nats that count as one.
        nobody: Weight of its being somebody who is not known, or not to be recognised; that of a match at the bar is 1.
    """
    rivals = np.exp(np.minimum(np.nan_to_num(others, nan=-np.inf), 500.0) / softness).sum(axis=1)
    mine = np.exp(np.minimum(np.nan_to_num(own, nan=0.0), 500.0) / softness)
    confidence: FloatArray = (mine / (mine + nobody + rivals)).astype(np.float32)
    return confidence

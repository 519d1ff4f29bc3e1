"""From voices in one space to people: candidate pairs, merged from the surest on, looked for again between groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from storage.records import FloatArray
from tasks.linking.agglomerate import Pairs, agglomerate
from tasks.linking.company import Company
from tasks.linking.evidence import VoiceGroups
from tasks.linking.neighbours import nearest
from tasks.linking.voices import IntArray, ScoreArray, VoiceScale, normalise

_NEIGHBOURS = 8
"""Nearest voices, and groups, that are candidates for each."""
_CANDIDATES = 4
"""Groups that a voice may be attached to."""
_WORTH_LOOKING = 0.05
"""Groups look for further groups as long as such a share of them finds one; after that there is next to nothing."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Voices:
    """Voices to be linked, in a space in which they may be compared."""

    vectors: FloatArray
    """Unit rows, shape ``(n, dim)``."""
    noise: ScoreArray
    chunks: Sequence[set[int]]
    """In which each was heard, by numbers that mean one chunk of one recording."""
    scale: VoiceScale
    together: Sequence[IntArray] = ()
    """Voices that people said are one person."""
    apart: Sequence[tuple[IntArray, IntArray]] = ()
    """Voices of which people said that none is one person with any of the others."""

    def __len__(self) -> int:
        """Return the number of voices."""
        return len(self.noise)

    def take(
        self,
        rows: IntArray,
        together: Sequence[IntArray] = (),
        apart: Sequence[tuple[IntArray, IntArray]] = (),
    ) -> Voices:
        """Return some of the voices, with what people said of these."""
        return Voices(
            vectors=self.vectors[rows],
            noise=self.noise[rows],
            chunks=[self.chunks[row] for row in rows.tolist()],
            scale=self.scale,
            together=together,
            apart=apart,
        )


@dataclass(slots=True)
class Clusters:
    """Voices on their way to people."""

    groups: VoiceGroups
    company: Company
    part_of: IntArray
    """Group of each voice, being the row of ``groups`` that stands for it."""

    @classmethod
    def of_each(cls, voices: Voices, *, together_nats: float) -> Self:
        """Return the voices, each a group of its own.

        Args:
            voices: What is to be linked, in an order that follows from nothing but the voices themselves.
            together_nats: What must speak for two being one besides, for each chunk in which both were heard.
        """
        return cls(
            groups=VoiceGroups(voices.vectors, voices.noise, voices.scale),
            company=Company([set(some) for some in voices.chunks], together_nats, voices.together, voices.apart),
            part_of=np.arange(len(voices)),
        )

    def near_pairs(self) -> Pairs:
        """Return each group with those that come nearest to it."""
        alive = self.alive()
        return Pairs(self.groups, *near_pairs(self.centres(alive), alive))

    def alive(self) -> IntArray:
        """Return the groups that there are."""
        return np.flatnonzero(self.part_of == np.arange(len(self.part_of)))

    def people(self, groups: IntArray) -> IntArray:
        """Return the group that stands for the person of each group; -1 stays."""
        return np.where(groups >= 0, self.company.people()[groups], -1)

    def centres(self, some: IntArray) -> FloatArray:
        """Return mean directions of groups."""
        centres = self.groups.sums[some]
        normalise(centres)
        return centres


def cluster(found: Clusters, pairs: Pairs, *, same_nats: float) -> None:
    """Merge groups until they are people.

    Of many people one at random is seldom the right one, so the more there are, the more must speak for a match: the
    logarithm of their number. Nobody knows it at first; merging begins with the number of voices and goes on with the
    number of groups.

    Args:
        found: Changed in place.
        pairs: Its ``near_pairs``; used up.
        same_nats: What must speak for two being one besides that, in nats.
    """
    while merge(found, pairs, same_nats) > _WORTH_LOOKING:
        pairs = found.near_pairs()


def bar(n_people: int, same_nats: float) -> float:
    """Return what must speak for a match among so many people, in nats."""
    return float(np.log(max(n_people, 1))) + same_nats


def attach(found: Clusters, voices: Voices, *, same_nats: float) -> IntArray:
    """Return the group that further voices join, -1 where they join none; of rivals for one, the likeliest goes first.

    Args:
        found: The people; how they sound stays as it is.
        voices: Voices that are too little to be people of their own.
        same_nats: What must speak for a voice being one of a group.
    """
    alive = found.alive()
    near, _ = nearest(voices.vectors, found.centres(alive), _CANDIDATES)
    voice, group = np.repeat(np.arange(len(voices)), near.shape[1]), alive[near.ravel()]
    score = found.groups.joined_by(voices.vectors, voices.noise, group, voice)
    joined = np.full(len(voices), -1)
    enough = bar(len(alive), same_nats)
    for at in np.lexsort((group, voice, -score)).tolist():
        who, where = int(voice[at]), int(group[at])
        if score[at] < enough:
            break
        if joined[who] < 0 and found.company.chunks_of(where).isdisjoint(voices.chunks[who]):
            joined[who] = where
            found.company.chunks_of(where).update(voices.chunks[who])
    return joined


def near_pairs(vectors: FloatArray, names: IntArray) -> tuple[IntArray, IntArray]:
    """Return pairs of neighbours, as the names of the two."""
    near, _ = nearest(vectors, vectors, _NEIGHBOURS + 1)
    one, other = np.repeat(np.arange(len(vectors)), near.shape[1]), near.ravel().astype(np.int64)
    real = (other >= 0) & (one != other)
    return names[one[real]], names[other[real]]


def merge(found: Clusters, pairs: Pairs, same_nats: float) -> float:
    """Merge what pairs of groups allow; return the share of groups that are part of another now."""
    before = len(found.alive())
    new = agglomerate(
        found.groups,
        pairs,
        bar=bar(before, same_nats),
        objection=found.company.objection,
        merged=found.company.merged,
    )
    found.part_of = new[found.part_of]
    return 1 - len(found.alive()) / before

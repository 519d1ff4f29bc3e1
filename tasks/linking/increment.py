"""Link voices that came later to the people known already, and to each other.

What cosines mean is as it was when the archive was last linked as a whole. A known person changes only where a new
voice joins it: it may then also turn out to be one with another.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storage.records import FloatArray
from tasks.linking.agglomerate import Pairs
from tasks.linking.certainty import Certainty, Odds, Rivals, candidates_of, certainty_of, rivals_of
from tasks.linking.clusters import Clusters, Voices, attach, merge, near_pairs
from tasks.linking.company import Company
from tasks.linking.evidence import KnownGroups, VoiceGroups
from tasks.linking.neighbours import nearest
from tasks.linking.space import VoiceSpace
from tasks.linking.speakers import LinkOptions
from tasks.linking.voices import BoolArray, IntArray, normalised

_CANDIDATES = 16
"""Known people that are candidates for each new voice."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Addition:
    """What came of further voices; people are rows of the known, and after these rows of the new voices."""

    group: IntArray
    """Of each new voice; -1 for none."""
    is_seed: BoolArray
    became: IntArray
    """Row that each known person is part of now; mostly its own."""
    certainty: Certainty
    rivals: Rivals
    """Of those whom a new voice joined, and of new people."""
    groups: KnownGroups
    """All people there are now."""
    rows: IntArray
    """Row of each of these."""


def add_voices(
    known: KnownGroups,
    space: VoiceSpace,
    voices: Voices,
    is_seed: BoolArray,
    options: LinkOptions,
    *,
    together: Sequence[IntArray] = (),
    apart: Sequence[tuple[IntArray, IntArray]] = (),
) -> Addition:
    """Return the people of new voices.

    Args:
        known: People, as kept when they were last linked.
        space: What cosines meant then.
        voices: Of recordings that were not linked yet, in that space.
        is_seed: Which of them may be a person of their own.
        options: As in ``link_speakers``.
        together: Rows of the known that are one person.
        apart: Rows of the known of which none is ever one person with any of others.
    """
    count = len(known.precision)
    seeds, short = np.flatnonzero(is_seed), np.flatnonzero(~is_seed)
    fresh = voices.take(seeds)
    clusters = Clusters(
        groups=VoiceGroups.restored(known, space.scale).extended(fresh.vectors, fresh.noise),
        company=Company(
            [*(set() for _ in range(count)), *map(set, fresh.chunks)], options.together_nats, together, apart
        ),
        part_of=np.arange(count + len(seeds)),
    )
    same_nats = space.match_nats(options.same_nats)
    _merge_new(clusters, known, fresh.vectors, same_nats)
    group = np.full(len(voices), -1)
    group[seeds] = clusters.part_of[count:]
    group[short] = attach(clusters, voices.take(short), same_nats=same_nats)
    odds = Odds(same_nats=same_nats, softness=options.softness, returning=space.returning)
    near = candidates_of(voices, clusters)
    certainty = certainty_of(voices, seeds, count + np.arange(len(seeds)), group, clusters, near, odds)
    rows = clusters.alive()
    return Addition(
        group=group,
        is_seed=is_seed,
        became=clusters.part_of[:count],
        certainty=certainty,
        rivals=rivals_of(clusters, group, near, odds),
        groups=clusters.groups.kept(rows),
        rows=rows,
    )


def _merge_new(clusters: Clusters, known: KnownGroups, fresh: FloatArray, same_nats: float) -> None:
    """Merge new voices with each other and with known people; then those whom they joined with others."""
    count = len(known.precision)
    near, _ = nearest(fresh, normalised(known.sums), _CANDIDATES)
    voice = count + np.repeat(np.arange(len(fresh)), near.shape[1])
    one, other = near_pairs(fresh, count + np.arange(len(fresh)))
    merge(clusters, Pairs(clusters.groups, np.r_[voice, one], np.r_[near.ravel(), other]), same_nats)
    alive = clusters.alive()
    touched = np.unique(clusters.part_of[count:])
    near, _ = nearest(clusters.centres(touched), clusters.centres(alive), _CANDIDATES)
    pairs = Pairs(clusters.groups, np.repeat(touched, near.shape[1]), alive[near.ravel()])
    merge(clusters, pairs, same_nats)

"""Merge groups of voices, the surest first, along candidate pairs; many merges a round.

In a round every group chooses the other that most speaks for. Two that choose each other become one; so does a small
group with a large one that it has chosen, for it is the large one's voice whomever that would rather have. Rounds end
when no pair has enough speaking for it. A round costs time in the candidate pairs alone.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from tasks.linking.evidence import VoiceGroups
from tasks.linking.voices import IntArray, ScoreArray

_SLACK = 6.0
"""A pair so far below the bar, in nats, may yet rise above it when one of the two has grown."""
_MUCH_MORE = 3.0
"""A group with so many times the precision takes in a smaller one that has chosen it."""

Objection = Callable[[int, int], float]
"""What speaks against two groups being one besides their voices, in nats; infinite where it is certain."""
Merged = Callable[[int, int], None]
"""Told that the second group is now part of the first."""


class Pairs:
    """Candidate pairs of groups, each once with the smaller number first, and what speaks for them, in nats."""

    def __init__(self, groups: VoiceGroups, one: IntArray, other: IntArray) -> None:
        """Take pairs in any order, also twice or with themselves."""
        self._count = len(groups)
        self.one, self.other, self.score = self._scored(groups, one, other)

    def forget_below(self, worth: float) -> None:
        """Forget pairs with less speaking for them."""
        kept = self.score > worth
        self.one, self.other, self.score = self.one[kept], self.other[kept], self.score[kept]

    def choices(self, bar: float) -> tuple[IntArray, IntArray, IntArray]:
        """Return pairs that a group has chosen: (pair, how many chose it, who did), the best first."""
        if not (self.score > bar).any():
            return (np.empty(0, np.int64),) * 3
        pair = np.flatnonzero(self.score > bar)
        order = pair[self._from_worst(pair)]
        best = np.full(self._count, -1)
        # Of several values for one place the last stays: the best, since they are sorted.
        best[np.stack([self.one[order], self.other[order]], axis=1).ravel()] = np.repeat(order, 2)
        group = np.flatnonzero(best >= 0)
        chosen, first, votes = np.unique(best[group], return_index=True, return_counts=True)
        by_score = np.lexsort((self.other[chosen], self.one[chosen], -self.score[chosen]))
        return chosen[by_score], votes[by_score], group[first][by_score]

    def _from_worst(self, pair: IntArray) -> IntArray:
        """Return places that sort pairs by score, those of equal score by their names."""
        score = self.score[pair]
        order: IntArray = np.argsort(score)
        if (score[order[1:]] == score[order[:-1]]).any():  # sorting by all three takes three times as long
            order = np.lexsort((self.other[pair], self.one[pair], score))
        return order

    def renew(self, groups: VoiceGroups, new_number: IntArray, grown: IntArray) -> None:
        """Follow merges, and score again what has changed."""
        has_grown = np.zeros(self._count, bool)
        has_grown[grown] = True
        one, other = new_number[self.one], new_number[self.other]
        changed = has_grown[one] | has_grown[other]
        fresh = self._scored(groups, one[changed], other[changed])
        self.one, self.other, self.score = (
            np.concatenate([kept[~changed], new]) for kept, new in zip((one, other, self.score), fresh, strict=True)
        )

    def _scored(self, groups: VoiceGroups, one: IntArray, other: IntArray) -> tuple[IntArray, IntArray, ScoreArray]:
        low, high = np.minimum(one, other), np.maximum(one, other)
        apart = low != high
        one, other = np.divmod(_distinct(low[apart] * self._count + high[apart]), self._count)
        return one, other, groups.between(one, other)


def _distinct(numbers: IntArray) -> IntArray:
    """Return each number once, sorted; sorting is the fastest way to many large numbers."""
    numbers = np.sort(numbers)
    is_new = np.ones(len(numbers), bool)
    is_new[1:] = numbers[1:] != numbers[:-1]
    distinct: IntArray = numbers[is_new]
    return distinct


def agglomerate(groups: VoiceGroups, pairs: Pairs, *, bar: float, objection: Objection, merged: Merged) -> IntArray:
    """Merge groups and return the group that each row is part of now.

    Args:
        groups: Changed in place.
        pairs: Candidates among the groups; used up.
        bar: What must speak for a pair, in nats.
        objection: Asked before a merge.
        merged: Told of a merge.
    """
    part_of = np.arange(len(groups))
    while True:
        pairs.forget_below(bar - _SLACK)
        chosen, votes, chooser = pairs.choices(bar)
        if not len(chosen):
            return part_of
        kept, gone = _by_weight(groups.precision, pairs.one[chosen], pairs.other[chosen])
        much_more = groups.precision[kept] >= _MUCH_MORE * groups.precision[gone]
        is_sure = (votes == 2) | ((chooser == gone) & much_more)  # noqa: PLR2004
        chosen, kept, gone = chosen[is_sure], kept[is_sure], gone[is_sure]
        done = _merge_in_turn(pairs, chosen, kept, gone, bar, objection, merged)
        if done.any():
            step = np.arange(len(part_of))
            step[gone[done]] = kept[done]
            groups.merge(kept[done], gone[done])
            part_of = step[part_of]
            pairs.renew(groups, step, kept[done])


def _by_weight(precision: ScoreArray, one: IntArray, other: IntArray) -> tuple[IntArray, IntArray]:
    """Return of each pair the group with more behind it, which stays, and the one that becomes part of it."""
    kept: IntArray = np.where(precision[one] >= precision[other], one, other)
    return kept, one + other - kept


def _merge_in_turn(
    pairs: Pairs,
    chosen: IntArray,
    kept: IntArray,
    gone: IntArray,
    bar: float,
    objection: Objection,
    merged: Merged,
) -> NDArray[np.bool_]:
    """Return which merges were made; nobody goes who received in the same round, and nobody receives who went.

    What is objected to weighs less from now on, so that every round either merges or leaves fewer pairs.
    """
    done = np.zeros(len(chosen), bool)
    has_gone: set[int] = set()
    has_received: set[int] = set()
    for at, (stays, goes) in enumerate(zip(kept.tolist(), gone.tolist(), strict=True)):
        if goes in has_received or goes in has_gone or stays in has_gone:
            continue
        against = objection(stays, goes)
        if against:
            pairs.score[chosen[at]] -= against
            if pairs.score[chosen[at]] <= bar:
                continue
        merged(stays, goes)
        has_gone.add(goes)
        has_received.add(stays)
        done[at] = True
    return done

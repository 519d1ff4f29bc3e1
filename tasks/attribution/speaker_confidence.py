"""How sure it is that a word is its speaker's."""

from __future__ import annotations

import numpy as np

from storage.records import FloatArray
from tasks.attribution.claims import Pieces, held
from tasks.attribution.columns import NOBODY, BoolArray, IntArray, TurnTimes, WordTimes

OUTSIDE = 0.8
"""Of words that no turn touches, given to the nearest edge: turns are missed, and then somebody else spoke."""
FOLLOWED = 0.5
"""The least for a word that its sentence took from those whose turns it lies in: one of the two is wrong."""


def speaker_confidence(
    words: WordTimes,
    speaker: IntArray,
    *,
    is_outside: BoolArray,
    has_followed: BoolArray,
    everybody: Pieces,
    exclusive: TurnTimes,
    seam_ms: int,
) -> FloatArray:
    """Return the probability that each word of one channel is its speaker's; NaN for nobody.

    Edges of turns and of words are off by a few hundred milliseconds, so what a word lies in says less than what lies
    around it. If it may be anywhere within ``seam_ms`` of where it seems to be, its speaker is right as often as the
    share of that time, of all that anybody's turns hold, which is theirs: 1 in the middle of a turn, a half at a
    change of speaker or where two talk at once. That times the confidence of the turn, where the diarizer tells one.

    Args:
        words: words of one channel, each ending after its start.
        speaker: index of the local speaker; -1 for nobody.
        is_outside: words that no turn touches.
        has_followed: words that were given to somebody else than their turns say.
        everybody: pieces of all turns.
        exclusive: the exclusive turns, with confidences.
        seam_ms: how far off edges may be.
    """
    own_ms, all_ms = held(words.start_ms - seam_ms, words.end_ms + seam_ms, everybody, speaker)
    share = np.where(all_ms > 0, own_ms / np.maximum(all_ms, 1), 1.0)
    share[is_outside] *= OUTSIDE
    share[has_followed] = np.maximum(share[has_followed], FOLLOWED)
    turn = _turn_confidence((words.start_ms + words.end_ms) // 2, speaker, exclusive)
    sure = share * np.where(np.isnan(turn), 1, turn)
    sure[speaker == NOBODY] = np.nan
    return sure.astype(np.float32)


def _turn_confidence(at_ms: IntArray, speaker: IntArray, exclusive: TurnTimes) -> FloatArray:
    """Return the confidence of the turn at each moment, where it is the given speaker's; NaN where unknown."""
    confidence = np.full(len(at_ms), np.nan, np.float32)
    order = np.lexsort((exclusive.end_ms, exclusive.start_ms))
    found = np.searchsorted(exclusive.start_ms[order], at_ms, side="right") - 1
    word = np.flatnonzero(found >= 0)
    turn = order[found[word]]
    inside = (at_ms[word] < exclusive.end_ms[turn]) & (speaker[word] == exclusive.speaker[turn])
    confidence[word[inside]] = exclusive.confidence[turn[inside]]
    return confidence

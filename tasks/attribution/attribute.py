"""Gives each word its speaker, from the turns, and says how sure that is.

The rule, per channel:

1. A word belongs to the speaker whose exclusive turns cover most of it, summed over the speaker's turns.
2. A word that no turn touches belongs to the nearest turn edge within ``max_gap_ms``; beyond that to nobody
   (``no_turn``), but for a channel that is one person's own: where a recording has several, it is theirs.
3. A word with a small margin, or with two equal claims, follows its sentence where that clearly has one speaker
   (``realign``). Where people talk at once the next words may be another's, so there it goes to whoever covers
   most of it counting all turns: exclusive ones have a seam wherever the louder voice changes.
4. The last words of a sentence that end up at the beginning of the next one's turn, or the first at the end of the
   turn before, go back to their sentence (``tasks.attribution.realign``).

Equal claims that none of this settles stay open (``tie``): to a reader a gap is better than a coin toss that looks
like knowledge.

Nothing is dropped, reordered or changed. Turns may come in any order, and speakers are compared by time, never by
name: under other names the answer is the same.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray, SpeakerReason
from tasks.attribution.claims import Pieces, claim, crowded, cut, touches
from tasks.attribution.columns import NOBODY, BoolArray, IntArray, TurnTimes, WordTimes
from tasks.attribution.realign import follow_sentence, spilled
from tasks.attribution.speaker_confidence import speaker_confidence

Columns = TypeVar("Columns", WordTimes, TurnTimes)

REASONS: tuple[SpeakerReason | None, ...] = (None, "no_turn", "tie")
"""What the codes in ``Attribution.reason`` mean."""
_KNOWN, _NO_TURN, _TIE = range(len(REASONS))


@dataclass(frozen=True, slots=True, kw_only=True)
class AttributeOptions:
    """How far a word may lie from a turn, and when it follows its sentence."""

    max_gap_ms: int = 500
    """A word outside all turns goes to a turn edge at most this far away."""
    weak_margin: float = 0.4
    """Words below this margin may follow their sentence; a word cut 70 to 30 has 0.4."""
    pause_ms: int = 300
    """A longer pause ends a sentence, whatever the punctuation."""
    seam_ms: int = 250
    """How far off the edges of turns and words may be: so near to a change of speaker, words may have run over from the
    sentence beside, and are less sure. 0 takes the turns' word for it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Attribution:
    """Who says each word: columns of the words' length and order."""

    speaker: IntArray
    """Index of the local speaker; -1 for nobody."""
    margin: FloatArray
    """Share of the word that the speaker covers beyond the runner-up, in [0, 1]; NaN for nobody.

    0 for a word outside all turns, and for one that follows its sentence against its own turns.
    """
    reason: NDArray[np.int8]
    """Why there is nobody: index into ``REASONS``."""
    is_overlapped: BoolArray
    """Whether, during the word, somebody else talks at the same time as others do.

    A change of speaker in the middle of a word is no overlap.
    """
    other_speaker: IntArray
    """Who else talks most in that overlap; -1 for nobody, or for several with equal shares."""
    confidence: FloatArray
    """Probability that the speaker is right, see ``tasks.attribution.speaker_confidence``; NaN for nobody."""


def attribute(
    words: WordTimes, exclusive: TurnTimes, turns: TurnTimes, *, options: AttributeOptions | None = None
) -> Attribution:
    """Return who says each word.

    Args:
        words: the words of one recording, all channels.
        exclusive: turns with at most one speaker at any time in a channel; they decide.
        turns: all turns, overlapping ones too; they tell who else talks, and decide weak words where several do.
        options: thresholds; None for the defaults.
    """
    n = len(words.start_ms)
    whole = Attribution(
        speaker=np.full(n, NOBODY),
        margin=np.full(n, np.nan, np.float32),
        reason=np.full(n, _NO_TURN, np.int8),
        is_overlapped=np.zeros(n, np.bool_),
        other_speaker=np.full(n, NOBODY),
        confidence=np.full(n, np.nan, np.float32),
    )
    has_channels = len(np.unique(np.concatenate([words.channel, exclusive.channel]))) > 1
    for channel in np.unique(words.channel):
        here = np.flatnonzero(words.channel == channel)
        own = _lasting(exclusive, channel)
        part = _attribute_channel(
            _pick(words, here),
            own,
            _lasting(turns, channel),
            _only_speaker(own) if has_channels else NOBODY,
            options or AttributeOptions(),
        )
        for column in fields(Attribution):
            getattr(whole, column.name)[here] = getattr(part, column.name)
    return whole


def _pick(table: Columns, rows: IntArray) -> Columns:
    return type(table)(**{column.name: getattr(table, column.name)[rows] for column in fields(table)})


def _lasting(turns: TurnTimes, channel: int) -> TurnTimes:
    """Return the turns of a channel, but for those without length."""
    return _pick(turns, np.flatnonzero((turns.channel == channel) & (turns.start_ms < turns.end_ms)))


def _only_speaker(turns: TurnTimes) -> int:
    return int(turns.speaker[0]) if len(turns.speaker) and (turns.speaker == turns.speaker[0]).all() else NOBODY


def _attribute_channel(
    words: WordTimes, exclusive: TurnTimes, turns: TurnTimes, owner: int, options: AttributeOptions
) -> Attribution:
    start = words.start_ms
    end = np.maximum(words.end_ms, start + 1)  # a word without length is the millisecond at its start
    words = replace(words, end_ms=end)
    pieces = cut(exclusive)
    claims = claim(start, end, pieces)
    speaker = claims.speaker
    margin = ((claims.best_ms - claims.second_ms) / (end - start)).astype(np.float32)
    reason = np.where(speaker == NOBODY, _TIE, _KNOWN).astype(np.int8)
    outside = np.flatnonzero(claims.best_ms == 0)
    speaker[outside], reason[outside] = _nearest_edge(start[outside], end[outside], pieces, options.max_gap_ms)
    if owner != NOBODY:
        speaker[reason == _NO_TURN], reason[reason == _NO_TURN] = owner, _KNOWN

    everybody = cut(turns)
    overlaps = crowded(everybody)
    followed = _settle(
        words,
        speaker,
        is_weak=(reason != _NO_TURN) & (margin < options.weak_margin),
        is_crowded=touches(start, end, overlaps),
        everybody=everybody,
        options=options,
    )
    followed = _take_back(words, followed, is_weak=margin < options.weak_margin, pieces=pieces, options=options)
    moved = followed != speaker
    margin[moved], reason[moved] = 0, _KNOWN
    margin[followed == NOBODY] = np.nan
    others = claim(start, end, overlaps, besides=followed)
    return Attribution(
        speaker=followed,
        margin=margin,
        reason=reason,
        is_overlapped=others.best_ms > 0,
        other_speaker=others.speaker,
        confidence=speaker_confidence(
            words,
            followed,
            is_outside=claims.best_ms == 0,
            has_followed=moved,
            everybody=everybody,
            exclusive=exclusive,
            seam_ms=options.seam_ms,
        ),
    )


def _settle(
    words: WordTimes,
    speaker: IntArray,
    *,
    is_weak: BoolArray,
    is_crowded: BoolArray,
    everybody: Pieces,
    options: AttributeOptions,
) -> IntArray:
    """Return the speakers after weak words followed all turns where people talk at once, their sentence elsewhere."""
    settled = speaker.copy()
    crowd = np.flatnonzero(is_weak & is_crowded)
    claimed = claim(words.start_ms[crowd], words.end_ms[crowd], everybody).speaker
    settled[crowd] = np.where(claimed == NOBODY, speaker[crowd], claimed)
    return follow_sentence(
        start_ms=words.start_ms,
        end_ms=words.end_ms,
        ends_sentence=words.ends_sentence,
        speaker=settled,
        is_weak=is_weak & ~is_crowded,
        pause_ms=options.pause_ms,
    )


def _take_back(
    words: WordTimes, speaker: IntArray, *, is_weak: BoolArray, pieces: Pieces, options: AttributeOptions
) -> IntArray:
    """Return the speakers after words near a change of speaker went back to the sentence that they ran over from."""
    word, owner = spilled(
        start_ms=words.start_ms,
        end_ms=words.end_ms,
        ends_sentence=words.ends_sentence,
        speaker=speaker,
        is_weak=is_weak,
    )
    around = claim(words.start_ms[word] - options.seam_ms, words.end_ms[word] + options.seam_ms, pieces)
    is_near = around.second_ms > 0
    returned = speaker.copy()
    returned[word[is_near]] = owner[is_near]
    return returned


def _nearest_edge(
    start_ms: IntArray, end_ms: IntArray, pieces: Pieces, max_gap_ms: int
) -> tuple[IntArray, NDArray[np.int8]]:
    """Return speaker and reason of words that no turn touches."""
    out_of_reach = np.array([np.iinfo(np.int64).max // 2])
    ends = np.concatenate([-out_of_reach, pieces.end_ms])
    starts = np.concatenate([pieces.start_ms, out_of_reach])
    speakers = np.concatenate([[NOBODY], pieces.speaker, [NOBODY]])
    following = np.searchsorted(pieces.start_ms, end_ms)
    gap_before, gap_after = start_ms - ends[following], starts[following] - end_ms
    before, after = speakers[following], speakers[following + 1]

    speaker = np.where(gap_before <= gap_after, before, after)
    is_far = np.minimum(gap_before, gap_after) > max_gap_ms
    is_tie = ~is_far & (gap_before == gap_after) & (before != after)
    speaker[is_far | is_tie] = NOBODY
    reason = np.select([is_far, is_tie], [_NO_TURN, _TIE], _KNOWN)
    return speaker, reason.astype(np.int8)

"""Lets words at a seam, where the speaker changes, follow their sentence.

Diarizers place the change of speaker a few hundred milliseconds early or late, recognisers do the same with words;
the words at the seam then land on the wrong side. People, though, seldom change in the middle of a sentence. Both
rules are made to do no harm: firm words of one speaker must fill strictly more than half of the time spoken in a
sentence, or it decides nothing.

- A weak word follows its sentence if the nearest firm word before it or after it there is that speaker's, and no
  farther: words stay on their side of a pause. Without punctuation, what is said between two long pauses is a sentence.
- Firm words follow only a sentence that a mark closes, and only if whoever the turns give them to goes on in the
  sentence beside it. These are the last words of a sentence that ran over into the next one's turn, or the first.
  Somebody who says a word in the middle of another's sentence keeps it: that is a turn, not a seam.
"""

from __future__ import annotations

import numpy as np

from tasks.attribution.claims import sum_per_speaker
from tasks.attribution.columns import NOBODY, BoolArray, IntArray

_SAME_PAUSE_MS = 50
"""Pauses that differ by less say nothing: recognisers tell time in steps of 10 to 80 ms."""
_CLOSED_PAUSE_MS = 1_000
"""A sentence that a mark closes holds together over longer pauses than one without."""


def follow_sentence(
    *,
    start_ms: IntArray,
    end_ms: IntArray,
    ends_sentence: BoolArray,
    speaker: IntArray,
    is_weak: BoolArray,
    pause_ms: int,
) -> IntArray:
    """Return the speakers of one channel's words after weak words followed their sentences.

    Args:
        start_ms: starts of the words, shape ``(n,)``, in any order.
        end_ms: their ends.
        ends_sentence: whether the word's text closes a sentence.
        speaker: index of the speaker the turns give; -1 for nobody.
        is_weak: words that may move.
        pause_ms: a longer pause ends a sentence too, so that text without punctuation has sentences.
    """
    order = np.lexsort((end_ms, start_ms))
    start, end, weak = start_ms[order], end_ms[order], is_weak[order]
    said_by = np.where(weak, NOBODY, speaker[order])
    sentence = _sentences(start, end, ends_sentence[order], pause_ms)
    main = _main_speaker(sentence, said_by, end - start)[sentence]
    before, after = _pauses(start, end, sentence)
    follows = (_last_firm(sentence, said_by) == main) & (before <= after + _SAME_PAUSE_MS)
    leads = (_last_firm(sentence[::-1], said_by[::-1])[::-1] == main) & (after <= before + _SAME_PAUSE_MS)
    moves = weak & (main != NOBODY) & (follows | leads)
    followed = speaker.copy()
    followed[order[moves]] = main[moves]
    return followed


def spilled(
    *, start_ms: IntArray, end_ms: IntArray, ends_sentence: BoolArray, speaker: IntArray, is_weak: BoolArray
) -> tuple[IntArray, IntArray]:
    """Return the words of one channel that may have run over into a neighbour's turn, and whose sentence they are in.

    Args:
        start_ms: starts of the words, shape ``(n,)``, in any order.
        end_ms: their ends.
        ends_sentence: whether the word's text closes a sentence.
        speaker: index of the speaker; -1 for nobody.
        is_weak: words that say nothing about whose sentence it is.
    """
    order = np.lexsort((end_ms, start_ms))
    start, end, closes, said_by = start_ms[order], end_ms[order], ends_sentence[order], speaker[order]
    sentence = _sentences(start, end, closes, _CLOSED_PAUSE_MS)
    is_closed = closes[np.searchsorted(sentence, sentence, side="right") - 1]
    main = _main_speaker(sentence, np.where(is_weak[order], NOBODY, said_by), end - start)[sentence]
    found = (main != NOBODY) & (said_by != NOBODY) & (said_by != main) & is_closed & _goes_on(sentence, said_by)
    return order[found], main[found]


def _goes_on(sentence: IntArray, said_by: IntArray) -> BoolArray:
    """Return for each word whether its speaker's unbroken run of words reaches over an end of its sentence."""
    firsts = np.flatnonzero(np.diff(said_by, prepend=NOBODY - 1))
    lasts = np.append(firsts[1:], len(said_by)) - 1
    return np.repeat(sentence[firsts] != sentence[lasts], lasts - firsts + 1)


def _sentences(start_ms: IntArray, end_ms: IntArray, ends_sentence: BoolArray, pause_ms: int) -> IntArray:
    """Return the number of each word's sentence, from 0."""
    opens = np.zeros(len(start_ms), np.int64)
    opens[1:] = ends_sentence[:-1] | (start_ms[1:] - end_ms[:-1] > pause_ms)
    return np.cumsum(opens)


def _pauses(start_ms: IntArray, end_ms: IntArray, sentence: IntArray) -> tuple[IntArray, IntArray]:
    """Return the time from each word to the one before and to the one after; nothing is near beyond its sentence.

    Words that overlap have no pause between them, and are no nearer for it.
    """
    far = np.array([np.iinfo(np.int64).max // 2])
    between = np.where(sentence[1:] == sentence[:-1], np.maximum(start_ms[1:] - end_ms[:-1], 0), far)
    return np.concatenate([far[: len(sentence)], between]), np.concatenate([between, far[: len(sentence)]])


def _main_speaker(sentence: IntArray, said_by: IntArray, spoken_ms: IntArray) -> IntArray:
    """Return per sentence who firmly fills more than half of it; -1 for nobody."""
    n_sentences = int(sentence[-1]) + 1 if len(sentence) else 0
    main = np.full(n_sentences, NOBODY)
    whole_ms = np.bincount(sentence, spoken_ms, n_sentences)
    in_sentence, label, own_ms = sum_per_speaker(sentence, said_by + 1, spoken_ms)  # 0 is nobody
    fills = (2 * own_ms > whole_ms[in_sentence]) & (label > 0)
    main[in_sentence[fills]] = label[fills] - 1
    return main


def _last_firm(sentence: IntArray, said_by: IntArray) -> IntArray:
    """Return for each word the speaker of the nearest firm word up to it in its sentence; -1 for none."""
    position = np.maximum.accumulate(np.where(said_by == NOBODY, NOBODY, np.arange(len(said_by))))
    same = (position != NOBODY) & (sentence[position] == sentence)
    return np.where(same, said_by[position], NOBODY)

"""Flags utterances whose text is suspect, with the reason; nothing is changed or taken away.

- ``loop``: most of its words are in a phrase that repeats itself, or its text compresses like one (``loops``);
- ``no_speech``: most of its words lie where the detector hears no speech;
- ``invented``: it is a phrase that recognisers are known to invent (``invented``), where there is no speech or
  the recogniser itself believes that there is none;
- ``stretched``: one of its words lasts longer than anybody says it;
- ``fast``: see ``tasks.attribution.utterances``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from storage.records import Utterance
from tasks.attribution.columns import BoolArray, IntArray, WordTexts, WordTimes
from tasks.attribution.coverage import SpanArray
from tasks.attribution.invented import is_known_invention
from tasks.attribution.loops import MAX_COMPRESSION, compression, looping
from tasks.attribution.utterances import Utterances

MOST = 0.5
"""Share of an utterance that is most of it."""
NEAR_SPEECH_MS = 200
"""Words this close to detected speech still lie in it: neither knows its edges better."""
MAX_NO_SPEECH = 0.6
"""Whisper's own limit for its probability that nobody speaks (Radford et al. 2022, section 4.5)."""
STRETCHED_MS = 3_000
STRETCHED_MS_PER_CHARACTER = 300
"""A word that lasts longer than both is stretched."""


def flag_suspects(
    utterances: Utterances, words: WordTimes, texts: WordTexts, speech: Mapping[int, SpanArray]
) -> Utterances:
    """Return the utterances with the flags of suspect text added, sorted.

    Args:
        utterances: what the words became.
        words: the words of the recording, all channels.
        texts: what they say.
        speech: what the detector heard, by channel.
    """
    rows, of_word = utterances.rows, utterances.of_word
    if not rows:
        return utterances
    lasting = np.maximum(words.end_ms - words.start_ms, 1)
    heard = np.bincount(of_word, speech_under(words, speech)) / np.bincount(of_word, lasting)
    looped = np.bincount(of_word, looping(words, texts.text)) / np.bincount(of_word)
    stretched = np.bincount(of_word, _is_stretched(lasting, texts.text)) > 0
    columns = zip(rows, (heard < MOST).tolist(), (looped > MOST).tolist(), stretched.tolist(), strict=True)
    flagged = [
        _flagged(row, is_unheard=is_unheard, is_loop=is_loop, is_stretched=is_stretched)
        for row, is_unheard, is_loop, is_stretched in columns
    ]
    return Utterances(rows=flagged, of_word=of_word)


def _flagged(row: Utterance, *, is_unheard: bool, is_loop: bool, is_stretched: bool) -> Utterance:
    is_doubted = is_unheard or (row.no_speech_confidence or 0) > MAX_NO_SPEECH
    found = {
        "loop": is_loop or compression(row.text) > MAX_COMPRESSION,
        "no_speech": is_unheard,
        "invented": is_doubted and is_known_invention(row.text),
        "stretched": is_stretched,
    }
    new = {flag for flag, is_so in found.items() if is_so}
    return replace(row, flags=tuple(sorted({*row.flags, *new}))) if new else row


def _is_stretched(lasting: IntArray, texts: Sequence[str]) -> BoolArray:
    characters = np.fromiter(map(len, texts), np.int64, len(texts))
    stretched: BoolArray = lasting > np.maximum(STRETCHED_MS, STRETCHED_MS_PER_CHARACTER * characters)
    return stretched


def speech_under(words: WordTimes, speech: Mapping[int, SpanArray]) -> IntArray:
    """Return how much of each word lies in or near its channel's detected speech, in ms, shape ``(n_words,)``.

    A word without length counts as the millisecond at its start.
    """
    under = np.zeros(len(words.start_ms), np.int64)
    end_ms = np.maximum(words.end_ms, words.start_ms + 1)
    for channel, spans in speech.items():
        here = np.flatnonzero(words.channel == channel)
        if len(spans) and len(here):
            starts, ends = _joined(spans[:, 0] - NEAR_SPEECH_MS, spans[:, 1] + NEAR_SPEECH_MS)
            before_end, before_start = (_before(at[here], starts, ends) for at in (end_ms, words.start_ms))
            under[here] = before_end - before_start
    return under


def _joined(starts: IntArray, ends: IntArray) -> tuple[IntArray, IntArray]:
    """Return spans that are sorted and do not touch, and cover the same."""
    order = np.argsort(starts, kind="stable")
    starts, ends = starts[order], np.maximum.accumulate(ends[order])
    is_first = np.concatenate([[True], starts[1:] > ends[:-1]])
    is_last = np.concatenate([is_first[1:], [True]])
    return starts[is_first], ends[is_last]


def _before(at_ms: IntArray, starts: IntArray, ends: IntArray) -> NDArray[np.int64]:
    """Return how much of the spans lies before each moment."""
    total = np.concatenate([[0], np.cumsum(ends - starts)])
    n_begun = np.searchsorted(starts, at_ms, side="right")
    overhang = np.maximum(ends[np.maximum(n_begun, 1) - 1] - at_ms, 0)
    before: NDArray[np.int64] = total[n_begun] - np.where(n_begun > 0, overhang, 0)
    return before

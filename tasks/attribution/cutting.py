"""Decides where one utterance ends and the next begins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tasks.attribution.columns import BoolArray, IntArray, WordTimes


@dataclass(frozen=True, slots=True, kw_only=True)
class CutOptions:
    """How long an utterance may be, and what ends it."""

    pause_ms: int = 800
    """A longer pause always cuts."""
    sentence_ms: int = 5_000
    """An utterance this long ends with its sentence."""
    max_ms: int = 15_000
    max_characters: int = 400
    """An utterance beyond either is cut at its longest pause; one word alone may exceed both."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Line:
    """Words in reading order."""

    start_ms: IntArray
    end_ms: IntArray
    ends_sentence: BoolArray
    characters: IntArray
    """Characters before each word, and one entry more for the whole; shape ``(n + 1,)``."""


def cut_words(
    words: WordTimes, texts: Sequence[str], speaker: IntArray, options: CutOptions
) -> tuple[IntArray, IntArray]:
    """Return the words in reading order, and the places in it where utterances begin.

    Reading order is by channel, start, end and index. A new channel, a new speaker and a long pause always cut;
    the end of a sentence does once the utterance is long enough; and what is still too long is cut at pauses.
    """
    order = np.lexsort((words.end_ms, words.start_ms, words.channel))
    if not len(order):
        return order, order
    lengths = np.fromiter(map(len, texts), np.int64, len(order))[order]
    line = _Line(
        start_ms=words.start_ms[order],
        end_ms=words.end_ms[order],
        ends_sentence=words.ends_sentence[order],
        characters=np.concatenate([[0], np.cumsum(lengths + 1)]),
    )
    channel, speaker = words.channel[order], speaker[order]
    cuts = (channel[1:] != channel[:-1]) | (speaker[1:] != speaker[:-1])
    cuts |= line.start_ms[1:] - line.end_ms[:-1] > options.pause_ms
    runs = np.concatenate([[0], np.flatnonzero(cuts) + 1, [len(order)]])
    firsts = [
        piece
        for first, stop in zip(runs[:-1].tolist(), runs[1:].tolist(), strict=True)
        for sentence, end in _cut_at_sentences(line, first, stop, options)
        for piece in _cut_at_pauses(line, sentence, end, options)
    ]
    return order, np.array(firsts, np.int64)


def _cut_at_sentences(line: _Line, first: int, stop: int, options: CutOptions) -> Iterator[tuple[int, int]]:
    """Yield runs of whole sentences, each ending with the first sentence that makes it long enough."""
    closing = np.flatnonzero(line.ends_sentence[first:stop]) + first
    for last in closing.tolist():
        if last + 1 < stop and line.end_ms[last] - line.start_ms[first] >= options.sentence_ms:
            yield first, last + 1
            first = last + 1
    yield first, stop


def _cut_at_pauses(line: _Line, first: int, stop: int, options: CutOptions) -> list[int]:
    """Return the first words of the parts into which a run falls, none of them too long."""
    firsts, open_runs = [], [(first, stop)]
    while open_runs:
        first, stop = open_runs.pop()
        if stop - first > 1 and _is_too_long(line, first, stop, options):
            middle = _best_pause(line, first, stop)
            open_runs += [(middle, stop), (first, middle)]
        else:
            firsts.append(first)
    return firsts


def _is_too_long(line: _Line, first: int, stop: int, options: CutOptions) -> bool:
    lasts_ms = line.end_ms[first:stop].max() - line.start_ms[first]
    characters = line.characters[stop] - line.characters[first] - 1
    return bool(lasts_ms > options.max_ms or characters > options.max_characters)


def _best_pause(line: _Line, first: int, stop: int) -> int:
    """Return the word before which to cut: after the longest pause of the middle part, so that no scrap is left.

    Of equal pauses the one nearest to the middle wins, then the earlier.
    """
    margin = (stop - first) // 5
    low, high = first + max(margin, 1), stop - margin
    places = np.arange(low, max(high, low + 1))
    pauses = line.start_ms[places] - line.end_ms[places - 1]
    from_middle = np.abs(2 * places - (first + stop))
    return int(places[np.lexsort((from_middle, -pauses))[0]])

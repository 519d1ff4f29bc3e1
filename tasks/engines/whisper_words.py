"""Word times as Whisper's attention tells them, settled on the speech that was detected.

Whisper stretches words over silence: the first of a piece begins with the piece, the last before a pause lasts until
the next. Where the detector heard a long silence no word can sound.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from storage.records import Span, Word

LONG_SILENCE_MS = 500
"""Silence in which no word lies; the detector's shorter ones may be soft speech."""


def settle(words: Sequence[Word], speech: Sequence[Span], within: Span) -> list[Word]:
    """Return the same words, inside the piece, starts never decreasing, none in a long silence.

    Args:
        words: In the order of the text.
        speech: Detected speech in the same time, sorted and disjoint.
        within: The piece.
    """
    stretches = _stretches(speech, within)
    settled: list[Word] = []
    earliest_ms = within.start_ms
    for word in words:
        place = _place(_inside(word, within), stretches)
        start_ms = max(place.start_ms, earliest_ms)
        settled.append(replace(word, start_ms=start_ms, end_ms=max(place.end_ms, start_ms)))
        earliest_ms = start_ms
    return settled


def _stretches(speech: Sequence[Span], within: Span) -> list[Span]:
    """Return speech in the piece with the short silences filled."""
    found: list[Span] = []
    for region in speech:
        span = Span(start_ms=max(region.start_ms, within.start_ms), end_ms=max(region.end_ms, within.start_ms))
        if span.start_ms >= within.end_ms or span.end_ms <= span.start_ms:
            continue
        end_ms = min(span.end_ms, within.end_ms)
        if found and span.start_ms - found[-1].end_ms < LONG_SILENCE_MS:
            found[-1] = Span(start_ms=found[-1].start_ms, end_ms=end_ms)
        else:
            found.append(Span(start_ms=span.start_ms, end_ms=end_ms))
    return found


def _inside(word: Word, within: Span) -> Span:
    start_ms = min(max(word.start_ms, within.start_ms), within.end_ms)
    return Span(start_ms=start_ms, end_ms=min(max(word.end_ms, start_ms), within.end_ms))


def _place(span: Span, stretches: Sequence[Span]) -> Span:
    """Return the span cut to the stretch it shares most with, else moved to the nearest; the later of two equal."""
    if not stretches:
        return span
    home = max(stretches, key=lambda stretch: (_shared_ms(span, stretch), stretch.start_ms))
    if _shared_ms(span, home) >= 0:
        return Span(start_ms=max(span.start_ms, home.start_ms), end_ms=min(span.end_ms, home.end_ms))
    length_ms = min(span.duration_ms, home.duration_ms)
    start_ms = home.start_ms if span.end_ms < home.start_ms else home.end_ms - length_ms
    return Span(start_ms=start_ms, end_ms=start_ms + length_ms)


def _shared_ms(one: Span, other: Span) -> int:
    """Return how much two spans share; below zero how far they are apart."""
    return min(one.end_ms, other.end_ms) - max(one.start_ms, other.start_ms)

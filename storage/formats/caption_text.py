"""Text of captions: an utterance as timed pieces, pieces as cues of at most two lines.

A piece is a word with the blank before it, if there is one: languages without blanks give pieces without, and
lines break between them too. Width counts columns, two for East Asian wide characters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from math import inf

from storage.formats.document import DocumentUtterance, DocumentWord
from storage.formats.plain import one_line, words_of

MAX_LINE = 42
"""Columns of a line; a longer word stands alone in its line."""
MAX_LINES = 2
MAX_CUE_MS = 7_000
_MAX_PIECES = MAX_LINE * MAX_LINES
_LONG_PAUSE_MS = 1_500
_SHORT_CUE = 15

# Costs of a way to cut an utterance into cues; only their order of size matters.
_CUE = 100
_PAUSE_INSIDE = 300
_ENDS_ANYWHERE, _ENDS_AT_COMMA = 50, 15
_IS_SHORT = 40
_SENTENCE_END = tuple(".?!…。？！")
_COMMA = tuple(",;:—、，；：")


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A word, or a part of one, with the blank before it."""

    start_ms: int
    end_ms: int
    text: str


def width(text: str) -> int:
    """Return columns; never less than characters."""
    if text.isascii():
        return len(text)
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def pieces_of(utterance: DocumentUtterance) -> list[Piece]:
    """Return the utterance's words in time order; without words, its text spread evenly over its span."""
    words = [piece for word in utterance.words for piece in _spread(word)] or _spread(utterance)
    glued = _glued([piece.text for piece in words], one_line(utterance.text))
    pieces: list[Piece] = []
    for word, is_glued in zip(words, glued, strict=True):
        if is_glued and _is_one_word(pieces[-1].text, word.text):
            end_ms, text = max(pieces[-1].end_ms, word.end_ms), pieces[-1].text + word.text
            pieces[-1] = replace(pieces[-1], end_ms=end_ms, text=text)
        else:
            pieces.append(word if is_glued else replace(word, text=f" {word.text}"))
    return pieces


def wrap(pieces: list[str], lead: str = "") -> list[str]:
    """Return lines: one if it fits, else two of about equal width, else as many as it takes.

    Args:
        pieces: words with the blank before them.
        lead: goes in front and is not broken.
    """
    units = _led(pieces, lead)
    if _fits_line(units):
        return ["".join(units).strip()]
    breaks = [k for k in range(1, len(units)) if _fits_line(units[:k]) and _fits_line(units[k:])]
    if breaks:
        best = min(breaks, key=lambda k: _raggedness(units, k))
        return ["".join(units[:best]).strip(), "".join(units[best:]).strip()]
    first = max((k for k in range(1, len(units)) if _fits_line(units[:k])), default=1)
    return ["".join(units[:first]).strip(), *wrap(units[first:])]


def cut(pieces: list[Piece], lead: str) -> list[list[Piece]]:
    """Return the pieces as cues, each of at most two lines behind its lead, cut where a reader would breathe.

    The cheapest cut of the first n pieces is the cheapest cut of fewer, and one cue more.
    """
    cheapest: list[tuple[float, int]] = [(0, 0)] + [(inf, 0)] * len(pieces)
    for start in range(len(pieces)):
        for end, cost in _cues_from(pieces, start, lead):
            cheapest[end] = min(cheapest[end], (cheapest[start][0] + cost, start))
    cues: list[list[Piece]] = []
    end = len(pieces)
    while end:
        start = cheapest[end][1]
        cues.append(pieces[start:end])
        end = start
    return cues[::-1]


def fits(pieces: list[str], lead: str = "") -> bool:
    """Return whether two lines hold the pieces behind the lead."""
    return all(line <= MAX_LINES for line in _line_numbers(_led(pieces, lead)))


def _cues_from(pieces: list[Piece], start: int, lead: str) -> Iterator[tuple[int, int]]:
    """Yield the end and the cost of each cue that may start here; one of a single piece always may."""
    texts = _led([piece.text for piece in pieces[start : start + _MAX_PIECES]], lead)
    lines = list(_line_numbers(texts))[len(lead) > 0 :]
    n_pauses = columns = 0
    for end, line in enumerate(lines, start=start + 1):
        first, last = pieces[start], pieces[end - 1]
        if end > start + 1:
            if line > MAX_LINES or last.end_ms - first.start_ms > MAX_CUE_MS:
                return
            n_pauses += last.start_ms - pieces[end - 2].end_ms > _LONG_PAUSE_MS
        columns += len(last.text)
        yield end, _CUE + _ending(last.text) + _PAUSE_INSIDE * n_pauses + _IS_SHORT * (columns < _SHORT_CUE)


def _line_numbers(units: Iterable[str]) -> Iterator[int]:
    """Yield for each unit the line it falls in, from 1, when each line is filled as far as it goes."""
    line, columns = 1, 0
    for unit in units:
        wide = width(unit)
        if columns and columns + wide > MAX_LINE:
            line, columns = line + 1, 0
        columns += wide if columns else width(unit.lstrip())
        yield line


def _led(pieces: list[str], lead: str) -> list[str]:
    return [lead, f" {pieces[0].lstrip()}", *pieces[1:]] if lead else pieces


def _is_one_word(before: str, after: str) -> bool:
    """Return whether a line must not break between two texts without a blank; between wide characters it may."""
    is_narrow = width(before[-1]) == width(after[0]) == 1
    return is_narrow and width((before + after).strip()) <= MAX_LINE


def _fits_line(units: list[str]) -> bool:
    return len(units) == 1 or width("".join(units).strip()) <= MAX_LINE


def _raggedness(units: list[str], at: int) -> int:
    """Return how uneven two lines are, less where the first ends a phrase."""
    first, second = "".join(units[:at]).strip(), "".join(units[at:]).strip()
    return abs(width(first) - width(second)) - 10 * first.endswith(_SENTENCE_END + _COMMA)


def _ending(last: str) -> int:
    return 0 if last.endswith(_SENTENCE_END) else _ENDS_AT_COMMA if last.endswith(_COMMA) else _ENDS_ANYWHERE


def _spread(timed: DocumentWord | DocumentUtterance) -> list[Piece]:
    """Return the words of a text, each with a share of the time by its letters."""
    words = words_of(timed.text)
    letters = sum(map(len, words))
    pieces: list[Piece] = []
    done, span_ms = 0, timed.end_ms - timed.start_ms
    for word in words:
        first_ms = timed.start_ms + span_ms * done // letters
        done += len(word)
        pieces.append(Piece(start_ms=first_ms, end_ms=timed.start_ms + span_ms * done // letters, text=word))
    return pieces


def _glued(words: list[str], text: str) -> list[bool]:
    """Return for each word whether the text has no blank before it; never where text and words differ."""
    glued: list[bool] = []
    at = 0
    for word in words:
        has_blank = text.startswith(" ", at)
        at += has_blank
        if not text.startswith(word, at):
            return [False] * len(words)
        glued.append(at > 0 and not has_blank)
        at += len(word)
    return glued

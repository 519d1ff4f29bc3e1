"""Text of captions: an utterance as timed pieces, pieces as cues of at most two lines.

A piece is a word with the blank before it, if there is one: languages without blanks give pieces without, and
lines break between them too. Width counts columns, two for East Asian wide characters.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from itertools import pairwise

from storage.formats.document import DocumentUtterance, DocumentWord
from storage.formats.plain import one_line, words_of

MAX_LINE = 42
"""Columns of a line; a longer word stands alone in its line."""
MAX_CUE_MS = 7_000
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
    cheapest: list[tuple[float, int]] = [(0, 0)]
    for end in range(1, len(pieces) + 1):
        starts = _starts(pieces, end, lead)
        cheapest.append(min((cheapest[start][0] + _cost(pieces[start:end]), start) for start in starts))
    cues: list[list[Piece]] = []
    end = len(pieces)
    while end:
        start = cheapest[end][1]
        cues.append(pieces[start:end])
        end = start
    return cues[::-1]


def _starts(pieces: list[Piece], end: int, lead: str) -> list[int]:
    """Return where a cue that ends before ``end`` may start; a single piece always may."""
    starts = [end - 1]
    while starts[-1] > 0:
        start = starts[-1] - 1
        texts = [piece.text for piece in pieces[start:end]]
        if pieces[end - 1].end_ms - pieces[start].start_ms > MAX_CUE_MS or not fits(texts, lead):
            break
        starts.append(start)
    return starts


def fits(pieces: list[str], lead: str = "") -> bool:
    """Return whether two lines hold the pieces, filling the first as far as it goes."""
    units = _led(pieces, lead)
    line, columns, is_alone = 1, 0, True
    for unit in units:
        wide = width(unit) if columns else width(unit.lstrip())
        if columns and columns + wide > MAX_LINE:
            line, columns, is_alone = line + 1, width(unit.lstrip()), True
        else:
            is_alone = columns == 0
            columns += wide
        if line > 2 or (columns > MAX_LINE and not is_alone):  # noqa: PLR2004, captions have two lines
            return False
    return True


def _is_one_word(before: str, after: str) -> bool:
    """Return whether a line must not break between two texts without a blank; between wide characters it may."""
    is_narrow = width(before[-1]) == width(after[0]) == 1
    return is_narrow and width((before + after).strip()) <= MAX_LINE


def _led(pieces: list[str], lead: str) -> list[str]:
    return [lead, f" {pieces[0].lstrip()}", *pieces[1:]] if lead else pieces


def _fits_line(units: list[str]) -> bool:
    return len(units) == 1 or width("".join(units).strip()) <= MAX_LINE


def _raggedness(units: list[str], at: int) -> int:
    """Return how uneven two lines are, less where the first ends a phrase."""
    first, second = "".join(units[:at]).strip(), "".join(units[at:]).strip()
    return abs(width(first) - width(second)) - 10 * first.endswith(_SENTENCE_END + _COMMA)


def _cost(cue: list[Piece]) -> int:
    last = cue[-1].text
    ending = 0 if last.endswith(_SENTENCE_END) else _ENDS_AT_COMMA if last.endswith(_COMMA) else _ENDS_ANYWHERE
    pauses = sum(after.start_ms - before.end_ms > _LONG_PAUSE_MS for before, after in pairwise(cue))
    is_short = sum(len(piece.text) for piece in cue) < _SHORT_CUE
    return _CUE + ending + _PAUSE_INSIDE * pauses + _IS_SHORT * is_short


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

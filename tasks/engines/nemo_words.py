"""From the tokens of a NeMo decoder, each with its own frames, to words and sentences.

NeMo puts words together itself, but its greedy CTC says when the token before each one began, and its word
confidences may be fewer than the words. Here a word has the frames and the confidences of its own tokens.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from storage.records import Segment, Span, Word

TokenizerKind = Literal["bpe", "wpe", "char"]
"""SentencePiece marks the first piece of a word, WordPiece all others, and characters have a space in between."""
_BPE_MARK, _WPE_MARK = "▁", "##"
_SENTENCE_ENDS = (".", "?", "!", "。", "？", "！")
_OPENING = ("Ps", "Pi")
_OPENING_MARKS = "¿¡"
_LEAST = 1e-6
"""Stands for a confidence of 0 in a geometric mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A piece of text with the frames in which the decoder said it."""

    text: str
    start_frame: int
    end_frame: int
    """The frame after its last."""
    confidence: float | None = None


def collapsed(labels: Sequence[int], confidences: Sequence[float], blank: int) -> list[tuple[int, int, int, float]]:
    """Return id, first frame, frame after the last, and least confidence of each run of a CTC label.

    Args:
        labels: The best label of each frame.
        confidences: Of each frame.
        blank: The label that says nothing.
    """
    runs: list[tuple[int, int, int, float]] = []
    before = blank
    for frame, (label, confidence) in enumerate(zip(labels, confidences, strict=True)):
        if label != blank and label == before:
            _, start, _, least = runs[-1]
            runs[-1] = (label, start, frame + 1, min(least, confidence))
        elif label != blank:
            runs.append((label, frame, frame + 1, confidence))
        before = label
    return runs


def aligned(confidences: Sequence[float] | None, n_tokens: int) -> list[float | None]:
    """Return a confidence in [0, 1] per token, or None for all where they cannot be told to belong to the tokens."""
    if confidences is None or len(confidences) != n_tokens:
        return [None] * n_tokens
    return [None if math.isnan(value) else min(1.0, max(0.0, float(value))) for value in confidences]


def words_of_tokens(
    tokens: Iterable[Token],
    kind: TokenizerKind,
    spell: Callable[[list[str]], str],
) -> list[Token]:
    """Return words as tokens are: text, frames, and the product of the tokens' confidences.

    Marks that stand alone go to the word before, opening ones to the word after; they change neither times nor
    confidence, because models say them when they like, often long after the word.

    Args:
        tokens: Pieces in order.
        kind: How the pieces say where a word begins.
        spell: Turns the pieces of a word into text.
    """
    words: list[Token] = []
    opening = ""
    for pieces in _grouped(tokens, kind):
        text = spell([piece.text for piece in pieces]).strip()
        if not text:
            continue
        if not _is_mark(text):
            words.append(_word(opening + text, pieces, spell))
            opening = ""
        elif _is_opening(text):
            opening += text
        elif words:
            last = words[-1]
            words[-1] = Token(
                text=last.text + text,
                start_frame=last.start_frame,
                end_frame=last.end_frame,
                confidence=last.confidence,
            )
    return words


def timed_words(words: Sequence[Token], span: Span, frame_ms: int, first_segment: int) -> list[Word]:
    """Return words in clip time: inside their piece, and not beyond the start of the next.

    A new segment begins after a word that ends a sentence.

    Args:
        words: Of one piece; their frames count from its start.
        span: The piece.
        frame_ms: Time between two frames.
        first_segment: Index of the first segment.
    """
    starts = [min(span.start_ms + word.start_frame * frame_ms, span.end_ms) for word in words]
    timed, segment = [], first_segment
    for word, start_ms, limit_ms in zip(words, starts, [*starts[1:], span.end_ms], strict=False):
        wanted_ms = span.start_ms + max(word.end_frame, word.start_frame + 1) * frame_ms
        timed.append(
            Word(
                start_ms=start_ms,
                end_ms=max(start_ms, min(wanted_ms, limit_ms)),
                text=word.text,
                confidence=word.confidence,
                segment_index=segment,
            )
        )
        segment += word.text.endswith(_SENTENCE_ENDS)
    return timed


def segment_of(words: Sequence[Word], language: str | None, flags: tuple[str, ...]) -> Segment:
    """Return the segment of some words; its confidence is the geometric mean of theirs, None if one has none."""
    known = [word.confidence for word in words if word.confidence is not None]
    logs = [math.log(max(confidence, _LEAST)) for confidence in known]
    return Segment(
        start_ms=words[0].start_ms,
        end_ms=max(word.end_ms for word in words),
        language=language,
        confidence=min(1.0, math.exp(sum(logs) / len(logs))) if len(known) == len(words) else None,
        flags=flags,
    )


def _grouped(tokens: Iterable[Token], kind: TokenizerKind) -> Iterator[list[Token]]:
    """Yield the pieces of each word."""
    pieces: list[Token] = []
    for token in tokens:
        if _begins_word(token.text, kind) and pieces:
            yield pieces
            pieces = []
        pieces.append(token)
    if pieces:
        yield pieces


def _begins_word(piece: str, kind: TokenizerKind) -> bool:
    if kind == "bpe":
        return piece.startswith(_BPE_MARK)
    return not piece.startswith(_WPE_MARK) if kind == "wpe" else piece.isspace()


def _word(text: str, pieces: Sequence[Token], spell: Callable[[list[str]], str]) -> Token:
    heard = [piece for piece in pieces if not _is_mark(spell([piece.text]).strip())] or pieces
    known = [piece.confidence for piece in heard if piece.confidence is not None]
    return Token(
        text=text,
        start_frame=heard[0].start_frame,
        end_frame=max(piece.end_frame for piece in heard),
        confidence=math.prod(known) if len(known) == len(heard) else None,
    )


def _is_mark(text: str) -> bool:
    """Return whether a text is punctuation, or nothing at all, so that nobody can have said it."""
    return all(unicodedata.category(character).startswith("P") for character in text)


def _is_opening(text: str) -> bool:
    return all(character in _OPENING_MARKS or unicodedata.category(character) in _OPENING for character in text)

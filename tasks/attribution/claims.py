"""How much of each word every speaker's turns cover."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tasks.attribution.columns import NOBODY, BoolArray, IntArray, TurnTimes, sorted_unique


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pieces:
    """Turns of one channel cut at each other's edges, sorted by time.

    Two pieces cover the same time or share none, so both starts and ends are sorted and can be searched.
    """

    start_ms: IntArray
    end_ms: IntArray
    speaker: IntArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Claims:
    """Per word, columns of shape ``(n_words,)``: who covers most of it, and the two largest shares."""

    speaker: IntArray
    """-1 where no piece touches the word, or where several speakers cover equally much."""
    best_ms: IntArray
    second_ms: IntArray


def cut(turns: TurnTimes) -> Pieces:
    """Return the pieces of the turns; a speaker's turns that overlap each other count once."""
    edges = sorted_unique(np.concatenate([turns.start_ms, turns.end_ms]))
    turn, piece = _expand(np.searchsorted(edges, turns.start_ms), np.searchsorted(edges, turns.end_ms))
    n_speakers = int(turns.speaker.max(initial=0)) + 1
    piece, speaker = np.divmod(sorted_unique(piece * n_speakers + turns.speaker[turn]), n_speakers)
    return Pieces(start_ms=edges[piece], end_ms=edges[piece + 1], speaker=speaker)


def crowded(pieces: Pieces) -> Pieces:
    """Return the pieces during which two speakers or more have the floor."""
    shared = pieces.start_ms[1:] == pieces.start_ms[:-1]
    keep = np.zeros(len(pieces.start_ms), np.bool_)
    keep[1:] |= shared
    keep[:-1] |= shared
    return Pieces(start_ms=pieces.start_ms[keep], end_ms=pieces.end_ms[keep], speaker=pieces.speaker[keep])


def touches(start_ms: IntArray, end_ms: IntArray, pieces: Pieces) -> BoolArray:
    """Return for each word whether any piece has time in common with it."""
    first, stop = _pieces_under(start_ms, end_ms, pieces)
    return first < stop


def held(start_ms: IntArray, end_ms: IntArray, pieces: Pieces, speaker: IntArray) -> tuple[IntArray, IntArray]:
    """Return how much of each span its speaker's pieces cover, and how much everybody's do, one by one."""
    span, piece = _expand(*_pieces_under(start_ms, end_ms, pieces))
    shared_ms = np.minimum(end_ms[span], pieces.end_ms[piece]) - np.maximum(start_ms[span], pieces.start_ms[piece])
    is_own = pieces.speaker[piece] == speaker[span]
    own, everybodys = (np.bincount(span, ms, len(start_ms)) for ms in (shared_ms * is_own, shared_ms))
    return own.astype(np.int64), everybodys.astype(np.int64)


def claim(start_ms: IntArray, end_ms: IntArray, pieces: Pieces, *, besides: IntArray | None = None) -> Claims:
    """Return who covers how much of each word.

    Args:
        start_ms: starts of the words, shape ``(n,)``, in any order.
        end_ms: their ends, each after its start.
        pieces: the turns of the words' channel.
        besides: a speaker per word whose claim is left out; None to count everybody.
    """
    n = len(start_ms)
    claims = Claims(speaker=np.full(n, NOBODY), best_ms=np.zeros(n, np.int64), second_ms=np.zeros(n, np.int64))
    word, piece = _expand(*_pieces_under(start_ms, end_ms, pieces))
    if besides is not None:
        foreign = pieces.speaker[piece] != besides[word]
        word, piece = word[foreign], piece[foreign]
    if len(word):
        shared_ms = np.minimum(end_ms[word], pieces.end_ms[piece]) - np.maximum(start_ms[word], pieces.start_ms[piece])
        _rank(claims, *sum_per_speaker(word, pieces.speaker[piece], shared_ms))
    return claims


def _pieces_under(start_ms: IntArray, end_ms: IntArray, pieces: Pieces) -> tuple[IntArray, IntArray]:
    """Return for each word the first piece it touches, and the first after those."""
    return np.searchsorted(pieces.end_ms, start_ms, side="right"), np.searchsorted(pieces.start_ms, end_ms)


def _expand(first: IntArray, stop: IntArray) -> tuple[IntArray, IntArray]:
    """Return (row, item) for every item in ``range(first[row], stop[row])``."""
    sizes = np.maximum(stop - first, 0)
    row = np.repeat(np.arange(len(sizes)), sizes)
    before = np.cumsum(sizes) - sizes
    return row, np.arange(len(row)) + (first - before)[row]


def sum_per_speaker(group: IntArray, speaker: IntArray, spent_ms: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """Return one row per group and speaker, from 0 both, sorted by both, with the sum of the time; none of nothing."""
    n_speakers = int(speaker.max(initial=0)) + 1
    key = group * n_speakers + speaker
    order = np.argsort(key, kind="stable")
    firsts = np.flatnonzero(np.diff(key[order], prepend=-1))
    group, speaker = np.divmod(key[order][firsts], n_speakers)
    return group, speaker, np.add.reduceat(spent_ms[order], firsts) if len(firsts) else spent_ms


def _rank(claims: Claims, word: IntArray, speaker: IntArray, shared_ms: IntArray) -> None:
    """Fill in the two best of every word that has a row."""
    firsts = np.flatnonzero(np.diff(word, prepend=-1))
    touched = word[firsts]
    claims.best_ms[touched] = np.maximum.reduceat(shared_ms, firsts)
    is_best = shared_ms == claims.best_ms[word]
    claims.speaker[word[is_best]] = speaker[is_best]
    claims.second_ms[touched] = np.maximum.reduceat(np.where(is_best, 0, shared_ms), firsts)
    tied = touched[np.add.reduceat(is_best, firsts, dtype=np.int64) > 1]
    claims.speaker[tied] = NOBODY
    claims.second_ms[tied] = claims.best_ms[tied]

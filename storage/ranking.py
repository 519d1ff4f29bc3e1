"""Which utterances hold all words that are wanted, the best first.

Ranking is BM25 (Robertson and Zaragoza, The Probabilistic Relevance Framework: BM25 and Beyond, 2009) with k1 = 1.2 and
b = 0.75; the length of an utterance is its number of words. Of a word that is given as a beginning, all words that
begin so count as one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_K1, _B = 1.2, 0.75
_DIGITS = 6
"""Digits of scores that count: the order in which they were added up does not show."""

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Postings:
    """The utterances that hold a word; arrays of one length."""

    number: Ints
    """Where each utterance is read: a number of its own."""
    part: Ints
    row: Ints
    """The order among equals is that of parts and their rows."""
    n: Ints
    """How often the word is there."""
    n_words: Ints
    """How many words the utterance has."""
    may_fit: NDArray[np.bool_]
    """False where what is to come after the word does not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """What is known of all utterances together."""

    n_utterances: int
    n_words: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """Utterances, the best first; arrays of one length."""

    number: Ints
    score: Floats


def rank(wanted: Sequence[Postings], excluded: Sequence[Postings], totals: Totals, at_most: int | None) -> Ranked:
    """Return the utterances that hold every wanted word, may fit, and hold none that is excluded.

    Where no word is wanted there are none.

    Args:
        wanted: Of each word.
        excluded: Of each word.
        totals: For the weights of words and utterances.
        at_most: How many are enough.
    """
    if not all(len(word.number) for word in wanted) or not wanted:
        return Ranked(number=np.empty(0, np.int64), score=np.empty(0))
    rarest, *others = sorted(wanted, key=lambda word: len(word.number))
    score, is_left = _scores(rarest, totals, slice(None)), rarest.may_fit.copy()
    for other in others:
        here, there = _common(rarest, other)
        is_fit = np.zeros(len(score), bool)
        is_fit[here[other.may_fit[there]]] = True
        is_left &= is_fit
        score[here] += _scores(other, totals, there)
    for other in excluded:
        is_left[_common(rarest, other)[0]] = False
    left = np.flatnonzero(is_left)
    score = np.round(score[left], _DIGITS)
    best = first_of([-score, rarest.part[left], rarest.row[left]], at_most)
    return Ranked(number=rarest.number[left][best], score=score[best])


def first_of(keys: Sequence[NDArray[np.generic]], at_most: int | None) -> Ints:
    """Return the places of the first few rows in the order of the keys, the first key first.

    All rows are looked at, but only those that may be among the first are sorted.
    """
    left, taken, n_left = np.arange(len(keys[0])), [], at_most
    for key in keys:
        if n_left is None or n_left >= len(left):
            break
        if n_left == 0:
            left = left[:0]
            break
        values = key[left]
        bound = np.partition(values, n_left - 1)[n_left - 1]
        taken.append(left[values < bound])
        left = left[values == bound]
        n_left -= len(taken[-1])
    chosen = np.concatenate([*taken, left])
    return chosen[np.lexsort([key[chosen] for key in reversed(keys)])][:at_most]


def _scores(word: Postings, totals: Totals, rows: slice | Ints) -> Floats:
    """Return what a word adds to the scores of some of its utterances."""
    n_holding = len(word.number)
    weight = math.log(1 + (totals.n_utterances - n_holding + 0.5) / (n_holding + 0.5))
    mean_words = totals.n_words / max(totals.n_utterances, 1)
    n, n_words = word.n[rows], word.n_words[rows]
    return (weight * (_K1 + 1)) * n / (n + _K1 * (1 - _B + _B * n_words / max(mean_words, 1)))


def _common(one: Postings, other: Postings) -> tuple[Ints, Ints]:
    """Return the places in both of the utterances that both have."""
    places = pc.index_in(pa.array(other.number), value_set=pa.array(one.number)).fill_null(-1).to_numpy()
    there = np.flatnonzero(places >= 0)
    return places[there].astype(np.int64), there

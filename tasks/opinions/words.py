"""Where two transcribers write different words, and how many.

Words are compared without case and punctuation. They are aligned piece by piece, cut where both pause, so that time
grows with the recording and not with its square, and no word is taken for one that was said minutes away.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from tasks.attribution.orthography import join_words
from tasks.evaluation.normalise import plain_words
from tasks.opinions.edits import IntArray, aligned
from tasks.opinions.records import Comparison, Disagreement

_PAUSE_MS = 500
"""Where nobody has a word for so long, both may be cut."""
_MOST_CELLS = 250_000
"""A piece of more pairs of words is cut at its longest pause, however short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimedWords:
    """What one transcriber heard in one recording: words in order of time."""

    start_ms: Sequence[int]
    end_ms: Sequence[int]
    text: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Tokens:
    """What is compared: parts of words, each as a number; all arrays of one length, sorted by time."""

    item: IntArray
    word: IntArray
    """Index of the word that the token is part of."""
    start_ms: IntArray
    end_ms: IntArray
    of: TimedWords

    def __len__(self) -> int:
        return len(self.item)

    def cut(self, start: int, end: int) -> _Tokens:
        part = slice(start, end)
        return _Tokens(
            item=self.item[part],
            word=self.word[part],
            start_ms=self.start_ms[part],
            end_ms=self.end_ms[part],
            of=self.of,
        )


def compare_words(one: TimedWords, other: TimedWords) -> Comparison:
    """Return how many words differ and where; symmetric in number, not in what is called one and other."""
    numbers: dict[str, int] = {}
    left, right = _tokens(one, numbers), _tokens(other, numbers)
    n_compared = n_differing = 0
    found: list[Disagreement] = []
    for first, second in _pieces(left, right):
        pairs = [(i, j, _is_same(first, second, i, j)) for i, j in aligned(first.item, second.item)]
        n_compared += max(len(first), len(second))
        n_differing += sum(not is_same for *_, is_same in pairs)
        runs = groupby(pairs, key=lambda pair: pair[2])
        found += [_disagreement(first, second, list(run)) for is_same, run in runs if not is_same]
    found.sort(key=lambda span: (span.start_ms, span.end_ms))
    return Comparison(n_compared=n_compared, n_differing=n_differing, disagreements=tuple(found))


def _tokens(words: TimedWords, numbers: dict[str, int]) -> _Tokens:
    bare = [plain_words(text) for text in words.text]
    word = np.repeat(np.arange(len(bare)), [len(parts) for parts in bare])
    item = [numbers.setdefault(part, len(numbers)) for parts in bare for part in parts]
    start_ms, end_ms = (np.array(times, dtype=np.int64)[word] for times in (words.start_ms, words.end_ms))
    return _Tokens(item=np.array(item, dtype=np.int64), word=word, start_ms=start_ms, end_ms=end_ms, of=words)


def _pieces(one: _Tokens, other: _Tokens) -> Iterator[tuple[_Tokens, _Tokens]]:
    """Yield what is aligned at a time: everything between common pauses, less where that is too much."""
    is_other, gap_ms = _in_one_row(one, other)
    cuts = [0, *np.flatnonzero(gap_ms >= _PAUSE_MS).tolist(), len(gap_ms)]
    n_other = np.concatenate([[0], np.cumsum(is_other)])
    pending = list(pairwise(cuts))[::-1]
    while pending:
        start, end = pending.pop()
        first, last = int(n_other[start]), int(n_other[end])
        if (end - start - last + first) * (last - first) > _MOST_CELLS:
            quarter = (end - start) // 4
            middle = start + quarter + int(np.argmax(gap_ms[start + quarter : end - quarter]))
            pending += [(middle, end), (start, middle)]
        elif start < end:
            yield one.cut(start - first, end - last), other.cut(first, last)


def _in_one_row(one: _Tokens, other: _Tokens) -> tuple[NDArray[np.bool_], IntArray]:
    """Return of all tokens by start, whether they are the other's, and how long nobody has a word before them."""
    is_other = np.repeat([False, True], [len(one), len(other)])
    start_ms = np.concatenate([one.start_ms, other.start_ms])
    end_ms = np.concatenate([one.end_ms, other.end_ms])
    order = np.argsort(start_ms, kind="stable")
    reached_ms = np.maximum.accumulate(end_ms[order])
    gap_ms = np.zeros(len(order), dtype=np.int64)
    gap_ms[1:] = start_ms[order][1:] - reached_ms[:-1]
    return is_other[order], gap_ms


def _is_same(one: _Tokens, other: _Tokens, i: int | None, j: int | None) -> bool:
    return i is not None and j is not None and bool(one.item[i] == other.item[j])


def _disagreement(one: _Tokens, other: _Tokens, pairs: list[tuple[int | None, int | None, bool]]) -> Disagreement:
    sides = [(one, [i for i, *_ in pairs if i is not None]), (other, [j for _, j, _ in pairs if j is not None])]
    return Disagreement(
        start_ms=min(int(tokens.start_ms[some].min()) for tokens, some in sides if some),
        end_ms=max(int(tokens.end_ms[some].max()) for tokens, some in sides if some),
        one_text=_text(*sides[0]),
        other_text=_text(*sides[1]),
    )


def _text(tokens: _Tokens, some: list[int]) -> str:
    return join_words([tokens.of.text[word] for word in dict.fromkeys(tokens.word[some].tolist())])

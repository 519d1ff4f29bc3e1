"""Two streams of words side by side, where only words near each other in time may stand against each other.

The alignment takes the fewest edits, as MeetEval's time-constrained one does (``meeteval.wer.align``), whose memory
grows with the square of the recording's length; this one's grows with its length. Of alignments with the fewest edits
it is the one with the most equal words, and of these the one whose words are nearest to each other in time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Seconds = NDArray[np.float64]
Row = tuple[int, Ints]
"""A column, and from there on the best score so far; columns before matter no more, later ones have the last."""

_NEAREST = 100
"""Score of two words whose middles fall together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TimedWords:
    """Words by start; all arrays have shape ``(n,)``."""

    words: Ints
    """Equal numbers are equal words."""
    starts: Seconds
    """Never falling."""
    ends: Seconds


def align(reference: TimedWords, found: TimedWords) -> tuple[Ints, Ints]:
    """Return the indices of the words that stand against each other, ascending: equal ones and substitutions.

    A word may stand against another if their intervals share time. The ends of ``found`` must never fall either.
    """
    rows = _rows(reference, found)
    pairs: list[tuple[int, int]] = []
    column = len(found.words)
    for row in range(len(reference.words), 0, -1):
        low, best = rows[row]
        column = min(column, low + len(best) - 1)
        while column > low:
            gain = _gains(reference, found, row - 1, slice(column - 1, column))[0]
            if gain and best[column - low] == _at(rows[row - 1], column - 1) + gain:
                pairs.append((row - 1, column - 1))
                column -= 1
                break
            if best[column - low] != best[column - 1 - low]:
                break  # the word of the reference stands alone
            column -= 1
    own, other = zip(*reversed(pairs), strict=True) if pairs else ((), ())
    return np.array(own, np.int64), np.array(other, np.int64)


def _rows(reference: TimedWords, found: TimedWords) -> list[Row]:
    """Return the table of best scores: after so many words of the reference, for each number of found words."""
    lows = np.searchsorted(found.ends, reference.starts, side="right")
    highs = np.maximum(np.maximum.accumulate(np.searchsorted(found.starts, reference.ends, side="left")), lows)
    rows: list[Row] = [(0, np.zeros(1, np.int64))]
    for index, (low, high) in enumerate(zip(lows.tolist(), highs.tolist(), strict=True)):
        first, before = rows[-1]
        known = before[low - first : high + 1 - first]
        best = np.full(high + 1 - low, before[-1], np.int64)
        best[: len(known)] = known
        best[1:] = np.maximum(best[1:], best[:-1] + _gains(reference, found, index, slice(low, high)))
        rows.append((low, np.maximum.accumulate(best)))
    return rows


def _gains(reference: TimedWords, found: TimedWords, row: int, columns: slice) -> Ints:
    """Return what it is worth to put a word of the reference against each of the found words; 0 where it may not be.

    Two words that stand alone are two edits. Against each other they save one, and two where they are equal; all that
    equal words and nearness can add up to is worth less than one edit.
    """
    n = min(len(reference.words), len(found.words)) + 1
    of_equal = _NEAREST * n + 1
    of_edit = (of_equal + _NEAREST) * n
    start, end, starts, ends = reference.starts[row], reference.ends[row], found.starts[columns], found.ends[columns]
    may = (starts < end) & (start < ends)
    equal = found.words[columns] == reference.words[row]
    reach = np.where(may, end - start + ends - starts, 1.0)
    nearness = (_NEAREST * (1 - np.abs(start + end - starts - ends) / reach)).astype(np.int64)
    gains: Ints = np.where(may, of_edit * (1 + equal) + of_equal * equal + nearness, 0)
    return gains


def _at(row: Row, column: int) -> int:
    low, best = row
    return int(best[min(max(column - low, 0), len(best) - 1)])

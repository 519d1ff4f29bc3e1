"""Align two sequences with as few edits as there can be (Levenshtein 1966, by Wagner and Fischer 1974)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]


def aligned(one: IntArray, other: IntArray) -> list[tuple[int | None, int | None]]:
    """Return pairs of indices in order: both where items stand for each other, equal or not; None where one is alone.

    Takes time and memory of ``len(one) * len(other)``.
    """
    return list(_walk_back(_distances(one, other), one, other))[::-1]


def _distances(one: IntArray, other: IntArray) -> IntArray:
    """Return the edits between the first i of one and the first j of the other, shape ``(len + 1, len + 1)``."""
    columns = np.arange(len(other) + 1)
    table = np.empty((len(one) + 1, len(other) + 1), dtype=np.int64)
    table[0] = columns
    for row, item in enumerate(one, start=1):
        above = table[row - 1]
        best = above + 1
        np.minimum(best[1:], above[:-1] + (other != item), out=best[1:])
        # what comes alone costs one more than what is to its left, over any distance
        table[row] = np.minimum.accumulate(best - columns) + columns
    return table


def _walk_back(table: IntArray, one: IntArray, other: IntArray) -> Iterator[tuple[int | None, int | None]]:
    row, column = len(one), len(other)
    while row or column:
        here = table[row, column]
        is_same = row and column and one[row - 1] == other[column - 1]
        if row and column and here == table[row - 1, column - 1] + (not is_same):
            row, column = row - 1, column - 1
            yield row, column
        elif row and here == table[row - 1, column] + 1:
            row -= 1
            yield row, None
        else:
            column -= 1
            yield None, column

"""Who is who across recordings: B-cubed of speaker IDs, and the one mapping of IDs to persons for a whole archive.

B-cubed (Bagga and Baldwin, 1998; Amigó et al., 2009) takes each millisecond in which one person talks and one ID is
given as an item: precision is how much of its ID's time is its person's, recall how much of its person's time is its
ID's, on average.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tasks.evaluation.sharing import Shared


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """B-cubed precision and recall of speaker IDs."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def added(parts: Iterable[Shared]) -> Counter[tuple[str, str]]:
    """Return the time that persons and IDs share in several recordings."""
    total: Counter[tuple[str, str]] = Counter()
    for part in parts:
        total.update(part)
    return total


def b_cubed(shared: Shared) -> Identity:
    """Return B-cubed over the time that persons and speaker IDs share; perfect where there is none."""
    if not shared:
        return Identity(precision=1.0, recall=1.0)
    table = SharedTable([shared])
    precision, recall = table.b_cubed(np.ones((1, 1)))
    return Identity(precision=float(precision[0]), recall=float(recall[0]))


def best_mapping(pairs: Shared) -> dict[str, str]:
    """Return the person of each speaker ID, one to one, such that the most time is right."""
    from scipy.optimize import linear_sum_assignment

    persons, ids = (sorted({pair[side] for pair in pairs}) for side in (0, 1))
    row, column = ({name: index for index, name in enumerate(names)} for names in (persons, ids))
    together = np.zeros((len(persons), len(ids)))
    for (person, speaker_id), ms in pairs.items():
        together[row[person], column[speaker_id]] = ms
    chosen = zip(*linear_sum_assignment(together, maximize=True), strict=True)
    return {ids[c]: persons[r] for r, c in chosen if together[r, c]}


class SharedTable:
    """Shared time of several recordings, ready to be added up with weights."""

    def __init__(self, parts: Sequence[Shared]) -> None:
        """Number the pairs, persons and IDs of all recordings."""
        from scipy.sparse import csr_array

        pairs = sorted({pair for part in parts for pair in part})
        column = {pair: index for index, pair in enumerate(pairs)}
        cells = [(index, column[pair], ms) for index, part in enumerate(parts) for pair, ms in part.items()]
        rows, columns, values = (np.array(side) for side in zip(*cells, strict=True)) if cells else ([], [], [])
        self._ms = csr_array((values, (rows, columns)), shape=(len(parts), len(pairs)), dtype=np.float64)
        self._person, self._id = (_numbered([pair[side] for pair in pairs]) for side in (0, 1))

    def b_cubed(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return precision and recall for each row of weights; NaN where nothing has weight.

        Args:
            weights: How often each recording counts, shape ``(n, recordings)``.
        """
        shared = weights @ self._ms
        total = shared.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            precision, recall = (
                np.nansum(shared**2 / _summed(shared, group), axis=1) / total for group in (self._id, self._person)
            )
        return precision, recall


def _numbered(names: Sequence[str]) -> NDArray[np.int64]:
    return np.unique(np.array(names, np.str_), return_inverse=True)[1].astype(np.int64)


def _summed(shared: NDArray[np.float64], group: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return for each pair the time of all pairs of its group, shape as ``shared``."""
    from scipy.sparse import csr_array

    n = len(group)
    membership = csr_array((np.ones(n), (np.arange(n), group)), shape=(n, int(group.max(initial=-1)) + 1))
    summed: NDArray[np.float64] = (shared @ membership) @ membership.T
    return summed

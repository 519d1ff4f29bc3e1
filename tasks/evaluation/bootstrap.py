"""How much a figure depends on which recordings happen to be in the set: the bootstrap over recordings.

Recordings are drawn with replacement, as many as there are, a thousand times; the figure is counted anew for each draw
from sums; what the middle 95 % of the draws span is the interval (the percentile method of Efron, 1979; for error
rates Bisani and Ney, 2004). Recordings, not words, are drawn because errors within a recording come together.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

N_DRAWS = 1000
_SEED = 20_260
_LEVEL = 0.95
_FEWEST = 2

Floats = NDArray[np.float64]


def draws(n_recordings: int) -> Floats:
    """Return how often each recording was drawn, shape ``(N_DRAWS, n_recordings)``; the same in every run."""
    chance = np.full(n_recordings, 1 / n_recordings)
    return np.random.default_rng(_SEED).multinomial(n_recordings, chance, N_DRAWS).astype(np.float64)


def interval(values: Floats, n_recordings: int) -> tuple[float, float] | None:
    """Return between which values the middle of the draws lies; None where one recording tells nothing of others.

    Args:
        values: Of each draw; NaN where it holds nothing to count.
        n_recordings: How many recordings have the figure at all.
    """
    known = values[np.isfinite(values)]
    if n_recordings < _FEWEST or not known.size:
        return None
    low, high = np.quantile(known, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2])
    return float(low), float(high)

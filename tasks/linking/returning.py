"""How many voices of an archive are heard again, in another recording: what a match is worth before anybody listens.

In a talk show nearly everybody returns, in a collection of testimonies nobody does, and the same likeness means little
there. The share is estimated from what speaks for each voice and its neighbours being one person (expectation
maximisation over one unknown).
"""

from __future__ import annotations

import numpy as np

from tasks.linking.agglomerate import Pairs

_PRIOR_VOICES = 4.0
"""That half of all voices return is believed as if so many had been seen."""
_STEPS = 20
_MOST_NATS = 50.0


def returning_share(count: int, pairs: Pairs) -> float:
    """Return the share of voices that are heard again, in (0, 1).

    Args:
        count: How many voices there are.
        pairs: Each with those that come nearest to it.
    """
    likelihood_ratio = np.exp(np.minimum(pairs.score, _MOST_NATS))
    each = np.bincount(pairs.one, likelihood_ratio, count) + np.bincount(pairs.other, likelihood_ratio, count)
    likelihood = each / max(count - 1, 1)
    share = 0.5
    for _ in range(_STEPS):
        returns = share * likelihood / (1 - share + share * likelihood)
        share = (float(returns.sum()) + 0.5 * _PRIOR_VOICES) / (count + _PRIOR_VOICES)
    return share

"""How many voices of an archive are heard again, in another recording: what a match is worth before anybody listens.

In a talk show nearly everybody returns, in a collection of testimonies nobody does, and the same likeness means little
there. The share is estimated from what speaks for each voice and its neighbours being one person (expectation
maximisation over one unknown).
"""

from __future__ import annotations

import numpy as np

from tasks.linking.clusters import Pairs, Voices
from tasks.linking.evidence import VoiceGroups

_PRIOR_VOICES = 4.0
"""That half of all voices return is believed as if so many had been seen."""
_STEPS = 20
_MOST_NATS = 50.0


def returning_share(voices: Voices, pairs: Pairs) -> float:
    """Return the share of voices that are heard again, in (0, 1).

    Args:
        voices: All of them.
        pairs: Each with those that come nearest to it.
    """
    count = len(voices)
    one, other = pairs
    ratio = VoiceGroups(voices.vectors, voices.noise, voices.scale).between(one, other)
    likelihood = np.bincount(one, np.exp(np.minimum(ratio, _MOST_NATS)), count) / max(count - 1, 1)
    share = 0.5
    for _ in range(_STEPS):
        returns = share * likelihood / (1 - share + share * likelihood)
        share = (float(returns.sum()) + 0.5 * _PRIOR_VOICES) / (count + _PRIOR_VOICES)
    return share

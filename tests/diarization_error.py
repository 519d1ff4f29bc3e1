"""How wrong a diarization is."""

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linear_sum_assignment

from storage.records import Turn

_FRAME_MS = 10


def error_time(heard: Sequence[Turn], said: Sequence[Turn], clip_ms: int) -> tuple[int, int]:
    """Return wrong frames and frames of speech: what is missed, invented or given to another person.

    Without collar; overlapping speech counts once for each speaker; labels are matched as well as can be.
    """
    ours, theirs = _activity(heard, clip_ms), _activity(said, clip_ms)
    shared = ours.astype(int) @ theirs.T.astype(int)
    right = shared[linear_sum_assignment(shared, maximize=True)].sum()
    return int(np.maximum(ours.sum(0), theirs.sum(0)).sum() - right), int(theirs.sum())


def _activity(turns: Sequence[Turn], clip_ms: int) -> np.ndarray:
    """Return ``(speakers, frames)``."""
    speakers = sorted({turn.speaker for turn in turns})
    active = np.zeros((len(speakers), -(-clip_ms // _FRAME_MS)), bool)
    for turn in turns:
        active[speakers.index(turn.speaker), turn.start_ms // _FRAME_MS : turn.end_ms // _FRAME_MS] = True
    return active

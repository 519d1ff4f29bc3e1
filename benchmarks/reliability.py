"""Whether attribution keeps its promise: of words said to be so sure, how many are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.heard_turns import Heard
from benchmarks.output import Row
from benchmarks.spoken_words import Spoken
from tasks.attribute import attribute
from tasks.columns import NOBODY

RELIABILITY_COLUMNS = ("set", "told", "words", "mean told", "right", "gap", "calibration error")
_EDGES = np.array([0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])


def reliability(name: str, pairs: Sequence[tuple[Spoken, Heard]]) -> list[Row]:
    """Return a row per range of what words are told to be, and one for all; words of nobody tell nothing."""
    told, is_right = [], []
    for spoken, heard in pairs:
        said = attribute(spoken.words, heard.exclusive, heard.turns)
        known = said.speaker != NOBODY
        told.append(said.confidence[known])
        is_right.append((said.speaker == spoken.person)[known])
    return [{"set": name, **row} for row in ranges(np.concatenate(told), np.concatenate(is_right))]


def ranges(told: NDArray[np.floating], is_right: NDArray[np.bool_]) -> list[Row]:
    """Return the ranges; the calibration error is the expected one over them."""
    place = np.searchsorted(_EDGES, told, side="right").clip(1, len(_EDGES) - 1)
    rows = [
        {"told": f"{_EDGES[at - 1]:g} to {_EDGES[at]:g}", **_means(told[place == at], is_right[place == at])}
        for at in range(1, len(_EDGES))
        if (place == at).any()
    ]
    error = sum(row["words"] * abs(row["gap"]) for row in rows) / max(len(told), 1)
    return [*rows, {"told": "any", **_means(told, is_right), "calibration error": error}] if rows else []


def _means(told: NDArray[np.floating], is_right: NDArray[np.bool_]) -> Row:
    mean, right = float(told.mean()), float(is_right.mean())
    return {"words": len(told), "mean told": mean, "right": right, "gap": right - mean}

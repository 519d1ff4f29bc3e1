"""Whether confidence keeps its promise: of links that are told to be right in 9 cases of 10, how many are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.output import Row
from tasks.linking.voices import BoolArray, IntArray

_EDGES = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 0.999, 1.0)
CONFIDENCE_COLUMNS = (
    "set", "voices", "confidence", "links", "told", "right", "gap", "calibration error", "certain and wrong %",
)  # fmt: skip
_CERTAIN = 0.9


class ToldLinks(NamedTuple):
    """How sure links are, and whether they are right."""

    confidence: NDArray[np.floating]
    is_right: BoolArray
    is_alone: BoolArray
    """Whether the voice is all there is of its speaker."""

    def and_also(self, other: ToldLinks) -> ToldLinks:
        """Return these and others."""
        return ToldLinks(*(np.concatenate(both) for both in zip(self, other, strict=True)))

    def take(self, some: BoolArray) -> ToldLinks:
        """Return some of these."""
        return ToldLinks(*(column[some] for column in self))


NO_LINKS = ToldLinks(np.empty(0), np.empty(0, np.bool_), np.empty(0, np.bool_))


def told_links(
    confidence: NDArray[np.floating], speaker: IntArray, person: IntArray, weight: NDArray[np.number]
) -> ToldLinks:
    """Return the links that tell a confidence, and which of these are right.

    A link is right if nobody has more of the rest of its speaker than its own person. A voice that is all there is of
    its speaker is right if its person is heard nowhere else.

    Args:
        confidence: of each local speaker; NaN where none is told.
        speaker: of each, a number from 0.
        person: of each, the truth, a number from 0.
        weight: of each, its speech.
    """
    width = int(person.max(initial=-1)) + 1
    pairs, of_pair = np.unique(speaker * width + person, return_inverse=True)
    total = np.bincount(of_pair, weight, len(pairs))
    own_rest = total[of_pair] - weight
    rival = _most_of_others(pairs // max(width, 1), total)[of_pair]
    elsewhere = np.bincount(person, weight)[person] - weight
    is_alone = np.bincount(speaker)[speaker] == 1
    is_right = np.where(is_alone, elsewhere <= 0, (own_rest >= rival) & (own_rest > 0))
    is_told = np.isfinite(confidence)
    return ToldLinks(confidence, is_right, is_alone).take(is_told)


def _most_of_others(speaker: IntArray, total: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return of each (speaker, person), sorted by speaker, the most that another person has of the speaker."""
    order = np.lexsort((-total, speaker))
    first = np.r_[True, np.diff(speaker[order]) != 0][: len(order)]
    start = np.flatnonzero(first)
    size = np.diff(np.r_[start, len(order)])
    second = np.where(size > 1, total[order][np.minimum(start + 1, len(order) - 1)], 0.0)
    rival = np.empty(len(order))
    rival[order] = np.where(first, np.repeat(second, size), np.repeat(total[order][start], size))
    return rival


def confidence_rows(name: str, told: ToldLinks) -> list[Row]:
    """Return a row per range of confidences and one for all: of voices that are alone, of others, and of both.

    The calibration error is the expected one over these ranges.
    """
    parts = (("together", told.take(~told.is_alone)), ("alone", told.take(told.is_alone)), ("all", told))
    return [{"set": name, "voices": which, **row} for which, part in parts for row in _ranges(part)]


def _ranges(told: ToldLinks) -> list[Row]:
    place = np.searchsorted(_EDGES, told.confidence, side="right").clip(1, len(_EDGES) - 1)
    rows = [
        {"confidence": f"{_EDGES[at - 1]:g} to {_EDGES[at]:g}", **_means(told.take(place == at))}
        for at in range(1, len(_EDGES))
        if (place == at).any()
    ]
    if not rows:
        return []
    certain = told.take(told.confidence >= _CERTAIN)
    everything = {
        "confidence": "any",
        **_means(told),
        "calibration error": sum(row["links"] * abs(row["gap"]) for row in rows) / len(told.confidence),
        "certain and wrong %": 100 * float((~certain.is_right).mean()) if len(certain.is_right) else None,
    }
    return [*rows, everything]


def _means(told: ToldLinks) -> Row:
    mean, right = float(told.confidence.mean()), float(told.is_right.mean())
    return {"links": len(told.confidence), "told": mean, "right": right, "gap": right - mean}

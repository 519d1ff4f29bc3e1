"""Words and turns of one recording as columns, so that a million of them take a second and not a minute."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]

NOBODY = -1
"""The speaker of a word that has none."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordTimes:
    """When words are said: columns of shape ``(n,)``, in the order of the recording."""

    start_ms: IntArray
    end_ms: IntArray
    channel: NDArray[np.int16]
    ends_sentence: BoolArray
    """Whether the word's text closes a sentence; see ``tasks.attribution.orthography.sentence_ends``."""

    def __post_init__(self) -> None:
        """Refuse columns that do not belong together."""
        _same_length(self.start_ms, self.end_ms, self.channel, self.ends_sentence)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WordTexts:
    """What words say: columns beside ``WordTimes``."""

    text: Sequence[str]
    confidence: FloatArray
    """In [0, 1]; NaN where the engine gives none."""
    segment: IntArray
    """Index into the recording's segments; -1 for none."""

    def __post_init__(self) -> None:
        """Refuse columns that do not belong together."""
        _same_length(self.text, self.confidence, self.segment)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TurnTimes:
    """Turns: columns of shape ``(n,)``, in any order."""

    start_ms: IntArray
    end_ms: IntArray
    speaker: IntArray
    """Index of the local speaker, from 0."""
    channel: NDArray[np.int16]
    confidence: FloatArray
    """In [0, 1]; NaN where the diarizer gives none."""

    def __post_init__(self) -> None:
        """Refuse columns that do not belong together."""
        _same_length(self.start_ms, self.end_ms, self.speaker, self.channel, self.confidence)


def sorted_unique(values: IntArray) -> IntArray:
    """Return the values in order, each once; several times faster than ``np.unique`` where they are almost sorted."""
    in_order = np.sort(values, kind="stable")
    is_new = np.ones(len(in_order), np.bool_)
    is_new[1:] = in_order[1:] != in_order[:-1]
    return in_order[is_new]


def _same_length(*columns: Sequence[str] | NDArray[np.generic]) -> None:
    lengths = [len(column) for column in columns]
    if len(set(lengths)) > 1:
        message = f"columns of one table differ in length: {lengths}"
        raise ValueError(message)

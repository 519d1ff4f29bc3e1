"""Words and turns for tests that give the ones the speakers of the others."""

import math

import numpy as np

from tasks.attribution.attribute import REASONS, attribute
from tasks.attribution.columns import TurnTimes, WordTimes
from tasks.attribution.orthography import sentence_ends

A, B, C = range(3)
FOUR_WORDS = [(0, 400, "Nobody"), (400, 800, "ever"), (800, 1_000, "knows."), (1_000, 1_300, "Right")]


def words_of(*rows):
    """Return columns of (start_ms, end_ms[, text[, channel]])."""
    full = [(*row, *("word", 0)[len(row) - 2 :]) for row in rows]
    start, end, text, channel = zip(*full, strict=True) if full else ((),) * 4
    return WordTimes(
        start_ms=np.array(start, np.int64),
        end_ms=np.array(end, np.int64),
        channel=np.array(channel, np.int16),
        ends_sentence=sentence_ends(text),
    )


def turns_of(*rows):
    """Return columns of (start_ms, end_ms, speaker[, channel[, confidence]])."""
    full = [(*row, *(0, math.nan)[len(row) - 3 :]) for row in rows]
    start, end, speaker, channel, confidence = zip(*full, strict=True) if full else ((),) * 5
    return TurnTimes(
        start_ms=np.array(start, np.int64),
        end_ms=np.array(end, np.int64),
        speaker=np.array(speaker, np.int64),
        channel=np.array(channel, np.int16),
        confidence=np.array(confidence, np.float32),
    )


def attributed(words, exclusive, turns=None, options=None):
    turns = exclusive if turns is None else turns
    return attribute(words_of(*words), turns_of(*exclusive), turns_of(*turns), options=options)


def reasons(result):
    return [REASONS[code] for code in result.reason]

"""Turns that a diarizer hears in the recordings of a set, with its confidences, under the names of the truth."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from benchmarks.accuracy import audio_and_truth, run, truth_name
from benchmarks.spoken_words import Spoken, turn_times
from tasks.attribution.claims import claim, cut
from tasks.attribution.columns import NOBODY, IntArray, TurnTimes


class Heard(NamedTuple):
    """What a diarizer says of one recording."""

    turns: TurnTimes
    exclusive: TurnTimes


def hear(folder: Path, lake: Path, profile: str) -> dict[str, Heard]:
    """Return the turns in every recording of a set, from a lake that is made or continued. No words are recognised."""
    run(audio_and_truth(folder)[0], lake, profile, None, "fake")
    return read_turns(lake)


def read_turns(lake: Path) -> dict[str, Heard]:
    """Return the turns of every recording of a lake that is heard as a mix; local speakers count from 0.

    Where channels are heard apart, a truth that does not say on which one a word is cannot judge.
    """
    from storage.catalog import open_catalog

    with open_catalog(str(lake)) as catalog:
        rows = catalog.execute(
            "SELECT source, is_exclusive, start_ms, end_ms, dense_rank() OVER (PARTITION BY source ORDER BY"
            " local_speaker) - 1, confidence FROM turns JOIN recordings USING (recording_id, source)"
            " WHERE channel_mode = 'mix' ORDER BY source, start_ms, end_ms"
        ).fetchall()
    found = {}
    for source in sorted({row[0] for row in rows}):
        full, exclusive = (
            _turns([row[2:] for row in rows if row[0] == source and row[1] == flag]) for flag in (False, True)
        )
        found[truth_name(source)] = Heard(full, exclusive)
    return found


def _turns(rows: list[tuple[int, int, int, float | None]]) -> TurnTimes:
    confidence = [math.nan if row[3] is None else row[3] for row in rows]
    return replace(turn_times([row[:3] for row in rows]), confidence=np.array(confidence, np.float32))


def under_true_names(heard: Heard, spoken: Spoken) -> Heard:
    """Return the turns with persons as speakers, mapped one to one so that most time of words is shared.

    Speakers beyond the number of persons get numbers that no person has.
    """
    from scipy.optimize import linear_sum_assignment

    shared = _shared_ms(spoken, heard.turns)
    rows, columns = linear_sum_assignment(-shared)
    name = np.arange(len(shared)) + shared.shape[1]
    name[rows] = columns
    full, exclusive = (replace(turns, speaker=name[turns.speaker]) for turns in heard)
    return Heard(full, exclusive)


def _shared_ms(spoken: Spoken, turns: TurnTimes) -> IntArray:
    """Return the time that each speaker's turns share with each person's words, shape ``(n_speakers, n_persons)``."""
    shared = np.zeros((int(turns.speaker.max(initial=0)) + 1, int(spoken.person.max(initial=0)) + 1), np.int64)
    start, end = spoken.words.start_ms, np.maximum(spoken.words.end_ms, spoken.words.start_ms + 1)
    for speaker in range(len(shared)):
        own = turn_times(
            [
                (int(a), int(b), speaker)
                for a, b, who in zip(turns.start_ms, turns.end_ms, turns.speaker, strict=True)
                if who == speaker
            ]
        )
        claims = claim(start, end, cut(own))
        shared[speaker] = np.bincount(
            spoken.person, np.where(claims.speaker == NOBODY, 0, claims.best_ms), shared.shape[1]
        )
    return shared

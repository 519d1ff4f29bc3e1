"""Whether attribution keeps its promise: of words said to be so sure, how many are right."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.heard_turns import Heard
from benchmarks.output import Row
from benchmarks.spoken_words import Spoken
from tasks.attribution.attribute import Attribution, attribute
from tasks.attribution.columns import NOBODY, WordTexts
from tasks.attribution.utterances import build_utterances

RELIABILITY_COLUMNS = ("set", "turns", "told", "words", "mean told", "right", "gap", "calibration error")
DOUBT_COLUMNS = (
    "set", "turns", "words", "mean told", "right", "calibration error", "margin's error", "utterances", "uncertain %",
    "right if uncertain", "right if not",
)  # fmt: skip
_EDGES = np.array([0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0])


def reliability(name: str, how: str, pairs: Sequence[tuple[Spoken, Heard]]) -> list[Row]:
    """Return a row per range of what words tell of their speaker, and one for all; words of nobody tell nothing.

    The last row also has the calibration error that the margin would have, and says of utterances how many are
    uncertain, and how much of their time is right.
    """
    told, margin, is_right, is_uncertain, right_share = [], [], [], [], []
    for spoken, heard in pairs:
        said = attribute(spoken.words, heard.exclusive, heard.turns)
        known, right = said.speaker != NOBODY, said.speaker == spoken.person
        told.append(said.confidence[known])
        margin.append(said.margin[known])
        is_right.append(right[known])
        flagged, share = _utterances(spoken, said, right)
        is_uncertain.append(flagged)
        right_share.append(share)
    rows = ranges(np.concatenate(told), np.concatenate(is_right))
    uncertain, shares = np.concatenate(is_uncertain), np.concatenate(right_share)
    doubts = {
        "margin's error": ranges(np.concatenate(margin), np.concatenate(is_right))[-1]["calibration error"],
        "utterances": len(uncertain),
        "uncertain %": 100 * float(uncertain.mean()),
        "right if uncertain": float(shares[uncertain].mean()) if uncertain.any() else None,
        "right if not": float(shares[~uncertain].mean()),
    }
    origin = {"set": name, "turns": how}
    return [*(origin | row for row in rows[:-1]), origin | rows[-1] | doubts]


def _utterances(
    spoken: Spoken, said: Attribution, is_right: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.floating]]:
    """Return of each utterance that has a speaker whether it is uncertain, and the share of its time that is right."""
    n, n_speakers = len(spoken.texts), int(said.speaker.max(initial=0)) + 1
    texts = WordTexts(text=spoken.texts, confidence=np.full(n, np.nan, np.float32), segment=np.full(n, -1))
    names = [f"S{index}" for index in range(n_speakers)]
    found = build_utterances(spoken.words, texts, said, segments=[], speakers=names)
    spent_ms = np.maximum(spoken.words.end_ms - spoken.words.start_ms, 1)
    share = np.bincount(found.of_word, spent_ms * is_right) / np.bincount(found.of_word, spent_ms)
    known = np.array([row.local_speaker is not None for row in found.rows])
    return np.array([row.speaker_uncertain for row in found.rows])[known], share[known]


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

"""Figures of recordings, of collections and of all: errors summed and divided by what there is, not means of rates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np

from tasks.evaluation.bootstrap import Floats, draws, interval
from tasks.evaluation.counts import TurnErrors, WordEdits, WordErrors
from tasks.evaluation.identity import SharedTable, added, b_cubed, best_mapping
from tasks.evaluation.score import Score

Scope = Literal["recording", "collection", "all"]
Unit = Literal["ms", "words", "speakers"]

_BATCH = 100
"""Draws that are looked at together: pairs of persons and IDs are many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRecording:
    """A recording that has a reference."""

    recording_id: str
    source: str
    collection: str | None
    status: str
    duration_ms: int
    score: Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number, of a recording, a collection or all."""

    scope: Scope
    figure: str
    value: float | None
    """None where there is nothing to divide by."""
    low: float | None = None
    """Where the 95 % interval begins; None where it takes more recordings to tell."""
    high: float | None = None
    wrong: float | None = None
    """What was wrong, in ``unit``; None for B-cubed, which is no quotient of sums."""
    total: float | None = None
    """What there was in the reference."""
    unit: Unit
    n_recordings: int
    """How many recordings tell."""
    collection: str | None = None
    recording_id: str | None = None
    source: str | None = None


class Ratio(NamedTuple):
    """What is wrong of what there is."""

    wrong: float
    total: float
    unit: Unit


def figures_of(recordings: Sequence[ScoredRecording]) -> tuple[Figure, ...]:
    """Return the figures of all, of each collection and of each recording, in this order."""
    person_of = best_mapping(added(one.score.identity.time.pairs for one in recordings if one.score.identity))
    ratios = [_ratios(one.score, person_of) for one in recordings]
    collections = sorted({one.collection for one in recordings if one.collection is not None})
    found = _pooled("all", recordings, ratios)
    for name in collections:
        rows = [index for index, one in enumerate(recordings) if one.collection == name]
        found += _pooled("collection", [recordings[row] for row in rows], [ratios[row] for row in rows], name)
    for one, own in zip(recordings, ratios, strict=True):
        found += [_of_recording(one, name, ratio) for name, ratio in own.items()]
    return tuple(found)


def _ratios(score: Score, person_of: Mapping[str, str]) -> dict[str, Ratio]:
    found: dict[str, Ratio] = {}
    if score.turns:
        errors = score.turns.errors
        found |= {
            "der": _of_turns(errors),
            "der_missed": Ratio(errors.missed_ms, errors.speech_ms, "ms"),
            "der_false_alarm": Ratio(errors.false_ms, errors.speech_ms, "ms"),
            "der_confusion": Ratio(errors.confused_ms, errors.speech_ms, "ms"),
            "der_collar": _of_turns(score.turns.collared),
            "jer": Ratio(score.turns.jaccard.errors, score.turns.jaccard.n_speakers, "speakers"),
        }
    if score.identity:
        found["archive_der"] = _of_turns(score.identity.time.errors(person_of))
    if score.words:
        words = score.words
        found |= {
            "wer": _of_words(words),
            "wer_insertions": Ratio(words.insertions, words.n_words, "words"),
            "wer_deletions": Ratio(words.deletions, words.n_words, "words"),
            "wer_substitutions": Ratio(words.substitutions, words.n_words, "words"),
        }
    if spoken := score.speaker_words:
        found |= {
            "cpwer": _of_words(spoken.errors),
            "tcpwer": _of_words(spoken.timed),
            "wder": Ratio(spoken.speakers.wrong, spoken.speakers.n_aligned, "words"),
        }
    return found


def _of_turns(errors: TurnErrors) -> Ratio:
    return Ratio(errors.wrong_ms, errors.speech_ms, "ms")


def _of_words(errors: WordEdits | WordErrors) -> Ratio:
    return Ratio(errors.errors, errors.n_words, "words")


def _of_recording(one: ScoredRecording, name: str, ratio: Ratio) -> Figure:
    return Figure(
        scope="recording",
        figure=name,
        value=ratio.wrong / ratio.total if ratio.total else None,
        wrong=ratio.wrong,
        total=ratio.total,
        unit=ratio.unit,
        n_recordings=1,
        collection=one.collection,
        recording_id=one.recording_id,
        source=one.source,
    )


def _pooled(
    scope: Scope,
    recordings: Sequence[ScoredRecording],
    ratios: Sequence[Mapping[str, Ratio]],
    collection: str | None = None,
) -> list[Figure]:
    weights = draws(len(recordings))
    names = list(dict.fromkeys(name for own in ratios for name in own))
    found = []
    for name in names:
        known = [own.get(name) for own in ratios]
        wrong, total = (np.array([ratio[side] if ratio else 0.0 for ratio in known]) for side in (0, 1))
        n_recordings = sum(ratio is not None for ratio in known)
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = interval((weights @ wrong) / (weights @ total), n_recordings)
        low, high = spread or (None, None)
        found.append(
            Figure(
                scope=scope,
                figure=name,
                value=float(wrong.sum() / total.sum()) if total.any() else None,
                low=low,
                high=high,
                wrong=float(wrong.sum()),
                total=float(total.sum()),
                unit=next(ratio.unit for ratio in known if ratio),
                n_recordings=n_recordings,
                collection=collection,
            )
        )
    return found + _b_cubed(scope, recordings, weights, collection)


def _b_cubed(
    scope: Scope, recordings: Sequence[ScoredRecording], weights: Floats, collection: str | None
) -> list[Figure]:
    shared = [one.score.identity.shared if one.score.identity else {} for one in recordings]
    n_recordings = sum(one.score.identity is not None for one in recordings)
    if not any(shared):
        return []
    table, identity = SharedTable(shared), b_cubed(added(shared))
    batches = [table.b_cubed(weights[first : first + _BATCH]) for first in range(0, len(weights), _BATCH)]
    precision, recall = (np.concatenate(side) for side in zip(*batches, strict=True))
    drawn = {
        "bcubed": (identity.f1, 2 * precision * recall / (precision + recall)),
        "bcubed_precision": (identity.precision, precision),
        "bcubed_recall": (identity.recall, recall),
    }
    found = []
    for name, (value, values) in drawn.items():
        low, high = interval(values, n_recordings) or (None, None)
        found.append(
            Figure(
                scope=scope,
                figure=name,
                value=value,
                low=low,
                high=high,
                total=sum(sum(part.values()) for part in shared),
                unit="ms",
                n_recordings=n_recordings,
                collection=collection,
            )
        )
    return found

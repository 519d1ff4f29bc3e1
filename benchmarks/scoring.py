"""Compare what a lake says with the truth: words, turns, and who is who across recordings.

Words are counted by MeetEval and turns by pyannote.metrics, which others score with as well; B-cubed is counted here.
Turns are ``storage.formats.document.DocumentTurn``; a speaker of a truth is a person of the whole archive.
"""

from __future__ import annotations

import logging
import re
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.formats.document import DocumentTurn, DocumentUtterance
from storage.records import seconds_from_ms

_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class WordErrors:
    """Edits between two word streams; add up over recordings."""

    errors: int = 0
    n_words: int = 0

    def __add__(self, other: WordErrors) -> WordErrors:
        """Return the sums."""
        return WordErrors(errors=self.errors + other.errors, n_words=self.n_words + other.n_words)

    @property
    def rate(self) -> float:
        """Word error rate; 0 of nothing."""
        return self.errors / self.n_words if self.n_words else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnErrors:
    """Wrongly labelled speaker time, no collar, overlap included; adds up over recordings."""

    missed_ms: int = 0
    false_ms: int = 0
    confused_ms: int = 0
    speech_ms: int = 0
    """Speaker time of the truth: two people talking at once count twice."""

    def __add__(self, other: TurnErrors) -> TurnErrors:
        """Return the sums."""
        return TurnErrors(
            missed_ms=self.missed_ms + other.missed_ms,
            false_ms=self.false_ms + other.false_ms,
            confused_ms=self.confused_ms + other.confused_ms,
            speech_ms=self.speech_ms + other.speech_ms,
        )

    @property
    def rate(self) -> float:
        """Diarization error rate; 0 of nothing."""
        wrong_ms = self.missed_ms + self.false_ms + self.confused_ms
        return wrong_ms / self.speech_ms if self.speech_ms else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """B-cubed precision and recall of speaker IDs, each millisecond an item."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        """Harmonic mean."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def plain_words(text: str) -> list[str]:
    """Return lower-case words without punctuation.

    >>> plain_words("Don't, she said: 42!")
    ["don't", 'she', 'said', '42']
    """
    return _WORD.findall(text.lower().replace("\u2019", "'"))


def word_errors(truth: Sequence[str], found: Sequence[str]) -> WordErrors:
    """Return the fewest insertions, deletions and substitutions between two word streams."""
    from meeteval.wer.wer.siso import siso_word_error_rate

    if not truth:
        return WordErrors(errors=len(found))
    with _quiet():
        counted = siso_word_error_rate(" ".join(truth), " ".join(found))
    return WordErrors(errors=counted.errors, n_words=counted.length)


def speaker_word_errors(truth: Mapping[str, Sequence[str]], found: Mapping[str, Sequence[str]]) -> WordErrors:
    """Return the same per speaker under the best assignment of speakers: cpWER, which misplaced words make worse."""
    from meeteval.wer.wer.cp import cp_word_error_rate

    with _quiet():
        counted = cp_word_error_rate(
            {speaker: " ".join(words) for speaker, words in truth.items()},
            {speaker: " ".join(words) for speaker, words in found.items()},
        )
    return WordErrors(errors=counted.errors, n_words=counted.length)


def by_speaker(utterances: Iterable[DocumentUtterance]) -> dict[str, list[str]]:
    """Return everybody's words in the order of their utterances."""
    words: dict[str, list[str]] = defaultdict(list)
    for utterance in sorted(utterances, key=lambda one: one.start_ms):
        words[str(utterance.speaker)] += plain_words(utterance.text)
    return dict(words)


def turn_errors(truth: Sequence[DocumentTurn], found: Sequence[DocumentTurn], duration_ms: int) -> TurnErrors:
    """Return the errors under the best one-to-one mapping of speakers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # matplotlib, on import
        from pyannote.core import Segment, Timeline
        from pyannote.metrics.diarization import DiarizationErrorRate

    scored = Timeline([Segment(0, seconds_from_ms(duration_ms))])
    counted = DiarizationErrorRate()(_annotation(truth), _annotation(found), uem=scored, detailed=True)
    return TurnErrors(
        missed_ms=round(counted["missed detection"] * 1000),
        false_ms=round(counted["false alarm"] * 1000),
        confused_ms=round(counted["confusion"] * 1000),
        speech_ms=round(counted["total"] * 1000),
    )


def on_one_clock(recordings: Iterable[tuple[Sequence[DocumentTurn], int]]) -> list[DocumentTurn]:
    """Return all turns as if the recordings, with their durations, had been played one after the other."""
    turns, offset_ms = [], 0
    for own, duration_ms in recordings:
        turns += [
            DocumentTurn(start_ms=offset_ms + turn.start_ms, end_ms=offset_ms + turn.end_ms, speaker=turn.speaker)
            for turn in own
        ]
        offset_ms += duration_ms
    return turns


def shared_ms(truth: Sequence[DocumentTurn], found: Sequence[DocumentTurn]) -> Counter[tuple[str, str]]:
    """Return how long each person was heard under each speaker ID, where one person talks and one ID is given."""
    edges = sorted({edge for turn in (*truth, *found) for edge in (turn.start_ms, turn.end_ms)})
    persons, ids = _active(truth, edges), _active(found, edges)
    shared: Counter[tuple[str, str]] = Counter()
    for index in range(len(edges) - 1):
        if len(persons[index]) == len(ids[index]) == 1:
            (person,), (speaker_id,) = persons[index], ids[index]
            shared[person, speaker_id] += edges[index + 1] - edges[index]
    return shared


def b_cubed(shared: Mapping[tuple[str, str], int]) -> Identity:
    """Return B-cubed over the time that persons and speaker IDs share; perfect where there is none."""
    person_ms: Counter[str] = Counter()
    id_ms: Counter[str] = Counter()
    for (person, speaker_id), ms in shared.items():
        person_ms[person] += ms
        id_ms[speaker_id] += ms
    total_ms = sum(shared.values())
    if not total_ms:
        return Identity(precision=1.0, recall=1.0)
    pure = sum(ms * ms / id_ms[speaker_id] for (_, speaker_id), ms in shared.items())
    whole = sum(ms * ms / person_ms[person] for (person, _), ms in shared.items())
    return Identity(precision=pure / total_ms, recall=whole / total_ms)


def identity_of(
    truth: NDArray[np.integer],
    found: NDArray[np.integer],
    *,
    weight: NDArray[np.number] | None = None,
    items: NDArray[np.bool_] | None = None,
) -> Identity:
    """Return B-cubed over the rows of two partitions, numbers from 0.

    Args:
        truth: person of each row.
        found: speaker of each row.
        weight: of each row; all weigh the same by default.
        items: rows that are asked about; by default all.
    """
    weight = np.ones(len(truth)) if weight is None else weight.astype(np.float64)
    there = weight > 0
    weight, items = weight[there], None if items is None else items[there]
    _, truth = np.unique(truth[there], return_inverse=True)
    _, found = np.unique(found[there], return_inverse=True)
    _, pair = np.unique(found * (int(truth.max(initial=0)) + 1) + truth, return_inverse=True)
    shared = np.bincount(pair, weight)[pair]
    counted = weight if items is None else weight * items
    if not counted.any():
        return Identity(precision=1.0, recall=1.0)
    return Identity(
        precision=float(np.average(shared / np.bincount(found, weight)[found], weights=counted)),
        recall=float(np.average(shared / np.bincount(truth, weight)[truth], weights=counted)),
    )


def _active(turns: Sequence[DocumentTurn], edges: Sequence[int]) -> list[set[str]]:
    """Return who talks between each two edges."""
    position = {edge: index for index, edge in enumerate(edges)}
    active: list[set[str]] = [set() for _ in edges]
    for turn in turns:
        for index in range(position[turn.start_ms], position[turn.end_ms]):
            active[index].add(str(turn.speaker))
    return active


def _annotation(turns: Sequence[DocumentTurn]):  # noqa: ANN202 - a type of pyannote.core, which is imported lazily
    from pyannote.core import Annotation, Segment

    annotation = Annotation()
    for track, turn in enumerate(turns):
        span = Segment(seconds_from_ms(turn.start_ms), seconds_from_ms(turn.end_ms))
        annotation[span, track] = turn.speaker
    return annotation


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep MeetEval from telling, for each call, that there are no timestamps."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)

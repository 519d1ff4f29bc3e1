"""Words whose speakers are known, and turns as a diarizer that errs would have heard them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.accuracy import audio_and_truth, read_truth
from storage.formats.document import DocumentUtterance
from tasks.attribution.columns import IntArray, TurnTimes, WordTimes, sorted_unique
from tasks.attribution.orthography import sentence_ends
from tasks.evaluation.references import Reference


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Spoken:
    """One recording of which it is known who says each word."""

    name: str
    words: WordTimes
    texts: tuple[str, ...]
    person: IntArray
    """Who says each word, counted from 0, shape ``(n_words,)``."""
    turns: TurnTimes
    """When they do; people may talk at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wear:
    """How a diarizer errs."""

    jitter_ms: float = 200.0
    """Scale of the Laplace distribution by which each edge of a turn moves."""
    missed: float = 0.05
    """Share of turns that it does not hear."""
    confused: float = 0.05
    """Share of turns that it gives to somebody else."""


def read_set(folder: Path) -> list[Spoken]:
    """Return the recordings of a set whose words are known; see ``benchmarks/README.md``.

    Words that the truth has in lines of several fill their line in proportion to their letters.
    """
    known = read_truth(audio_and_truth(folder)[1])
    return [_spoken(name, truth) for name, truth in known.items() if truth.utterances]


def _spoken(name: str, truth: Reference) -> Spoken:
    turns, lines = truth.turns or (), truth.utterances or ()
    names = sorted({str(one.speaker) for one in (*turns, *lines)})
    code = {person: index for index, person in enumerate(names)}
    rows = sorted((*span, text, code[str(line.speaker)]) for line in lines for span, text in _parts(line))
    start, end, texts, person = zip(*[(a, b, text, who) for a, b, text, who in rows], strict=True)
    return Spoken(
        name=name,
        words=word_times(start, end, texts),
        texts=texts,
        person=np.array(person, np.int64),
        turns=turn_times([(turn.start_ms, turn.end_ms, code[str(turn.speaker)]) for turn in turns]),
    )


def _parts(line: DocumentUtterance) -> list[tuple[tuple[int, int], str]]:
    texts = line.text.split()
    edges = np.cumsum([0, *(len(text) + 1 for text in texts)])
    at = (line.start_ms + (line.end_ms - line.start_ms) * edges // max(int(edges[-1]), 1)).tolist()
    return [((a, b), text) for a, b, text in zip(at[:-1], at[1:], texts, strict=True)]


def word_times(start_ms: Sequence[int], end_ms: Sequence[int], texts: Sequence[str]) -> WordTimes:
    """Return words of one channel."""
    return WordTimes(
        start_ms=np.array(start_ms, np.int64),
        end_ms=np.array(end_ms, np.int64),
        channel=np.zeros(len(texts), np.int16),
        ends_sentence=sentence_ends(texts),
    )


def turn_times(rows: Sequence[tuple[int, int, int]]) -> TurnTimes:
    """Return turns of one channel from (start_ms, end_ms, speaker), without confidences."""
    columns = np.array(rows, np.int64).reshape(-1, 3)
    return TurnTimes(
        start_ms=columns[:, 0],
        end_ms=columns[:, 1],
        speaker=columns[:, 2],
        channel=np.zeros(len(rows), np.int16),
        confidence=np.full(len(rows), np.nan, np.float32),
    )


def worn(turns: TurnTimes, wear: Wear, rng: np.random.Generator) -> TurnTimes:
    """Return the turns as a diarizer hears them that moves edges, misses turns and takes people for one another."""
    n, n_people = len(turns.start_ms), int(turns.speaker.max(initial=0)) + 1
    start, end = (
        np.maximum(np.rint(edge + rng.laplace(0, wear.jitter_ms, n)), 0).astype(np.int64)
        for edge in (turns.start_ms, turns.end_ms)
    )
    away = rng.integers(1, max(n_people, 2), n) * (rng.random(n) < wear.confused)
    kept = (rng.random(n) >= wear.missed) & (start < end)
    rows = np.stack([start, end, (turns.speaker + away) % n_people], axis=1)[kept]
    return turn_times([tuple(row) for row in rows.tolist()])


def one_at_a_time(turns: TurnTimes, precedence: IntArray) -> TurnTimes:
    """Return exclusive turns: where people talk at once, the turn that stands last in ``precedence`` is heard alone."""
    edges = sorted_unique(np.concatenate([turns.start_ms, turns.end_ms]))
    owner = np.full(max(len(edges) - 1, 0), -1)
    first, stop = np.searchsorted(edges, turns.start_ms), np.searchsorted(edges, turns.end_ms)
    for turn in precedence.tolist():
        owner[first[turn] : stop[turn]] = turn
    changes = np.flatnonzero(np.diff(owner, prepend=-2, append=-2))
    return turn_times(
        [
            (int(edges[a]), int(edges[b]), int(turns.speaker[owner[a]]))
            for a, b in zip(changes[:-1].tolist(), changes[1:].tolist(), strict=True)
            if owner[a] >= 0
        ]
    )

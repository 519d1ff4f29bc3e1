"""Conversations made up word by word: as many as wanted, with sentences, pauses, and people who talk at once."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from benchmarks.spoken_words import Spoken, turn_times, word_times
from tasks.attribution.orthography import sentence_ends

_WORD_MS = (60, 230)
"""Least length of a word, and the mean of what is added to it (exponential)."""
_PAUSED = 0.06
"""Share of words inside a sentence with a pause before them, 350 ms on average; others follow within 30 ms."""
_CHANGE_MS = (200, 350)
"""Mean and deviation of the time from one person's last word to the next one's first (S. C. Levinson, F. Torreira,
*Timing in turn-taking*, 2015): people often begin before the other has ended."""
_MOST_EARLY_MS = 900
_ANSWERED = 0.2
"""Share of sentences into which somebody else says a word."""
_TURN_PAUSE_MS = 300
"""A turn goes on over pauses as short as that."""

_Row = tuple[int, int, int, str]
"""start_ms, end_ms, person, text."""


def made_up(rng: np.random.Generator, n_words: int, n_people: int) -> Spoken:
    """Return one conversation of about so many words."""
    rows: list[_Row] = []
    clock_ms, person = 500, 0
    while len(rows) < n_words:
        person = (person + int(rng.integers(1, n_people))) % n_people
        for _ in range(int(rng.geometric(0.4))):
            said = _sentence(rng, clock_ms, person)
            rows += said
            if rng.random() < _ANSWERED:
                rows.append(_answer(rng, said, (person + int(rng.integers(1, n_people))) % n_people))
            end_ms = said[-1][1]
            clock_ms = end_ms + int(rng.exponential(_TURN_PAUSE_MS))
        change_ms = round(rng.normal(*_CHANGE_MS))
        clock_ms = end_ms + max(change_ms, -_MOST_EARLY_MS)
    rows.sort()
    start, end, who, texts = zip(*rows, strict=True)
    return Spoken(
        name=f"{len(rows)} words of {n_people}",
        words=word_times(start, end, texts),
        texts=texts,
        person=np.array(who, np.int64),
        turns=turn_times(_turns(rows, n_people)),
    )


def with_missing_marks(talk: Spoken, rng: np.random.Generator, share: float) -> Spoken:
    """Return the conversation with so many of its full stops forgotten, as recognisers do."""
    texts = tuple(text.rstrip(".") if rng.random() < share else text for text in talk.texts)
    return replace(talk, texts=texts, words=replace(talk.words, ends_sentence=sentence_ends(texts)))


def _sentence(rng: np.random.Generator, clock_ms: int, person: int) -> list[_Row]:
    n = int(rng.geometric(0.1))
    gaps = np.where(rng.random(n) < _PAUSED, rng.exponential(350, n), rng.uniform(0, 30, n)).astype(int)
    lengths = (_WORD_MS[0] + rng.exponential(_WORD_MS[1], n)).astype(int)
    starts = clock_ms + np.cumsum(gaps) + np.cumsum(lengths) - lengths
    texts = ["so"] * (n - 1) + ["then."]
    return [(int(a), int(a + b), person, text) for a, b, text in zip(starts, lengths, texts, strict=True)]


def _answer(rng: np.random.Generator, said: list[_Row], person: int) -> _Row:
    start_ms = int(rng.integers(said[0][0], said[-1][1]))
    return start_ms, start_ms + int(rng.uniform(180, 450)), person, "Yes."


def _turns(rows: list[_Row], n_people: int) -> list[tuple[int, int, int]]:
    turns = []
    for person in range(n_people):
        own = [(start, end) for start, end, who, _ in rows if who == person]
        for start, end in own:
            if turns and turns[-1][2] == person and start - turns[-1][1] <= _TURN_PAUSE_MS:
                turns[-1] = turns[-1][0], max(turns[-1][1], end), person
            else:
                turns.append((start, end, person))
    return turns

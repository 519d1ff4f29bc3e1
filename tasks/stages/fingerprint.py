"""Take voice fingerprints: one for each label of a chunk, from speech that nobody else talks over."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from storage.errors import EngineError
from storage.records import SAMPLES_PER_MS, Clip, Diarization, Fingerprint, FloatArray, Span, Turn
from tasks.engines.base import Embedder
from tasks.stages.calling import call_each, check_fingerprint
from tasks.stages.facts import ChunkWork

SHORTEST_SPEECH_MS = 500
"""Below this a fingerprint says more about the words than about the voice."""
LONGEST_SPEECH_MS = 60_000
"""More speech of one person in one chunk changes a fingerprint no further."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Voice:
    work: ChunkWork
    label: str
    turns: Sequence[Turn]
    """Its own."""
    speech: list[Span]

    @property
    def start_ms(self) -> int:
        return min(turn.start_ms for turn in self.turns)

    @property
    def turn_ms(self) -> int:
        return sum(turn.end_ms - turn.start_ms for turn in self.turns)

    @property
    def activity(self) -> float | None:
        """Mean confidence over the speech, as far as it is known; of confidences as the lake keeps them."""
        known = [
            (min(turn.end_ms, span.end_ms) - max(turn.start_ms, span.start_ms), turn.confidence)
            for span in self.speech
            for turn in self.turns
            if turn.confidence is not None and turn.start_ms < span.end_ms and span.start_ms < turn.end_ms
        ]
        known_ms = sum(ms for ms, _ in known)
        return sum(ms * float(np.float32(confidence)) for ms, confidence in known) / known_ms if known_ms else None

    @property
    def speech_ms(self) -> int:
        return sum(span.duration_ms for span in self.speech)

    @property
    def clip(self) -> Clip:
        pieces = [self.work.clip[s.start_ms * SAMPLES_PER_MS : s.end_ms * SAMPLES_PER_MS] for s in self.speech]
        return np.concatenate(pieces)

    def fingerprint(self, model: str, vector: FloatArray | None) -> Fingerprint:
        return Fingerprint(
            label=self.label,
            model=model,
            start_ms=self.start_ms,
            turn_ms=self.turn_ms,
            speech_ms=self.speech_ms,
            activity=self.activity,
            vector=vector,
        )


def fingerprint_chunks(
    name: str, model: str, embedder: Embedder, works: Sequence[ChunkWork], diarizations: Sequence[Diarization]
) -> None:
    """Add a fingerprint, or the reason there is none, for every label of the chunks to their recordings' facts.

    Args:
        name: Registered name of the embedder.
        model: What the fingerprints carry as their model.
        embedder: The engine.
        works: The chunks.
        diarizations: Who speaks when in each, in clip time.
    """
    voices = [voice for pair in zip(works, diarizations, strict=True) for voice in _voices(*pair)]
    heard = [i for i, voice in enumerate(voices) if voice.speech_ms >= SHORTEST_SPEECH_MS]

    def call(indices: Sequence[int]) -> list[FloatArray | None]:
        vectors = embedder.embed([voices[i].clip for i in indices])
        return [check_fingerprint(name, vector) for vector in vectors]

    found = dict(zip(heard, call_each(name, call, heard), strict=True))
    for i, voice in enumerate(voices):
        vector, chunk = found.get(i), voice.work.chunk
        if isinstance(vector, EngineError):
            voice.work.facts.add_failure("fingerprint", vector, Span(start_ms=chunk.start_ms, end_ms=chunk.end_ms))
            vector = None
        voice.work.facts.add_fingerprint(chunk, voice.fingerprint(model, vector))


def clean_spans(turns: Sequence[Turn], label: str) -> list[Span]:
    """Return where the label speaks and nobody else does, sorted and disjoint.

    >>> mine, other = Turn(start_ms=0, end_ms=900, speaker="A"), Turn(start_ms=300, end_ms=500, speaker="B")
    >>> [(span.start_ms, span.end_ms) for span in clean_spans([mine, other], "A")]
    [(0, 300), (500, 900)]
    """
    events = sorted(
        event
        for turn in turns
        for event in ((turn.start_ms, 1, turn.speaker == label), (turn.end_ms, -1, turn.speaker == label))
    )
    spans: list[Span] = []
    mine = others = 0
    last_ms = 0
    for at_ms, step, is_mine in events:
        if mine and not others and at_ms > last_ms:
            if spans and spans[-1].end_ms == last_ms:
                spans[-1] = Span(start_ms=spans[-1].start_ms, end_ms=at_ms)
            else:
                spans.append(Span(start_ms=last_ms, end_ms=at_ms))
        mine, others, last_ms = mine + step * is_mine, others + step * (not is_mine), at_ms
    return spans


def choose_speech(spans: Sequence[Span], longest_ms: int = LONGEST_SPEECH_MS) -> list[Span]:
    """Return the longest spans up to a total, the last one cut to fit, in order of time."""
    chosen: list[Span] = []
    left_ms = longest_ms
    for span in sorted(spans, key=lambda span: (-span.duration_ms, span.start_ms)):
        if left_ms <= 0:
            break
        chosen.append(Span(start_ms=span.start_ms, end_ms=min(span.end_ms, span.start_ms + left_ms)))
        left_ms -= span.duration_ms
    return sorted(chosen)


def _voices(work: ChunkWork, diarization: Diarization) -> list[_Voice]:
    return [
        _Voice(
            work=work,
            label=label,
            turns=[turn for turn in diarization.turns if turn.speaker == label],
            speech=choose_speech(clean_spans(diarization.turns, label)),
        )
        for label in sorted({turn.speaker for turn in diarization.turns})
    ]

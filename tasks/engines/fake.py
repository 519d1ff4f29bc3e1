"""Engines for tests: they hear tones instead of voices, need no model and run a thousand times faster than speech.

A *voice* is a tone at a multiple of 100 Hz from 200 to 3800 Hz; one burst of it, 30 ms or longer, is a word. Voices
that sound together are at least 300 Hz apart and similarly loud. Times are on a grid of 10 ms, so that bursts on that
grid are found exactly. What an engine says depends on the signal alone, never on names, order or chance, so a test
knows the transcript, the turns and the identities of whatever it synthesises.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, Self, TypeVar

import numpy as np

from storage.errors import EngineError, EngineOutOfMemory
from storage.records import Clip, ClipContext, Diarization, FloatArray, Segment, Span, Transcript, Turn, Word
from tasks.engines.base import EngineIdentity, EngineInfo
from tasks.engines.fake_journal import note_clips
from tasks.engines.options import NO_EFFECT, canonical_json, parse_options
from tasks.engines.tones import VOICES_HZ, BoolArray, Burst, bursts, frame_levels, joined, voice_levels

_NO_WEIGHTS = "0" * 16
_SYLLABLE_MS = 50
_SEGMENT_GAP_MS = 500
CROWD_STEP = 1.02
"""Two people of a crowd who have one voice are at least this many times as loud as each other."""
_CROWD_DIM, _CROWD_NOISE, _SILENCE = 192, 0.5, 1e-3


@dataclass(frozen=True, kw_only=True)
class Troubles:
    """Trouble on request, which every fake engine makes; none of it changes what a successful call returns."""

    fail_on_hz: int | None = field(default=None, metadata=NO_EFFECT)
    """Raise EngineError for a batch in which this voice is heard."""
    out_of_memory_on_hz: int | None = field(default=None, metadata=NO_EFFECT)
    """Raise EngineOutOfMemory for a batch in which this voice is heard."""
    max_batch: int | None = field(default=None, metadata=NO_EFFECT)
    """Raise EngineOutOfMemory for a batch of more clips."""
    kill_on_hz: int | None = field(default=None, metadata=NO_EFFECT)
    """Kill the process in which this voice is heard."""
    delay_ms: int = field(default=0, metadata=NO_EFFECT)
    """Sleep so long for each clip, so that a test can interrupt."""
    journal: str | None = field(default=None, metadata=NO_EFFECT)
    """File in which each clip is noted, so that a test can count what is done twice."""


@dataclass(frozen=True, kw_only=True)
class FakeDetectorOptions(Troubles):
    """What the fake detector takes for speech."""

    threshold: float = 0.01
    """RMS of a 10 ms frame, its mean taken off, above which it is speech."""
    min_silence_ms: int = 300
    """Silence up to this is part of the speech around it."""


@dataclass(frozen=True, kw_only=True)
class FakeTranscriberOptions(Troubles):
    """How the fake transcriber writes."""

    accent: str = ""
    """Appended to every word."""
    deaf_after_ms: int | None = None
    """Hear nothing later in a clip, as recognisers do that lose their place."""


@dataclass(frozen=True, kw_only=True)
class FakeDiarizerOptions(Troubles):
    """How the fake diarizer makes turns."""

    max_gap_ms: int = 300
    """A voice that pauses no longer keeps its turn."""


@dataclass(frozen=True, kw_only=True)
class FakeEmbedderOptions(Troubles):
    """Whom the fake embedder tells apart."""

    crowd: bool = False
    """Of one voice, people of different loudness are different people, and are heard a little otherwise in each clip:
    for archives of tones with thousands of people."""


OptionsT = TypeVar("OptionsT", bound=Troubles)


class _Fake(Generic[OptionsT]):
    schema: type[OptionsT]

    def __init__(self, options: OptionsT) -> None:
        self._options = options

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, device: str) -> Self:  # noqa: ARG003 - any device will do
        """Return the engine.

        Raises:
            ConfigError: an option is unknown or has the wrong type.
        """
        return cls(parse_options("fake", cls.schema, options))

    @classmethod
    def identify(cls, options: Mapping[str, object]) -> EngineIdentity:
        """Return the identity; the troubles are no part of it.

        Raises:
            ConfigError: an option is unknown or has the wrong type.
        """
        parsed = parse_options("fake", cls.schema, options)
        return EngineIdentity(name="fake", version="1", weights=_NO_WEIGHTS, options=canonical_json(parsed))

    def _make_trouble(self, clips: Sequence[Clip]) -> None:
        subject, wanted = f"engine {type(self).__name__}", self._options
        if wanted.journal is not None:
            note_clips(Path(wanted.journal), clips)
        time.sleep(wanted.delay_ms * len(clips) / 1000)
        if wanted.max_batch is not None and len(clips) > wanted.max_batch:
            raise EngineOutOfMemory(subject, f"{len(clips)} clips are too many at once", "use smaller batches")
        if _is_heard(wanted.kill_on_hz, clips):
            signal.raise_signal(signal.SIGKILL)
        if _is_heard(wanted.out_of_memory_on_hz, clips):
            raise EngineOutOfMemory(subject, f"no memory for the voice at {wanted.out_of_memory_on_hz} Hz, as asked")
        if _is_heard(wanted.fail_on_hz, clips):
            raise EngineError(subject, f"failed on the voice at {wanted.fail_on_hz} Hz, as asked")


class FakeDetector(_Fake[FakeDetectorOptions]):
    """For tests: whatever is loud enough is speech, tone or not."""

    schema = FakeDetectorOptions
    info = EngineInfo(summary="for tests: speech is what has energy", licence="Apache-2.0", languages="tones")

    def detect(self, clip: Clip, /) -> list[Span]:
        """Return spans of energy, short gaps closed.

        Raises:
            EngineError: as the options ask.
        """
        self._make_trouble([clip])
        loud = frame_levels(clip) > self._options.threshold
        spans = joined(bursts(loud[:, None]), self._options.min_silence_ms)
        return [Span(start_ms=burst.start_ms, end_ms=burst.end_ms) for burst in spans]


class FakeTranscriber(_Fake[FakeTranscriberOptions]):
    """For tests: a burst that touches speech is a word, its text the voice and the length: ``v400x4`` lasts 200 ms.

    A word's confidence is the share of it in which no other voice sounds. A pause of half a second ends a segment.
    """

    schema = FakeTranscriberOptions
    info = EngineInfo(summary="for tests: words are bursts of tone", licence="Apache-2.0", languages="tones")

    def transcribe(self, clips: Sequence[Clip], contexts: Sequence[ClipContext], /) -> list[Transcript]:
        """Return one transcript per clip.

        Raises:
            EngineError: as the options ask.
        """
        self._make_trouble(clips)
        return [self._transcript(clip, context) for clip, context in zip(clips, contexts, strict=True)]

    def _transcript(self, clip: Clip, context: ClipContext) -> Transcript:
        active = voice_levels(clip) > 0
        alone = active.sum(axis=1) == 1
        spoken = [burst for burst in bursts(active) if self._hears(burst, context.speech)]
        words = tuple(
            Word(
                start_ms=burst.start_ms,
                end_ms=burst.end_ms,
                text=f"v{VOICES_HZ[burst.column]}x{_n_syllables(burst)}{self._options.accent}",
                confidence=float(alone[burst.frames].mean()),
                segment_index=index,
            )
            for burst, index in zip(spoken, _segment_indices(spoken), strict=True)
        )
        return Transcript(words=words, segments=_segments(words, context.language))

    def _hears(self, burst: Burst, speech: Sequence[Span]) -> bool:
        limit_ms = self._options.deaf_after_ms
        return _touches(burst, speech) and (limit_ms is None or burst.start_ms < limit_ms)


class FakeDiarizer(_Fake[FakeDiarizerOptions]):
    """For tests: every voice is a speaker, labelled in order of appearance; voices that sound together overlap.

    With more voices than ``max_speakers``, those that speak least are taken for the nearest of the others.
    """

    schema = FakeDiarizerOptions
    info = EngineInfo(
        summary="for tests: speakers are frequencies",
        licence="Apache-2.0",
        languages="tones",
        max_speakers=len(VOICES_HZ),
    )

    def diarize(self, clips: Sequence[Clip], contexts: Sequence[ClipContext], /) -> list[Diarization]:
        """Return one diarization per clip.

        Raises:
            EngineError: as the options ask.
        """
        self._make_trouble(clips)
        return [self._diarization(clip, context) for clip, context in zip(clips, contexts, strict=True)]

    def _diarization(self, clip: Clip, context: ClipContext) -> Diarization:
        active = _limited(voice_levels(clip) > 0, context.speakers.max_speakers)
        heard = bursts(active)
        labels = {column: f"V{index}" for index, column in enumerate(dict.fromkeys(burst.column for burst in heard))}
        turns = [
            Turn(
                start_ms=burst.start_ms,
                end_ms=burst.end_ms,
                speaker=label,
                confidence=float(active[burst.frames, column].mean()),
            )
            for column, label in labels.items()
            for burst in joined([burst for burst in heard if burst.column == column], self._options.max_gap_ms)
        ]
        turns.sort(key=lambda turn: (turn.start_ms, turn.end_ms, turn.speaker))
        return Diarization(turns=tuple(turns), exclusive=_exclusive(turns))


class FakeEmbedder(_Fake[FakeEmbedderOptions]):
    """For tests: the vector says how much of each voice is heard, so one voice is the same in every recording."""

    schema = FakeEmbedderOptions
    dim = len(VOICES_HZ)
    info = EngineInfo(summary="for tests: a voice is its spectrum", licence="Apache-2.0", languages="tones")

    def __init__(self, options: FakeEmbedderOptions) -> None:
        """Tell voices apart, or people; of a crowd vectors are as long as those of speaker models."""
        super().__init__(options)
        if options.crowd:
            self.dim = _CROWD_DIM

    def embed(self, clips: Sequence[Clip], /) -> FloatArray:
        """Return ``(len(clips), dim)`` float32 of unit length; NaN where no voice is heard.

        Raises:
            EngineError: as the options ask.
        """
        self._make_trouble(clips)
        heard = np.zeros((len(clips), self.dim), dtype=np.float32)
        for row, clip in enumerate(clips):
            levels = voice_levels(clip)
            heard[row] = _one_of_a_crowd(levels) if self._options.crowd else np.square(levels).sum(axis=0)
        lengths = np.linalg.norm(heard, axis=1, keepdims=True)
        vectors: FloatArray = np.divide(heard, lengths, out=np.full_like(heard, np.nan), where=lengths > 0)
        return vectors


def _one_of_a_crowd(levels: FloatArray) -> FloatArray:
    """Return the person's own direction, given by the loudest voice and its loudness, and what differs in each clip."""
    voice = int(np.square(levels).sum(axis=0).argmax())
    sounding = levels[:, voice][levels[:, voice] > 0]
    if not len(sounding):
        return np.zeros(_CROWD_DIM, np.float32)
    step = round(float(np.log(np.median(sounding) / _SILENCE) / np.log(CROWD_STEP)))
    person = np.random.default_rng([voice, step]).standard_normal(_CROWD_DIM, np.float32)
    otherwise = np.random.default_rng([voice, step, len(levels)]).standard_normal(_CROWD_DIM, np.float32)
    return person + _CROWD_NOISE * otherwise


def _is_heard(voice_hz: int | None, clips: Sequence[Clip]) -> bool:
    if voice_hz not in VOICES_HZ:
        return False
    return any(voice_levels(clip)[:, VOICES_HZ.index(voice_hz)].any() for clip in clips)


def _touches(burst: Burst, speech: Sequence[Span]) -> bool:
    return any(span.start_ms < burst.end_ms and burst.start_ms < span.end_ms for span in speech)


def _n_syllables(burst: Burst) -> int:
    return max(1, round((burst.end_ms - burst.start_ms) / _SYLLABLE_MS))


def _segment_indices(spoken: Sequence[Burst]) -> list[int]:
    starts = np.array([burst.start_ms for burst in spoken], dtype=np.int64)
    heard_until = np.maximum.accumulate(np.array([burst.end_ms for burst in spoken], dtype=np.int64))
    pauses = starts[1:] - heard_until[:-1] >= _SEGMENT_GAP_MS
    return [0, *np.cumsum(pauses).tolist()][: len(spoken)]


def _segments(words: Sequence[Word], language: str | None) -> tuple[Segment, ...]:
    grouped: dict[int, list[Word]] = {}
    for word in words:
        grouped.setdefault(word.segment_index, []).append(word)
    return tuple(
        Segment(
            start_ms=group[0].start_ms,
            end_ms=max(word.end_ms for word in group),
            language=language,
            confidence=float(np.mean([word.confidence for word in group])),
        )
        for group in grouped.values()
    )


def _limited(active: BoolArray, max_speakers: int | None) -> BoolArray:
    frames = active.sum(axis=0)
    voices = sorted(np.flatnonzero(frames).tolist(), key=lambda column: (-frames[column], column))
    if max_speakers is None or len(voices) <= max_speakers:
        return active
    kept = sorted(voices[:max_speakers])
    result = np.zeros_like(active)
    for voice in voices:
        result[:, min(kept, key=lambda column: abs(column - voice))] |= active[:, voice]
    return result


def _exclusive(turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """Give overlapping speech to whoever began first."""
    result: list[Turn] = []
    for turn in turns:
        start_ms = max(turn.start_ms, result[-1].end_ms if result else 0)
        if start_ms < turn.end_ms:
            result.append(Turn(start_ms=start_ms, end_ms=turn.end_ms, speaker=turn.speaker, confidence=turn.confidence))
    return tuple(result)

"""The records that stages exchange: frozen, slotted, keyword-only.

Time is integer milliseconds from the start of the recording (or of the clip, where a docstring says so),
half-open, in fields ending ``_ms``. Seconds exist only at the borders: engines and text formats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
"""Rate of every clip."""
SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000

Clip = NDArray[np.float32]
"""Samples in memory: mono float32 in [-1, 1], 16 kHz, shape ``(n,)``."""
FloatArray = NDArray[np.float32]

ChannelMode = Literal["auto", "mix", "split"]
CoverageStatus = Literal["speech", "silence", "untranscribed", "failed"]
RecordingStatus = Literal["done", "partial", "failed"]
SpeakerReason = Literal["no_turn", "tie"]
"""Why a word has no speaker: nothing within reach, or two speakers with equal claims."""


def ms_from_seconds(seconds: float) -> int:
    """Return whole milliseconds, halves rounded up.

    >>> ms_from_seconds(1.0005)
    1001
    """
    return math.floor(seconds * 1000 + 0.5)


def seconds_from_ms(ms: int) -> float:
    """Return seconds; exact to the millisecond when printed with three decimals."""
    return ms / 1000


def duration_ms(clip: Clip) -> int:
    """Return the whole milliseconds a clip lasts."""
    return len(clip) // SAMPLES_PER_MS


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Span:
    """Half-open stretch of time."""

    start_ms: int
    end_ms: int

    def __post_init__(self) -> None:
        """Refuse a span that ends before it starts."""
        if self.end_ms < self.start_ms:
            message = f"span ends at {self.end_ms} ms, before its start at {self.start_ms} ms"
            raise ValueError(message)

    @property
    def duration_ms(self) -> int:
        """Length of the span."""
        return self.end_ms - self.start_ms

    def shifted(self, by_ms: int) -> Span:
        """Return the span moved in time."""
        return Span(start_ms=self.start_ms + by_ms, end_ms=self.end_ms + by_ms)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SpeakerBounds:
    """How many speakers a recording is known to have; None where nobody said."""

    min_speakers: int | None = None
    max_speakers: int | None = None

    def __post_init__(self) -> None:
        """Refuse bounds that nothing can satisfy."""
        low, high = self.min_speakers, self.max_speakers
        if (low is not None and low < 1) or (high is not None and high < (low or 1)):
            message = f"impossible number of speakers: at least {low}, at most {high}"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClipContext:
    """What is known of a clip before an engine hears it."""

    speech: tuple[Span, ...]
    """Where the detector heard speech, in clip time, sorted and disjoint."""
    language: str | None = None
    """ISO 639-1 code given by the manifest or the settings; None to let the engine find out."""
    speakers: SpeakerBounds = SpeakerBounds()


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """The smallest timed text."""

    start_ms: int
    end_ms: int
    text: str
    confidence: float | None = None
    """Probability in [0, 1] that the text is right; None where the engine gives none."""
    segment_index: int = 0
    """Index of the recogniser's segment that the word belongs to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """The recogniser's own text unit."""

    start_ms: int
    end_ms: int
    language: str | None = None
    confidence: float | None = None
    """exp of the mean token log-probability, or the engine's nearest equal, in [0, 1]."""
    no_speech_confidence: float | None = None
    """Probability in [0, 1] that the segment holds no speech."""
    flags: tuple[str, ...] = ()
    """Reasons to distrust the text (``repetition``, ``compression``, …), sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """What a transcriber heard in one clip; times in clip time, words sorted by start."""

    words: tuple[Word, ...] = ()
    segments: tuple[Segment, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A span of one speaker, as a diarizer or the link stage names them."""

    start_ms: int
    end_ms: int
    speaker: str
    """From a diarizer: a label that means something only inside its clip. Later: the local speaker."""
    confidence: float | None = None
    """Mean activity of the speaker over the turn, in [0, 1]; None where the engine gives none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diarization:
    """Who spoke when in one clip; times in clip time, sorted by start, end, speaker."""

    turns: tuple[Turn, ...] = ()
    """All turns; different speakers may overlap, turns of one speaker do not."""
    exclusive: tuple[Turn, ...] = ()
    """The same with at most one speaker at any time."""
    flags: tuple[str, ...] = ()
    """Reasons to distrust who is who (``speaker_limit``), sorted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Voice embedding of one label of one chunk."""

    label: str
    model: str
    """Embedder and weights; vectors of different models are never compared."""
    start_ms: int
    """When the label is first heard, in clip time."""
    turn_ms: int
    """All the time the label has in the chunk."""
    speech_ms: int
    """Speech under the vector, nobody else talking."""
    activity: float | None = None
    """Mean confidence of the label's turns in that speech, in [0, 1]; None where the diarizer gives none."""
    vector: FloatArray | None = field(compare=False)
    """Unit length, shape ``(dim,)``; None where there was too little speech, or no voice in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceHints:
    """What the manifest says of one recording."""

    language: str | None = None
    speakers: SpeakerBounds = SpeakerBounds()
    channel_mode: ChannelMode | None = None
    collection: str | None = None
    title: str | None = None
    recorded_at: str | None = None
    """ISO 8601 date or instant."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class SourceObject:
    """One audio object as the archive lists it."""

    source: str
    """Path relative to the archive, '/'-separated."""
    size_bytes: int
    mark: str
    """Modification time, ETag or what else the filesystem gives; equal mark and size mean equal bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaHeader:
    """What a container's header claims; to be checked, not believed."""

    duration_ms: int | None
    sample_rate_hz: int
    n_channels: int
    codec: str
    container: str
    title: str | None = None
    recorded_at: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """A span of one channel of a recording that an engine gets in one call."""

    channel: int
    """0 for the mix."""
    chunk_index: int
    start_ms: int
    end_ms: int
    speech: tuple[Span, ...]
    """Detected speech in recording time, inside the chunk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Utterance:
    """Consecutive words of one speaker: what people read."""

    start_ms: int
    end_ms: int
    local_speaker: str | None
    text: str
    first_word: int
    """Index of its first word in the recording."""
    n_words: int
    speaker_confidence: float | None
    speaker_uncertain: bool
    is_overlapped: bool
    language: str | None
    confidence: float | None
    no_speech_confidence: float | None
    flags: tuple[str, ...]

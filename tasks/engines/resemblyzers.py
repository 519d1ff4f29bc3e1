"""Resemblyzer: a diarizer and fingerprints from the voice encoder whose weights come with the package.

The diarizer hears one person at a time: its turns never overlap, so all of them are exclusive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from storage.records import (
    SAMPLES_PER_MS,
    Clip,
    ClipContext,
    Diarization,
    FloatArray,
    Span,
    SpeakerBounds,
    Turn,
    duration_ms,
)
from tasks.engines import ge2e, voice_clustering
from tasks.engines.base import EngineIdentity, EngineInfo
from tasks.engines.options import canonical_json, parse_options
from tasks.engines.speech_edges import tightened
from tasks.engines.weights import weights_digest

_NAME: Final = "resemblyzer"
_DIARIZER_REVISION: Final = 3
_EMBEDDER_REVISION: Final = 1
_MS_PER_FRAME: Final = 1000 // ge2e.FRAMES_PER_SECOND
_WINDOW_MS: Final = ge2e.WINDOW_FRAMES * _MS_PER_FRAME

_SHORTEST_STEP_MS: Final = 100

_SILENCE_RMS: Final = 1e-5
"""Below -100 dBFS there is no voice, only the last bit of a converter."""


def _check_step(step_ms: int) -> None:
    if not _SHORTEST_STEP_MS <= step_ms <= _WINDOW_MS:
        message = f"step_ms must be between {_SHORTEST_STEP_MS} and {_WINDOW_MS}, not {step_ms}"
        raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiarizerOptions:
    """What may be chosen of the diarizer."""

    step_ms: int = 400
    """Time between two looks at the voice."""

    def __post_init__(self) -> None:
        """Refuse a step that leaves speech unheard or takes for ever."""
        _check_step(self.step_ms)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedderOptions:
    """What may be chosen of the embedder."""

    step_ms: int = 800
    """Time between the starts of two windows of 1.6 s; their mean is the fingerprint."""

    def __post_init__(self) -> None:
        """Refuse a step that leaves speech unheard or takes for ever."""
        _check_step(self.step_ms)


class ResemblyzerDiarizer:
    """Tells voices apart by clustering vectors of 1.6 s windows; the number of voices comes from the data."""

    info = EngineInfo(
        summary="Resemblyzer windows, clustered; one voice at a time",
        licence="Apache-2.0",
        languages="any; trained on English",
    )

    def __init__(self, options: DiarizerOptions, *, device: str) -> None:
        """Load the network onto the device."""
        self._options = options
        self._encoder = ge2e.VoiceEncoder(device)

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, device: str) -> Self:
        """Return the engine, weights loaded.

        Raises:
            ConfigError: an option is unknown or has an impossible value.
            EngineUnavailable: torch, Resemblyzer or its weights are not here.
        """
        return cls(parse_options(_NAME, DiarizerOptions, options), device=device)

    @classmethod
    def identify(cls, options: Mapping[str, object]) -> EngineIdentity:
        """Return the identity without importing torch. Raises: as ``from_options``."""
        return _identity(canonical_json(parse_options(_NAME, DiarizerOptions, options)), _DIARIZER_REVISION)

    def diarize(self, clips: Sequence[Clip], contexts: Sequence[ClipContext], /) -> list[Diarization]:
        """Return one diarization per clip; speech outside ``context.speech`` is not looked for.

        Raises:
            EngineError: the network failed.
        """
        return [self._diarize(clip, context) for clip, context in zip(clips, contexts, strict=True)]

    def _diarize(self, clip: Clip, context: ClipContext) -> Diarization:
        finite = clip if np.isfinite(clip).all() else np.nan_to_num(clip, posinf=0.0, neginf=0.0)
        speech = tightened(context.speech, finite)
        cells = _cells(speech, self._options.step_ms)
        vectors = self._vectors(finite, speech, cells)
        heard = np.flatnonzero(np.isfinite(vectors).all(axis=1))
        cells, vectors = [cells[i] for i in heard], vectors[heard]
        turns = _turns(cells, *self._voices(cells, vectors, context.speakers))
        return Diarization(turns=turns, exclusive=turns)

    def _voices(
        self, cells: Sequence[Span], vectors: FloatArray, bounds: SpeakerBounds
    ) -> tuple[voice_clustering.Labels, voice_clustering.Scores]:
        follows = [False, *(before.end_ms == cell.start_ms for before, cell in pairwise(cells))]
        lag = -(-_WINDOW_MS // self._options.step_ms)
        labels = voice_clustering.group_voices(vectors, ~np.array(follows[: len(cells)], bool), lag, bounds)
        return labels, voice_clustering.belonging(vectors, labels)

    def _vectors(self, clip: Clip, speech: Sequence[Span], cells: Sequence[Span]) -> FloatArray:
        heard = [clip[span.start_ms * SAMPLES_PER_MS : span.end_ms * SAMPLES_PER_MS] for span in speech]
        level = ge2e.root_mean_square(np.concatenate(heard)) if heard else 0.0
        if level < _SILENCE_RMS:
            return np.full((len(cells), ge2e.DIM), np.nan, np.float32)
        mel = ge2e.mel_spectrogram(ge2e.raised_to_speech_level(clip, level))
        starts_ms = window_middles_ms(speech, cells) - _WINDOW_MS // 2
        return self._encoder.embed(mel, np.clip(starts_ms // _MS_PER_FRAME, 0, None))


class ResemblyzerEmbedder:
    """Fingerprints: the mean of the network's vectors over a clip of one voice."""

    info = EngineInfo(
        summary="Resemblyzer (GE2E) voice vectors, 256 numbers",
        licence="Apache-2.0",
        languages="any; trained on English",
    )
    dim: int = ge2e.DIM

    def __init__(self, options: EmbedderOptions, *, device: str) -> None:
        """Load the network onto the device."""
        self._options = options
        self._encoder = ge2e.VoiceEncoder(device)

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, device: str) -> Self:
        """Return the engine, weights loaded.

        Raises:
            ConfigError: an option is unknown or has an impossible value.
            EngineUnavailable: torch, Resemblyzer or its weights are not here.
        """
        return cls(parse_options(_NAME, EmbedderOptions, options), device=device)

    @classmethod
    def identify(cls, options: Mapping[str, object]) -> EngineIdentity:
        """Return the identity without importing torch. Raises: as ``from_options``."""
        return _identity(canonical_json(parse_options(_NAME, EmbedderOptions, options)), _EMBEDDER_REVISION)

    def embed(self, clips: Sequence[Clip], /) -> FloatArray:
        """Return ``(len(clips), 256)`` float32 of unit length.

        A clip of less than half a second, without energy or with samples that are not finite gives a row of NaN.

        Raises:
            EngineError: the network failed.
        """
        # One clip at a time: its windows fill the batches, and its vector cannot depend on its neighbours.
        rows = [self._fingerprint(clip) for clip in clips]
        return np.stack(rows) if rows else np.zeros((0, self.dim), np.float32)

    def _fingerprint(self, clip: Clip) -> FloatArray:
        if not _has_voice(clip):
            return np.full(self.dim, np.nan, np.float32)
        mel = ge2e.mel_spectrogram(ge2e.raised_to_speech_level(clip))
        starts = _window_starts(len(mel), self._options.step_ms // _MS_PER_FRAME)
        vectors = self._encoder.embed(mel, starts)
        heard = vectors[np.isfinite(vectors).all(axis=1)]
        fingerprint: FloatArray = ge2e.unit_rows(heard.sum(axis=0, keepdims=True))[0]
        return fingerprint


def _identity(options: str, revision: int) -> EngineIdentity:
    return EngineIdentity(
        name=_NAME,
        version=f"{ge2e.library_version()}+{revision}",
        weights=weights_digest([ge2e.weights_file()]),
        options=options,
    )


_SHORTEST_VOICE_MS: Final = 500


def _has_voice(clip: Clip) -> bool:
    if duration_ms(clip) < _SHORTEST_VOICE_MS or not np.isfinite(clip).all():
        return False
    return ge2e.root_mean_square(clip) >= _SILENCE_RMS


def _window_starts(n_frames: int, step: int) -> np.ndarray:
    """Return first frames of windows; the last one ends within a quarter of a window of the end."""
    last = n_frames - ge2e.WINDOW_FRAMES * 3 // 4
    return np.arange(0, max(last, 0) + 1, step)


def _cells(speech: Sequence[Span], step_ms: int) -> list[Span]:
    """Return the speech cut into cells of about ``step_ms``, each of one voice as far as we can hear."""
    cells = []
    for span in speech:
        n_cells = max(1, round(span.duration_ms / step_ms))
        edges = [span.start_ms + span.duration_ms * i // n_cells for i in range(n_cells + 1)]
        cells += [Span(start_ms=start_ms, end_ms=end_ms) for start_ms, end_ms in pairwise(edges)]
    return cells


def window_middles_ms(speech: Sequence[Span], cells: Sequence[Span]) -> NDArray[np.int64]:
    """Return the middle of each cell's window: its own, but no nearer to the edge of its speech than a quarter window.

    Beyond a pause somebody else may talk. Of speech shorter than half a window it is the middle.

    Args:
        speech: sorted and disjoint.
        cells: parts of the speech.
    """
    starts = np.array([span.start_ms for span in speech], np.int64)
    ends = np.array([span.end_ms for span in speech], np.int64)
    middles = np.array([(cell.start_ms + cell.end_ms) // 2 for cell in cells], np.int64)
    own = np.searchsorted(starts, middles, side="right") - 1
    inside = np.minimum(_WINDOW_MS // 4, (ends - starts) // 2)[own]
    return np.clip(middles, starts[own] + inside, ends[own] - inside)


def _turns(cells: Sequence[Span], labels: voice_clustering.Labels, scores: voice_clustering.Scores) -> tuple[Turn, ...]:
    """Return touching cells of one voice as one turn, with their mean score by duration."""
    turns: list[Turn] = []
    first = 0
    for last, (cell, label) in enumerate(zip(cells, labels, strict=True)):
        goes_on = last + 1 < len(cells) and cells[last + 1].start_ms == cell.end_ms and labels[last + 1] == label
        if goes_on:
            continue
        inside = slice(first, last + 1)
        confidence = np.average(scores[inside], weights=[part.duration_ms for part in cells[inside]])
        turns.append(
            Turn(
                start_ms=cells[first].start_ms,
                end_ms=cell.end_ms,
                speaker=f"S{label}",
                confidence=round(float(confidence), 4),
            )
        )
        first = last + 1
    return tuple(turns)

"""Whisper by faster-whisper: any size or CTranslate2 folder, a hundred languages, words with times and probabilities.

Pieces of speech of all clips are decoded in batches. What our gates doubt is decoded again alone, with times and then
by sampling; the best result is kept, and what stays in doubt is flagged, never deleted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Self

import numpy as np

from storage.errors import ConfigError, EngineOutOfMemory
from storage.records import Clip, ClipContext, Segment, Transcript, Word
from tasks.engines.base import EngineIdentity, EngineInfo
from tasks.engines.devices import free_memory
from tasks.engines.hub import WeightsSource, locate, wanted_files
from tasks.engines.options import canonical_json, parse_options
from tasks.engines.pieces import cut, finite, speech_pieces
from tasks.engines.registry import missing_library
from tasks.engines.speech_edges import tightened
from tasks.engines.weights import weights_digest
from tasks.engines.whisper_decoder import Decoder, Piece
from tasks.engines.whisper_gates import Heard, doubts, is_silence, preference
from tasks.engines.whisper_loading import (
    ENGLISH,
    NAME,
    iso_language,
    languages_of,
    load,
    weights_source,
    whisper_language,
)
from tasks.engines.whisper_options import WhisperOptions

_ALGORITHM = 1
_SHORTEST_MS = 60
_SILENCE = 1e-3
"""Range of samples below which nothing can be heard; Whisper finds words in digital silence all the same."""
_SURE = 0.5
"""Probability from which a detected language is not doubted."""


@dataclass(slots=True)
class _Job:
    """A piece on its way, and the clip it is of."""

    clip: int
    piece: Piece
    language: str | None
    """As Whisper calls it; None where it cannot be decoded."""
    flags: tuple[str, ...] = ()
    heard: Heard | None = None


class WhisperTranscriber:
    """Words with times and probabilities, in the language said or detected, or translated into English."""

    info = EngineInfo(
        summary="Whisper by CTranslate2; the choice for many languages, fast on a GPU",
        licence="MIT",
        languages="99 languages",
        needs="weights from the hub, 75 MB to 3 GB",
    )

    def __init__(self, model: Any, options: WhisperOptions) -> None:
        """Keep a ``faster_whisper.WhisperModel``; ``from_options`` makes one."""
        self._languages = languages_of(model)
        self._is_multilingual = bool(model.model.is_multilingual)
        self._decoder = Decoder(model, options)
        self._options = options
        self._batch_size = options.batch_size

    @classmethod
    def weights(cls, options: Mapping[str, object]) -> tuple[WeightsSource, ...]:
        """Return the folder of the model.

        Raises:
            ConfigError: an option is unknown or has an impossible value.
        """
        return (weights_source(parse_options(NAME, WhisperOptions, options)),)

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, device: str) -> Self:
        """Return the transcriber, model loaded.

        Raises:
            ConfigError: an option, the device or the compute type is impossible, or the model cannot do the task.
            EngineUnavailable: faster-whisper or the weights are not here, or the weights are damaged.
        """
        parsed = parse_options(NAME, WhisperOptions, options)
        model = load(locate(weights_source(parsed)), parsed, device)
        if parsed.task == "translate" and not model.model.is_multilingual:
            remedy = "choose one without .en in its name"
            raise ConfigError(f"engine {NAME!r}", f"{parsed.model} knows English only and cannot translate", remedy)
        return cls(model, parsed)

    @classmethod
    def identify(cls, options: Mapping[str, object]) -> EngineIdentity:
        """Return the identity; loads nothing.

        Raises:
            ConfigError: an option is unknown or has an impossible value.
            EngineUnavailable: faster-whisper or the weights are not here.
        """
        parsed = parse_options(NAME, WhisperOptions, options)
        try:
            versions = f"{version('faster-whisper')}+{version('ctranslate2')}+{_ALGORITHM}"
        except PackageNotFoundError as cause:
            raise missing_library(NAME, cause) from cause
        weights = weights_digest(wanted_files(weights_source(parsed)))
        return EngineIdentity(name=NAME, version=versions, weights=weights, options=canonical_json(parsed))

    def transcribe(self, clips: Sequence[Clip], contexts: Sequence[ClipContext], /) -> list[Transcript]:
        """Return one transcript per clip; a segment is a piece of speech of at most 30 s.

        Raises:
            EngineOutOfMemory: even a single piece does not fit.
            EngineError: the library failed.
        """
        jobs = [
            job
            for index, (clip, context) in enumerate(zip(clips, contexts, strict=True))
            for job in self._jobs(index, finite(clip), context)
        ]
        self._decode([job for job in jobs if job.language is not None])
        return [_transcript([job for job in jobs if job.clip == index], contexts[index]) for index in range(len(clips))]

    def _jobs(self, index: int, clip: Clip, context: ClipContext) -> list[_Job]:
        spans = speech_pieces(clip, context.speech, join_ms=self._options.join_ms, longest_ms=self._options.piece_ms)
        # What is decoded keeps the silence that the detector added; words do not begin in it.
        speech = tightened(context.speech, clip)
        pieces = [Piece(clip, span, speech) for span in spans]
        audible = [piece for piece in pieces if _is_audible(piece)]
        language, flags = self._language(clip, context, audible)
        return [
            _Job(index, piece, language, flags) if piece in audible else _Job(index, piece, None, ("no_words",))
            for piece in pieces
        ]

    def _language(
        self, clip: Clip, context: ClipContext, audible: Sequence[Piece]
    ) -> tuple[str | None, tuple[str, ...]]:
        """Return the language to decode in, given or heard, and what is to be said of it."""
        if context.language is not None:
            language = whisper_language(context.language)
            return (language, ()) if language in self._languages else (None, ("language_unsupported",))
        if not self._is_multilingual or not audible:
            return ENGLISH, ()
        speech = [cut(clip, span) for piece in audible for span in piece.speech]
        language, probability = self._decoder.detect_language(np.concatenate(speech))
        return language, () if probability >= _SURE else ("language_uncertain",)

    def _decode(self, jobs: Sequence[_Job]) -> None:
        """Fill in what is heard; pieces in one language share batches, whatever their clip."""
        for language in sorted({job.language for job in jobs if job.language}):
            waiting = [job for job in jobs if job.language == language]
            while waiting:
                batch = waiting[: self._batch_size]
                results = self._decode_batch(batch, language)
                for job, heard in zip(batch, results, strict=False):
                    job.heard, doubted = self._improve(job.piece, language, heard)
                    job.flags = tuple(sorted({*job.flags, *doubted}))
                waiting = waiting[len(results) :]

    def _decode_batch(self, batch: Sequence[_Job], language: str) -> list[Heard]:
        """Return results of as many of the first pieces as fit into memory, and remember how many do."""
        try:
            return self._decoder.decode([job.piece for job in batch], language)
        except EngineOutOfMemory:
            if len(batch) == 1:
                raise
        free_memory()
        self._batch_size = len(batch) // 2
        return self._decode_batch(batch[: self._batch_size], language)

    def _improve(self, piece: Piece, language: str, heard: Heard) -> tuple[Heard, tuple[str, ...]]:
        """Return the best result for the piece, and the doubts that stay."""
        best, doubted = heard, doubts(heard, piece.speech, self._options)
        if doubted:
            for other in self._again(piece, language, heard):
                doubted_too = doubts(other, piece.speech, self._options)
                if preference(other, doubted_too) > preference(best, doubted):
                    best, doubted = other, doubted_too
                if not doubted:
                    break
        return best, doubted

    def _again(self, piece: Piece, language: str, heard: Heard) -> Iterator[Heard]:
        """Yield other results; none by chance where nobody seems to speak, for chance finds words in anything."""
        temperatures = self._options.temperatures
        if not temperatures:
            return
        timed = self._decoder.decode_with_times(piece, language)
        if timed.words:
            yield timed
        if is_silence(heard, self._options) or not (heard.words or timed.words):
            return
        for temperature in temperatures[1:]:
            yield from self._decoder.samples(piece, language, temperature, heard.no_speech)


def _is_audible(piece: Piece) -> bool:
    return piece.span.duration_ms >= _SHORTEST_MS and float(np.ptp(piece.samples)) >= _SILENCE


def _transcript(jobs: Sequence[_Job], context: ClipContext) -> Transcript:
    words: list[Word] = []
    segments: list[Segment] = []
    for job in jobs:
        heard = job.heard.words if job.heard else ()
        words += [replace(word, segment_index=len(segments)) for word in heard]
        segments.append(_segment(job, context))
    return Transcript(words=tuple(words), segments=tuple(segments))


def _segment(job: _Job, context: ClipContext) -> Segment:
    """Return the segment of a piece; its language is the one spoken, also where it is translated."""
    heard, span = job.heard, job.piece.span
    words = heard.words if heard else ()
    return Segment(
        start_ms=words[0].start_ms if words else span.start_ms,
        end_ms=max(word.end_ms for word in words) if words else span.end_ms,
        language=context.language if job.language is None else iso_language(job.language),
        confidence=min(1.0, math.exp(heard.logprob)) if heard and words else None,
        no_speech_confidence=min(1.0, max(0.0, heard.no_speech)) if heard else None,
        flags=job.flags,
    )

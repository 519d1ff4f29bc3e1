"""Parakeet and other NeMo recognisers: TDT, RNNT, CTC and hybrid models, from the hub or from .nemo files.

A clip is heard in pieces that the detector's speech allows, of half a minute at most, so memory does not grow with the
square of the clip; pieces of all clips of a call fill batches of similar length.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from itertools import groupby
from pathlib import Path
from typing import Final, Self, get_args

import numpy as np

from storage.records import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Clip, ClipContext, Segment, Span, Transcript, Word
from tasks.engines.base import EngineIdentity, EngineInfo
from tasks.engines.devices import engine_errors, free_memory
from tasks.engines.halving import in_halves
from tasks.engines.hub import WeightsSource, locate
from tasks.engines.nemo_models import nemo_weights, restore_nemo
from tasks.engines.nemo_recogniser import Confidence, Decoder, DecodingSettings, NemoRecogniser, Precision
from tasks.engines.nemo_words import Token, segment_of, timed_words, words_of_tokens
from tasks.engines.options import NO_EFFECT, canonical_json, parse_options
from tasks.engines.pieces import cut, finite, pack, speech_pieces
from tasks.engines.registry import missing_library
from tasks.engines.weights import weights_digest

_NAME: Final = "parakeet"
_ALGORITHM: Final = 1
_SHORTEST_MS: Final = 60
"""Nobody says a word in less."""
_SILENCE: Final = 1 / 32768
"""Range of samples below which there is nothing to hear: a step of 16 bits."""
_HEARD_AT_LEAST: Final = SAMPLE_RATE_HZ
"""Shorter pieces get silence after them; NeMo would put half of it before them, and words would be late."""
_EUROPEAN: Final = (
    "bg", "cs", "da", "de", "el", "en", "es", "et", "fi", "fr", "hr", "hu", "it",
    "lt", "lv", "mt", "nl", "pl", "pt", "ro", "ru", "sk", "sl", "sv", "uk",
)  # fmt: skip
_KNOWN_LANGUAGES: Final = {
    "parakeet-tdt-0.6b-v3": _EUROPEAN,
    "parakeet-tdt-0.6b-v2": ("en",),
    "parakeet-tdt-1.1b": ("en",),
    "parakeet-tdt_ctc-1.1b": ("en",),
    "parakeet-tdt_ctc-110m": ("en",),
    "parakeet-rnnt-0.6b": ("en",),
    "parakeet-rnnt-1.1b": ("en",),
    "parakeet-ctc-0.6b": ("en",),
    "parakeet-ctc-1.1b": ("en",),
}
"""What models know, by the names of their files, for those who give no ``languages``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParakeetOptions:
    """Which model, how it decodes, and how much of a clip it hears at a time."""

    model: str = field(default="nvidia/parakeet-tdt-0.6b-v3", metadata=NO_EFFECT)
    """Path of a .nemo file, or repository of the hub."""
    revision: str | None = field(default=None, metadata=NO_EFFECT)
    """Branch, tag or commit of the repository."""
    decoder: str = "auto"
    """``rnnt`` or ``ctc`` for models that have both; ``auto`` takes the one there is, or ``rnnt``."""
    languages: tuple[str, ...] = ()
    """ISO codes that the model knows; empty for what is known of its name."""
    join_ms: int = 1500
    """Speech regions closer than this are heard together."""
    longest_ms: int = 30_000
    """Longer speech is cut at its quietest place."""
    attention_context_ms: int | None = None
    """How far each frame attends to either side; None for as far as the piece goes."""
    confidence: str = "max_prob"
    """``max_prob``: probability of the words' tokens; ``entropy``: how flat their distributions are."""
    precision: str = "float32"
    """Of the encoder: ``float32``, or on CUDA ``bfloat16`` or ``float16``."""
    use_cuda_graph_decoder: bool = field(default=True, metadata=NO_EFFECT)
    """Fails on some GPUs; off is slower."""
    batch_size: int = field(default=16, metadata=NO_EFFECT)
    """Pieces heard at once; fewer need less memory."""
    max_batch_s: int = field(default=480, metadata=NO_EFFECT)
    """Seconds heard at once, silence at the ends of pieces included."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name, least in (("join_ms", 0), ("longest_ms", 1000), ("batch_size", 1), ("max_batch_s", 1)):
            if getattr(self, name) < least:
                message = f"{name} must be at least {least}, not {getattr(self, name)}"
                raise ValueError(message)
        if self.attention_context_ms is not None and self.attention_context_ms < 1:
            message = f"attention_context_ms must be at least 1, not {self.attention_context_ms}"
            raise ValueError(message)
        for name, choices in (("decoder", Decoder), ("confidence", Confidence), ("precision", Precision)):
            if getattr(self, name) not in get_args(choices):
                message = f"{name} must be one of {', '.join(get_args(choices))}, not {getattr(self, name)!r}"
                raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Piece:
    """What is heard at a time."""

    owner: int
    """Index of its clip in the call."""
    span: Span
    samples: Clip


class ParakeetTranscriber:
    """Words of a NeMo recogniser, with the times and the confidence of their own tokens."""

    info = EngineInfo(
        summary="NeMo recognisers: Parakeet TDT, RNNT, CTC and hybrids; quick on a GPU",
        licence="CC-BY-4.0 (the Parakeet models)",
        languages="25 European languages (parakeet-tdt-0.6b-v3), English (the others)",
        needs="weights of 2.5 GB from the hub, no account",
    )

    def __init__(self, recogniser: NemoRecogniser, options: ParakeetOptions) -> None:
        """Keep a prepared model; ``from_options`` makes one."""
        self._recogniser = recogniser
        self._options = options

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, device: str) -> Self:
        """Return the engine, weights loaded.

        Raises:
            ConfigError: an option is unknown or has an impossible value, or does not go with the model or the device.
            EngineUnavailable: NeMo or the weights are not here, or they are of something else.
        """
        parsed, path = _parsed(options)
        model = restore_nemo(_NAME, "ASRModel", path, device)
        return cls(NemoRecogniser(_NAME, model, _decoding_settings(parsed)), parsed)

    @classmethod
    def identify(cls, options: Mapping[str, object]) -> EngineIdentity:
        """Return the identity without importing NeMo. Raises: as ``from_options``."""
        parsed, path = _parsed(options)
        return EngineIdentity(
            name=_NAME,
            version=f"{_library_version()}+{_ALGORITHM}",
            weights=weights_digest([path]),
            options=canonical_json(parsed),
        )

    @classmethod
    def weights(cls, options: Mapping[str, object]) -> tuple[WeightsSource, ...]:
        """Return the .nemo file the engine loads."""
        return (_source(parse_options(_NAME, ParakeetOptions, options)),)

    def transcribe(self, clips: Sequence[Clip], contexts: Sequence[ClipContext], /) -> list[Transcript]:
        """Return one transcript per clip; a segment is a sentence, or a piece where the model writes no punctuation.

        Raises:
            EngineOutOfMemory: memory ran out on a single piece.
            EngineError: the model failed.
        """
        heard = list(zip(clips, contexts, strict=True))
        pieces = [piece for owner, (clip, context) in enumerate(heard) for piece in self._pieces(owner, clip, context)]
        tokens = self._tokens(pieces)
        found: dict[int, list[tuple[Span, list[Token]]]] = defaultdict(list)
        for piece, said in zip(pieces, tokens, strict=True):
            found[piece.owner].append((piece.span, said))
        return [self._transcript(found[owner], context) for owner, context in enumerate(contexts)]

    def _pieces(self, owner: int, clip: Clip, context: ClipContext) -> list[_Piece]:
        """Return what of a clip is worth hearing."""
        join_ms, longest_ms = self._options.join_ms, self._options.longest_ms
        spans = speech_pieces(clip, context.speech, join_ms=join_ms, longest_ms=longest_ms)
        pieces = [_Piece(owner=owner, span=span, samples=finite(cut(clip, span))) for span in spans]
        return [piece for piece in pieces if _is_audible(piece)]

    def _tokens(self, pieces: Sequence[_Piece]) -> list[list[Token]]:
        """Return the tokens of each piece, heard in batches of similar length."""
        tokens: list[list[Token]] = [[] for _ in pieces]
        clips = [_right_padded(piece.samples) for piece in pieces]
        limit = self._options.max_batch_s * SAMPLE_RATE_HZ
        for batch in pack(list(map(len, clips)), max_items=self._options.batch_size, max_total=limit):
            heard = in_halves(self._hear, [clips[index] for index in batch])
            for index, said in zip(batch, heard, strict=True):
                tokens[index] = said
        free_memory()
        return tokens

    def _hear(self, clips: Sequence[Clip]) -> list[list[Token]]:
        with engine_errors(_NAME, f"on {len(clips)} pieces of up to {len(clips[0]) // SAMPLE_RATE_HZ + 1} s"):
            return self._recogniser.hear(clips)

    def _transcript(self, pieces: Sequence[tuple[Span, list[Token]]], context: ClipContext) -> Transcript:
        flags = _flags(context.language, self._options.languages)
        words: list[Word] = []
        segments: list[Segment] = []
        for span, tokens in pieces:
            said = words_of_tokens(tokens, self._recogniser.tokenizer_kind, self._recogniser.spell)
            timed = timed_words(said, span, self._recogniser.frame_ms, len(segments))
            for _, sentence in groupby(timed, key=lambda word: word.segment_index):
                segments.append(segment_of(list(sentence), context.language, flags))
            words += timed
        return Transcript(words=tuple(words), segments=tuple(segments))


def _is_audible(piece: _Piece) -> bool:
    return len(piece.samples) >= _SHORTEST_MS * SAMPLES_PER_MS and float(np.ptp(piece.samples)) >= _SILENCE


def _right_padded(samples: Clip) -> Clip:
    return np.pad(samples, (0, max(0, _HEARD_AT_LEAST - len(samples))))


def _flags(language: str | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return what to say of a language that was given: the words stay, whoever reads them is warned."""
    if language is None or not known or language.lower().replace("_", "-").split("-")[0] in known:
        return ()
    return ("language_unsupported",)


def _parsed(options: Mapping[str, object]) -> tuple[ParakeetOptions, Path]:
    """Return the options with the languages they stand for, and the .nemo file."""
    parsed = parse_options(_NAME, ParakeetOptions, options)
    path = locate(_source(parsed))
    known = tuple(sorted(parsed.languages)) or _KNOWN_LANGUAGES.get(path.stem, ())
    return replace(parsed, languages=known), path


def _source(options: ParakeetOptions) -> WeightsSource:
    return nemo_weights(_NAME, options.model, options.revision)


def _decoding_settings(options: ParakeetOptions) -> DecodingSettings:
    return DecodingSettings(
        decoder=options.decoder,
        confidence=options.confidence,
        use_cuda_graph_decoder=options.use_cuda_graph_decoder,
        attention_context_ms=options.attention_context_ms,
        precision=options.precision,
    )


def _library_version() -> str:
    try:
        return version("nemo_toolkit")
    except PackageNotFoundError as cause:
        raise missing_library(_NAME, cause) from cause

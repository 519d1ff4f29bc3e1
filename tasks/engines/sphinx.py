"""PocketSphinx with the US-English model inside its package: no download, no torch, clear English only.

What keeps results reproducible: each utterance is decoded as a whole, so that its cepstral mean comes from it alone,
and the front end is made anew for each (0.1 ms), because its estimate of the noise would go on from the one before.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import numpy as np

from storage.errors import EngineError
from storage.records import Clip, ClipContext, Segment, Span, Transcript, Word, duration_ms
from tasks.engines.base import EngineIdentity, EngineInfo
from tasks.engines.options import canonical_json, parse_options
from tasks.engines.pieces import cut, finite, speech_pieces
from tasks.engines.registry import missing_library
from tasks.engines.weights import weights_digest

_NAME = "pocketsphinx"
_ALGORITHM = 2
_LANGUAGE = "en"
_FRAME_MS = 10
_SHORTEST_MS = 60
"""Two phones of three frames; the decoder refuses an empty buffer."""
_SILENCE = 1e-3
"""Range of samples below which nothing can be heard; in digital silence the decoder finds words all the same."""
_NO_WORD = ("<", "[", "+")
_PRONUNCIATION = re.compile(r"\(\d+\)$")


@dataclass(frozen=True, kw_only=True)
class SphinxOptions:
    """How speech becomes utterances, and how hard the decoder searches.

    The defaults run 7 times as fast as speech on one core, 1.5 times as fast as PocketSphinx's own (30,000 models and
    4 densities), and get two more words in a hundred wrong in synthetic speech, one more in read speech.
    """

    join_ms: int = 300
    """Speech regions closer than this are one utterance."""
    max_utterance_ms: int = 20_000
    """Longer utterances are cut at their quietest place."""
    max_states: int = 3000
    """Hidden Markov models that stay in the search after each frame."""
    n_gaussians: int = 2
    """Densities of each codebook that are scored."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name, least in (("join_ms", 0), ("max_utterance_ms", 1000), ("max_states", 100), ("n_gaussians", 1)):
            if getattr(self, name) < least:
                message = f"{name} must be at least {least}, not {getattr(self, name)}"
                raise ValueError(message)


class PocketSphinxTranscriber:
    """Words, times on a grid of 10 ms and posteriors of clear English speech; other languages get a flag, no words."""

    info = EngineInfo(
        summary="US English, to try the pipeline; several times faster than speech on one core",
        licence="BSD-2-Clause",
        languages=_LANGUAGE,
    )

    def __init__(self, decoder: Any, options: SphinxOptions) -> None:
        """Keep a ``pocketsphinx.Decoder``; ``from_options`` makes one."""
        self._decoder = decoder
        self._options = options

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, device: str) -> Self:  # noqa: ARG003 - CPU only
        """Return the transcriber, model loaded (0.5 s, 100 MB); it runs on one thread of the CPU.

        Raises:
            ConfigError: an option is unknown or has an impossible value.
            EngineUnavailable: pocketsphinx is not installed.
        """
        parsed = parse_options(_NAME, SphinxOptions, options)
        try:
            from pocketsphinx import Config, Decoder
        except ImportError as cause:
            raise missing_library(_NAME, cause) from cause
        decoder = Decoder(Config(maxhmmpf=parsed.max_states, topn=parsed.n_gaussians, loglevel="FATAL"))
        return cls(decoder, parsed)

    @classmethod
    def identify(cls, options: Mapping[str, object]) -> EngineIdentity:
        """Return the identity; reads the model's files (40 MB) once per process, loads nothing.

        Raises:
            ConfigError: an option is unknown or has an impossible value.
            EngineUnavailable: pocketsphinx is not installed.
        """
        parsed = parse_options(_NAME, SphinxOptions, options)
        weights = weights_digest(_model_files())
        return EngineIdentity(
            name=_NAME,
            version=f"{version('pocketsphinx')}+{_ALGORITHM}",
            weights=weights,
            options=canonical_json(parsed),
        )

    def transcribe(self, clips: Sequence[Clip], contexts: Sequence[ClipContext], /) -> list[Transcript]:
        """Return one transcript per clip; a segment is an utterance in which words were found.

        Raises:
            EngineError: the decoder failed.
        """
        return [self._transcript(clip, context) for clip, context in zip(clips, contexts, strict=True)]

    def _transcript(self, clip: Clip, context: ClipContext) -> Transcript:
        if not _is_english(context.language):
            return _unsupported(context)
        words: list[Word] = []
        segments: list[Segment] = []
        for span in speech_pieces(
            clip, context.speech, join_ms=self._options.join_ms, longest_ms=self._options.max_utterance_ms
        ):
            found = self._decode(clip, span, len(segments))
            if found:
                words.extend(found)
                segments.append(_segment(found))
        return Transcript(words=tuple(words), segments=tuple(segments))

    def _decode(self, clip: Clip, span: Span, segment_index: int) -> list[Word]:
        samples = finite(cut(clip, span))
        if span.duration_ms < _SHORTEST_MS or np.ptp(samples) < _SILENCE:
            return []
        try:
            entries = self._entries(samples)
        except Exception as cause:
            subject = f"engine {_NAME!r}"
            problem = f"failed at {span.start_ms} ms of a clip of {duration_ms(clip)} ms ({cause})"
            raise EngineError(subject, problem) from cause
        return [
            Word(
                start_ms=span.start_ms + min(entry.start_frame * _FRAME_MS, span.duration_ms),
                end_ms=span.start_ms + min((entry.end_frame + 1) * _FRAME_MS, span.duration_ms),
                text=_PRONUNCIATION.sub("", entry.word),
                confidence=min(1.0, entry.prob),
                segment_index=segment_index,
            )
            for entry in entries
            if not entry.word.startswith(_NO_WORD)
        ]

    def _entries(self, samples: Clip) -> list[Any]:
        self._decoder.reinit_feat()
        self._decoder.start_utt()
        try:
            self._decoder.process_raw(_pcm(samples), no_search=False, full_utt=True)
        finally:
            self._decoder.end_utt()
        return list(self._decoder.seg()) if self._decoder.hyp() is not None else []


def _pcm(samples: Clip) -> bytes:
    return np.rint(samples * 32767).astype("<i2").tobytes()


def _segment(words: Sequence[Word]) -> Segment:
    """Return the segment of an utterance; its confidence is the geometric mean of the words' posteriors."""
    logs = [math.log(max(word.confidence or 0, 1e-6)) for word in words]
    return Segment(
        start_ms=words[0].start_ms,
        end_ms=words[-1].end_ms,
        language=_LANGUAGE,
        confidence=math.exp(sum(logs) / len(logs)),
    )


def _is_english(language: str | None) -> bool:
    return language is None or language.lower().replace("_", "-").split("-")[0] == _LANGUAGE


def _unsupported(context: ClipContext) -> Transcript:
    """Return no words, but segments that say why."""
    flags = ("language_unsupported",)
    return Transcript(
        segments=tuple(
            Segment(start_ms=span.start_ms, end_ms=span.end_ms, language=context.language, flags=flags)
            for span in context.speech
        )
    )


def _model_files() -> list[Path]:
    package = find_spec("pocketsphinx")
    if package is None or package.origin is None:
        raise missing_library(_NAME, ModuleNotFoundError("No module named 'pocketsphinx'"))
    model = Path(package.origin).parent / "model" / "en-us"
    return [model / "en-us.lm.bin", model / "cmudict-en-us.dict", *(model / "en-us").iterdir()]

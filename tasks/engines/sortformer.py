"""Sortformer: NVIDIA's end-to-end diarizer, offline or streaming, with overlapping speech and a fixed number of voices.

Its activities become turns here, not in NeMo, so that a turn carries its speaker's mean activity as confidence. Where
all outputs of the model are in use there may be more people than it can tell apart: the clip is flagged and heard
again, in pieces or by another diarizer.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Final, Self, cast

import numpy as np

from storage.records import Clip, ClipContext, Diarization, FloatArray, Span, SpeakerBounds, duration_ms
from tasks.engines.activity_stitching import overlapping_pieces, stitched
from tasks.engines.activity_turns import exclusive_turns, is_saturated, limited, speaker_spans, turns_of
from tasks.engines.base import Diarizer, EngineIdentity, EngineInfo
from tasks.engines.devices import engine_errors, free_memory
from tasks.engines.hub import HasWeights, WeightsSource, locate
from tasks.engines.nemo_models import nemo_weights
from tasks.engines.options import canonical_json, parse_options
from tasks.engines.pieces import cut, finite, pack
from tasks.engines.registry import find, missing_library
from tasks.engines.sortformer_net import SortformerNet
from tasks.engines.sortformer_options import NAME, SortformerOptions
from tasks.engines.weights import weights_digest

_ALGORITHM: Final = 1
_SPEAKER_LIMIT: Final = "speaker_limit"
_SILENCE_RMS: Final = 1e-5
"""Below -100 dBFS there is no voice, only the last bit of a converter."""


class SortformerDiarizer:
    """Turns of the speakers that a NeMo Sortformer hears, overlapping speech included."""

    info = EngineInfo(
        summary="Sortformer, end to end: turns with overlap and confidence, four people a chunk, more in pieces",
        licence="CC-BY-4.0 (v2), NVIDIA Open Model License (v2.1), non-commercial (v1)",
        languages="any; trained mostly on English",
        max_speakers=4,
        needs="weights of 500 MB from the hub, no account",
    )

    def __init__(self, net: SortformerNet, options: SortformerOptions, *, device: str) -> None:
        """Keep a loaded net; ``from_options`` loads one."""
        self._net = net
        self._options = options
        self._device = device
        self._other: Diarizer | None = None

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, device: str) -> Self:
        """Return the diarizer, weights loaded; another one to fall back on is loaded when it is first needed.

        Raises:
            ConfigError: an option is unknown or has an impossible value.
            EngineUnavailable: NeMo or the weights are not here, or they are of something else.
        """
        parsed = parse_options(NAME, SortformerOptions, options)
        _identity_of_other(parsed)
        net = SortformerNet.load(
            NAME,
            locate(_source(parsed)),
            device,
            mode=parsed.mode,
            preset=parsed.latency,
            precision=parsed.precision,
        )
        return cls(net, parsed, device=device)

    @classmethod
    def identify(cls, options: Mapping[str, object]) -> EngineIdentity:
        """Return the identity, that of the fallback in it, without importing NeMo. Raises: as ``from_options``."""
        parsed = parse_options(NAME, SortformerOptions, options)
        said = {**json.loads(canonical_json(parsed)), **_identity_of_other(parsed)}
        return EngineIdentity(
            name=NAME,
            version=f"{_library_version()}+{_ALGORITHM}",
            weights=weights_digest([locate(_source(parsed))]),
            options=json.dumps(said, sort_keys=True, separators=(",", ":")),
        )

    @classmethod
    def weights(cls, options: Mapping[str, object]) -> tuple[WeightsSource, ...]:
        """Return the .nemo file the engine loads, and what the fallback loads."""
        parsed = parse_options(NAME, SortformerOptions, options)
        other: object = _other_class(parsed)
        theirs = other.weights(parsed.other_options) if isinstance(other, HasWeights) else ()
        return (_source(parsed), *theirs)

    def diarize(self, clips: Sequence[Clip], contexts: Sequence[ClipContext], /) -> list[Diarization]:
        """Return one diarization per clip; a clip without detected speech is not listened to.

        Raises:
            EngineOutOfMemory: memory ran out; fewer clips may fit.
            EngineError: the model failed.
        """
        sane = [_centred(finite(clip)) for clip in clips]
        heard = [i for i, context in enumerate(contexts) if context.speech and _has_sound(sane[i])]
        activities = self._whole([sane[i] for i in heard], [contexts[i] for i in heard])
        results = [Diarization()] * len(clips)
        for i, activity in zip(heard, activities, strict=True):
            results[i] = self._diarization(sane[i], contexts[i], activity)
        free_memory()
        return results

    def _diarization(self, clip: Clip, context: ClipContext, activity: FloatArray) -> Diarization:
        """Return the turns; where the model may have run out of speakers, those of whoever hears the clip again."""
        spans = self._spans(clip, activity)
        if not self._may_hold_more(spans, context.speakers):
            return self._turns(spans, activity, context.speakers)
        if self._options.other_diarizer is not None:
            (found,) = self._fallback().diarize([clip], [context])
        else:
            if self._options.fallback == "pieces":
                spans, activity = self._better_in_pieces(clip, context, spans, activity)
            found = self._turns(spans, activity, context.speakers)
        return replace(found, flags=tuple(sorted({*found.flags, _SPEAKER_LIMIT})))

    def _may_hold_more(self, spans: Sequence[Sequence[Span]], known: SpeakerBounds) -> bool:
        """Return whether there may be more people than the model has outputs, unless it is known that there are not."""
        is_enough = known.max_speakers is not None and known.max_speakers <= self._net.n_speakers
        return not is_enough and is_saturated(spans, self._options.saturated_ms)

    def _better_in_pieces(
        self, clip: Clip, context: ClipContext, spans: list[list[Span]], activity: FloatArray
    ) -> tuple[list[list[Span]], FloatArray]:
        """Return what is heard in pieces, if that is more people than the model has outputs; else what is given."""
        activity_of_pieces = self._in_pieces(clip, context, self._options.piece_ms, guide=activity)
        spans_of_pieces = self._spans(clip, activity_of_pieces)
        talkative = [own for own in spans_of_pieces if is_saturated([own], self._options.saturated_ms)]
        if len(talkative) > self._net.n_speakers:
            return spans_of_pieces, activity_of_pieces
        return spans, activity

    def _spans(self, clip: Clip, activity: FloatArray) -> list[list[Span]]:
        return speaker_spans(activity, self._net.frame_ms, duration_ms(clip), self._options.rules)

    def _turns(self, spans: list[list[Span]], activity: FloatArray, known: SpeakerBounds) -> Diarization:
        frame_ms = self._net.frame_ms
        if known.max_speakers is not None:
            spans = limited(spans, activity, frame_ms, known.max_speakers)
        return Diarization(
            turns=turns_of(spans, activity, frame_ms), exclusive=exclusive_turns(spans, activity, frame_ms)
        )

    def _whole(self, clips: Sequence[Clip], contexts: Sequence[ClipContext]) -> list[FloatArray]:
        """Return the activities of clips heard whole, except those too long for an offline model."""
        limit_ms = self._options.longest_offline_ms
        is_long = [not self._net.is_streaming and duration_ms(clip) > limit_ms for clip in clips]
        whole = iter(self._hear([clip for clip, long in zip(clips, is_long, strict=True) if not long]))
        return [
            self._in_pieces(clip, context, limit_ms) if long else next(whole)
            for clip, context, long in zip(clips, contexts, is_long, strict=True)
        ]

    def _in_pieces(
        self, clip: Clip, context: ClipContext, piece_ms: int, guide: FloatArray | None = None
    ) -> FloatArray:
        """Return the activities of a clip heard in overlapping pieces; it may have more columns than the model."""
        frame_ms = self._net.frame_ms
        pieces = overlapping_pieces(
            context.speech,
            duration_ms(clip),
            piece_ms=piece_ms,
            overlap_ms=self._options.overlap_ms,
            grid_ms=frame_ms,
        )
        parts = self._hear([cut(clip, piece) for piece in pieces])
        return stitched(parts, [piece.start_ms // frame_ms for piece in pieces], guide)

    def _hear(self, clips: Sequence[Clip]) -> list[FloatArray]:
        """Return the activities of clips, those of similar length at a time where the model allows it."""
        size = self._options.batch_size if self._net.is_streaming else 1
        lengths = [len(clip) for clip in clips]
        found: dict[int, FloatArray] = {}
        with engine_errors(NAME, f"on {len(clips)} clips of up to {max(map(duration_ms, clips), default=0)} ms"):
            for batch in pack(lengths, max_items=size, max_total=size * max(lengths, default=0)):
                found.update(zip(batch, self._net.activities([clips[i] for i in batch]), strict=True))
        return [found[i] for i in range(len(clips))]

    def _fallback(self) -> Diarizer:
        """Return the other diarizer, loaded at its first use."""
        if self._other is None:
            other = cast("type[Diarizer]", _other_class(self._options))
            self._other = other.from_options(self._options.other_options, device=self._device)
        return self._other


def _centred(clip: Clip) -> Clip:
    """Return the clip without constant offset, which would be taken for loudness."""
    return clip - np.float32(clip.mean(dtype=np.float64)) if len(clip) else clip


def _has_sound(clip: Clip) -> bool:
    return duration_ms(clip) > 0 and float(clip.std(dtype=np.float64)) >= _SILENCE_RMS


def _source(options: SortformerOptions) -> WeightsSource:
    return nemo_weights(NAME, options.model, options.revision)


def _other_class(options: SortformerOptions) -> type[Diarizer] | None:
    """Return the class of the diarizer to fall back on, if it is another one."""
    name = options.other_diarizer
    return None if name is None else cast("type[Diarizer]", find("diarizer", name))


def _identity_of_other(options: SortformerOptions) -> dict[str, object]:
    """Return what the fallback adds to the identity; raises what its engine raises when it cannot run."""
    other = _other_class(options)
    return {} if other is None else {"fallback": asdict(other.identify(options.other_options)), "fallback_options": ""}


def _library_version() -> str:
    try:
        return version("nemo_toolkit")
    except PackageNotFoundError as cause:
        raise missing_library(NAME, cause) from cause

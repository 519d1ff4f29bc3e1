"""pyannote.audio pipelines: who speaks when, overlapping speech included, from arrays and without asking the hub."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Self

import numpy as np

from storage.errors import EngineOutOfMemory
from storage.records import SAMPLE_RATE_HZ, Clip, ClipContext, Diarization, SpeakerBounds, duration_ms, seconds_from_ms
from tasks.engines.base import EngineIdentity, EngineInfo
from tasks.engines.devices import engine_errors, free_memory
from tasks.engines.hub import WeightsSource
from tasks.engines.options import NO_EFFECT, canonical_json, parse_options
from tasks.engines.pieces import finite
from tasks.engines.pyannote_files import find_pipeline, pipeline_sources
from tasks.engines.pyannote_loading import load_pipeline, quiet, set_parameters
from tasks.engines.pyannote_turns import Named, diarization_of
from tasks.engines.registry import missing_library

_NAME: Final = "pyannote"
_ALGORITHM: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PyannoteOptions:
    """Which pipeline, and what of it is changed."""

    model: str = field(default="pyannote/speaker-diarization-community-1", metadata=NO_EFFECT)
    """Repository of the hub, folder of a pipeline, or its ``config.yaml``."""
    revision: str | None = field(default=None, metadata=NO_EFFECT)
    """Branch, tag or commit of the repository."""
    clustering_threshold: float | None = None
    """Distance from which two voices are two people; the pipeline's own if None."""
    fill_gaps_ms: int | None = None
    """Shorter pauses of a speaker belong to the turn; the pipeline's own if None."""
    segmentation_batch_size: int = field(default=32, metadata=NO_EFFECT)
    """Windows of 10 s in which voices are separated at once."""
    embedding_batch_size: int = field(default=32, metadata=NO_EFFECT)
    """Voices of windows that are described at once."""
    trust_weights: bool = field(default=False, metadata=NO_EFFECT)
    """Load checkpoints that run code of their own."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        least = {"clustering_threshold": 0, "fill_gaps_ms": 0, "segmentation_batch_size": 1, "embedding_batch_size": 1}
        for name, limit in least.items():
            value = getattr(self, name)
            if value is not None and value < limit:
                message = f"{name} must be at least {limit}, not {value}"
                raise ValueError(message)

    def changes(self) -> dict[str, dict[str, float]]:
        """Return the parameters of the pipeline that are changed, by group."""
        found: dict[str, dict[str, float]] = {}
        if self.fill_gaps_ms is not None:
            found["segmentation"] = {"min_duration_off": seconds_from_ms(self.fill_gaps_ms)}
        if self.clustering_threshold is not None:
            found["clustering"] = {"threshold": self.clustering_threshold}
        return found


class PyannoteDiarizer:
    """Tells any number of voices apart; turns of different speakers may overlap."""

    info = EngineInfo(
        summary="pyannote.audio pipelines: community-1 and 3.1",
        licence="CC-BY-4.0 (community-1), MIT (3.1)",
        languages="any",
        needs="terms accepted at https://hf.co/pyannote/speaker-diarization-community-1, and HF_TOKEN to fetch",
    )

    def __init__(self, pipeline: Any, options: PyannoteOptions) -> None:
        """Keep a loaded pipeline; ``from_options`` loads one."""
        self._pipeline = pipeline
        self._options = options
        pipeline.segmentation_batch_size = options.segmentation_batch_size
        pipeline.embedding_batch_size = options.embedding_batch_size

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, device: str) -> Self:
        """Return the engine, weights loaded.

        Raises:
            ConfigError: an option is unknown or has an impossible value.
            EngineUnavailable: pyannote.audio or the weights are not here, or they are of something else.
        """
        parsed = parse_options(_NAME, PyannoteOptions, options)
        files = find_pipeline(_NAME, parsed.model, parsed.revision)
        pipeline = load_pipeline(_NAME, files, device=device, trusted=parsed.trust_weights)
        set_parameters(_NAME, pipeline, parsed.changes())
        return cls(pipeline, parsed)

    @classmethod
    def identify(cls, options: Mapping[str, object]) -> EngineIdentity:
        """Return the identity without importing pyannote.audio. Raises: as ``from_options``."""
        parsed = parse_options(_NAME, PyannoteOptions, options)
        return EngineIdentity(
            name=_NAME,
            version=f"{_library_version()}+{_ALGORITHM}",
            weights=find_pipeline(_NAME, parsed.model, parsed.revision).digest(),
            options=canonical_json(parsed),
        )

    @classmethod
    def weights(cls, options: Mapping[str, object]) -> tuple[WeightsSource, ...]:
        """Return the pipeline, and the models that its configuration takes from elsewhere."""
        parsed = parse_options(_NAME, PyannoteOptions, options)
        return pipeline_sources(_NAME, parsed.model, parsed.revision)

    def diarize(self, clips: Sequence[Clip], contexts: Sequence[ClipContext], /) -> list[Diarization]:
        """Return one diarization per clip; one without speech has no turns. pyannote gives no confidence.

        Raises:
            EngineOutOfMemory: memory ran out even for one window at a time.
            EngineError: the pipeline failed.
        """
        found = [self._diarization(clip, context) for clip, context in zip(clips, contexts, strict=True)]
        free_memory()
        return found

    def _diarization(self, clip: Clip, context: ClipContext) -> Diarization:
        samples = finite(clip)
        clip_ms = duration_ms(clip)
        if not context.speech or not clip_ms or not np.ptp(samples):
            return Diarization()
        while True:
            try:
                with engine_errors(_NAME, f"in a clip of {clip_ms} ms"):
                    full, exclusive = self._spans(samples, context.speakers)
                break
            except EngineOutOfMemory:
                if not self._halve_batches():
                    raise
                free_memory()
        return diarization_of(full, exclusive, clip_ms=clip_ms, max_speakers=context.speakers.max_speakers)

    def _spans(self, samples: Clip, bounds: SpeakerBounds) -> tuple[list[Named], list[Named]]:
        """Return all spans and the exclusive ones."""
        import torch

        # One clip at a time: a list would be worked off in the same way, and its clips would need names.
        file = {"waveform": torch.from_numpy(samples)[None], "sample_rate": SAMPLE_RATE_HZ, "uri": "clip"}
        hints = _hints(bounds)
        with quiet():
            try:
                output = self._pipeline(dict(file), **hints)
            except ValueError:
                # A clip with fewer clean windows than speakers cannot be clustered into so many.
                if not hints:
                    raise
                output = self._pipeline(dict(file))
        return _named(output.speaker_diarization), _named(output.exclusive_speaker_diarization)

    def _halve_batches(self) -> bool:
        """Make do with smaller batches from now on; return whether that was possible."""
        pipeline = self._pipeline
        sizes: tuple[int, int] = pipeline.segmentation_batch_size, pipeline.embedding_batch_size
        pipeline.segmentation_batch_size, pipeline.embedding_batch_size = (max(1, size // 2) for size in sizes)
        return max(sizes) > 1


def _hints(bounds: SpeakerBounds) -> dict[str, int]:
    """Return what the pipeline is told; only what is known, because a hint may change its method of clustering."""
    low, high = bounds.min_speakers, bounds.max_speakers
    if low is not None and low == high:
        return {"num_speakers": low}
    named = {"min_speakers": low, "max_speakers": high}
    return {name: number for name, number in named.items() if number is not None}


def _named(annotation: Any) -> list[Named]:
    """Return the spans of an annotation of pyannote's."""
    return [(span.start, span.end, str(label)) for span, _, label in annotation.itertracks(yield_label=True)]


def _library_version() -> str:
    try:
        return version("pyannote.audio")
    except PackageNotFoundError as cause:
        raise missing_library(_NAME, cause) from cause

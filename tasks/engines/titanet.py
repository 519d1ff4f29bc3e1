"""TitaNet and other NeMo speaker models: fingerprints from arrays, in batches, always in float32.

A clip is heard in windows of equal length, and its fingerprint is the mean of their unit vectors: memory follows the
batch and not the clip, and windows of all clips fill the batches without padding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final, Self

import numpy as np

from storage.errors import EngineUnavailable
from storage.records import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Clip, FloatArray
from tasks.engines.base import EngineIdentity, EngineInfo
from tasks.engines.devices import engine_errors, free_memory
from tasks.engines.hub import WeightsSource, locate
from tasks.engines.nemo_models import nemo_weights, restore_nemo
from tasks.engines.options import NO_EFFECT, canonical_json, parse_options
from tasks.engines.pieces import finite, pack
from tasks.engines.registry import missing_library
from tasks.engines.voice_windows import has_voice, pooled, raised, window_starts
from tasks.engines.weights import weights_digest

_NAME: Final = "titanet"
_ALGORITHM: Final = 1
_HUB_NAMES: Final = {"titanet_large": "nvidia/speakerverification_en_titanet_large"}
"""What NVIDIA's other catalogue calls a model of the hub."""
_NOT_ON_THE_HUB: Final = ("titanet_small", "ecapa_tdnn", "speakerverification_speakernet", "speakernet")
_SHORTEST_WINDOW_MS: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class TitanetOptions:
    """Which model, and how much of a voice it hears at a time."""

    model: str = field(default="titanet_large", metadata=NO_EFFECT)
    """Path of a .nemo file, repository of the hub, or ``titanet_large``."""
    revision: str | None = field(default=None, metadata=NO_EFFECT)
    """Branch, tag or commit of the repository."""
    window_ms: int = 4000
    """Longer speech is heard in windows of this length, and their mean is the fingerprint."""
    batch_size: int = field(default=64, metadata=NO_EFFECT)
    """Windows computed at once; fewer need less memory."""

    def __post_init__(self) -> None:
        """Refuse what cannot be."""
        for name, least in (("window_ms", _SHORTEST_WINDOW_MS), ("batch_size", 1)):
            if getattr(self, name) < least:
                message = f"{name} must be at least {least}, not {getattr(self, name)}"
                raise ValueError(message)


class TitanetEmbedder:
    """Fingerprints from a NeMo speaker model (``EncDecSpeakerLabelModel``)."""

    info = EngineInfo(
        summary="TitaNet voice vectors, 192 numbers; other NeMo speaker models from their .nemo files",
        licence="CC-BY-4.0 (titanet_large)",
        languages="any; trained on English",
        needs="weights of 100 MB from the hub, no account",
    )

    def __init__(self, model: Any, options: TitanetOptions) -> None:
        """Keep a loaded model; ``from_options`` loads one."""
        self._model = model
        self._options = options
        self.dim = _dimension(model)

    @classmethod
    def from_options(cls, options: Mapping[str, object], *, device: str) -> Self:
        """Return the engine, weights loaded.

        Raises:
            ConfigError: an option is unknown or has an impossible value.
            EngineUnavailable: NeMo or the weights are not here, or they are of something else.
        """
        parsed = parse_options(_NAME, TitanetOptions, options)
        path = locate(_source(parsed))
        model = restore_nemo(_NAME, "EncDecSpeakerLabelModel", path, device).float()
        rate_hz = int(model.cfg.preprocessor.sample_rate)
        if rate_hz != SAMPLE_RATE_HZ:
            problem = f"{path.name} hears {rate_hz} Hz, clips have {SAMPLE_RATE_HZ}"
            raise EngineUnavailable(f"engine {_NAME!r}", problem, "choose a model for 16 kHz")
        return cls(model, parsed)

    @classmethod
    def identify(cls, options: Mapping[str, object]) -> EngineIdentity:
        """Return the identity without importing NeMo. Raises: as ``from_options``."""
        parsed = parse_options(_NAME, TitanetOptions, options)
        return EngineIdentity(
            name=_NAME,
            version=f"{_library_version()}+{_ALGORITHM}",
            weights=weights_digest([locate(_source(parsed))]),
            options=canonical_json(parsed),
        )

    @classmethod
    def weights(cls, options: Mapping[str, object]) -> tuple[WeightsSource, ...]:
        """Return the .nemo file the engine loads."""
        return (_source(parse_options(_NAME, TitanetOptions, options)),)

    def embed(self, clips: Sequence[Clip], /) -> FloatArray:
        """Return ``(len(clips), dim)`` float32 of unit length.

        A clip of less than half a second, or without sound, gives a row of NaN.

        Raises:
            EngineOutOfMemory: memory ran out; fewer clips may fit.
            EngineError: the model failed.
        """
        windows: list[Clip] = []
        owners: list[int] = []
        length = self._options.window_ms * SAMPLES_PER_MS
        for owner, clip in enumerate(map(finite, clips)):
            if has_voice(clip):
                loud = raised(clip)
                windows += [loud[start : start + length] for start in window_starts(len(clip), length)]
                owners += [owner] * (len(windows) - len(owners))
        return pooled(self._vectors(windows), owners, len(clips))

    def _vectors(self, windows: Sequence[Clip]) -> FloatArray:
        """Return one vector per window, not of unit length."""
        vectors = np.empty((len(windows), self.dim), np.float32)
        size = self._options.batch_size
        longest = max(map(len, windows), default=0)
        with engine_errors(_NAME, f"on {len(windows)} windows of speech"):
            for batch in pack([len(window) for window in windows], max_items=size, max_total=size * longest):
                vectors[batch] = _forward(self._model, [windows[i] for i in batch])
        free_memory()
        return vectors


def _forward(model: Any, windows: Sequence[Clip]) -> FloatArray:
    """Return the vectors of a batch; autocast of whoever calls would round them."""
    import torch

    lengths = torch.tensor([len(window) for window in windows])
    signal = torch.zeros(len(windows), int(lengths.max()))
    for row, window in zip(signal, windows, strict=True):
        row[: len(window)] = torch.from_numpy(np.ascontiguousarray(window))
    with torch.inference_mode(), torch.autocast(model.device.type, enabled=False):
        _, vectors = model(input_signal=signal.to(model.device), input_signal_length=lengths.to(model.device))
    found: FloatArray = vectors.float().cpu().numpy()
    return found


def _dimension(model: Any) -> int:
    """Return how many numbers a vector has; the configurations of older models do not all say it alike."""
    noise = np.random.default_rng(0).normal(0, 0.1, SAMPLE_RATE_HZ).astype(np.float32)
    with engine_errors(_NAME, "on a second of noise"):
        return int(_forward(model, [noise]).shape[1])


def _source(options: TitanetOptions) -> WeightsSource:
    if options.model in _NOT_ON_THE_HUB:
        remedy = "download its .nemo file from NVIDIA's NGC catalogue and give the path as model"
        raise EngineUnavailable(f"engine {_NAME!r}", f"{options.model} is not on the hub", remedy)
    return nemo_weights(_NAME, _HUB_NAMES.get(options.model, options.model), options.revision)


def _library_version() -> str:
    try:
        return version("nemo_toolkit")
    except PackageNotFoundError as cause:
        raise missing_library(_NAME, cause) from cause

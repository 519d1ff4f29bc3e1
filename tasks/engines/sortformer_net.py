"""Run a Sortformer over arrays: from samples to how active each speaker is in each frame.

NeMo's own ``diarize`` goes through manifests, data loaders and progress bars, and tells files apart by their names;
this goes through the same layers without them. Offline models attend to a whole clip at once; streaming ones hear it
part by part and remember their speakers in a cache, so that memory hardly grows with the clip.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from storage.errors import ConfigError, EngineUnavailable
from storage.records import SAMPLE_RATE_HZ, SAMPLES_PER_MS, Clip, FloatArray, duration_ms
from tasks.engines.nemo_models import restore_nemo

PRESETS: Final[Mapping[str, Mapping[str, int]]] = {
    "very_high": {
        "chunk_len": 340, "chunk_right_context": 40, "fifo_len": 40, "spkcache_update_period": 300, "spkcache_len": 188,
    },
    "high": {
        "chunk_len": 124, "chunk_right_context": 1, "fifo_len": 124, "spkcache_update_period": 124, "spkcache_len": 188,
    },
    "low": {
        "chunk_len": 6, "chunk_right_context": 7, "fifo_len": 188, "spkcache_update_period": 144, "spkcache_len": 188,
    },
    "ultra_low": {
        "chunk_len": 3, "chunk_right_context": 1, "fifo_len": 188, "spkcache_update_period": 144, "spkcache_len": 188,
    },
}  # fmt: skip
"""NVIDIA's settings of streaming models by latency, in frames of 80 ms; with more they err less and are faster."""

_SHORTEST_MS: Final = 500
"""Shorter clips get zeros behind them: statistics over a frame or two mean nothing."""


class SortformerNet:
    """A loaded ``SortformerEncLabelModel``."""

    def __init__(self, model: Any, *, precision: str) -> None:
        """Keep the model; ``load`` makes it ready."""
        self._model = model
        self._precision = precision
        stride_ms = round(1000 * float(model.cfg.preprocessor.window_stride))
        self.frame_ms: int = stride_ms * int(model.sortformer_modules.subsampling_factor)
        self.n_speakers: int = int(model.sortformer_modules.n_spk)
        """Outputs of the model: how many people it can tell apart."""

    @classmethod
    def load(cls, engine: str, path: Path, device: str, *, mode: str, preset: str, precision: str) -> SortformerNet:
        """Return the net, ready to hear.

        Args:
            engine: Registered name, for errors.
            path: The .nemo file.
            device: As ``pick_device`` takes it.
            mode: ``streaming``, ``offline``, or ``auto`` for what the model was made for.
            preset: One of ``PRESETS``, for streaming.
            precision: ``float32``, or ``bfloat16`` where the device is a GPU.

        Raises:
            EngineUnavailable: the file is damaged, of something else or for another sample rate.
            ConfigError: the model cannot stream with that preset.
        """
        before = random.getstate()  # the model's constructor seeds Python's generator, which is not its own
        try:
            model = restore_nemo(engine, "SortformerEncLabelModel", path, device)
        finally:
            random.setstate(before)
        rate_hz = int(model.cfg.preprocessor.sample_rate)
        if rate_hz != SAMPLE_RATE_HZ:
            problem = f"{path.name} hears {rate_hz} Hz, clips have {SAMPLE_RATE_HZ}"
            raise EngineUnavailable(f"engine {engine!r}", problem, "choose a model for 16 kHz")
        if mode != "auto":
            model.streaming_mode = mode == "streaming"
        if model.streaming_mode:
            _set_preset(engine, model, preset)
        return cls(model, precision=precision)

    @property
    def is_streaming(self) -> bool:
        """Whether clips are heard part by part; otherwise each is heard at once, and alone."""
        return bool(self._model.streaming_mode)

    def activities(self, clips: Sequence[Clip]) -> list[FloatArray]:
        """Return the activity of each clip, shape ``(n_frames, n_speakers)``, cut to its own length.

        The clips are one batch. Where the model is not streaming there is one clip: NeMo scales a batch by its
        loudest sample, so that a clip's result would depend on its neighbours.
        """
        import torch

        lengths = torch.tensor([max(len(clip), _SHORTEST_MS * SAMPLES_PER_MS) for clip in clips])
        signal = torch.zeros(len(clips), int(lengths.max()))
        for row, clip in zip(signal, clips, strict=True):
            row[: len(clip)] = torch.tensor(clip)
        with torch.inference_mode(), _precision(self._model.device.type, self._precision):
            features, n_features = self._model.process_signal(audio_signal=signal, audio_signal_length=lengths)
            features = features[:, :, : n_features.max()]
            forward = _streamed if self._model.streaming_mode else _at_once
            found = forward(self._model, features, n_features).float().cpu().numpy()
        return [row[: self._n_frames(clip)] for row, clip in zip(found, clips, strict=True)]

    def _n_frames(self, clip: Clip) -> int:
        return -(-duration_ms(clip) // self.frame_ms)


def _at_once(model: Any, features: Any, n_features: Any) -> Any:
    """Return the activities of clips heard whole.

    Subsampled first: the encoder makes its table of positions for what it is given, and would make it eight times as
    long as it needs.
    """
    embedded, n_embedded = model.encoder.pre_encode(x=features.transpose(1, 2), lengths=n_features)
    encoded, n_encoded = model.frontend_encoder(embedded, n_embedded.long(), bypass_pre_encode=True)
    return model.forward_infer(encoded, n_encoded)


def _streamed(model: Any, features: Any, n_features: Any) -> Any:
    """Return the activities of clips heard part by part."""
    import torch

    modules = model.sortformer_modules
    state = modules.init_streaming_state(batch_size=len(features), async_streaming=False, device=model.device)
    nothing = torch.zeros(len(features), 0, modules.n_spk, device=model.device)
    found = []
    parts = modules.streaming_feat_loader(
        feat_seq=features, feat_seq_length=n_features, feat_seq_offset=torch.zeros_like(n_features)
    )
    for _, part, n_part, left_offset, right_offset in parts:
        state, activity = model.forward_streaming_step(
            processed_signal=part,
            processed_signal_length=n_part,
            streaming_state=state,
            total_preds=nothing,
            left_offset=left_offset,
            right_offset=right_offset,
        )
        found.append(activity)
    return torch.cat(found, dim=1)


def _set_preset(engine: str, model: Any, preset: str) -> None:
    """Set how much is heard at a time; clips of a batch share their state's shape, which is simpler than NeMo's other.

    Raises:
        ConfigError: the model's cache is too short for its speakers.
    """
    modules = model.sortformer_modules
    model.async_streaming = False
    for name, frames in PRESETS[preset].items():
        is_cache = name == "spkcache_len"
        setattr(modules, name, max(frames, int(modules.spkcache_len)) if is_cache else frames)
    try:
        modules._check_streaming_parameters()  # noqa: SLF001 - NVIDIA's recipes call it after setting them
    except (TypeError, ValueError) as cause:
        raise ConfigError(f"engine {engine!r}", f"cannot stream with preset {preset}: {cause}") from cause


@contextmanager
def _precision(device: str, precision: str) -> Iterator[None]:
    """Compute in mixed precision where it is asked for and is faster; else in float32, whatever the caller does."""
    import torch

    with torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bfloat16" and device == "cuda"):
        yield

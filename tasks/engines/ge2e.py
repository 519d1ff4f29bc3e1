"""The GE2E voice encoder that Resemblyzer ships: spectrogram, network and level, without its imports.

Resemblyzer's own modules pull in librosa and webrtcvad, which cost seconds and are not needed here: the
spectrogram is forty filters and the network four layers. Both equal the originals; tests compare them.
"""

from __future__ import annotations

from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from pickle import UnpicklingError
from typing import Any, Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from storage.errors import EngineError, EngineOutOfMemory, EngineUnavailable
from storage.records import SAMPLE_RATE_HZ, Clip, FloatArray
from tasks.engines.registry import missing_library

DIM: Final = 256
N_MELS: Final = 40
HOP_SAMPLES: Final = 160
FRAME_SAMPLES: Final = 400
FRAMES_PER_SECOND: Final = SAMPLE_RATE_HZ // HOP_SAMPLES
WINDOW_FRAMES: Final = 160
"""Frames the network was trained on: 1.6 s."""

_QUIETEST_RMS: Final = 10 ** (-30 / 20)
"""Training raised everything quieter than -30 dBFS to that level."""
_LOUDEST: Final = 1e6
"""Samples beyond this are no sound, and their squares would overflow."""
_FRAMES_PER_BLOCK: Final = 8192
_WINDOWS_PER_BATCH: Final = 64


def library_version() -> str:
    """Return the version of the installed Resemblyzer.

    Raises:
        EngineUnavailable: it is not installed.
    """
    try:
        return metadata.version("resemblyzer")
    except metadata.PackageNotFoundError as cause:
        raise missing_library("resemblyzer", ImportError("No module named 'resemblyzer'")) from cause


def weights_file() -> Path:
    """Return where Resemblyzer keeps its weights; imports nothing.

    Raises:
        EngineUnavailable: the library or the file is not here.
    """
    spec = find_spec("resemblyzer")
    if spec is None or not spec.submodule_search_locations:
        raise missing_library("resemblyzer", ImportError("No module named 'resemblyzer'"))
    path = Path(spec.submodule_search_locations[0]) / "pretrained.pt"
    if not path.is_file():
        raise EngineUnavailable("engine 'resemblyzer'", f"its weights {path} are missing", "reinstall resemblyzer")
    return path


def raised_to_speech_level(clip: Clip, rms: float | None = None) -> Clip:
    """Return the clip, made louder if it is quieter than what the network was trained on.

    Args:
        clip: samples, shape ``(n,)``.
        rms: level of the speech in it; of the whole clip if None.
    """
    level = root_mean_square(clip) if rms is None else rms
    if level <= 0 or level >= _QUIETEST_RMS:
        return clip
    return clip * np.float32(_QUIETEST_RMS / level)


def root_mean_square(clip: Clip) -> float:
    """Return the level of the samples, constant offset left out; 0.0 for none."""
    return float(np.std(clip, dtype=np.float64)) if len(clip) else 0.0


def mel_spectrogram(clip: Clip) -> FloatArray:
    """Return mel power, shape ``(1 + n // 160, 40)``; not its logarithm, as the network expects.

    Frame ``i`` is centred at sample ``160 * i``; outside the clip there is silence.
    """
    from scipy import fft

    padded = np.pad(np.clip(clip, -_LOUDEST, _LOUDEST), FRAME_SAMPLES // 2)
    frames = sliding_window_view(padded, FRAME_SAMPLES)[::HOP_SAMPLES]
    taper = _hann()
    filters = _mel_filters()
    blocks = []
    for start in range(0, len(frames), _FRAMES_PER_BLOCK):
        spectrum = fft.rfft(frames[start : start + _FRAMES_PER_BLOCK] * taper, axis=1)
        blocks.append((spectrum.real**2 + spectrum.imag**2) @ filters)
    return np.concatenate(blocks).astype(np.float32)


@cache
def _hann() -> FloatArray:
    phase = 2 * np.pi * np.arange(FRAME_SAMPLES) / FRAME_SAMPLES
    return (0.5 - 0.5 * np.cos(phase)).astype(np.float32)


@cache
def _mel_filters() -> FloatArray:
    """Return Slaney's triangular filters of equal area, shape ``(201, 40)``."""
    bins_hz = np.linspace(0, SAMPLE_RATE_HZ / 2, FRAME_SAMPLES // 2 + 1)
    edges_hz = _hz_of_mel(np.linspace(0, _mel_of_hz(SAMPLE_RATE_HZ / 2), N_MELS + 2))
    low, centre, high = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (bins_hz[:, None] - low) / (centre - low)
    falling = (high - bins_hz[:, None]) / (high - centre)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return np.asarray(triangles * (2 / (high - low)), np.float32)


_MEL_KNEE_HZ: Final = 1000.0
_MEL_KNEE: Final = 15.0
_MEL_LOG_STEP: Final = np.log(6.4) / 27
"""Slaney's scale: 15 mels to 1 kHz, evenly; above it 27 to every factor of 6.4."""


def _mel_of_hz(hz: float) -> float:
    if hz < _MEL_KNEE_HZ:
        return hz * _MEL_KNEE / _MEL_KNEE_HZ
    return float(_MEL_KNEE + np.log(hz / _MEL_KNEE_HZ) / _MEL_LOG_STEP)


def _hz_of_mel(mel: np.ndarray) -> np.ndarray:
    linear = mel * _MEL_KNEE_HZ / _MEL_KNEE
    curved = _MEL_KNEE_HZ * np.exp(_MEL_LOG_STEP * (mel - _MEL_KNEE))
    return np.where(mel < _MEL_KNEE, linear, curved)


class VoiceEncoder:
    """The network: three LSTM layers and a rectified projection; torch is loaded with the first one made."""

    def __init__(self, device: str) -> None:
        """Load the weights onto the device, without executing code from the file.

        Raises:
            EngineUnavailable: torch, Resemblyzer or its weights are not here, or the device cannot be used.
        """
        try:
            import torch
        except ImportError as cause:
            raise missing_library("resemblyzer", cause) from cause
        path = weights_file()
        try:
            self._torch: Any = torch
            self._device = torch.device(device)
            state = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
            self._lstm = torch.nn.LSTM(N_MELS, DIM, num_layers=3, batch_first=True)
            self._linear = torch.nn.Linear(DIM, DIM)
            self._lstm.load_state_dict(_part(state, "lstm."))
            self._linear.load_state_dict(_part(state, "linear."))
            self._lstm.to(self._device).eval()
            self._linear.to(self._device).eval()
        except (RuntimeError, KeyError, OSError, ValueError, UnpicklingError) as cause:
            raise EngineUnavailable(
                "engine 'resemblyzer'",
                f"cannot load {path.name} on {device!r} ({cause})",
                "reinstall resemblyzer or choose another device",
            ) from cause

    def embed(self, mel: FloatArray, starts: np.ndarray) -> FloatArray:
        """Return one unit vector per window, shape ``(len(starts), 256)``; NaN where the network is silent.

        Args:
            mel: spectrogram, shape ``(frames, 40)``.
            starts: first frame of each window of 160 frames; a window may run past the end, into silence.

        Raises:
            EngineError: the network failed.
            EngineOutOfMemory: the device has no room for a batch.
        """
        room = int(starts.max(initial=0)) + WINDOW_FRAMES - len(mel)
        padded = np.pad(mel, ((0, max(0, room)), (0, 0)))
        batches = [
            self._forward(padded[chosen[:, None] + np.arange(WINDOW_FRAMES)])
            for chosen in np.split(starts, range(_WINDOWS_PER_BATCH, len(starts), _WINDOWS_PER_BATCH))
            if len(chosen)
        ]
        return np.concatenate(batches) if batches else np.zeros((0, DIM), np.float32)

    def _forward(self, windows: FloatArray) -> FloatArray:
        try:
            with self._torch.inference_mode():
                _, (hidden, _) = self._lstm(self._torch.from_numpy(windows).to(self._device))
                raw: FloatArray = self._linear(hidden[-1]).relu().cpu().numpy()
        except self._torch.OutOfMemoryError as cause:
            raise EngineOutOfMemory("engine 'resemblyzer'", "out of device memory", "free the device") from cause
        except RuntimeError as cause:
            raise EngineError("engine 'resemblyzer'", f"the network failed ({cause})") from cause
        return unit_rows(raw)


def unit_rows(vectors: FloatArray) -> FloatArray:
    """Return the rows scaled to unit length; NaN where a row has none or is not finite."""
    norms = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    usable = np.isfinite(norms) & (norms > 0)
    return np.where(usable, vectors / np.where(usable, norms, 1), np.nan).astype(np.float32)


def _part(state: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}

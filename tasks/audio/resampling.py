"""Turn decoded frames of any rate, layout and format into blocks of 16 kHz samples."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from av import AudioFrame, AudioResampler

from storage.records import SAMPLE_RATE_HZ, FloatArray

BLOCK_SAMPLES = 2 * SAMPLE_RATE_HZ
MAX_SEPARATE_CHANNELS = 8
_MAX_PLANES = 7
"""From eight planes on, PyAV reads past the end of a frame's table of planes; packed samples have only one."""


class BlockResampler:
    """Resamples frames by libswresample; all blocks have the channels that the header claims, or one if over 8.

    A frame whose rate, layout or format differs from those before it starts a new resampling where the old ends.
    """

    def __init__(self, n_channels: int) -> None:
        """Start before the first frame; ``n_channels`` is what the header claims."""
        self.n_samples = 0
        """Samples per channel given out so far."""
        self._n_channels = n_channels if n_channels <= MAX_SEPARATE_CHANNELS else 1
        self._kind: tuple[int, str, str] | None = None
        self._resampler: AudioResampler | None = None
        self._waiting: list[AudioFrame] = []
        self._n_waiting = 0

    def push(self, frame: AudioFrame) -> Iterator[FloatArray]:
        """Yield the blocks that are complete, shape ``(n_channels, n)``."""
        kind = (frame.sample_rate, frame.layout.name, frame.format.name)
        if kind != self._kind:
            yield from self.flush()
            self._kind = kind
            self._resampler = None if _needs_nothing(frame) else _resampler(frame)
        if self._resampler:
            yield from self._blocks(self._resampler.resample(frame))
            return
        if self._n_waiting + frame.samples > BLOCK_SAMPLES:
            yield from self._joined()
        self._waiting.append(frame)
        self._n_waiting += frame.samples

    def flush(self) -> Iterator[FloatArray]:
        """Yield what is left inside; later frames start anew."""
        if self._resampler:
            yield from self._blocks(self._resampler.resample(None))
        yield from self._joined()
        self._resampler = self._kind = None

    def silence(self, until_sample: int) -> Iterator[FloatArray]:
        """Yield what is left inside, then zeros up to a sample of the output."""
        yield from self.flush()
        while self.n_samples < until_sample:
            n = min(BLOCK_SAMPLES, until_sample - self.n_samples)
            self.n_samples += n
            yield np.zeros((self._n_channels, n), np.float32)

    def _joined(self) -> Iterator[FloatArray]:
        if self._waiting:
            samples = np.concatenate([frame.to_ndarray() for frame in self._waiting], axis=1, dtype=np.float32)
            self._waiting, self._n_waiting = [], 0
            self.n_samples += samples.shape[1]
            yield self._shaped(samples, len(samples))

    def _blocks(self, frames: list[AudioFrame]) -> Iterator[FloatArray]:
        for frame in frames:
            block = self._shaped(frame.to_ndarray().astype(np.float32, copy=False), frame.layout.nb_channels)
            self.n_samples += block.shape[1]
            yield block

    def _shaped(self, samples: FloatArray, n_channels: int) -> FloatArray:
        if n_channels > _MAX_PLANES:
            samples = np.ascontiguousarray(samples.reshape(-1, n_channels).T)
        if len(samples) != self._n_channels:
            samples = np.repeat(samples.mean(axis=0, keepdims=True), self._n_channels, axis=0)
        return samples


def _needs_nothing(frame: AudioFrame) -> bool:
    return (
        frame.sample_rate == SAMPLE_RATE_HZ and frame.format.name == "fltp" and frame.layout.nb_channels <= _MAX_PLANES
    )


def _resampler(frame: AudioFrame) -> AudioResampler:
    packing = "fltp" if frame.layout.nb_channels <= _MAX_PLANES else "flt"
    return AudioResampler(packing, frame.layout, SAMPLE_RATE_HZ, frame_size=BLOCK_SAMPLES)

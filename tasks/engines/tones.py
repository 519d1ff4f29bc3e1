"""What the fake engines hear: which tones sound when, on a grid of 10 ms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from storage.records import SAMPLES_PER_MS, Clip, FloatArray

FRAME_MS = 10
VOICES_HZ = tuple(range(200, 3801, 100))
"""Frequencies that count as voices: the columns of every array here."""

BoolArray = NDArray[np.bool_]

_FRAME = FRAME_MS * SAMPLES_PER_MS
_FIRST_BIN = VOICES_HZ[0] * FRAME_MS // 1000
_QUIETEST = 0.02
_QUIETEST_BESIDE = 0.3
"""A tone fainter than this share of the loudest one in its frame is taken for leakage."""


@dataclass(frozen=True, slots=True, order=True)
class Burst:
    """One voice sounding without a break."""

    start_ms: int
    end_ms: int
    column: int
    """Index into ``VOICES_HZ``."""

    @property
    def frames(self) -> slice:
        """The burst's rows in an array of frames."""
        return slice(self.start_ms // FRAME_MS, self.end_ms // FRAME_MS)


def frame_levels(clip: Clip) -> FloatArray:
    """Return the RMS of each whole frame without its mean, ``(n_frames,)``."""
    levels: FloatArray = np.sqrt(np.square(_frames(clip)).mean(axis=1))
    return levels


def voice_levels(clip: Clip) -> FloatArray:
    """Return the amplitude of each sounding voice in each frame, ``(n_frames, n_voices)``; 0 where it is not heard.

    A voice is a local maximum of the spectrum that lasts at least three frames.
    """
    window = np.hanning(_FRAME + 1)[:-1].astype(np.float32)
    spectrum = np.abs(np.fft.rfft(_frames(clip) * window, axis=1)[:, : _FIRST_BIN + len(VOICES_HZ) + 1])
    spectrum *= 2 / window.sum()
    below, level, above = (spectrum[:, _FIRST_BIN + shift :][:, : len(VOICES_HZ)] for shift in (-1, 0, 1))
    floor = np.maximum(_QUIETEST, _QUIETEST_BESIDE * spectrum.max(axis=1, initial=0, keepdims=True))
    audible = (level > below) & (level >= above) & (level > floor)
    heard: FloatArray = np.where(_lasting(audible), level, 0).astype(np.float32)
    return heard


def bursts(active: BoolArray) -> list[Burst]:
    """Return the runs of True in each column of ``(n_frames, n_columns)``, sorted."""
    silent = np.zeros((1, active.shape[1]), dtype=np.int8)
    edges = np.diff(np.concatenate([silent, active.astype(np.int8), silent]), axis=0).T
    columns, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    runs = zip((starts * FRAME_MS).tolist(), (ends * FRAME_MS).tolist(), columns.tolist(), strict=True)
    return sorted(Burst(*run) for run in runs)


def joined(ordered: list[Burst], max_gap_ms: int) -> list[Burst]:
    """Return bursts of one voice with gaps up to ``max_gap_ms`` closed."""
    result: list[Burst] = []
    for burst in ordered:
        if result and burst.start_ms - result[-1].end_ms <= max_gap_ms:
            burst = Burst(result.pop().start_ms, burst.end_ms, burst.column)  # noqa: PLW2901 - grows to the left
        result.append(burst)
    return result


def _frames(clip: Clip) -> FloatArray:
    whole = clip[: len(clip) // _FRAME * _FRAME].reshape(-1, _FRAME)
    safe = np.nan_to_num(whole, nan=0, posinf=1, neginf=-1).clip(-1, 1)
    centred: FloatArray = safe - safe.mean(axis=1, keepdims=True)
    return centred


def _lasting(active: BoolArray) -> BoolArray:
    """Drop runs of one or two frames: what a tone leaks while it begins and ends."""
    lasting = np.zeros_like(active)
    inner = active[:-2] & active[1:-1] & active[2:]
    for shift in range(3):
        lasting[shift : shift + len(inner)] |= inner
    return lasting

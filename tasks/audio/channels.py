"""Decide what the channels of a recording are: one room heard several times, or one person on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from storage.records import SAMPLES_PER_MS, Clip, FloatArray, Span

_FRAME_MS = 50
_FLOOR = 1e-12
_SILENCE_DB = -119.0
_SILENT_DB = 40.0
"""A channel whose loudest moments are this far below those of the loudest channel carries nothing of its own."""
_ACTIVE_DB = 30.0
"""A frame this far below the loud ones is background."""
_COPY_CORRELATION = 0.97
_INVERTED_CORRELATION = -0.9
_DOMINANT_DB = 10.0
"""A channel this far above all others has the floor; coincident or spaced microphones differ by less."""
_EXCLUSIVE_SHARE = 0.8
_TAKES_PART_SHARE = 0.01
_CROSSTALK_DB = 15.0
_SMOOTH_FRAMES = 7
_BRIDGE_MS = 300


def choose_channel_mode(samples: FloatArray) -> Literal["mix", "split"]:
    """Return how to hear the channels of ``samples``, shape ``(n_channels, n)``.

    ``split`` where at least two channels take turns at being far louder than all others, as in a call recorded with
    one person on each; ``mix`` for everything else: one channel, copies of one, silent ones, microphones of one room.
    """
    heard = samples[_audible(samples)]
    if len(heard) < 2 or _are_copies(heard):  # noqa: PLR2004 - two make a pair
        return "mix"
    levels = _levels_db(heard)
    loudest = levels.max(axis=0)
    active = loudest > np.percentile(loudest, 95) - _ACTIVE_DB
    ranked = np.sort(levels[:, active], axis=0)
    dominated = ranked[-1] - ranked[-2] >= _DOMINANT_DB
    winners = np.bincount(levels[:, active].argmax(axis=0)[dominated], minlength=len(heard)) / active.sum()
    takes_turns = np.count_nonzero(winners >= _TAKES_PART_SHARE) > 1
    return "split" if takes_turns and dominated.mean() >= _EXCLUSIVE_SHARE else "mix"


def mix(samples: FloatArray) -> Clip:
    """Return the mean of the channels of ``samples``, shape ``(n_channels, n)``, as a new clip.

    Channels that carry nothing are left out, so that a silent one does not halve the level; a channel that is another
    one turned upside down is turned back, so that the two do not cancel.
    """
    audible = _audible(samples)
    heard = samples[audible] if audible.any() else samples
    if len(heard) == 1:
        only: Clip = heard[0].copy()
        return only
    clip: Clip = np.einsum("c,cn->n", _signs(heard) / np.float32(len(heard)), heard)
    return clip


def own_speech(spans: Sequence[Span], samples: FloatArray, channel: int) -> list[Span]:
    """Return the part of a channel's speech that is its own: where it is not far below the loudest other channel.

    Spans are in the time of ``samples``, shape ``(n_channels, n)``. What is left out is the voice of somebody else
    heard through this microphone; two people who speak at once stay on both channels.
    """
    if len(samples) == 1 or not spans:
        return list(spans)
    levels = _levels_db(samples, smooth_frames=_SMOOTH_FRAMES)
    others = np.delete(levels, channel, axis=0).max(axis=0)
    borrowed = _runs(levels[channel] < others - _CROSSTALK_DB)
    return [piece for span in spans for piece in _without(span, borrowed)]


def _audible(samples: FloatArray) -> NDArray[np.bool_]:
    peaks = _levels_db(samples).max(axis=1, initial=_SILENCE_DB)
    audible: NDArray[np.bool_] = peaks > max(peaks.max() - _SILENT_DB, _SILENCE_DB)
    return audible


def _levels_db(samples: FloatArray, smooth_frames: int = 1) -> NDArray[np.float32]:
    width = _FRAME_MS * SAMPLES_PER_MS
    frames = samples[:, : samples.shape[1] // width * width].reshape(len(samples), -1, width)
    power = np.einsum("cfw,cfw->cf", frames, frames) / np.float32(width)
    if smooth_frames > 1 and power.shape[1] >= smooth_frames:
        kernel = np.full(smooth_frames, 1 / smooth_frames)
        power = np.stack([np.convolve(row, kernel, mode="same") for row in power])
    levels: NDArray[np.float32] = 10 * np.log10(power + _FLOOR)
    return levels


def _correlations(channels: FloatArray) -> NDArray[np.float64]:
    """Return each channel's correlation with the loudest."""
    products = (channels @ channels.T).astype(np.float64)
    powers = np.diag(products)
    loudest = int(powers.argmax())
    correlations: NDArray[np.float64] = products[loudest] / np.sqrt(powers * powers[loudest] + _FLOOR)
    return correlations


def _are_copies(channels: FloatArray) -> bool:
    return bool((np.abs(_correlations(channels)) >= _COPY_CORRELATION).all())


def _signs(channels: FloatArray) -> NDArray[np.float32]:
    return np.where(_correlations(channels) <= _INVERTED_CORRELATION, -1, 1).astype(np.float32)


def _runs(is_borrowed: NDArray[np.bool_]) -> list[Span]:
    edges = np.flatnonzero(np.diff(np.concatenate(([0], is_borrowed.view(np.int8), [0])))) * _FRAME_MS
    runs = (Span(start_ms=int(start), end_ms=int(end)) for start, end in edges.reshape(-1, 2))
    return [run for run in runs if run.duration_ms >= _BRIDGE_MS]


def _without(span: Span, holes: list[Span]) -> list[Span]:
    pieces = []
    start_ms = span.start_ms
    for hole in holes:
        if hole.end_ms <= start_ms or hole.start_ms >= span.end_ms:
            continue
        if hole.start_ms > start_ms:
            pieces.append(Span(start_ms=start_ms, end_ms=hole.start_ms))
        start_ms = hole.end_ms
    if start_ms < span.end_ms:
        pieces.append(Span(start_ms=start_ms, end_ms=span.end_ms))
    return pieces

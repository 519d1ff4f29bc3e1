"""Clips for the fake engines: who sounds when, as tones on the grid of 10 ms."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from storage.records import SAMPLES_PER_MS, Clip, Span


def tone_clip(duration_ms: int, sounds: Iterable[tuple[int, int, int]], *, amplitude: float = 0.2) -> Clip:
    """Return a clip in which each ``(start_ms, end_ms, voice_hz)`` sounds; several at once add up."""
    clip = np.zeros(duration_ms * SAMPLES_PER_MS, dtype=np.float64)
    for start_ms, end_ms, voice_hz in sounds:
        first, last = start_ms * SAMPLES_PER_MS, end_ms * SAMPLES_PER_MS
        phase = 2 * np.pi * voice_hz * np.arange(first, last) / (SAMPLES_PER_MS * 1000)
        clip[first:last] += amplitude * np.sin(phase)
    return clip.astype(np.float32)


def spoken(
    start_ms: int, voice_hz: int, n_words: int, *, word_ms: int = 200, gap_ms: int = 60
) -> list[tuple[int, int, int]]:
    """Return the sounds of one voice saying ``n_words`` equal words from ``start_ms`` on."""
    starts = range(start_ms, start_ms + n_words * (word_ms + gap_ms), word_ms + gap_ms)
    return [(start, start + word_ms, voice_hz) for start in starts]


def all_speech(clip: Clip) -> tuple[Span, ...]:
    """Return the whole clip as one span of speech, as a context wants it."""
    return (Span(start_ms=0, end_ms=len(clip) // SAMPLES_PER_MS),)

"""Cut a stream of samples into chunks in silence, so that memory follows the chunk and not the recording.

Speech is sought in blocks that are counted from the start of the recording, each with the sound before it and a little
after it, never in chunks: detectors remember, and what they hear must not depend on how long chunks are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from storage.errors import ConfigError
from storage.records import SAMPLES_PER_MS, ChannelMode, Chunk, Clip, FloatArray, Span
from tasks.audio.channels import choose_channel_mode, mix, own_speech

Detect = Callable[[Clip], list[Span]]
"""Finds speech in a clip; spans in clip time, sorted and disjoint."""

_PIECE_MS = 2_000
_LONGEST_MS = 24 * 3_600_000
_GRID_MS = 160
"""Cuts keep to this grid where they can, so that frames of 10 to 80 ms fall alike in every chunk."""
_FRAME_MS = 10
_QUIET_FRAMES = 10
_BLOCK_MS = 61_440
_BEFORE_MS = 10_240
_AFTER_MS = 1_280
"""A block, and what is heard before and after it: whole windows of 32 ms, which Silero has."""
_REACH_MS = _BLOCK_MS + _BEFORE_MS + _AFTER_MS
"""Beyond the longest chunk, what must be there to know its speech, and to have what comes before the next block."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkOptions:
    """How long chunks are."""

    target_ms: int = 600_000
    max_ms: int = 720_000
    min_ms: int = 30_000
    """Only a recording that is shorter itself makes a shorter chunk."""

    def __post_init__(self) -> None:
        """Refuse lengths that leave no room to choose a cut."""
        if self.max_ms > _LONGEST_MS:
            raise ConfigError(f"chunks of at most {self.max_ms} ms", "do not fit into memory", "allow a day at most")
        if not _PIECE_MS <= self.min_ms <= self.earliest_cut_ms < self.max_ms - self.min_ms:
            raise ConfigError(
                f"chunks of {self.target_ms} ms, at least {self.min_ms}, at most {self.max_ms}",
                "there is no room to choose a cut",
                f"keep {_PIECE_MS} <= min_ms <= 0.8 target_ms < max_ms - min_ms",
            )

    @property
    def earliest_cut_ms(self) -> int:
        """Where the search for a silence begins."""
        return self.target_ms * 4 // 5


@dataclass(frozen=True, slots=True)
class CutChunk:
    """A chunk and its samples."""

    chunk: Chunk
    clip: Clip


class ChunkCutter:
    """Cuts one recording. Holds at most ``max_ms`` and 75 seconds of samples per channel."""

    def __init__(self, detect: Detect, options: ChunkOptions | None = None, channel_mode: ChannelMode = "auto") -> None:
        """Take the speech detector, and how to treat several channels; ``auto`` decides on the first chunk."""
        self.duration_ms = 0
        """What was cut so far; after exhaustion the length of the recording, an incomplete millisecond left out."""
        self._detect = detect
        self._options = options or ChunkOptions()
        self._asked = channel_mode
        self._mode: Literal["mix", "split"] | None = None

    @property
    def channel_mode(self) -> Literal["mix", "split"]:
        """How the channels were heard; known once the first chunk was cut, ``mix`` before."""
        return self._mode or "mix"

    def cut(self, blocks: Iterable[FloatArray]) -> Iterator[CutChunk]:
        """Yield chunks that tile the recording: of each stretch of time one chunk, or in split mode one per channel.

        Args:
            blocks: consecutive samples at 16 kHz, each of shape ``(n_channels, n)``; samples that are not finite
                count as zero.
        """
        pieces = _pieces(blocks)
        first = next(pieces, None)
        if first is None:
            return
        buffer = _Buffer(len(first), self._options.max_ms + _REACH_MS + _PIECE_MS)
        buffer.append(first)
        chunk_index = 0
        for piece in pieces:
            if buffer.duration_ms > self._options.max_ms + _REACH_MS:
                self._hear(buffer, is_all=False)
                yield from self._cut_off(buffer, chunk_index, self._choose(buffer))
                chunk_index += 1
            buffer.append(piece)
        self._hear(buffer, is_all=True)
        while buffer.duration_ms > self._options.max_ms:
            yield from self._cut_off(buffer, chunk_index, self._choose(buffer))
            chunk_index += 1
        if buffer.duration_ms:
            yield from self._cut_off(buffer, chunk_index, buffer.duration_ms)

    def _choose(self, buffer: _Buffer) -> int:
        latest_ms = min(self._options.max_ms, buffer.duration_ms - self._options.min_ms)
        window = Span(start_ms=self._options.earliest_cut_ms, end_ms=latest_ms)
        speech = [span.shifted(self.duration_ms) for spans in buffer.speech for span in spans]
        cut_ms = choose_cut(speech, window.shifted(self.duration_ms))  # the grid is that of the recording
        return quietest_ms(buffer.samples, window) if cut_ms is None else cut_ms - self.duration_ms

    def _hear(self, buffer: _Buffer, *, is_all: bool) -> None:
        if self._mode is None:
            self._mode = self._resolve(buffer.samples)
        buffer.hear(self._detect, self._mode, is_all=is_all)

    def _resolve(self, samples: FloatArray) -> Literal["mix", "split"]:
        if len(samples) == 1:
            return "mix"
        return choose_channel_mode(samples) if self._asked == "auto" else self._asked

    def _cut_off(self, buffer: _Buffer, chunk_index: int, cut_ms: int) -> Iterator[CutChunk]:
        samples = buffer.samples[:, : cut_ms * SAMPLES_PER_MS]
        window = Span(start_ms=0, end_ms=cut_ms)
        start_ms = self.duration_ms
        for channel, spans in enumerate(buffer.speech):
            speech = clipped(spans, window)
            if self._mode == "split":
                speech, clip = own_speech(speech, samples, channel), samples[channel].copy()
            else:
                clip = mix(samples)
            yield CutChunk(
                Chunk(
                    channel=channel,
                    chunk_index=chunk_index,
                    start_ms=start_ms,
                    end_ms=start_ms + cut_ms,
                    speech=tuple(span.shifted(start_ms) for span in speech),
                ),
                clip,
            )
        buffer.drop(cut_ms)
        self.duration_ms += cut_ms


def choose_cut(speech: Sequence[Span], window: Span) -> int | None:
    """Return the middle of the longest silence inside a window, the first of equals; None if all of it is speech.

    The spans of speech may overlap and come in any order.

    >>> choose_cut([Span(start_ms=0, end_ms=90), Span(start_ms=110, end_ms=200)], Span(start_ms=50, end_ms=200))
    100
    """
    best = Span(start_ms=0, end_ms=0)
    silent_from_ms = window.start_ms
    end = Span(start_ms=window.end_ms, end_ms=window.end_ms)
    for span in (*sorted(speech), end):
        silence = Span(start_ms=silent_from_ms, end_ms=max(silent_from_ms, min(span.start_ms, window.end_ms)))
        best = max(best, silence, key=lambda one: one.duration_ms)
        silent_from_ms = max(silent_from_ms, span.end_ms)
    if not best.duration_ms:
        return None
    middle_ms = (best.start_ms + best.end_ms) // 2
    return max(best.start_ms, middle_ms // _GRID_MS * _GRID_MS)


def quietest_ms(samples: FloatArray, window: Span) -> int:
    """Return where the quietest 10 ms of the quietest 100 ms begin, inside a window of ``samples``.

    Within words there are stops as quiet as any pause, but shorter. The samples have shape ``(n_channels, n)``.
    """
    width = _FRAME_MS * SAMPLES_PER_MS
    n_frames = max(1, window.duration_ms // _FRAME_MS)
    start = window.start_ms * SAMPLES_PER_MS
    frames = samples[:, start : start + n_frames * width].reshape(len(samples), n_frames, -1)
    energy = np.einsum("cfw,cfw->f", frames, frames)
    n_smooth = min(_QUIET_FRAMES, n_frames)
    first = int(np.convolve(energy, np.ones(n_smooth), mode="valid").argmin())
    return window.start_ms + (first + int(energy[first : first + n_smooth].argmin())) * _FRAME_MS


def clipped(spans: Sequence[Span], window: Span) -> list[Span]:
    """Return the parts of spans that lie inside a window."""
    return [
        Span(start_ms=max(span.start_ms, window.start_ms), end_ms=min(span.end_ms, window.end_ms))
        for span in spans
        if span.start_ms < window.end_ms and span.end_ms > window.start_ms
    ]


def _pieces(blocks: Iterable[FloatArray]) -> Iterator[FloatArray]:
    width = _PIECE_MS * SAMPLES_PER_MS
    for block in blocks:
        finite = block if np.isfinite(block).all() else np.nan_to_num(block, nan=0.0, posinf=0.0, neginf=0.0)
        for start in range(0, finite.shape[1], width):
            yield finite[:, start : start + width]


class _Buffer:
    """The samples that were read and not yet cut off, and the speech found in them, in the buffer's own time."""

    def __init__(self, n_channels: int, capacity_ms: int) -> None:
        self.speech: list[list[Span]] = []
        """One list per channel that is heard: all in split mode, one in mix mode; up to where it was sought."""
        self._room = np.empty((n_channels, capacity_ms * SAMPLES_PER_MS), np.float32)
        self._n_samples = 0
        self._dropped_ms = 0
        self._heard_ms = 0

    @property
    def samples(self) -> FloatArray:
        return self._room[:, : self._n_samples]

    @property
    def duration_ms(self) -> int:
        return self._n_samples // SAMPLES_PER_MS

    def append(self, piece: FloatArray) -> None:
        n_samples = self._n_samples + piece.shape[1]
        self._room[:, self._n_samples : n_samples] = piece
        self._n_samples = n_samples

    def hear(self, detect: Detect, mode: Literal["mix", "split"], *, is_all: bool) -> None:
        """Find the speech of the blocks that came since the last time; of an incomplete one only if it is the last."""
        while (block := self._next_block(is_all=is_all)) is not None:
            start_ms = max(block.start_ms - _BEFORE_MS, 0)
            end_ms = min(block.end_ms + _AFTER_MS, self.duration_ms)
            sound = self.samples[:, start_ms * SAMPLES_PER_MS : end_ms * SAMPLES_PER_MS]
            heard = [mix(sound)] if mode == "mix" else list(sound)
            self.speech = [
                _joined(before, clipped([span.shifted(start_ms) for span in detect(clip)], block))
                for before, clip in zip(self.speech or [[] for _ in heard], heard, strict=True)
            ]
            self._heard_ms = block.end_ms

    def _next_block(self, *, is_all: bool) -> Span | None:
        end_ms = self._heard_ms + _BLOCK_MS - (self._dropped_ms + self._heard_ms) % _BLOCK_MS
        if not is_all and end_ms + _AFTER_MS > self.duration_ms:
            return None
        end_ms = min(end_ms, self.duration_ms)
        return Span(start_ms=self._heard_ms, end_ms=end_ms) if self._heard_ms < end_ms else None

    def drop(self, cut_ms: int) -> None:
        """Forget what was cut off."""
        n_cut = cut_ms * SAMPLES_PER_MS
        self._n_samples -= n_cut
        self._room[:, : self._n_samples] = self._room[:, n_cut : n_cut + self._n_samples]
        window = Span(start_ms=cut_ms, end_ms=cut_ms + self.duration_ms)
        self.speech = [[span.shifted(-cut_ms) for span in clipped(spans, window)] for spans in self.speech]
        self._dropped_ms += cut_ms
        self._heard_ms -= cut_ms


def _joined(before: list[Span], after: list[Span]) -> list[Span]:
    """Return spans of two neighbouring blocks; one that goes on from the first to the second is one."""
    if before and after and before[-1].end_ms == after[0].start_ms:
        return [*before[:-1], Span(start_ms=before[-1].start_ms, end_ms=after[0].end_ms), *after[1:]]
    return before + after

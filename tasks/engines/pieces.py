"""What engines hear at a time: pieces of a clip cut in silence, and batches of pieces of similar length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from storage.records import SAMPLES_PER_MS, Clip, Span

_FRAME_MS = 10
_FRAME = _FRAME_MS * SAMPLES_PER_MS
_SMOOTHING_FRAMES = 10


def finite(samples: Clip) -> Clip:
    """Return samples that every engine can bear: finite and in [-1, 1]; nothing is changed in place."""
    return np.nan_to_num(samples, nan=0, posinf=1, neginf=-1).clip(-1, 1)


def cut(clip: Clip, span: Span) -> Clip:
    """Return the samples of a span of clip time."""
    return clip[span.start_ms * SAMPLES_PER_MS : span.end_ms * SAMPLES_PER_MS]


def speech_pieces(clip: Clip, speech: Sequence[Span], *, join_ms: int, longest_ms: int) -> list[Span]:
    """Return what is decoded at a time: close regions joined, long ones cut where they are quietest.

    Regions are joined while the whole stays within ``longest_ms``. A cut falls into the second half of what may be
    decoded at once.

    Args:
        clip: Samples.
        speech: Detected speech in clip time, sorted and disjoint.
        join_ms: Regions closer than this are one piece.
        longest_ms: Length of the longest piece.
    """
    joined: list[Span] = []
    for region in speech:
        before = joined[-1] if joined else None
        is_close = before is not None and region.start_ms - before.end_ms < join_ms
        if before and is_close and region.end_ms - before.start_ms <= longest_ms:
            joined[-1] = Span(start_ms=before.start_ms, end_ms=region.end_ms)
        else:
            joined.append(region)
    return [piece for span in joined for piece in _shortened(clip, span, longest_ms)]


def _shortened(clip: Clip, span: Span, longest_ms: int) -> Iterator[Span]:
    start_ms = span.start_ms
    while span.end_ms - start_ms > longest_ms:
        cut_ms = _quietest_ms(clip, Span(start_ms=start_ms + longest_ms // 2, end_ms=start_ms + longest_ms))
        yield Span(start_ms=start_ms, end_ms=cut_ms)
        start_ms = cut_ms
    yield Span(start_ms=start_ms, end_ms=span.end_ms)


def _quietest_ms(clip: Clip, span: Span) -> int:
    """Return the middle of the quietest 100 ms."""
    samples = finite(cut(clip, span))
    energy = np.square(samples[: len(samples) // _FRAME * _FRAME].reshape(-1, _FRAME), dtype=np.float64).sum(axis=1)
    smooth = np.convolve(energy, np.ones(_SMOOTHING_FRAMES), mode="valid")
    return span.start_ms + (int(smooth.argmin()) + _SMOOTHING_FRAMES // 2) * _FRAME_MS


def pack(lengths: Sequence[int], *, max_items: int, max_total: int, max_padding: float = 0.03) -> list[list[int]]:
    """Return the indices of all lengths in batches, longest first, so that little of a batch is padding.

    In a batch all items are padded to its longest, so batches take neighbours in the order of length, and end where
    one more item would waste too much. An item too long for any batch gets one of its own.

    Args:
        lengths: Of the items, in any unit.
        max_items: Items in one batch.
        max_total: Padded length of one batch: items times the longest of them.
        max_padding: Share of a batch that may be padding.
    """
    batches: list[list[int]] = []
    used = 0
    for index in sorted(range(len(lengths)), key=lambda index: (-lengths[index], index)):
        batch = batches[-1] if batches else []
        padded = (len(batch) + 1) * lengths[batch[0]] if batch else 0
        is_full = not batch or len(batch) == max_items or padded > max_total
        if is_full or padded - used - lengths[index] > max_padding * padded:
            batches.append([index])
            used = lengths[index]
        else:
            batch.append(index)
            used += lengths[index]
    return batches

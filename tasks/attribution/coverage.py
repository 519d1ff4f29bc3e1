"""Accounts for every millisecond of a recording."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from storage.records import CoverageStatus
from tasks.attribution.columns import BoolArray, IntArray, sorted_unique

SpanArray = NDArray[np.int64]
"""Spans as rows of start_ms and end_ms, shape ``(n, 2)``, in any order; they may overlap and leave the recording."""

_STATUSES: tuple[CoverageStatus, ...] = ("silence", "untranscribed", "speech", "failed")
_SILENCE, _UNTRANSCRIBED, _SPEECH, _FAILED = range(len(_STATUSES))


def cover(
    duration_ms: int, *, speech: SpanArray, words: SpanArray, failed: SpanArray, max_wordless_ms: int = 5_000
) -> list[tuple[int, int, CoverageStatus]]:
    """Return what became of each stretch of a recording.

    The spans tile ``[0, duration_ms)``: sorted, none empty, neighbours of different status, lengths adding up to the
    duration. Of several claims to a moment the first of these wins:

    - ``failed``: a stage failed there;
    - ``speech``: a word is said, whether or not the detector heard speech, or detected speech goes on between words;
    - ``untranscribed``: detected speech without a word: a whole region that no word overlaps, or a stretch of a region
      longer than ``max_wordless_ms``;
    - ``silence``: nothing detected, nothing said.

    A region is detected speech without a break. Where channels are processed apart, give the spans of all of them.

    Args:
        duration_ms: length of the recording.
        speech: what the detector heard.
        words: when words are said; a word without length counts as the millisecond at its start.
        failed: what a stage could not process.
        max_wordless_ms: longest stretch of speech that may be the pause between two words.
    """
    if duration_ms <= 0:
        return []
    words = np.stack([np.minimum(words[:, 0], duration_ms - 1), np.maximum(words[:, 1], words[:, 0] + 1)], axis=1)
    speech, words, failed = (np.clip(spans, 0, duration_ms) for spans in (speech, words, failed))
    edges = sorted_unique(np.concatenate([[0, duration_ms], speech.ravel(), words.ravel(), failed.ravel()]))
    is_speech, is_word = _inside(speech, edges), _inside(words, edges)

    status = np.where(is_speech | is_word, _SPEECH, _SILENCE)
    status[_wordless(edges, is_speech, is_word, max_wordless_ms)] = _UNTRANSCRIBED
    status[_inside(failed, edges)] = _FAILED

    first = np.flatnonzero(np.diff(status, prepend=-1))
    starts = edges[first].tolist()
    return list(zip(starts, [*starts[1:], duration_ms], [_STATUSES[code] for code in status[first]], strict=True))


def _inside(spans: SpanArray, edges: IntArray) -> BoolArray:
    """Return for each piece between two edges whether a span covers it."""
    n = len(edges)
    opened = np.bincount(np.searchsorted(edges, spans[:, 0]), minlength=n)
    closed = np.bincount(np.searchsorted(edges, spans[:, 1]), minlength=n)
    inside: BoolArray = np.cumsum(opened - closed)[:-1] > 0
    return inside


def _wordless(edges: IntArray, is_speech: BoolArray, is_word: BoolArray, max_wordless_ms: int) -> BoolArray:
    """Return the pieces of wordless speech that are no mere pause: as long as their region, or too long."""
    bare = is_speech & ~is_word
    run, run_ms = _runs(bare, edges)
    region, region_ms = _runs(is_speech, edges)
    is_whole_region: BoolArray = run_ms[run] == region_ms[region]
    is_too_long: BoolArray = run_ms[run] > max_wordless_ms
    return bare & (is_whole_region | is_too_long)


def _runs(flags: BoolArray, edges: IntArray) -> tuple[IntArray, IntArray]:
    """Return each piece's run of equal flags, and each run's length in ms."""
    run = np.cumsum(np.diff(flags, prepend=flags[0]) != 0)
    return run, np.bincount(run, np.diff(edges))

"""From how active each speaker is in each frame to turns: who spoke when, how surely, and who above the others.

Pure arithmetic on arrays of shape ``(n_frames, n_speakers)`` with values in [0, 1]; no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from storage.records import FloatArray, Span, Turn


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnRules:
    """When activity is a turn."""

    onset: float
    """A turn begins in the first frame above this."""
    offset: float
    """It ends before the first frame below this."""
    pad_onset_ms: int
    """Added before each turn."""
    pad_offset_ms: int
    """Added after each turn."""
    min_duration_on_ms: int
    """Shorter turns are dropped, after gaps were filled."""
    min_duration_off_ms: int
    """Shorter gaps between turns of one speaker are filled."""


def speaker_spans(activity: FloatArray, frame_ms: int, end_ms: int, rules: TurnRules) -> list[list[Span]]:
    """Return when each speaker talks, sorted and disjoint, inside ``[0, end_ms)``."""
    return [_spans(activity[:, speaker], frame_ms, end_ms, rules) for speaker in range(activity.shape[1])]


def _spans(activity: FloatArray, frame_ms: int, end_ms: int, rules: TurnRules) -> list[Span]:
    padded = [
        (max(0, first * frame_ms - rules.pad_onset_ms), min(end_ms, last * frame_ms + rules.pad_offset_ms))
        for first, last in _runs(_is_on(activity, rules.onset, rules.offset))
    ]
    joined: list[tuple[int, int]] = []
    for start_ms, stop_ms in padded:
        if joined and start_ms - joined[-1][1] < max(rules.min_duration_off_ms, 1):
            joined[-1] = joined[-1][0], max(joined[-1][1], stop_ms)
        else:
            joined.append((start_ms, stop_ms))
    least_ms = max(rules.min_duration_on_ms, 1)
    return [Span(start_ms=start_ms, end_ms=stop_ms) for start_ms, stop_ms in joined if stop_ms - start_ms >= least_ms]


def _is_on(activity: FloatArray, onset: float, offset: float) -> NDArray[np.bool_]:
    """Return which frames are on: from the first above ``onset`` to the next below ``offset``."""
    starts, stops = activity > onset, activity < offset
    last_event = np.maximum.accumulate(np.where(starts | stops, np.arange(len(activity)), -1))
    is_on: NDArray[np.bool_] = (last_event >= 0) & starts[last_event] if len(activity) else np.zeros(0, np.bool_)
    return is_on


def _runs(is_on: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Return first and last-but-one frames of the stretches that are on."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], is_on, [False]])))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def limited(spans: Sequence[Sequence[Span]], activity: FloatArray, frame_ms: int, most: int) -> list[list[Span]]:
    """Return the spans of no more than ``most`` speakers: those who talk longest.

    What another one said must have been said by one of them, so each of its spans goes to the one of them who is most
    active in it.
    """
    total_ms = [sum(span.duration_ms for span in own) for own in spans]
    ranked = sorted(range(len(spans)), key=lambda speaker: (-total_ms[speaker], speaker))
    kept, dropped = sorted(ranked[:most]), ranked[most:]
    given: list[list[Span]] = [list(own) if speaker in kept else [] for speaker, own in enumerate(spans)]
    for speaker in dropped:
        for span in spans[speaker]:
            activity_there = activity[_frames(span, frame_ms)][:, kept].mean(axis=0)
            given[kept[int(activity_there.argmax())]].append(span)
    return [_union(own) for own in given]


def _union(spans: Sequence[Span]) -> list[Span]:
    joined: list[Span] = []
    for span in sorted(spans):
        if joined and span.start_ms <= joined[-1].end_ms:
            joined[-1] = Span(start_ms=joined[-1].start_ms, end_ms=max(joined[-1].end_ms, span.end_ms))
        else:
            joined.append(span)
    return joined


def turns_of(spans: Sequence[Sequence[Span]], activity: FloatArray, frame_ms: int) -> tuple[Turn, ...]:
    """Return the spans as turns, sorted; confidence is the speaker's mean activity over the turn's frames."""
    turns = [_turn(span, speaker, activity, frame_ms) for speaker, own in enumerate(spans) for span in own]
    return tuple(sorted(turns, key=lambda turn: (turn.start_ms, turn.end_ms, turn.speaker)))


def exclusive_turns(spans: Sequence[Sequence[Span]], activity: FloatArray, frame_ms: int) -> tuple[Turn, ...]:
    """Return turns that never overlap: of those who have a turn at a moment, the most active one then."""
    ends = [ms for own in spans for span in own for ms in (span.start_ms, span.end_ms)]
    if not ends:
        return ()
    edges = np.unique([*range(0, max(ends), frame_ms), *ends])
    owns = np.zeros((len(edges) - 1, len(spans)), np.bool_)
    for speaker, own in enumerate(spans):
        for span in own:
            owns[np.searchsorted(edges, span.start_ms) : np.searchsorted(edges, span.end_ms), speaker] = True
    frame = np.minimum(edges[:-1] // frame_ms, len(activity) - 1)
    winner = np.where(owns.any(axis=1), np.where(owns, activity[frame], -1).argmax(axis=1), -1)
    changes = [0, *(np.flatnonzero(np.diff(winner)) + 1).tolist(), len(winner)]
    return tuple(
        _turn(Span(start_ms=int(edges[first]), end_ms=int(edges[last])), int(winner[first]), activity, frame_ms)
        for first, last in pairwise(changes)
        if winner[first] >= 0
    )


def _turn(span: Span, speaker: int, activity: FloatArray, frame_ms: int) -> Turn:
    confidence = float(activity[_frames(span, frame_ms), speaker].mean())
    return Turn(
        start_ms=span.start_ms,
        end_ms=span.end_ms,
        speaker=f"S{speaker}",
        confidence=round(min(max(confidence, 0.0), 1.0), 4),
    )


def _frames(span: Span, frame_ms: int) -> slice:
    return slice(span.start_ms // frame_ms, -(-span.end_ms // frame_ms))


def is_saturated(spans: Sequence[Sequence[Span]], least_ms: int) -> bool:
    """Return whether every speaker that the model can tell apart talks at least so long: there may be more of them."""
    return all(sum(span.duration_ms for span in own) >= least_ms for own in spans)

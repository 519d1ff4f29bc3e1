"""Call engines so that one bad clip costs only itself, and hold them to their promises."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Protocol, TypeVar

import numpy as np

from storage.errors import EngineBrokePromise, EngineError, EngineOutOfMemory, VoxlakeError
from storage.records import Clip, Diarization, FloatArray, Span, Transcript, duration_ms
from tasks.engines.devices import free_memory

Result = TypeVar("Result")

_UNIT_TOLERANCE = 1e-3


def call_each(
    engine: str, call: Callable[[Sequence[int]], Sequence[Result]], indices: Sequence[int]
) -> list[Result | EngineError]:
    """Return a result or an error for each index.

    A batch that fails is halved until the failing clips stand alone; this also is what running out of memory needs.

    Args:
        engine: Name, for errors.
        call: Runs the engine on the clips of those indices.
        indices: The clips.
    """
    if not indices:
        return []
    try:
        return _one_each(engine, _with_memory(call, indices), indices)
    except EngineError as error:
        failure = error
    except VoxlakeError:
        raise
    except Exception as cause:  # noqa: BLE001 - a vendor may raise anything; it must not take the shard along
        failure = EngineError(f"engine {engine!r}", f"{type(cause).__name__}: {cause}", "the clip is left out")
        failure.__cause__ = cause
    if len(indices) == 1:
        return [failure]
    half = len(indices) // 2
    return [*call_each(engine, call, indices[:half]), *call_each(engine, call, indices[half:])]


def _with_memory(call: Callable[[Sequence[int]], Sequence[Result]], indices: Sequence[int]) -> Sequence[Result]:
    """Call; when memory runs out give back what other engines hold unused, and try a clip that stands alone again."""
    try:
        return call(indices)
    except EngineOutOfMemory:
        free_memory()
        if len(indices) > 1:
            raise
    return call(indices)


def _one_each(engine: str, results: Sequence[Result], indices: Sequence[int]) -> list[Result | EngineError]:
    if len(results) != len(indices):
        raise EngineBrokePromise(f"engine {engine!r}", f"gave {len(results)} results for {len(indices)} clips")
    return list(results)


class _Timed(Protocol):
    @property
    def start_ms(self) -> int: ...
    @property
    def end_ms(self) -> int: ...


def check_speech(engine: str, speech: Sequence[Span], clip: Clip) -> list[Span]:
    """Return the speech.

    Raises:
        EngineBrokePromise: times leave the clip, go backwards or overlap.
    """
    _check_times(engine, "span of speech", speech, clip)
    if any(later.start_ms < earlier.end_ms for earlier, later in pairwise(speech)):
        raise EngineBrokePromise(f"engine {engine!r}", "spans of speech overlap")
    return list(speech)


def check_transcript(engine: str, transcript: Transcript, clip: Clip) -> Transcript:
    """Return the transcript.

    Raises:
        EngineBrokePromise: times leave the clip or go backwards, or a word has no segment.
    """
    _check_times(engine, "word", transcript.words, clip)
    _check_times(engine, "segment", transcript.segments, clip)
    if any(not 0 <= word.segment_index < len(transcript.segments) for word in transcript.words):
        raise EngineBrokePromise(f"engine {engine!r}", "a word points at a segment that does not exist")
    return transcript


def check_diarization(engine: str, diarization: Diarization, clip: Clip) -> Diarization:
    """Return the diarization.

    Raises:
        EngineBrokePromise: times leave the clip or go backwards, or exclusive turns overlap or lack a turn.
    """
    _check_times(engine, "turn", diarization.turns, clip)
    _check_times(engine, "exclusive turn", diarization.exclusive, clip)
    exclusive = diarization.exclusive
    if any(later.start_ms < earlier.end_ms for earlier, later in pairwise(exclusive)):
        raise EngineBrokePromise(f"engine {engine!r}", "exclusive turns overlap")
    if not {turn.speaker for turn in exclusive} <= {turn.speaker for turn in diarization.turns}:
        raise EngineBrokePromise(f"engine {engine!r}", "an exclusive turn names somebody who has no turn")
    return diarization


def check_fingerprint(engine: str, vector: FloatArray) -> FloatArray | None:
    """Return the vector, or None where the engine found no voice.

    Raises:
        EngineBrokePromise: the vector is not of unit length.
    """
    if np.isnan(vector).any():
        return None
    if abs(float(np.linalg.norm(vector)) - 1.0) > _UNIT_TOLERANCE:
        raise EngineBrokePromise(f"engine {engine!r}", f"a fingerprint has length {np.linalg.norm(vector):.4f}, not 1")
    return vector


def _check_times(engine: str, what: str, timed: Sequence[_Timed], clip: Clip) -> None:
    limit_ms, last_ms = duration_ms(clip), 0
    for item in timed:
        if not last_ms <= item.start_ms <= item.end_ms <= limit_ms:
            raise EngineBrokePromise(
                f"engine {engine!r}",
                f"a {what} at {item.start_ms}-{item.end_ms} ms follows {last_ms} ms in a clip of {limit_ms} ms",
            )
        last_ms = item.start_ms

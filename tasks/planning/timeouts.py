"""How long a shard may take before it is taken to hang. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from tasks.planning.plan import PlannedRecording
from tasks.planning.shards import MINUTE_MS
from tasks.planning.spec import RunSpec

_DENSEST_BYTES_PER_MS = 192
"""Stereo at 48 kHz, 16 bit: a file holds seldom less sound than this makes of its bytes, whatever its header says."""
_THINNEST_BYTES_PER_MS = 4
"""32 kbit/s; where a header is silent, the sound is taken to be this long."""


def timeout_s(spec: RunSpec, recordings: Sequence[PlannedRecording]) -> float | None:
    """Return the seconds after which a worker that has these recordings is ended; None where nothing is limited."""
    if spec.timeout_factor is None:
        return None
    audio_ms = sum(longest_ms(recording.duration_ms, recording.obj.size_bytes) for recording in recordings)
    return (spec.timeout_factor * audio_ms + spec.timeout_minutes * MINUTE_MS) / 1000


def longest_ms(duration_ms: int, size_bytes: int) -> int:
    """Return how long a recording may well be, by its header and its size: headers are silent, or say too little."""
    if duration_ms <= 0:
        return size_bytes // _THINNEST_BYTES_PER_MS
    return max(duration_ms, size_bytes // _DENSEST_BYTES_PER_MS)

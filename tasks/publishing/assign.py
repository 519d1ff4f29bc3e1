"""Which part each recording is published in: the one it has, else one that has room. Pure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

from storage.publishing import inputs_digest

_PART_RECORDINGS = 200
_PART_MS = 50 * 3_600_000
_ID_DIGITS = 12


def assign_parts(known: Mapping[str, str], fresh: Iterable[str], duration_ms: Mapping[str, int]) -> dict[str, str]:
    """Return the part of every recording; those that have one keep it.

    Fresh recordings fill parts up before they found new ones, the fullest first, so that a lake that grows a little
    every night has few small parts, and a night rewrites one of them. A recording never changes its part: readers of
    ``transcripts/*.parquet`` see each utterance once at any moment because of that.

    Args:
        known: part_id of each recording that has one.
        fresh: Recordings that have none, in any order.
        duration_ms: Of recordings, 0 where it is missing.
    """
    count = Counter(known.values())
    total_ms: dict[str, int] = defaultdict(int)
    for recording_id, part_id in known.items():
        total_ms[part_id] += duration_ms.get(recording_id, 0)
    open_parts = sorted(
        (part_id for part_id in count if count[part_id] < _PART_RECORDINGS and total_ms[part_id] < _PART_MS),
        key=lambda part_id: (count[part_id], part_id),
    )
    part_of = dict(known)
    current = open_parts.pop() if open_parts else ""
    for recording_id in sorted(fresh):
        lasting_ms = duration_ms.get(recording_id, 0)
        while current and not _has_room(count[current], total_ms[current], lasting_ms):
            current = open_parts.pop() if open_parts else ""
        current = current or _new_part_id(recording_id)
        part_of[recording_id] = current
        count[current] += 1
        total_ms[current] += lasting_ms
    return part_of


def _has_room(count: int, total_ms: int, lasting_ms: int) -> bool:
    return count < _PART_RECORDINGS and total_ms + lasting_ms <= _PART_MS


def _new_part_id(first: str) -> str:
    """Return a part_id that no other part has: its first recording is in no other."""
    return inputs_digest([first])[:_ID_DIGITS]

"""How long recordings claim to be, asked of their headers, where a header may kill whoever reads it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from storage.errors import WorkerDied
from storage.records import SourceObject
from tasks.audio.probe import probe
from tasks.workers import call_in_worker

log = logging.getLogger(__name__)

_PROBES_AT_ONCE = 8
_BATCH = 500


def claimed_durations_ms(archive: str, objects: Sequence[SourceObject]) -> list[int]:
    """Return the length that each header claims; 0 where it says none or cannot be read: the shard will say why.

    Where workers are open, one of them reads the headers; those that it dies over are found by halving.
    """
    starts = range(0, len(objects), _BATCH)
    return [length_ms for start in starts for length_ms in _apart(archive, objects[start : start + _BATCH])]


def _apart(archive: str, objects: Sequence[SourceObject]) -> list[int]:
    try:
        return call_in_worker(probe_durations_ms, archive, objects)
    except WorkerDied as death:
        if len(objects) == 1:
            log.warning("%s: its header cannot be read: %s %s", objects[0].source, death.subject, death.problem)
            return [0]
    half = len(objects) // 2
    return [*_apart(archive, objects[:half]), *_apart(archive, objects[half:])]


def probe_durations_ms(archive: str, objects: Sequence[SourceObject]) -> list[int]:
    """Read the headers here, several at once; returns as ``claimed_durations_ms``."""

    def duration_ms(obj: SourceObject) -> int:
        try:
            return probe(archive, obj).duration_ms or 0
        except Exception as error:  # noqa: BLE001 - the shard meets the same, and makes it a row
            log.debug("%s: %s", obj.source, error)
            return 0

    with ThreadPoolExecutor(_PROBES_AT_ONCE) as pool:
        return list(pool.map(duration_ms, objects))

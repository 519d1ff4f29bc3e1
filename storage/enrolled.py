"""Voices that people brought: fingerprints of clips of persons whose name is known.

    enrolled/<decision_id>.parquet     the clips of one decision of the kind ``enroll``

They count as long as their decision stands. A lake that was never given a clip has no such folder.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from storage.decisions import DecisionLog, event_ids, read_log
from storage.lake import Lake
from storage.records import FloatArray
from storage.schemas import ENROLLED, table_of

_FOLDER = "enrolled"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledClip:
    """A clip in which one known person speaks."""

    clip: str
    """Name of the file, without its folder."""
    model: str
    """Embedder and weights; vectors of different models are never compared."""
    speech_ms: int
    """Speech under the vector."""
    vector: FloatArray = field(compare=False)
    """Unit length, shape ``(dim,)``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledVoice:
    """How a known person sounds to one model, over all their clips."""

    speaker_id: str
    model: str
    speech_ms: int
    vector: FloatArray = field(compare=False)
    """Fingerprints pooled by speech, unit length, shape ``(dim,)``."""


def write_clips(lake: Lake, decision_id: str, clips: Sequence[EnrolledClip]) -> None:
    """Write the clips of a decision, which is to be recorded after them."""
    rows = [
        {"clip": one.clip, "model": one.model, "speech_ms": one.speech_ms, "vector": one.vector.tolist()}
        for one in clips
    ]
    lake.store.write_table(_key(decision_id), table_of(rows, ENROLLED))


def read_clips(lake: Lake, decision_id: str) -> list[EnrolledClip]:
    """Return the clips of a decision; none where they were deleted."""
    if not lake.store.exists(_key(decision_id)):
        return []
    rows = lake.store.read_table(_key(decision_id), ENROLLED).to_pylist()
    return [EnrolledClip(**{**row, "vector": np.asarray(row["vector"], np.float32)}) for row in rows]


def delete_stray_clips(lake: Lake) -> None:
    """Delete clips whose decision was never recorded, since somebody was stopped in between."""
    written = {name.removesuffix(".parquet") for name in lake.store.list(_FOLDER)}
    for decision_id in sorted(written - event_ids(lake)):
        lake.store.delete(_key(decision_id))


def delete_clips(lake: Lake, decision_id: str) -> bool:
    """Delete the clips of a decision; return whether there were any."""
    is_there = lake.store.exists(_key(decision_id))
    if is_there:
        lake.store.delete(_key(decision_id))
    return is_there


def enrolled_voices(lake: Lake, log: DecisionLog | None = None) -> list[EnrolledVoice]:
    """Return everybody's voice by model and speaker_id; somebody may have one for each of several models.

    Of speakers that people merged only the one who was enrolled first is named: they are one person.

    Args:
        lake: The lake.
        log: Its decisions, if they are read already.
    """
    log = log or read_log(lake)
    one_of: dict[str, str] = {}
    clips: dict[tuple[str, str], list[EnrolledClip]] = defaultdict(list)
    for decision in log.of_kind("enroll"):
        if decision.speaker_id not in one_of:
            one_of |= dict.fromkeys(log.one_person(decision.speaker_id), decision.speaker_id)
        for clip in read_clips(lake, decision.decision_id):
            clips[clip.model, one_of[decision.speaker_id]].append(clip)
    return [_voice(speaker_id, model, some) for (model, speaker_id), some in sorted(clips.items())]


def _voice(speaker_id: str, model: str, clips: Sequence[EnrolledClip]) -> EnrolledVoice:
    total = np.sum([one.speech_ms * one.vector.astype(np.float64) for one in clips], axis=0)
    return EnrolledVoice(
        speaker_id=speaker_id,
        model=model,
        speech_ms=sum(one.speech_ms for one in clips),
        vector=(total / np.linalg.norm(total)).astype(np.float32),
    )


def _key(decision_id: str) -> str:
    return f"{_FOLDER}/{decision_id}.parquet"

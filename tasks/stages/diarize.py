"""Run the diarizer over chunks."""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import EngineError
from storage.records import Diarization
from tasks.engines.base import Diarizer
from tasks.stages.calling import call_each, check_diarization
from tasks.stages.facts import ChunkWork


def diarize_chunks(name: str, diarizer: Diarizer, works: Sequence[ChunkWork]) -> list[Diarization | EngineError]:
    """Return turns in clip time, or the reason there are none, for each chunk."""

    def call(indices: Sequence[int]) -> list[Diarization]:
        clips = [works[i].clip for i in indices]
        diarizations = diarizer.diarize(clips, [works[i].context for i in indices])
        return [check_diarization(name, *pair) for pair in zip(diarizations, clips, strict=False)]

    return call_each(name, call, range(len(works)))

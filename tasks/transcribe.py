"""Run the transcriber over chunks."""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import EngineError
from storage.records import Transcript
from tasks.calling import call_each, check_transcript
from tasks.engines.base import Transcriber
from tasks.facts import ChunkWork


def transcribe_chunks(
    name: str, transcriber: Transcriber, works: Sequence[ChunkWork]
) -> list[Transcript | EngineError]:
    """Return a transcript in clip time, or the reason there is none, for each chunk."""

    def call(indices: Sequence[int]) -> list[Transcript]:
        clips = [works[i].clip for i in indices]
        transcripts = transcriber.transcribe(clips, [works[i].context for i in indices])
        return [check_transcript(name, *pair) for pair in zip(transcripts, clips, strict=False)]

    return call_each(name, call, range(len(works)))

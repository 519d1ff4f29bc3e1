"""Run the transcriber over chunks."""

from __future__ import annotations

from collections.abc import Sequence

from storage.errors import EngineError
from storage.records import Clip, ClipContext, Transcript
from tasks.about import about, logger
from tasks.engines.base import Transcriber
from tasks.stages.calling import call_each, check_transcript
from tasks.stages.facts import ChunkWork
from tasks.stages.second_try import SecondTryOptions, with_found, wordless_excerpts

log = logger(__name__)


def transcribe_chunks(
    name: str, transcriber: Transcriber, works: Sequence[ChunkWork], second_try: SecondTryOptions
) -> list[Transcript | EngineError]:
    """Return a transcript in clip time, or the reason there is none, for each chunk.

    Args:
        name: The transcriber's name, for errors.
        transcriber: The engine.
        works: The chunks.
        second_try: Which speech without words is listened to again.
    """
    first = _transcribe(name, transcriber, [work.clip for work in works], [work.context for work in works])
    return _listen_again(name, transcriber, works, first, second_try) if second_try.enabled else first


def _transcribe(
    name: str, transcriber: Transcriber, clips: Sequence[Clip], contexts: Sequence[ClipContext]
) -> list[Transcript | EngineError]:
    def call(indices: Sequence[int]) -> list[Transcript]:
        chosen = [clips[i] for i in indices]
        transcripts = transcriber.transcribe(chosen, [contexts[i] for i in indices])
        return [check_transcript(name, *pair) for pair in zip(transcripts, chosen, strict=False)]

    return call_each(name, call, range(len(clips)))


def _listen_again(
    name: str,
    transcriber: Transcriber,
    works: Sequence[ChunkWork],
    outcomes: Sequence[Transcript | EngineError],
    options: SecondTryOptions,
) -> list[Transcript | EngineError]:
    """Return the outcomes with what a second try finds; one that fails leaves what the first one said."""
    pairs = [
        (index, excerpt)
        for index, (work, outcome) in enumerate(zip(works, outcomes, strict=True))
        if isinstance(outcome, Transcript)
        for excerpt in wordless_excerpts(outcome, work.clip, work.context, options)
    ]
    clips, contexts = [excerpt.clip for _, excerpt in pairs], [excerpt.context for _, excerpt in pairs]
    complete = list(outcomes)
    for (index, excerpt), found in zip(pairs, _transcribe(name, transcriber, clips, contexts), strict=True):
        before = complete[index]
        if isinstance(found, EngineError):
            with about(works[index].facts.source):
                log.warning("second try: %s", found)
        elif isinstance(before, Transcript):
            complete[index] = with_found(before, excerpt, found)
    return complete

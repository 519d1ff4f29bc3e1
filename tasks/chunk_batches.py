"""Hand chunks to the engines in batches, across recordings, and write what they find into the recordings' facts."""

from __future__ import annotations

import time
from collections.abc import Sequence

from storage.records import Diarization
from tasks.diarize import diarize_chunks
from tasks.engine_set import EngineSet
from tasks.facts import ChunkWork, RecordingFacts, record_outcome
from tasks.fingerprint import fingerprint_chunks
from tasks.shards import MINUTE_MS
from tasks.spec import RunSpec
from tasks.transcribe import transcribe_chunks

_BATCH_CLIPS = 8
"""Clips handed to an engine at once; with the chunk length it bounds a worker's memory."""
_BATCH_MS = 10 * MINUTE_MS
"""Audio handed to an engine at once, unless one chunk alone is longer."""


class ChunkBatches:
    """Chunks wait until there are enough of them, then each goes through the stages that its recording needs."""

    def __init__(self, spec: RunSpec, engines: EngineSet, embedder_model: str) -> None:
        """Start with no chunk waiting."""
        self._spec = spec
        self._engines = engines
        self._embedder_model = embedder_model
        self._waiting: list[ChunkWork] = []
        self.stage_ms: dict[str, int] = {}
        """Wall time by stage."""

    def add(self, work: ChunkWork) -> None:
        """Take a chunk in; the chunks before it are done first where the batch would grow too large."""
        waiting_ms = sum(_length_ms(waiting) for waiting in self._waiting)
        if len(self._waiting) == _BATCH_CLIPS or waiting_ms + _length_ms(work) > _BATCH_MS:
            self.finish()
        self._waiting.append(work)

    def drop(self, facts: RecordingFacts) -> None:
        """Forget the waiting chunks of one recording."""
        self._waiting = [work for work in self._waiting if work.facts is not facts]

    def finish(self) -> None:
        """Do what waits."""
        works, self._waiting = self._waiting, []
        self._transcribe([work for work in works if "transcribe" in work.facts.stages])
        known = [(work, work.turns) for work in works if work.turns is not None]
        found = self._diarize([work for work in works if "diarize" in work.facts.stages])
        self._fingerprint([(work, turns) for work, turns in [*known, *found] if "fingerprint" in work.facts.stages])

    def spent(self, stage: str, begun: float) -> None:
        """Count the time since a moment of ``time.monotonic`` for a stage."""
        self.stage_ms[stage] = self.stage_ms.get(stage, 0) + round((time.monotonic() - begun) * 1000)

    def _transcribe(self, works: Sequence[ChunkWork]) -> None:
        if not works:
            return
        begun = time.monotonic()
        transcripts = transcribe_chunks(self._spec.transcriber.name, self._engines.transcriber, works)
        for work, transcript in zip(works, transcripts, strict=True):
            record_outcome(work, transcript, stage="transcribe")
        self.spent("transcribe", begun)

    def _diarize(self, works: Sequence[ChunkWork]) -> list[tuple[ChunkWork, Diarization]]:
        """Return the chunks that could be diarized."""
        if not works:
            return []
        begun = time.monotonic()
        outcomes = diarize_chunks(self._spec.diarizer.name, self._engines.diarizer, works)
        found = [record_outcome(work, outcome, stage="diarize") for work, outcome in zip(works, outcomes, strict=True)]
        self.spent("diarize", begun)
        return [(work, turns) for work, turns in zip(works, found, strict=True) if turns is not None]

    def _fingerprint(self, pairs: Sequence[tuple[ChunkWork, Diarization]]) -> None:
        if not pairs:
            return
        begun = time.monotonic()
        works, turns = zip(*pairs, strict=True)
        fingerprint_chunks(self._spec.embedder.name, self._embedder_model, self._engines.embedder, works, turns)
        self.spent("fingerprint", begun)


def _length_ms(work: ChunkWork) -> int:
    return work.chunk.end_ms - work.chunk.start_ms

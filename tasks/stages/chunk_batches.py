"""Hand chunks to the engines in batches, across recordings, and write what they find into the recordings' facts.

Engines work in a thread of their own, on one batch, while the caller reads and decodes the next: neither a GPU nor a
disk waits for the other. More than one batch ahead would only take memory.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context

from storage.records import Diarization
from tasks.planning.shards import MINUTE_MS
from tasks.planning.spec import RunSpec
from tasks.stages.diarize import diarize_chunks
from tasks.stages.engine_set import EngineSet
from tasks.stages.facts import ChunkWork, RecordingFacts, record_outcome
from tasks.stages.fingerprint import fingerprint_chunks
from tasks.stages.transcribe import transcribe_chunks

_BATCH_CLIPS = 256
"""Clips handed to an engine at once, however short."""


class ChunkBatches:
    """Chunks wait until there are enough of them, then each goes through the stages that its recording needs.

    A batch lasts ``spec.batch_minutes``, unless one chunk alone is longer; that bounds a worker's memory, and is what
    engines have to choose pieces of similar length from.
    """

    def __init__(self, spec: RunSpec, engines: EngineSet, embedder_model: str) -> None:
        """Start with no chunk waiting."""
        self._spec = spec
        self._engines = engines
        self._embedder_model = embedder_model
        self._waiting: list[ChunkWork] = []
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="engines")
        self._working: Future[None] | None = None
        self.stage_ms: dict[str, int] = {}
        """Wall time by stage; that of reading overlaps with the others."""

    def add(self, work: ChunkWork) -> None:
        """Take a chunk in; those before it are handed over where the batch would grow too large.

        Raises: what the engines raised over an earlier batch, if it is of ours and more than a failure of its clip.
        """
        waiting_ms = sum(_length_ms(waiting) for waiting in self._waiting)
        is_full = waiting_ms + _length_ms(work) > self._spec.batch_minutes * MINUTE_MS
        if self._waiting and (is_full or len(self._waiting) == _BATCH_CLIPS):
            self._hand_over()
        self._waiting.append(work)

    def drop(self, facts: RecordingFacts) -> None:
        """Forget the chunks of one recording; after this nothing is added to its facts."""
        self._wait()
        self._waiting = [work for work in self._waiting if work.facts is not facts]

    def finish(self) -> None:
        """Return when all is done that was taken in; raises as ``add``."""
        self._hand_over()
        self._wait()

    def close(self) -> None:
        """End the thread, as soon as a batch that is being worked on is done; what waits is forgotten."""
        self._thread.shutdown(cancel_futures=True)

    def _hand_over(self) -> None:
        self._wait()
        works, self._waiting = self._waiting, []
        if works:
            self._working = self._thread.submit(copy_context().run, self._work, works)

    def _wait(self) -> None:
        working, self._working = self._working, None
        if working is not None:
            working.result()

    def _work(self, works: Sequence[ChunkWork]) -> None:
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
        transcripts = transcribe_chunks(
            self._spec.transcriber.name, self._engines.transcriber, works, self._spec.second_try
        )
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

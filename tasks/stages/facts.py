"""Collect what the stages find in one recording, as rows of the fact tables."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from storage.errors import EngineError, VoxlakeError, is_transient
from storage.fact_owners import FactKey
from storage.recipes import REJECTED, Stage
from storage.records import (
    Chunk,
    Clip,
    ClipContext,
    Diarization,
    Fingerprint,
    MediaHeader,
    Span,
    SpeakerBounds,
    Transcript,
)
from storage.schemas import STAGE_TABLES

Row = dict[str, Any]

_CLOSE_MS = 1000
"""A header may state this much more than there is."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ChunkWork:
    """One chunk on its way through the engines."""

    facts: RecordingFacts
    chunk: Chunk
    clip: Clip
    context: ClipContext
    turns: Diarization | None = None
    """What the lake has, where only fingerprints are made anew."""


@dataclass(slots=True, kw_only=True, eq=False)
class RecordingFacts:
    """The rows found so far; without recording_id, which is known only when the last byte was read."""

    archive: str
    source: str
    stages: tuple[Stage, ...]
    recipes: Mapping[Stage, str]
    rows: dict[str, list[Row]] = field(default_factory=lambda: defaultdict(list))
    failures: list[Row] = field(default_factory=list)
    retried: set[Stage] = field(default_factory=set)
    """Stages with a transient failure, and what is made from them: not done, tried again by the next run."""

    def add_recording(
        self, header: MediaHeader | None, *, status: str, duration_ms: int | None, channel_mode: str | None
    ) -> None:
        """Add the recording itself."""
        row: Row = {"status": status, "duration_ms": duration_ms, "channel_mode": channel_mode}
        if header is not None:
            row |= {
                "sample_rate_hz": header.sample_rate_hz,
                "n_channels": header.n_channels,
                "codec": header.codec,
                "container": header.container,
                "title": header.title,
                "recorded_at": header.recorded_at,
            }
        self.rows["recordings"].append(row)

    def add_chunk(self, chunk: Chunk) -> None:
        """Add a chunk and the speech detected in it."""
        self.rows["chunks"].append(_chunk_row(chunk, chunk.start_ms, chunk.end_ms))
        self.rows["speech"].extend(_chunk_row(chunk, span.start_ms, span.end_ms) for span in chunk.speech)

    def add_transcript(self, chunk: Chunk, transcript: Transcript) -> None:
        """Add a transcript given in clip time."""
        at = chunk.start_ms
        self.rows["segments"].extend(
            _chunk_row(chunk, at + segment.start_ms, at + segment.end_ms)
            | {
                "segment_index": index,
                "language": segment.language,
                "confidence": segment.confidence,
                "no_speech_confidence": segment.no_speech_confidence,
                "flags": list(segment.flags),
            }
            for index, segment in enumerate(transcript.segments)
        )
        self.rows["words"].extend(
            _chunk_row(chunk, at + word.start_ms, at + word.end_ms)
            | {"segment_index": word.segment_index, "text": word.text, "confidence": word.confidence}
            for word in transcript.words
        )

    def add_diarization(self, chunk: Chunk, diarization: Diarization) -> None:
        """Add turns given in clip time; what is said of all of them is said of each."""
        at, flags = chunk.start_ms, list(diarization.flags)
        for turns, is_exclusive in ((diarization.turns, False), (diarization.exclusive, True)):
            self.rows["turns"].extend(
                _chunk_row(chunk, at + turn.start_ms, at + turn.end_ms)
                | {"label": turn.speaker, "is_exclusive": is_exclusive, "confidence": turn.confidence, "flags": flags}
                for turn in turns
            )

    def add_fingerprint(self, chunk: Chunk, fingerprint: Fingerprint) -> None:
        """Add what is known of one label of the chunk."""
        self.rows["fingerprints"].append(
            {
                "channel": chunk.channel,
                "chunk_index": chunk.chunk_index,
                "label": fingerprint.label,
                "model": fingerprint.model,
                "start_ms": chunk.start_ms + fingerprint.start_ms,
                "turn_ms": fingerprint.turn_ms,
                "speech_ms": fingerprint.speech_ms,
                "activity": fingerprint.activity,
                "vector": None if fingerprint.vector is None else fingerprint.vector.tolist(),
            }
        )

    def add_failure(self, stage: Stage, error: VoxlakeError, span: Span | None = None) -> None:
        """Add a failure of the recording, or of one span of it."""
        if is_transient(error):
            self.retried |= {"diarize", "fingerprint"} if stage == "diarize" else {stage}
        self.failures.append(
            {
                "archive": self.archive,
                "source": self.source,
                "stage": stage,
                "recipe": self.recipes[stage],
                "error": type(error).__name__,
                "message": error.reason,
                "is_transient": is_transient(error),
                "at": datetime.now(UTC),
                "start_ms": span.start_ms if span else None,
                "end_ms": span.end_ms if span else None,
            }
        )

    def finished(self, recording_id: str | None, run_id: str) -> dict[str, list[Row]]:
        """Return all rows, complete with identity, recipe and run."""
        complete: dict[str, list[Row]] = {}
        for stage in self.stages:
            for table in STAGE_TABLES[stage]:
                origin = {"recording_id": recording_id, "recipe": self.recipes[stage], "run_id": run_id}
                complete[table] = [row | origin for row in self.rows[table]]
        complete["failures"] = [row | {"recording_id": recording_id, "run_id": run_id} for row in self.failures]
        return complete

    def done(self, recording_id: str) -> list[FactKey]:
        """Return the keys of the stages that need not be tried again."""
        if any(row["status"] == "failed" for row in self.rows["recordings"]):
            return [(recording_id, stage, self.recipes["probe"]) for stage in ("probe", REJECTED)]
        return [(recording_id, stage, self.recipes[stage]) for stage in self.stages if stage not in self.retried]


def _chunk_row(chunk: Chunk, start_ms: int, end_ms: int) -> Row:
    return {"channel": chunk.channel, "chunk_index": chunk.chunk_index, "start_ms": start_ms, "end_ms": end_ms}


def record_outcome(
    work: ChunkWork, outcome: Transcript | Diarization | EngineError, *, stage: Stage
) -> Diarization | None:
    """Add an engine's result or error to the chunk's recording; return the diarization, if it is one."""
    if isinstance(outcome, EngineError):
        span = Span(start_ms=work.chunk.start_ms, end_ms=work.chunk.end_ms)
        work.facts.add_failure(stage, outcome, span)
        return None
    if isinstance(outcome, Transcript):
        work.facts.add_transcript(work.chunk, outcome)
        return None
    work.facts.add_diarization(work.chunk, outcome)
    return outcome


def speakers_in_chunk(chunk: Chunk, bounds: SpeakerBounds, stated_ms: int | None, *, is_mix: bool) -> SpeakerBounds:
    """Return what a recording's number of speakers says of one chunk.

    At most so many speak anywhere in it; at least so many only in all of it, and a diarizer that is made to find people
    who are elsewhere splits those who are here.

    Args:
        chunk: The chunk.
        bounds: Of the recording.
        stated_ms: What the header says the recording lasts.
        is_mix: Whether all channels are in it.
    """
    is_to_the_end = stated_ms is not None and chunk.end_ms >= stated_ms - _CLOSE_MS
    is_all = is_mix and chunk.start_ms == 0 and is_to_the_end
    return bounds if is_all else SpeakerBounds(max_speakers=bounds.max_speakers)


def speech_in_clip(chunk: Chunk) -> tuple[Span, ...]:
    """Return the chunk's speech in clip time."""
    return tuple(span.shifted(-chunk.start_ms) for span in chunk.speech)

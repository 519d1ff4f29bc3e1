"""Take one shard through all stages: plain Python, no Prefect.

The same function serves the flow, ``--local`` and the tests. It may be stopped at any moment and called again: what
is committed is found by the next plan, the rest leaves nothing behind that anybody reads.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from storage.errors import (
    EmptyAudio,
    EngineError,
    RecordingError,
    UnreachableAudio,
    UnreadableAudio,
    VoxlakeError,
    is_transient,
)
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.records import ClipContext, RecordingStatus
from tasks.about import about, logger, shard_name
from tasks.audio.chunking import ChunkCutter, CutChunk
from tasks.audio.decode import RecordingReader, read_recording
from tasks.audio.detect import detection_with
from tasks.audio.hashing import HashingReader, recording_id_of
from tasks.audio.media import open_source, unreachable
from tasks.planning.plan import PlannedRecording, Shard, engines_needed
from tasks.planning.plan_files import read_shard
from tasks.planning.recipes import RecipeBook, resolve_channel_mode
from tasks.planning.spec import RunSpec, archive_key
from tasks.stages.chunk_batches import ChunkBatches
from tasks.stages.engine_set import EngineSet, load_engines
from tasks.stages.facts import ChunkWork, RecordingFacts, speakers_in_chunk, speech_in_clip
from tasks.stages.latest_state import latest_state
from tasks.stages.shard_commits import ShardCommits, TakenRecording
from tasks.stages.shard_report import ShardReport, report_line
from tasks.stages.stored_turns import stored_turns

log = logger(__name__)


def run_shard(lake_url: str, run_id: str, shard_index: int, number: int | None = None) -> ShardReport:
    """Process one shard of a written plan, or one recording of it by its number, and commit its facts.

    Raises:
        ConfigError: an engine cannot be loaded.
        StorageError: the lake cannot be written.
    """
    spec, shard = read_shard(lake_url, run_id, shard_index)
    if number is not None:
        shard = Shard(recordings=shard.recordings[number : number + 1])
    with about(shard_name(shard_index)):
        return _ShardRun(spec, shard, EngineSet(spec)).run()


class _ShardRun:
    def __init__(self, spec: RunSpec, shard: Shard, engines: EngineSet) -> None:
        self.spec = spec
        self.shard = shard
        self.engines = engines
        self.lake = Lake(spec.lake)
        self.recipes = RecipeBook(spec)
        self.state: LakeState = latest_state(self.lake)
        self.batches = ChunkBatches(spec, engines, self.recipes.embedder_model())
        self.commits = ShardCommits(spec, self.lake, self.state)
        self.report = ShardReport()

    def run(self) -> ShardReport:
        started = time.monotonic()
        load_engines(self.spec, engines_needed([self.shard]))  # what is missing is said before anything is read
        try:
            self._take_all()
        finally:
            self.batches.close()
        wall_ms = round((time.monotonic() - started) * 1000)
        self.report += ShardReport(wall_ms=wall_ms, stage_ms=self.batches.stage_ms)
        log.info("%s", report_line(self.report))
        return self.report

    def _take_all(self) -> None:
        for planned in self.shard.recordings:
            taken = self._take(planned)
            if taken is not None:
                self.commits.add(taken)
            if self.commits.is_due:
                self._commit()
        self._commit()

    def _commit(self) -> None:
        """Make what is finished visible; lost work is what was read since the last call."""
        self.batches.finish()
        self.report += self.commits.commit()

    def _take(self, planned: PlannedRecording) -> TakenRecording | None:
        """Read a recording and queue its chunks; None where the lake, or this shard, turns out to have it."""
        recipes = self.recipes.of(planned.hints)
        facts = RecordingFacts(
            archive=archive_key(self.spec), source=planned.obj.source, stages=planned.stages, recipes=recipes
        )
        taken_id, audio_ms = self._taken_id(planned), 0
        recording_id = planned.recording_id or taken_id
        try:
            if recording_id is not None:
                facts.stages = self.commits.missing(planned, recording_id, recipes, is_taken=taken_id is not None)
                if not facts.stages:
                    self._leave_out(planned, recording_id, is_duplicate=False)
                    return None
            with open_source(self.spec.archive, planned.obj.source) as reader:
                if planned.hash_first and recording_id is None:
                    recording_id = reader.digest()
                    facts.stages = self.commits.missing(planned, recording_id, recipes, is_taken=True)
                    if not facts.stages:
                        self._leave_out(planned, recording_id, is_duplicate=True)
                        return None
                audio_ms = self._read(reader, recording_id, planned, facts)
                recording_id = _unchanged(planned, recording_id, reader.digest())
            self.commits.claim(recording_id, facts)
        except (RecordingError, OSError) as cause:
            error = cause if isinstance(cause, RecordingError) else unreachable(planned.obj.source, cause)
            self._drop(facts, error)
            if isinstance(error, EmptyAudio):
                recording_id = recording_id_of(b"")
        return TakenRecording(planned=planned, facts=facts, recording_id=recording_id, audio_ms=audio_ms)

    def _taken_id(self, planned: PlannedRecording) -> str | None:
        """Return the identity of a recording that somebody read since the plan was made, maybe an earlier attempt."""
        seen = self.state.sightings.get((archive_key(self.spec), planned.obj.source))
        if seen is None or (seen.size_bytes, seen.mark) != (planned.obj.size_bytes, planned.obj.mark):
            return None
        is_recent = not self.spec.retry_failed or seen.at >= self.spec.started_at
        return seen.recording_id if is_recent else None

    def _leave_out(self, planned: PlannedRecording, recording_id: str, *, is_duplicate: bool) -> None:
        self.commits.sight(planned, recording_id)
        self.report += ShardReport(n_recordings=1, n_duplicates=int(is_duplicate))

    def _read(
        self, reader: HashingReader, recording_id: str | None, planned: PlannedRecording, facts: RecordingFacts
    ) -> int:
        """Cut one recording into the batch; return its duration. Bytes that are no audio still have an identity."""
        try:
            with read_recording(reader, planned.obj.source) as recording:
                return self._cut(recording, recording_id, planned, facts)
        except EngineError as error:
            self._drop(facts, error)
            return 0
        except RecordingError as error:
            if is_transient(error):
                raise
            self._drop(facts, error)
            return 0

    def _drop(self, facts: RecordingFacts, error: RecordingError | EngineError) -> None:
        """Keep nothing of a recording but the reason."""
        self.batches.drop(facts)
        facts.rows.clear()
        facts.failures.clear()
        facts.add_failure(facts.stages[0], error)
        if is_transient(error) or "probe" not in facts.stages:  # what was decoded once is not given up
            facts.retried.update(facts.stages)
        else:
            facts.add_recording(None, status="failed", duration_ms=None, channel_mode=None)

    def _cut(
        self, reader: RecordingReader, recording_id: str | None, planned: PlannedRecording, facts: RecordingFacts
    ) -> int:
        detect = detection_with(self.spec.detector.name, self.engines.detector)
        cutter = ChunkCutter(detect, self.spec.chunking, resolve_channel_mode(self.spec, planned.hints))
        stored = stored_turns(self.lake, self.state, recording_id, facts)
        begun = time.monotonic()
        for cut in _decoded(cutter.cut(reader.blocks()), planned.obj.source):
            self.batches.spent("probe", begun)
            facts.add_chunk(cut.chunk)
            context = ClipContext(
                speech=speech_in_clip(cut.chunk),
                language=planned.hints.language or self.spec.language,
                speakers=speakers_in_chunk(
                    cut.chunk,
                    planned.hints.speakers,
                    reader.header.duration_ms,
                    is_mix=cutter.channel_mode == "mix",
                ),
            )
            turns = stored.get((cut.chunk.channel, cut.chunk.chunk_index))
            self.batches.add(ChunkWork(facts=facts, chunk=cut.chunk, clip=cut.clip, context=context, turns=turns))
            begun = time.monotonic()
        self.batches.spent("probe", begun)
        status: RecordingStatus = "partial" if reader.problem else "done"
        if reader.problem:
            facts.add_failure("probe", reader.problem)
        facts.add_recording(
            reader.header, status=status, duration_ms=cutter.duration_ms, channel_mode=cutter.channel_mode
        )
        return cutter.duration_ms


def _decoded(cuts: Iterator[CutChunk], source: str) -> Iterator[CutChunk]:
    """Yield the chunks; whatever else a decoder raises over a stranger's bytes is the fault of this recording alone."""
    try:
        yield from cuts
    except (VoxlakeError, OSError):
        raise
    except Exception as cause:
        problem = f"broke the decoder ({type(cause).__name__}: {cause})"
        raise UnreadableAudio(source, problem, "please report it") from cause


def _unchanged(planned: PlannedRecording, known: str | None, found: str) -> str:
    """Return the identity of the bytes that were read."""
    if known is not None and known != found:
        raise UnreachableAudio(planned.obj.source, "changed while it was read", "run again to read it anew")
    return found

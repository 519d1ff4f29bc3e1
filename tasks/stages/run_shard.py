"""Take one shard through all stages: plain Python, no Prefect.

The same function serves the flow, ``--local`` and the tests. It may be stopped at any moment and called again: what
is committed is found by the next plan, the rest leaves nothing behind that anybody reads.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

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
from storage.lake_records import FactKey, LakeState, Sighting
from storage.recipes import REJECTED, Stage
from storage.records import ClipContext, RecordingStatus
from tasks.about import about, logger, shard_name
from tasks.audio.chunking import ChunkCutter, CutChunk
from tasks.audio.decode import RecordingReader, read_recording
from tasks.audio.detect import detection_with
from tasks.audio.hashing import HashingReader, recording_id_of
from tasks.audio.media import open_source, unreachable
from tasks.planning.plan import PlannedRecording, Shard, engines_needed, missing_stages
from tasks.planning.plan_files import read_shard
from tasks.planning.recipes import RecipeBook, resolve_channel_mode
from tasks.planning.shards import MINUTE_MS, load_ms
from tasks.planning.spec import RunSpec, archive_key
from tasks.stages.chunk_batches import ChunkBatches
from tasks.stages.engine_set import EngineSet, load_engines
from tasks.stages.facts import ChunkWork, RecordingFacts, Row, speakers_in_chunk, speech_in_clip
from tasks.stages.latest_state import latest_state
from tasks.stages.stored_turns import stored_turns
from tasks.wording import counted, lasting, of_audio

log = logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShardReport:
    """What came of a shard: small enough for Prefect's database."""

    n_recordings: int = 0
    n_duplicates: int = 0
    n_failures: int = 0
    audio_ms: int = 0
    wall_ms: int = 0
    stage_ms: Mapping[str, int] = field(default_factory=dict)
    """Wall time by stage; probe stands for reading, decoding and detecting speech."""

    def __add__(self, other: ShardReport) -> ShardReport:
        """Return the sums; wall times add up over workers."""
        stages = sorted({*self.stage_ms, *other.stage_ms})
        return ShardReport(
            n_recordings=self.n_recordings + other.n_recordings,
            n_duplicates=self.n_duplicates + other.n_duplicates,
            n_failures=self.n_failures + other.n_failures,
            audio_ms=self.audio_ms + other.audio_ms,
            wall_ms=self.wall_ms + other.wall_ms,
            stage_ms={stage: self.stage_ms.get(stage, 0) + other.stage_ms.get(stage, 0) for stage in stages},
        )


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


@dataclass(slots=True, kw_only=True, eq=False)
class _Open:
    """A recording that has been cut; its rows may still be growing in the batch."""

    planned: PlannedRecording
    facts: RecordingFacts
    recording_id: str | None
    audio_ms: int


class _ShardRun:
    def __init__(self, spec: RunSpec, shard: Shard, engines: EngineSet) -> None:
        self.spec = spec
        self.shard = shard
        self.engines = engines
        self.lake = Lake(spec.lake)
        self.recipes = RecipeBook(spec)
        self.state: LakeState = latest_state(self.lake)
        self.batches = ChunkBatches(spec, engines, self.recipes.embedder_model())
        self.closed: list[_Open] = []
        self.rows: dict[str, list[Row]] = {}
        self.done: list[FactKey] = []
        self.claimed: set[FactKey] = set()
        self.finished_here: set[FactKey] = set()
        self.sightings: list[Sighting] = []
        self.uncommitted_ms = 0
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
        log.info("%s", _report_line(self.report))
        return self.report

    def _take_all(self) -> None:
        for planned in self.shard.recordings:
            opened = self._take(planned)
            if opened is not None:
                self.closed.append(opened)
            if self.uncommitted_ms >= self.spec.commit_minutes * MINUTE_MS:
                self._commit()
        self._commit()

    # ---- one recording

    def _take(self, planned: PlannedRecording) -> _Open | None:
        """Read a recording and queue its chunks; None where the lake, or this shard, turns out to have it."""
        recipes = self.recipes.of(planned.hints)
        facts = RecordingFacts(
            archive=archive_key(self.spec), source=planned.obj.source, stages=planned.stages, recipes=recipes
        )
        taken_id, audio_ms = self._taken_id(planned), 0
        recording_id = planned.recording_id or taken_id
        try:
            if recording_id is not None:
                facts.stages = self._to_do(planned, recording_id, is_taken=taken_id is not None)
                if not facts.stages:
                    self._leave_out(planned, recording_id, is_duplicate=False)
                    return None
            with open_source(self.spec.archive, planned.obj.source) as reader:
                if planned.hash_first and recording_id is None:
                    recording_id = reader.digest()
                    facts.stages = self._to_do(planned, recording_id, is_taken=True)
                    if not facts.stages:
                        self._leave_out(planned, recording_id, is_duplicate=True)
                        return None
                audio_ms = self._read(reader, recording_id, planned, facts)
                recording_id = _unchanged(planned, recording_id, reader.digest())
            self.claimed |= {(recording_id, stage, recipes[stage]) for stage in facts.stages}
        except (RecordingError, OSError) as cause:
            error = cause if isinstance(cause, RecordingError) else unreachable(planned.obj.source, cause)
            self._drop(facts, error)
            if isinstance(error, EmptyAudio):
                recording_id = recording_id_of(b"")
        self.uncommitted_ms += load_ms(audio_ms)  # thousands without any sound are not kept back either
        return _Open(planned=planned, facts=facts, recording_id=recording_id, audio_ms=audio_ms)

    def _taken_id(self, planned: PlannedRecording) -> str | None:
        """Return the identity of a recording that somebody read since the plan was made, maybe an earlier attempt."""
        seen = self.state.sightings.get((archive_key(self.spec), planned.obj.source))
        if seen is None or (seen.size_bytes, seen.mark) != (planned.obj.size_bytes, planned.obj.mark):
            return None
        is_recent = not self.spec.retry_failed or seen.at >= self.spec.started_at
        return seen.recording_id if is_recent else None

    def _to_do(self, planned: PlannedRecording, recording_id: str, *, is_taken: bool) -> tuple[Stage, ...]:
        """Return the stages that neither the lake has nor this shard is about to commit."""
        recipes = self.recipes.of(planned.hints)
        is_retried = self.spec.retry_failed and not is_taken
        stages = planned.stages if is_retried else self._still_missing(recording_id, recipes)
        return tuple(stage for stage in stages if (recording_id, stage, recipes[stage]) not in self.claimed)

    def _leave_out(self, planned: PlannedRecording, recording_id: str, *, is_duplicate: bool) -> None:
        self._sight(planned, recording_id)
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

    def _still_missing(self, recording_id: str, recipes: Mapping[Stage, str]) -> tuple[Stage, ...]:
        if (recording_id, REJECTED, recipes["probe"]) in self.finished_here:
            return ()
        missing = missing_stages(recording_id, recipes, self.state)
        return tuple(stage for stage in missing if (recording_id, stage, recipes[stage]) not in self.finished_here)

    # ---- commit

    def _commit(self) -> None:
        """Make what is finished visible; lost work is what was read since the last call."""
        self.batches.finish()
        for opened in self.closed:
            self._close(opened)
        if self.done or self.sightings or self.rows.get("failures"):
            self.lake.write_commit(self.spec.run_id, self.rows, self.done, self.sightings)
        self.closed, self.rows, self.done, self.sightings, self.uncommitted_ms = [], {}, [], [], 0
        self.claimed = set()

    def _close(self, opened: _Open) -> None:
        recording_id, facts = opened.recording_id, opened.facts
        self._sight(opened.planned, recording_id)
        self._tell(facts)
        is_new = recording_id is None or bool(self._still_missing(recording_id, facts.recipes))
        is_kept = is_new or self.spec.retry_failed
        if is_kept:
            keys = self._done_keys(facts, recording_id) if recording_id else []
            for table, rows in facts.finished(recording_id, self.spec.run_id).items():
                wanted = rows if recording_id or table == "failures" else []
                self.rows.setdefault(table, []).extend(wanted)
            self.done.extend(keys)
            self.finished_here.update(keys)
        self.report += ShardReport(
            n_recordings=1,
            n_duplicates=int(not is_kept),
            n_failures=int(bool(facts.failures)),
            audio_ms=opened.audio_ms,
        )

    def _tell(self, facts: RecordingFacts) -> None:
        """Log a line for a recording: a warning with the first reason where something of it failed."""
        with about(facts.source):
            if not facts.failures:
                log.debug("done: %s", ", ".join(facts.stages))
                return
            first, more = facts.failures[0], len(facts.failures) - 1
            others = f" (and {counted(more, 'more failure')})" if more else ""
            log.warning("%s in %s: %s%s", first["error"], first["stage"], first["message"], others)

    def _done_keys(self, facts: RecordingFacts, recording_id: str) -> list[FactKey]:
        """Return what is done now; a second try that succeeds only in part replaces nothing of the first."""
        keys = facts.done(recording_id)
        return [key for key in keys if key not in self.state.done] if facts.retried else keys

    def _sight(self, planned: PlannedRecording, recording_id: str | None) -> None:
        self.sightings.append(
            Sighting(
                archive=archive_key(self.spec),
                source=planned.obj.source,
                size_bytes=planned.obj.size_bytes,
                mark=planned.obj.mark,
                recording_id=recording_id,
                at=self.spec.started_at,
            )
        )


def _report_line(report: ShardReport) -> str:
    audio = f"{of_audio(report.audio_ms)} of audio done in {lasting(report.wall_ms)}"
    return f"{counted(report.n_recordings, 'recording')}, {audio}, {counted(report.n_failures, 'failure')}"


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

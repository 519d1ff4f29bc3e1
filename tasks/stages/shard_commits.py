"""What a shard has finished and not committed yet, and what of it is done already: facts become visible in batches."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from storage.fact_owners import FactKey
from storage.lake import Lake
from storage.lake_records import LakeState
from storage.recipes import REJECTED, Stage
from storage.sightings import Sighting
from tasks.about import about, logger
from tasks.planning.plan import PlannedRecording, missing_stages
from tasks.planning.shards import MINUTE_MS, load_ms
from tasks.planning.spec import RunSpec, archive_key
from tasks.stages.facts import RecordingFacts, Row
from tasks.stages.shard_report import ShardReport
from tasks.wording import counted

log = logger(__name__)


@dataclass(slots=True, kw_only=True, eq=False)
class TakenRecording:
    """A recording that has been cut; its rows may still be growing in the batch."""

    planned: PlannedRecording
    facts: RecordingFacts
    recording_id: str | None
    audio_ms: int


class ShardCommits:
    """The commits of one shard, on top of the lake as it was when the shard began."""

    def __init__(self, spec: RunSpec, lake: Lake, state: LakeState) -> None:
        """Begin with nothing to commit."""
        self._spec = spec
        self._lake = lake
        self._state = state
        self._taken: list[TakenRecording] = []
        self._sightings: list[Sighting] = []
        self._claimed: set[FactKey] = set()
        """What the next commit will hold, if all goes well."""
        self._committed: set[FactKey] = set()
        self._uncommitted_ms = 0

    @property
    def is_due(self) -> bool:
        """Whether as much audio waits as may be lost."""
        return self._uncommitted_ms >= self._spec.commit_minutes * MINUTE_MS

    def missing(
        self, planned: PlannedRecording, recording_id: str, recipes: Mapping[Stage, str], *, is_taken: bool
    ) -> tuple[Stage, ...]:
        """Return the stages that neither the lake has nor this shard is about to commit.

        Args:
            planned: The recording.
            recording_id: Its bytes.
            recipes: How its stages are done.
            is_taken: Whether these bytes were read since the plan was made, so that no second try is due.
        """
        is_retried = self._spec.retry_failed and not is_taken
        stages = planned.stages if is_retried else self._still_missing(recording_id, recipes)
        return tuple(stage for stage in stages if (recording_id, stage, recipes[stage]) not in self._claimed)

    def claim(self, recording_id: str, facts: RecordingFacts) -> None:
        """Have other names of the same bytes leave these stages alone until the next commit."""
        self._claimed |= {(recording_id, stage, facts.recipes[stage]) for stage in facts.stages}

    def add(self, taken: TakenRecording) -> None:
        """Have a recording be part of the next commit."""
        self._taken.append(taken)
        self._uncommitted_ms += load_ms(taken.audio_ms)  # thousands without any sound are not kept back either

    def sight(self, planned: PlannedRecording, recording_id: str | None) -> None:
        """Have the next commit say which bytes stand under a name."""
        self._sightings.append(
            Sighting(
                archive=archive_key(self._spec),
                source=planned.obj.source,
                size_bytes=planned.obj.size_bytes,
                mark=planned.obj.mark,
                recording_id=recording_id,
                at=self._spec.started_at,
            )
        )

    def commit(self) -> ShardReport:
        """Make what was added visible, and return what it was; its rows must have stopped growing.

        Raises:
            StorageError: the lake cannot be written.
        """
        rows: dict[str, list[Row]] = {}
        done: list[FactKey] = []
        report = ShardReport()
        for taken in self._taken:
            report += self._close(taken, rows, done)
        if done or self._sightings or rows.get("failures"):
            self._lake.write_commit(self._spec.run_id, rows, done, self._sightings)
        self._taken, self._sightings, self._claimed, self._uncommitted_ms = [], [], set(), 0
        return report

    def _close(self, taken: TakenRecording, rows: dict[str, list[Row]], done: list[FactKey]) -> ShardReport:
        """Add a recording's rows and keys, unless the shard has these bytes under another name."""
        recording_id, facts = taken.recording_id, taken.facts
        self.sight(taken.planned, recording_id)
        _tell(facts)
        is_new = recording_id is None or bool(self._still_missing(recording_id, facts.recipes))
        is_kept = is_new or self._spec.retry_failed
        if is_kept:
            keys = self._done_keys(facts, recording_id) if recording_id else []
            for table, found in facts.finished(recording_id, self._spec.run_id).items():
                rows.setdefault(table, []).extend(found if recording_id or table == "failures" else [])
            done.extend(keys)
            self._committed.update(keys)
        return ShardReport(
            n_recordings=1,
            n_duplicates=int(not is_kept),
            n_failures=int(bool(facts.failures)),
            audio_ms=taken.audio_ms,
        )

    def _done_keys(self, facts: RecordingFacts, recording_id: str) -> list[FactKey]:
        """Return what is done now; a second try that succeeds only in part replaces nothing of the first."""
        keys = facts.done(recording_id)
        return [key for key in keys if key not in self._state.done] if facts.retried else keys

    def _still_missing(self, recording_id: str, recipes: Mapping[Stage, str]) -> tuple[Stage, ...]:
        if (recording_id, REJECTED, recipes["probe"]) in self._committed:
            return ()
        missing = missing_stages(recording_id, recipes, self._state)
        return tuple(stage for stage in missing if (recording_id, stage, recipes[stage]) not in self._committed)


def _tell(facts: RecordingFacts) -> None:
    """Log a line for a recording: a warning with the first reason where something of it failed."""
    with about(facts.source):
        if not facts.failures:
            log.debug("done: %s", ", ".join(facts.stages))
            return
        first, more = facts.failures[0], len(facts.failures) - 1
        others = f" (and {counted(more, 'more failure')})" if more else ""
        log.warning("%s in %s: %s%s", first["error"], first["stage"], first["message"], others)

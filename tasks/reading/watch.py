"""Watch a run: how far it is, from what it commits, for its record in the lake and for whoever is shown it.

The lake says what is done, so it does not matter who takes the shards, or on which machines. One thread looks every
few seconds; it is a bystander, and whatever it meets, the run goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Self

from storage.errors import VoxlakeError
from storage.lake import Lake
from storage.lake_records import Commit
from storage.runs import RunOutcome, RunRecord
from storage.schemas import FACTS
from tasks.planning.plan import RunPlan
from tasks.planning.spec import archive_key
from tasks.reading.progress import FAILURE_FIELDS, FailedRecording, Phase, Progress, Step, progress_line, time_left
from tasks.reading.progress_page import MOST_FAILURES
from tasks.stages.shard_report import ShardReport

Show = Callable[[Progress], None]
"""Shows somebody how far a run is."""

log = logging.getLogger(__name__)

_EVERY_S = 10.0
_SOONEST_S = 2.0
_SAY_EVERY_S = 300.0
_LONGEST_LOOK_S = 30.0
"""Who is shown something may be out of reach; the run does not wait longer for that."""
_CLOCKS_DIFFER = timedelta(hours=1)
"""Commits are named by the clocks of the machines that made them."""
_MOST_STEPS = 200


class RunWatch:
    """Renews the record of a run until the block ends, and says in it how the run ended."""

    def __init__(self, plan: RunPlan, record: RunRecord, show: Show) -> None:
        """Write the record of a run that begins; nothing is watched yet."""
        self._plan = plan
        self._lake = Lake(plan.spec.lake)
        self._show = show
        self._record = replace(record, n_shards=len(plan.shards), audio_left_ms=plan.audio_ms)
        self._committed = CommittedWork(plan)
        self._taken: tuple[int, ShardReport, tuple[str, ...]] = (0, ShardReport(), ())
        self._phase: Phase = "shards"
        self._news, self._over, self._writing = threading.Event(), threading.Event(), threading.Lock()
        self._said = time.monotonic()
        self._thread = threading.Thread(target=copy_context().run, args=(self._watch,), daemon=True, name="watch")
        self._write()

    def __enter__(self) -> Self:
        """Begin to watch; where there is nothing to do there is nothing to see."""
        if not self._plan.is_current:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End watching; a run that raised says so in its record."""
        self._end()
        if error is not None and self._record.outcome is None:
            reason = str(error) if isinstance(error, VoxlakeError) else type(error).__name__
            self.stop("failed" if isinstance(error, Exception) else "stopped", reason)

    def tell(self, n_done: int, work: ShardReport, lost: tuple[str, ...]) -> None:
        """Take in how many shards have ended, what came of them all, and why some are lost."""
        self._taken = (n_done, work, lost)
        self._news.set()

    def reduce_begins(self) -> None:
        """Take in that all shards have ended."""
        self._phase = "reduce"
        self._news.set()

    def stop(self, outcome: RunOutcome, reason: str) -> None:
        """Write that the run ended before its end, and why."""
        self._end()
        self._record = replace(self._record, ended_at=datetime.now(UTC), outcome=outcome, error=reason)
        with suppress(VoxlakeError):  # the lake may be what failed
            self._write()

    def end(self, record: RunRecord) -> None:
        """Write how the run ended, and show it for the last time."""
        self._end()
        self._phase = "done"
        if not self._plan.is_current:
            self._look()
        self._record = replace(record, renewed_at=record.ended_at)
        self._write()

    def _end(self) -> None:
        with self._writing:
            self._over.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(_LONGEST_LOOK_S)

    def _watch(self) -> None:
        while not self._over.is_set():
            self._look()
            self._over.wait(_SOONEST_S)
            self._news.wait(_EVERY_S - _SOONEST_S)
            self._news.clear()

    def _look(self) -> None:
        try:
            self._committed.add(self._lake)
            progress = self._progress()
            self._renew(progress)
            self._say(progress)
            self._show(progress)
        except Exception as problem:  # noqa: BLE001 - nobody's work depends on being watched
            log.debug("could not be shown: %s", problem)

    def _renew(self, progress: Progress) -> None:
        """Write how far the run is, unless it has ended meanwhile: nothing may stand over its last record."""
        with self._writing:
            if not self._over.is_set():
                self._record = renewed(self._record, progress, datetime.now(UTC))
                self._write()

    def _say(self, progress: Progress) -> None:
        """Log a line now and then, so that a run of long shards is not silent."""
        if time.monotonic() - self._said >= _SAY_EVERY_S and progress.phase == "shards":
            self._said = time.monotonic()
            log.info("%s", progress_line(progress))

    def _progress(self) -> Progress:
        plan, done = self._plan, self._committed
        n_done, work, lost = self._taken
        elapsed_ms = _since_ms(plan.spec.started_at)
        return Progress(
            run_id=plan.spec.run_id,
            phase=self._phase,
            n_shards=len(plan.shards),
            n_shards_done=n_done,
            n_recordings=plan.n_pending,
            n_recordings_done=done.n_recordings,
            audio_ms=plan.audio_ms,
            audio_done_ms=done.audio_ms,
            elapsed_ms=elapsed_ms,
            left=time_left(done.steps, elapsed_ms, plan.audio_ms),
            work=work,
            lost=lost,
            n_failed=len(done.failed),
            failures=tuple(done.failures),
        )

    def _write(self) -> None:
        self._lake.write_run(self._record)


class CommittedWork:
    """What of a run is committed; each commit is read once."""

    def __init__(self, plan: RunPlan) -> None:
        """Start with nothing."""
        self._spec = plan.spec
        self._left = {one.obj.source: one.duration_ms for shard in plan.shards for one in shard.recordings}
        self._seen: set[str] = set()
        self.n_recordings = 0
        self.audio_ms = 0
        self.steps: list[Step] = []
        self.failed: set[str] = set()
        self.failures: deque[FailedRecording] = deque(maxlen=MOST_FAILURES)
        """Newest first."""

    def add(self, lake: Lake) -> None:
        """Take in what was committed since the last call."""
        before = self.audio_ms
        for commit in lake.commits_after(self._spec.started_at - _CLOCKS_DIFFER, self._seen):
            if commit.run_id == self._spec.run_id:
                self._take(lake, commit)
            self._seen.add(commit.commit_id)
        if self.audio_ms > before:
            self.steps.append(Step(_since_ms(self._spec.started_at), self.audio_ms))
            if len(self.steps) > _MOST_STEPS:
                del self.steps[: _MOST_STEPS // 2 : 2]

    def _take(self, lake: Lake, commit: Commit) -> None:
        for sighting in commit.sightings:
            if sighting.archive == archive_key(self._spec) and sighting.source in self._left:
                self.n_recordings += 1
                self.audio_ms += self._left.pop(sighting.source)
        if "failures" in commit.files:
            for row in lake.store.read_table(commit.files["failures"], FACTS["failures"]).to_pylist():
                self.failed.add(row["source"])
                self.failures.appendleft(FailedRecording(**{name: row[name] for name in FAILURE_FIELDS}))


def renewed(record: RunRecord, progress: Progress, now: datetime) -> RunRecord:
    """Return the record of a run that is on its way."""
    stage_ms: Mapping[str, int] = dict(progress.work.stage_ms)
    return replace(
        record,
        renewed_at=now,
        audio_ms=progress.audio_done_ms,
        wall_ms=progress.elapsed_ms,
        n_shards_done=progress.n_shards_done,
        audio_left_ms=progress.audio_left_ms,
        stage_ms=stage_ms,
        n_failures=progress.n_failed,
    )


def _since_ms(started_at: datetime) -> int:
    return max(0, round((datetime.now(UTC) - started_at).total_seconds() * 1000))

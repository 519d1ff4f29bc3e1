"""Take a shard in a worker process; a recording that kills its worker, or never ends, costs only itself."""

from __future__ import annotations

from storage.errors import WorkerDied
from storage.lake import Lake
from storage.sightings import Sighting
from tasks.about import about, logger, shard_name
from tasks.planning.plan import RunPlan
from tasks.planning.plan_files import read_plan
from tasks.planning.recipes import RecipeBook
from tasks.planning.spec import archive_key
from tasks.planning.timeouts import timeout_s
from tasks.stages.facts import RecordingFacts
from tasks.stages.run_shard import run_shard
from tasks.stages.shard_report import ShardReport
from tasks.workers import call_within

log = logger(__name__)


def take_shard(lake_url: str, run_id: str, shard_index: int, most_s: float | None = None) -> ShardReport:
    """Process one shard in a free worker; if the worker dies or hangs, its recordings one at a time.

    A recording that kills a worker of its own is committed as a failure, which the next run tries again: it may be
    the recording (a fault in a library), or the machine (memory ran out).

    Args:
        lake_url: The lake.
        run_id: Run whose plan has the shard.
        shard_index: Which one.
        most_s: Seconds after which a worker is taken to hang, and is ended; None for no limit.

    Raises: as ``run_shard``.
    """
    try:
        return call_within(most_s, run_shard, lake_url, run_id, shard_index)
    except WorkerDied as death:
        with about(shard_name(shard_index)):
            log.warning("%s: %s; its recordings are taken one at a time", death.subject, death.problem)
    plan = read_plan(lake_url, run_id)
    report = ShardReport()
    for number, recording in enumerate(plan.shards[shard_index].recordings):
        try:
            report += call_within(timeout_s(plan.spec, [recording]), run_shard, lake_url, run_id, shard_index, number)
        except WorkerDied as death:
            report += _commit_loss(plan, shard_index, number, death)
    return report


def _commit_loss(plan: RunPlan, shard_index: int, number: int, death: WorkerDied) -> ShardReport:
    """Leave the reason where the recording's facts would be."""
    planned = plan.shards[shard_index].recordings[number]
    facts = RecordingFacts(
        archive=archive_key(plan.spec),
        source=planned.obj.source,
        stages=planned.stages,
        recipes=RecipeBook(plan.spec).of(planned.hints),
    )
    facts.add_failure(planned.stages[0], death)
    sighting = Sighting(
        archive=facts.archive,
        source=facts.source,
        size_bytes=planned.obj.size_bytes,
        mark=planned.obj.mark,
        recording_id=planned.recording_id,
        at=plan.spec.started_at,
    )
    rows = {"failures": facts.finished(planned.recording_id, plan.spec.run_id)["failures"]}
    Lake(plan.spec.lake).write_commit(plan.spec.run_id, rows, [], [sighting])
    with about(shard_name(shard_index), facts.source):
        log.warning("%s: %s", type(death).__name__, death.problem)
    return ShardReport(n_recordings=1, n_failures=1)

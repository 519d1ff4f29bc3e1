"""The main job without Prefect: the same functions, called by threads that wait for worker processes."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial

from flows.job import Reduced, reduce_lake, run_job, take_shards
from tasks.about import about, shard_name
from tasks.linking.lake import LinkReport, link_lake
from tasks.planning.plan import RunPlan
from tasks.planning.plan_apart import plan_apart
from tasks.planning.plan_files import latest_run_id
from tasks.planning.spec import RunSpec
from tasks.planning.timeouts import timeout_s
from tasks.publishing.publish import publish_lake
from tasks.reading.summary import RunSummary
from tasks.retries import call_patiently
from tasks.stages.shard_report import ShardReport
from tasks.stages.take_shard import take_shard
from tasks.workers import open_workers


def run_local(spec: RunSpec) -> RunSummary:
    """Plan the run and do it.

    Raises:
        ConfigError: archive, manifest, lake or an engine cannot be used.
        StorageError: the lake cannot be read or written.
    """
    return run_planned(plan_apart(spec))


def run_planned(plan: RunPlan) -> RunSummary:
    """Do what a plan says; raises as ``run_local``."""
    spec = plan.spec
    with ThreadPoolExecutor(spec.workers) as threads, open_workers(spec.workers, spec.threads):

        def submit(index: int) -> Future[ShardReport]:
            most_s = timeout_s(spec, plan.shards[index].recordings)
            with about(shard_name(index)):
                call = partial(call_patiently, take_shard, spec.lake, spec.run_id, index, most_s)
                return threads.submit(copy_context().run, call)

        return run_job(
            plan,
            take=lambda tell: take_shards(plan, submit, tell),
            link=_link_patiently,
            publish=publish_lake,
            show=lambda _progress: None,
            runner="local",
        )


def relink(lake: str) -> Reduced:
    """Link and publish a lake again, as its latest run was told to.

    Raises:
        ConfigError: no run has planned anything there.
        StorageError: the lake cannot be read or written.
    """
    return reduce_lake(lake, latest_run_id(lake), _link_patiently, publish_lake)


def _link_patiently(lake: str, run_id: str) -> LinkReport:
    return call_patiently(link_lake, lake, run_id)

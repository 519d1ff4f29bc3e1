"""Who takes the shards of a run that goes through Prefect: processes of this machine, a work pool, or Dask."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, cast

from flows.job import ShardFuture, ShardsTaken, Take, take_shards
from flows.pausing import Wish
from flows.pool import pool_deployment, take_in_pool
from flows.profiles import uses_gpu
from flows.slots import gpu_slot
from storage.errors import ConfigError
from tasks import steps
from tasks.planning.plan import RunPlan
from tasks.planning.timeouts import timeout_s
from tasks.reading.summary import archive_name, shard_title
from tasks.stages.shard_report import ShardReport
from tasks.workers import hear_our_loggers, leave, open_workers, reside

if TYPE_CHECKING:
    from distributed import WorkerPlugin
    from prefect_dask.task_runners import DaskTaskRunner

Call = dict[str, Any]
"""Arguments of ``steps.transcribe_shard``, by name."""


@contextmanager
def open_runner(plan: RunPlan) -> Iterator[Take]:
    """Yield what takes all shards of a plan; processes and clusters that it needs end with the block.

    Raises:
        ConfigError: the runner cannot be used: nothing is deployed to the pool, or Dask is not installed.
    """
    spec = plan.spec
    if not plan.shards:
        yield lambda _tell: ShardsTaken(ShardReport(), ())
    elif spec.runner == "pool":
        deployment = pool_deployment(spec.pool or "cpu")
        yield lambda tell: take_in_pool(plan, deployment, tell)
    elif spec.runner == "dask":
        with _open_dask(plan) as dask:
            submit = _submitting(plan, lambda call: dask.submit(steps.transcribe_shard, call))
            yield lambda tell: take_shards(plan, submit, tell)
    else:
        with open_workers(spec.workers, spec.threads, gpu_slot if uses_gpu(spec) else nullcontext):
            submit = _submitting(plan, lambda call: steps.transcribe_shard.submit(**call))
            yield lambda tell: take_shards(plan, submit, tell)


def _submitting(plan: RunPlan, submit: Callable[[Call], object]) -> Callable[[int], ShardFuture]:
    """Return what submits a shard by its index, when nobody wants the run to pause."""
    spec, name, wish = plan.spec, archive_name(plan.spec.archive), Wish()

    def submit_one(index: int) -> ShardFuture:
        wish.wait()
        call: Call = {
            "lake": spec.lake,
            "run_id": spec.run_id,
            "shard_index": index,
            "title": shard_title(name, index, plan),
            "most_s": timeout_s(spec, plan.shards[index].recordings),
        }
        return cast(ShardFuture, submit(call))

    return submit_one


@contextmanager
def _open_dask(plan: RunPlan) -> Iterator[DaskTaskRunner]:
    """Yield a task runner whose workers have processes for our calls, as everywhere; so a call can be ended."""
    try:
        from prefect_dask.task_runners import DaskTaskRunner
    except ImportError as cause:
        raise ConfigError("runner 'dask'", "prefect-dask is not installed", 'pip install "voxlake[dask]"') from cause
    spec = plan.spec
    here = {"n_workers": spec.workers, "threads_per_worker": 1, "processes": True, "dashboard_address": None}
    runner = DaskTaskRunner(address=spec.dask_address) if spec.dask_address else DaskTaskRunner(cluster_kwargs=here)
    with runner as dask:
        dask.client.register_plugin(_residing(spec.threads), name="voxlake")
        yield dask


def _residing(n_threads: int) -> WorkerPlugin:
    """Return what keeps a process for each thread of a Dask worker, also of one that comes late."""
    from distributed import Worker, WorkerPlugin

    class Residing(WorkerPlugin):
        def setup(self, worker: Worker) -> None:
            hear_our_loggers()
            reside(worker.state.nthreads, n_threads)

        def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - as Dask calls it
            leave()

    return Residing()

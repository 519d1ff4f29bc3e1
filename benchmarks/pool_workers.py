"""How much faster two workers of a Prefect work pool are than one.

    python -m benchmarks.pool_workers [--archive samples/archive] [--profile embedded] [--repeats N] [--json FILE]

Starts a Prefect server, a process pool with a deployment of ``take_shards``, and one or two real workers in turn, and
has ``voxlake run --runner pool`` take an archive into a new lake. *Shards* counts from the start of the first task run
of a shard to the end of the last, as Prefect has them: the engines of each worker load within. *Run* counts the whole
command: Prefect's start, planning, linking and publishing, which no worker of the pool shares.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.output import RATIO_COLUMNS, add_json_option, add_repeats_option, ratio_row, report
from benchmarks.runs import ONE_THREAD, prefect_server, timed_command, voxlake
from benchmarks.sounds import SAMPLES

_GOAL = "≥ 1.8"
_POOL = "cpu"
_ROOT = Path(__file__).parents[1]


class Taken(NamedTuple):
    """What one run took, in seconds."""

    shards: float
    run: float


def main(argv: list[str] | None = None) -> None:
    """Run with one and with two workers in turn, print how many times faster two were."""
    options = parse_arguments(argv)
    # What a shell starts in the background ignores interrupts, by which Prefect's workers end themselves.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    runs: list[list[Taken]] = []
    with tempfile.TemporaryDirectory() as scratch, prefect_server(Path(scratch) / "home") as url:
        environment = ONE_THREAD | {
            "PREFECT_API_URL": url,
            "PREFECT_WORKER_QUERY_SECONDS": "3",
            "VOXLAKE_HOME": str(_ROOT),
            "VOXLAKE_WORK_POOL": _POOL,
            "VOXLAKE_PROFILE": options.profile,
            "VOXLAKE_SHARD_MINUTES": str(options.shard_minutes),
        }
        prefect(environment, "work-pool", "create", "--type", "process", _POOL)
        prefect(environment, "deploy", "--name", _POOL)
        for repeat in range(options.repeats):
            lakes = [Path(scratch) / f"lake {repeat} {n_workers}" for n_workers in (1, 2)]
            runs.append([run_timed(environment, options.archive, lake, n) for n, lake in enumerate(lakes, 1)])
    rows = [
        ratio_row(f"1 worker / 2 workers, {name}", *zip(*_seconds(runs, name), strict=True), goal)
        for name, goal in (("shards", _GOAL), ("run", ""))
    ]
    report("workers of a work pool", rows, RATIO_COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("pool_workers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--archive", type=Path, default=SAMPLES)
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--shard-minutes", type=float, default=0.5)
    add_repeats_option(parser, 1)
    add_json_option(parser)
    return parser.parse_args(argv)


def run_timed(environment: dict[str, str], archive: Path, lake: Path, n_workers: int) -> Taken:
    """Run a job in a pool that has so many workers; some recordings of an archive may fail."""
    command = voxlake("run", archive, lake, "--runner", "pool", "--pool", _POOL, "--workers", str(n_workers))
    with workers(environment, n_workers):
        run_s = timed_command(command, environment, allowed=(0, 1)).wall_s
    return Taken(shards=_shards_s(environment["PREFECT_API_URL"], n_workers), run=run_s)


@contextmanager
def workers(environment: dict[str, str], n_workers: int) -> Iterator[None]:
    """Have so many workers, each of which takes one flow run at a time."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", _POOL, "--limit", "1"]
    started = [
        subprocess.Popen(
            command,
            env=environment,
            cwd=_ROOT,
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(n_workers)
    ]
    try:
        yield
    finally:
        for worker in started:
            os.killpg(worker.pid, signal.SIGTERM)
            worker.wait()


def prefect(environment: dict[str, str], *arguments: str) -> None:
    """Run a command of Prefect's in the project."""
    command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
    subprocess.run(command, env=environment, cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)


def _shards_s(url: str, n_runs: int) -> float:
    """Return the time from the first start to the last end of a task run in the latest runs of ``take_shards``."""
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas import filters
    from prefect.client.schemas.sorting import FlowRunSort

    with SyncPrefectClient(url) as client:
        flow = filters.FlowFilter(name=filters.FlowFilterName(any_=["take_shards"]))
        found = client.read_flow_runs(flow_filter=flow, sort=FlowRunSort.START_TIME_DESC, limit=n_runs)
        ids = filters.FlowRunFilterId(any_=[run.id for run in found])
        tasks = client.read_task_runs(flow_run_filter=filters.FlowRunFilter(id=ids), limit=200)
    spans = [(task.start_time, task.end_time) for task in tasks if task.start_time and task.end_time]
    return (max(end for _, end in spans) - min(start for start, _ in spans)).total_seconds()


def _seconds(runs: list[list[Taken]], name: str) -> list[list[float]]:
    return [[getattr(taken, name) for taken in pair] for pair in runs]


if __name__ == "__main__":
    main()

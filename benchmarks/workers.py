"""How much faster two worker processes are than one.

    python -m benchmarks.workers [--archive samples/archive] [--profile embedded] [--repeats N] [--json FILE]

Runs the main job without Prefect over an archive with one worker and with two in turn, each into a new lake. *Warm*
counts from when every worker has loaded its engines to the published lake; *cold* counts the starting too. Shards are
small (``--shard-minutes``), because with a handful of shards the ratio says how they happen to pair up. The processor
time of all workers shows whether two get in each other's way, also where other work on the machine spoils wall time.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from benchmarks.output import RATIO_COLUMNS, add_json_option, add_repeats_option, ratio_row, report
from benchmarks.runs import children_cpu_s, make_spec, timed
from benchmarks.sounds import SAMPLES
from flows.local import run_planned
from tasks.engines.registry import KINDS
from tasks.planning.plan import plan_run
from tasks.planning.spec import RunSpec
from tasks.stages.engine_set import load_engines
from tasks.workers import WorkerPool, open_workers

_GOAL = "≥ 1.7"


class Taken(NamedTuple):
    """What one run took, in seconds."""

    warm: float
    cold: float
    processor: float
    """Of all workers, loading included."""


def main(argv: list[str] | None = None) -> None:
    """Run with one and with two workers in turn, print how many times faster two were."""
    options = parse_arguments(argv)
    runs: list[list[Taken]] = []
    with tempfile.TemporaryDirectory() as scratch:
        for repeat in range(options.repeats):
            pair = []
            for workers in (1, 2):
                spec = make_spec(
                    options.archive,
                    Path(scratch) / f"lake {repeat} {workers}",
                    options.profile,
                    workers=workers,
                    shard_minutes=options.shard_minutes,
                )
                pair.append(run_timed(spec))
            runs.append(pair)
    rows = [
        ratio_row(f"1 worker / 2 workers, {name}", *zip(*_seconds(runs, name), strict=True), goal)
        for name, goal in (("warm", _GOAL), ("cold", _GOAL), ("processor", "1"))
    ]
    report("worker processes", rows, RATIO_COLUMNS, options.json)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("workers", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--archive", type=Path, default=SAMPLES)
    parser.add_argument("--profile", default="embedded")
    parser.add_argument("--shard-minutes", type=float, default=0.5)
    add_repeats_option(parser, 3)
    add_json_option(parser)
    return parser.parse_args(argv)


def run_timed(spec: RunSpec) -> Taken:
    """Run a job whose workers have loaded their engines before."""
    cpu_s = children_cpu_s()
    with open_workers(spec.workers, spec.threads) as pool:
        starting_s = timed(lambda: _load(pool, spec)).wall_s
        running_s = timed(lambda: run_planned(plan_run(spec))).wall_s
    return Taken(warm=running_s, cold=starting_s + running_s, processor=children_cpu_s() - cpu_s)


def _seconds(runs: list[list[Taken]], name: str) -> list[list[float]]:
    return [[getattr(taken, name) for taken in pair] for pair in runs]


def _load(pool: WorkerPool, spec: RunSpec) -> None:
    """Have all workers load their engines side by side; each gets one call, since the loading takes seconds."""
    with ThreadPoolExecutor(spec.workers) as threads:
        for waiting in [threads.submit(pool.call, load_engines, spec, KINDS) for _ in range(spec.workers)]:
            waiting.result()


if __name__ == "__main__":
    main()

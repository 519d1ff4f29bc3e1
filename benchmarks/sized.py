"""A large archive through Prefect on one machine: what each phase takes, and what grows.

    python -m benchmarks.sized [--recordings N …] [--database sqlite|postgresql …] [--json FILE]

Makes archives of so many recordings of five seconds, has each planned, taken through the fake engines, linked and
published by ``voxlake run`` with a Prefect server of its own, and runs it once more when all is done. Measured are

- the phases: planning by what the command says before and after it, all others by Prefect's task runs; *orchestration*
  is the wall time in which none of them was at work on ``--workers`` workers, so it includes starting Python and
  Prefect, waiting for the last shard, and ending;
- memory of the main process and of the largest worker; *growth* compares the end of the shards with their beginning;
- Prefect's task runs, which must be the shards, one link and one publication, all completed, and as many recordings as
  the lake has; and the size of its database;
- the second run: in process, and as a whole command, with Prefect and without.

The fake engines are fast, so that shares of orchestration are far above those of real engines: ``--delay-ms`` makes
them sleep for each recording. A twentieth of the recordings is broken, unless ``--broken-every 0``.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks.databases import DATABASES
from benchmarks.output import Row, add_json_option, report
from benchmarks.runs import ONE_THREAD, make_spec, prefect_server, timed, timed_command, voxlake
from benchmarks.sized_archive import CROWD, write_archive
from benchmarks.watching import Watched, growth, watched
from flows.local import run_local
from storage.lake import Lake
from tasks.planning.discover import discover
from tasks.planning.spec import RunSpec

_COLUMNS = (
    "recordings", "failed", "database", "listing s", "plan s", "shards s", "link s", "publish s", "orchestration s",
    "wall s", "task runs", "database MiB", "main MiB", "worker MiB", "worker growth", "again s", "again, command s",
    "again, Prefect s",
)  # fmt: skip
_PAGE = 200
_REDUCE = ("link speakers", "publish lake")
"""Task runs besides those of shards."""


def main(argv: list[str] | None = None) -> None:
    """Run every size with every database, print what each took."""
    options = parse_arguments(argv)
    rows: list[Row] = []
    for n_recordings in options.recordings:
        with tempfile.TemporaryDirectory(dir=options.folder) as scratch:
            write_archive(Path(scratch) / "archive", n_recordings, broken_every=options.broken_every or None)
            for database in options.database:
                rows.append(measured(Path(scratch), n_recordings, database, options))
                report("sized", rows, _COLUMNS, options.json)  # a run takes long, and the next one may not end


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("sized", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--recordings", type=int, nargs="+", default=[1_000], help="sizes of archives")
    parser.add_argument("--database", nargs="+", choices=sorted(DATABASES), default=["sqlite"], help="Prefect's")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--delay-ms", type=int, default=0, help="what the fake transcriber sleeps for each recording")
    parser.add_argument("--broken-every", type=int, default=20, help="every so many recordings one is broken; 0: none")
    parser.add_argument("--limit-minutes", type=float, default=240.0, help="a run that takes longer is given up")
    parser.add_argument("--folder", type=Path, help="where archives and lakes are made: 0.1 MB for each recording")
    add_json_option(parser)
    return parser.parse_args(argv)


def measured(scratch: Path, n_recordings: int, kind: str, options: argparse.Namespace) -> Row:
    """Run one archive with one kind of database, check what must hold, and return the figures."""
    archive, lake, home = scratch / "archive", scratch / f"lake {kind}", scratch / f"prefect {kind}"
    environment = {**ONE_THREAD, **CROWD, "VOXLAKE_WORKERS": str(options.workers)}
    environment["VOXLAKE_TRANSCRIBER__OPTIONS"] = json.dumps({"delay_ms": options.delay_ms})
    listing_s = timed(lambda: discover(str(archive))).wall_s
    command = voxlake("run", archive, lake, "--profile", "fake", "--json")
    with ExitStack() as stack:
        database = stack.enter_context(DATABASES[kind](home))
        api = stack.enter_context(prefect_server(home, database.url))
        through_prefect = environment | {"PREFECT_API_URL": api}
        run = watched(command, through_prefect, limit_s=options.limit_minutes * 60, allowed=(0, 1))
        summary: Row = json.loads(run.output)
        tasks = task_runs(api)
        check(summary, tasks, lake, n_recordings)
        again = timed_command(command, through_prefect, allowed=(0, 1))
        if len(task_runs(api)) != len(tasks):
            raise SystemExit("the second run started tasks, though there was nothing to do")
        size_mib = database.size_mib()
    main_mib, worker_mib = run.peak_mib()
    return {
        "recordings": n_recordings,
        "failed": summary["counts"]["n_failed"],
        "database": kind,
        "listing s": listing_s,
        **phases(tasks, run, options.workers),
        "wall s": run.wall_s,
        "task runs": len(tasks),
        "database MiB": size_mib,
        "main MiB": main_mib,
        "worker MiB": worker_mib,
        "worker growth": growth(_at_work(tasks, run)),
        "again s": skipped_s(archive, lake),
        "again, command s": timed_command([*command, "--local"], environment, allowed=(0, 1)).wall_s,
        "again, Prefect s": again.wall_s,
        "memory": [list(one) for one in run.moments],
    }


def phases(tasks: list[Row], run: Watched, workers: int) -> Row:
    """Return what each phase took, and what is left of the wall time."""
    plan_s = run.said_s(" recordings to do") - run.said_s("profile ")
    link_s, publish_s = (sum(_lasting_s(one) for one in tasks if one["name"] == name) for name in _REDUCE)
    shards_s = sum(_lasting_s(one) for one in tasks if one["name"] not in _REDUCE) / workers
    return {
        "plan s": plan_s,
        "shards s": shards_s,
        "link s": link_s,
        "publish s": publish_s,
        "orchestration s": run.wall_s - (plan_s + shards_s + link_s + publish_s),
    }


def check(summary: Row, tasks: list[Row], lake: Path, n_recordings: int) -> None:
    """Compare what Prefect's server knows with what the lake knows.

    Raises:
        SystemExit: they differ.
    """
    shards = [one["name"] for one in tasks if one["name"] not in _REDUCE]
    told = sum(int(name.split(" · ")[2].split()[0].replace(",", "")) for name in shards)
    record = Lake(str(lake)).runs()[-1].counts
    facts: Mapping[str, tuple[Any, Any]] = {
        "task runs": (len(tasks), record["n_shards"] + len(_REDUCE)),
        "states": ({one["state_type"] for one in tasks}, {"COMPLETED"}),
        "recordings of shards": (told, n_recordings),
        "recordings worked on": (record["n_recordings"], n_recordings),
        "summary": (summary["counts"], dict(record)),
    }
    different = {name: pair for name, pair in facts.items() if pair[0] != pair[1]}
    if different:
        raise SystemExit(f"the server and the lake do not agree: {different}")


def task_runs(api: str) -> list[Row]:
    """Return every task run that a server knows."""
    found: list[Row] = []
    while True:
        body = json.dumps({"limit": _PAGE, "offset": len(found), "sort": "END_TIME_DESC"}).encode()
        request = urllib.request.Request(f"{api}/task_runs/filter", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            page: list[Row] = json.load(answer)
        found += page
        if len(page) < _PAGE:
            return found


def made_spec(archive: Path, lake: Path) -> RunSpec:
    """Return a run as the command makes it."""
    return make_spec(archive, lake, "fake", embedder={"name": "fake", "options": {"crowd": True}})


def skipped_s(archive: Path, lake: Path) -> float:
    """Return what it takes in process to find that nothing is to do."""

    def run_again() -> None:
        summary = run_local(made_spec(archive, lake))
        if not summary.is_current or summary.n_shards or summary.link or summary.publish:
            raise SystemExit("there was something to do")

    return min(timed(run_again).wall_s for _ in range(3))


def _at_work(tasks: list[Row], run: Watched) -> list[float]:
    """Return the memory of the largest worker while shards were taken."""
    shards = [one for one in tasks if one["name"] not in _REDUCE]
    ended = max(datetime.fromisoformat(one["end_time"]) for one in tasks)
    since_s, until_s = (
        run.wall_s - (ended - moment).total_seconds()
        for moment in (
            min(datetime.fromisoformat(one["start_time"]) for one in shards),
            max(datetime.fromisoformat(one["end_time"]) for one in shards),
        )
    )
    return [one.largest_child for one in run.moments if one.largest_child and since_s < one.at_s < until_s]


def _lasting_s(task: Row) -> float:
    return (datetime.fromisoformat(task["end_time"]) - datetime.fromisoformat(task["start_time"])).total_seconds()


if __name__ == "__main__":
    main()

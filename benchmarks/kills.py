"""Kill runs at random moments, with SIGKILL, and compare the finished lakes row by row with undisturbed ones.

    python -m benchmarks.kills [--mode local|temporary|prefect] [--kills N] [--seed S] [--json FILE]
    python -m benchmarks.kills --kills 0 --json FILE        # the sum of all that were counted into that file

An archive of made-up conversations grows twice. In each round ``voxlake run`` is started over it as a real process and
something of it is killed: a worker, the flow's process alone, its whole process group, or the Prefect server; then it
is started again, killed again, and at last finished by a run without Prefect. The moments are taken by the clock, and
by the number of files that have appeared in the lake, so that all phases are met. Then everything is checked:

- every view and every fact has the rows of the undisturbed lake, each once, and ``transcripts/*.parquet`` too;
- ``status --coverage`` says of the lake what it says of the undisturbed one, and another run would have nothing to do;
- no process has outlived its run, and no temporary file would outlive the next cleaning up;
- no process has lost more work than one batch: what ``commit_minutes`` asks for, and the recording that completes it.

The fake engines note each clip that they are given; what is given a second time was lost. ``--json`` appends a line for
each kill and each round, so that a count may be taken in pieces: the seed says where a piece begins.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from benchmarks.kill_report import print_sum, read_lines
from benchmarks.kill_surroundings import (
    BATCH_MS,
    SETTINGS,
    STAGES,
    Server,
    settings_as_variables,
    show_stage,
    write_pool,
)
from benchmarks.kill_targets import MARK, Watched, random_moment, striker_of, watch_run
from benchmarks.killed_lakes import Contents, contents_of, leftovers_of, lost_work, problems_of
from benchmarks.output import Row, machine
from benchmarks.runs import make_spec, voxlake
from flows.local import run_local
from tasks.engines.fake_journal import read_journal
from tasks.planning.spec import RunSpec

_VICTIMS = {
    "local": ("worker", "worker", "flow", "group"),
    "temporary": ("worker", "flow", "group", "server"),
    "prefect": ("worker", "flow", "group", "server", "server"),
}
_ENDED = (0, 1)
"""Exit codes of a run that came to its end: the archive has a file that is no audio."""
_TRIES = 3


def main(argv: list[str] | None = None) -> None:
    """Kill so many times, print what was counted; exit with 1 where anything was not as it must be."""
    options = parse_arguments(argv)
    lines = list(read_lines(options.json)) if options.json else []
    if options.kills:
        with tempfile.TemporaryDirectory(prefix="voxlake-kills-") as scratch:
            for line in Harness(Path(scratch), options.mode, options.seed).lines(options.kills):
                lines.append(line)
                if options.json:
                    with options.json.open("a") as file:
                        file.write(json.dumps(line) + "\n")
    if not print_sum(lines):
        sys.exit(1)


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser("kills", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--mode", choices=tuple(_VICTIMS), default="local", help="how runs are started")
    parser.add_argument("--kills", type=int, default=20, metavar="N", help="how many, 20 by default; 0 only sums up")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is left to chance")
    parser.add_argument("--json", type=Path, metavar="FILE", help="append a line for each kill and round to this file")
    return parser.parse_args(argv)


class Harness:
    """An archive, what undisturbed runs make of it, and lakes whose runs are killed."""

    def __init__(self, scratch: Path, mode: str, seed: int) -> None:
        """Make the recordings."""
        self.mode, self.seed = mode, seed
        self.kept = scratch.with_name(f"{scratch.name}-kept")
        self.home, self.archive, self.lake = scratch / "home", scratch / "archive", scratch / "lake"
        self.journal, self.errors = scratch / "journal", scratch / "errors.txt"
        self.pool = write_pool(scratch / "pool")
        self.server = Server(scratch / "server") if mode == "prefect" else None
        self.command = voxlake("run", self.archive, self.lake, *(["--local"] if mode == "local" else []))
        self.taken: Counter[str] = Counter()

    def lines(self, n_kills: int) -> Iterator[Row]:
        """Yield a line for each kill and for each round."""
        with self.server.running() if self.server else nullcontext():
            undisturbed = self.undisturbed()
            n_done, n_lakes = 0, 0
            while n_done < n_kills:
                rng = random.Random(f"{self.seed} {self.mode} {n_lakes}")
                n_lakes += 1
                self.new_lake()
                for stage, (usual, expected) in enumerate(undisturbed):
                    if n_done < n_kills:
                        for line in self.round(rng, stage, usual, expected):
                            n_done += line["line"] == "kill"
                            yield line

    def undisturbed(self) -> list[tuple[Watched, Contents]]:
        """Run every stage once; return how it went and what its lake says, and note which clips were taken."""
        self.new_lake()
        stages = []
        for stage in range(len(STAGES)):
            show_stage(self.archive, self.pool, stage)
            went = watch_run(self.command, self.variables(), self.lake)
            if went.exit_code not in _ENDED:
                raise SystemExit(f"an undisturbed run ended with {went.exit_code}\n{self.said()}")
            stages.append((went, contents_of(self.lake)))
        self.taken = Counter(noted.digest for noted in read_journal(self.journal))
        if set(self.taken.values()) != {1}:
            raise SystemExit("recordings share clips, so that work done twice could not be counted")
        return stages

    def round(self, rng: random.Random, stage: int, usual: Watched, expected: Contents) -> Iterator[Row]:
        """Kill a few runs over a stage of the archive, let one finish, and check everything."""
        show_stage(self.archive, self.pool, stage)
        about = {"seed": self.seed, "mode": self.mode, "stage": stage}
        for _ in range(rng.randint(2, 4)):
            kill = self.kill_once(rng, replace(usual))
            if kill is None:
                break  # nothing is left to do
            yield about | {"line": "kill"} | kill
        problems, is_renamed = self.finish(expected)
        counted, stubborn = leftovers_of(self.lake)
        lost = lost_work(read_journal(self.journal), self.taken)
        problems += [f"not cleaned up: {name}" for name in stubborn]
        problems += [f"a process lost {ms} ms of work" for ms in lost.values() if ms > BATCH_MS]
        if problems:
            shutil.copytree(self.lake.parent, self.kept / f"{self.mode} {self.seed} {rng.random()}")
        yield about | {
            "line": "round",
            "problems": problems,
            "is_renamed": is_renamed,
            "lost_ms": sorted(lost.values()),
            "left_over": counted,
        }

    def finish(self, expected: Contents) -> tuple[list[str], bool]:
        """Do the rest, and return what is wrong with the lake then, and whether its speakers had to be renamed."""
        try:
            run_local(self.spec())
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be, and the count goes on
            return [f"the last run failed: {type(error).__name__}: {error}"], False
        return problems_of(self.lake, self.spec(), expected)

    def kill_once(self, rng: random.Random, usual: Watched) -> Row | None:
        """Start a run and kill something of it; again where it had ended before the moment came."""
        victim = rng.choice(_VICTIMS[self.mode])
        for _ in range(_TRIES):
            moment, variables = random_moment(rng, usual), self.variables()
            strike = self.server.striker(rng) if victim == "server" and self.server else None
            strike = strike or striker_of(victim, variables[MARK], rng)
            watched = watch_run(self.command, variables, self.lake, moment, strike)
            if self.server:
                self.server.ensure_running()
            if watched.has_struck:
                return self.told(victim, moment.kind, watched)
            usual.n_writes = min(usual.n_writes, max(1, watched.n_writes))
            usual.wall_s = min(usual.wall_s, watched.wall_s)
        return None

    def told(self, victim: str, by: str, watched: Watched) -> Row:
        """Return the line of a kill."""
        problems = [f"left: {one}" for one in watched.left]
        if watched.is_stuck:
            problems.append("stuck: it neither went on nor ended")
        if victim == "worker" and watched.exit_code not in _ENDED:
            problems.append(f"a run whose worker was killed ended with {watched.exit_code}: {self.said()}")
        return {
            "victim": victim,
            "by": by,
            "phase": watched.phase,
            "is_amid_write": watched.is_amid_write,
            "exit_code": watched.exit_code,
            "wall_s": round(watched.wall_s, 1),
            "problems": problems,
            "at": machine()["at"],
        }

    def variables(self) -> dict[str, str]:
        """Return what a new run's environment has besides, with a mark of its own."""
        return {
            **settings_as_variables(),
            "VOXLAKE_PROFILE": "fake",
            "VOXLAKE_TRANSCRIBER__OPTIONS": json.dumps(self.transcriber_options()),
            "PREFECT_HOME": str(self.home),
            "PREFECT_LOGGING_LEVEL": "ERROR",
            MARK: f"{os.getpid()}-{random.random()}",
            **({"PREFECT_API_URL": self.server.url} if self.server else {}),
        }

    def spec(self) -> RunSpec:
        """Return a run like those that are started, for this process: the last of a round is left alone anyway."""
        transcriber = {"name": "fake", "options": self.transcriber_options()}
        return make_spec(self.archive, self.lake, "fake", transcriber=transcriber, **SETTINGS)

    def transcriber_options(self) -> Row:
        """Return what makes the transcriber slow enough to be hit, and note what it is given."""
        return {"delay_ms": 100, "journal": str(self.journal)}

    def said(self) -> str:
        """Return the last of what runs over the present lake said."""
        return self.errors.read_text(errors="replace")[-2000:]

    def new_lake(self) -> None:
        """Forget the lake, and what was noted and said about it."""
        shutil.rmtree(self.lake, ignore_errors=True)
        self.journal.unlink(missing_ok=True)
        self.errors.unlink(missing_ok=True)


if __name__ == "__main__":
    main()

"""What is killed and when: the processes of a run, a moment, and how far the run had come then."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.runs import ONE_THREAD
from storage.lake import Lake
from storage.publishing import is_mirrored
from tasks.planning.plan_files import latest_run_id, read_plan

MARK = "VOXLAKE_KILLS"
"""Variable of the environment by which all processes of a run are found, also those that lost their parents."""
PHASES = (
    "before the plan",
    "plan written",
    "facts without a commit",
    "commits",
    "linking",
    "tables without a publication",
    "publication without transcripts/",
    "published, run not ended",
    "run ended",
)
_COMMANDS = {"worker": b"tasks.workers import serve", "server": b"temporary_server import serve"}
_TICK_S = 0.005
_GONE_S = 20.0
_LONGEST_S = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When to kill: so long after the start, or when so many files have appeared under the lake."""

    after_s: float = 0.0
    n_writes: int = 0

    @property
    def kind(self) -> str:
        """``time`` or ``write``."""
        return "write" if self.n_writes else "time"


@dataclass(slots=True, kw_only=True)
class Watched:
    """How a run went."""

    wall_s: float = 0.0
    n_writes: int = 0
    exit_code: int | None = None
    """None where it was killed before it ended."""
    has_struck: bool = False
    phase: str = ""
    is_amid_write: bool = False
    left: list[str] = field(default_factory=list)
    """Processes that outlived the run."""
    is_stuck: bool = False


def random_moment(rng: random.Random, usual: Watched) -> Moment:
    """Return a moment of a run that usually goes like this: one in three by the clock, the others by its writes.

    Of these every second is among the last third, for what links, publishes and ends a run is soon over.
    """
    if rng.random() < 1 / 3:
        return Moment(after_s=rng.uniform(0, usual.wall_s))
    first = rng.choice((1, 1 + usual.n_writes * 2 // 3))
    return Moment(n_writes=rng.randint(first, max(first, usual.n_writes)), after_s=rng.uniform(0, 0.01))


def watch_run(
    command: Sequence[str],
    variables: Mapping[str, str],
    lake: Path,
    moment: Moment | None = None,
    strike: Callable[[int], bool] | None = None,
) -> Watched:
    """Start a run in a process group of its own, strike once at the moment, and wait for whatever it comes to.

    Args:
        command: The command line.
        variables: Added to the environment; ``MARK`` must be unique among all processes of the machine.
        lake: Whose files are watched.
        moment: When to strike; None leaves the run alone.
        strike: Given the process ID of the run, kills something; False where what it wants is not there (yet).
    """
    watched, before, begun = Watched(), names_below(lake), time.monotonic()
    with lake.with_name("errors.txt").open("ab") as errors:
        process = subprocess.Popen(
            command,
            env={**ONE_THREAD, **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
    reached_at: float | None = None
    while process.poll() is None and not watched.is_stuck:
        watched.n_writes = max(watched.n_writes, len(names_below(lake) - before))
        if moment and strike and not watched.has_struck:
            is_written = watched.n_writes >= moment.n_writes if moment.n_writes else True
            reached_at = reached_at or (time.monotonic() if is_written else None)
            since = reached_at if moment.n_writes else begun
            if since is not None and time.monotonic() - since >= moment.after_s and strike(process.pid):
                watched.has_struck = True
                watched.phase, watched.is_amid_write = phase_of(lake, before)
        watched.is_stuck = time.monotonic() - begun > _LONGEST_S
        time.sleep(_TICK_S)
    watched.wall_s = time.monotonic() - begun
    if watched.is_stuck:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    code = process.wait()
    watched.exit_code = None if code == -signal.SIGKILL else code
    watched.left = _left(variables[MARK])
    return watched


def striker_of(victim: str, mark: str, rng: random.Random) -> Callable[[int], bool]:
    """Return what kills a victim: ``worker``, ``flow``, ``group``, or ``server`` (a temporary one)."""

    def strike(pid: int) -> bool:
        if victim == "flow":
            os.kill(pid, signal.SIGKILL)
        elif victim == "group":
            os.killpg(pid, signal.SIGKILL)
        else:
            found = [one for one, command in marked(mark).items() if _COMMANDS[victim] in command]
            if not found:
                return False
            with suppress(ProcessLookupError):
                os.kill(rng.choice(sorted(found)), signal.SIGKILL)
        return True

    return strike


def marked(value: str) -> dict[int, bytes]:
    """Return the command lines of all running processes whose environment bears the mark."""
    entry, found = f"{MARK}={value}".encode(), {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if entry in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes()
    return found


def _left(mark: str) -> list[str]:
    """Return what still runs some seconds after a run has ended, and end it."""
    deadline = time.monotonic() + _GONE_S
    while (found := marked(mark)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in found:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return [command.replace(b"\0", b" ").decode(errors="replace") for command in found.values()]


def names_below(root: Path) -> set[str]:
    """Return the names of all files below a folder; those that vanish meanwhile may be missing."""
    found, folders = set(), [str(root)]
    while folders:
        with suppress(FileNotFoundError), os.scandir(folders.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                else:
                    found.add(entry.path)
    return found


def phase_of(root: Path, before: set[str]) -> tuple[str, bool]:
    """Return how far a run has come by what it has written, and whether a file is being written."""
    news = [name[len(str(root)) + 1 :] for name in names_below(root) - before]
    whole = {name.partition("/")[0] for name in news if "/.tmp-" not in name}
    return _phase(root, whole), any("/.tmp-" in name for name in news)


def _phase(root: Path, folders: set[str]) -> str:
    """Return the phase, by the folders in which something is new."""
    if "publications" in folders:
        return _after_publication(Lake(str(root)))
    if "published" in folders:
        return "tables without a publication"
    if "plans" not in folders:
        return "before the plan"
    if facts_without_commit(root):
        return "facts without a commit"
    if "commits" not in folders:
        return "plan written"
    return "commits" if _has_work_left(root) else "linking"


def _after_publication(lake: Lake) -> str:
    publication = lake.latest_publication()
    if publication is None or not is_mirrored(lake, publication):
        return "publication without transcripts/"
    return "run ended" if lake.runs()[-1].ended_at else "published, run not ended"


def facts_without_commit(root: Path) -> set[str]:
    """Return the names of commits whose facts are there and whose manifest is not."""
    committed = {path.stem for path in (root / "commits").glob("*.json")}
    return {path.stem for path in (root / "facts").glob("*/*.parquet")} - committed


def _has_work_left(root: Path) -> bool:
    """Return whether the latest plan lists what no commit has seen as it is now."""
    plan = read_plan(str(root), latest_run_id(str(root)))
    seen = {(one.source, one.mark) for one in Lake(str(root)).state().sightings}
    return any((one.obj.source, one.obj.mark) not in seen for one in plan.listed)

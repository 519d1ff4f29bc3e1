"""Watch a command from outside: how much memory its processes have, second by second."""

from __future__ import annotations

import os
import statistics
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

_EVERY_S = 1.0
_KIB = 1024


class Moment(NamedTuple):
    """What processes had resident at a moment, in MiB."""

    at_s: float
    """Since the command was started."""
    main: float
    largest_child: float


class Watched(NamedTuple):
    """How a command went."""

    wall_s: float
    output: str
    moments: tuple[Moment, ...]

    def peak_mib(self) -> tuple[float, float]:
        """Return the most that the command's own process had, and the most that one of its children had."""
        return max(one.main for one in self.moments), max(one.largest_child for one in self.moments)


def watched(
    command: Sequence[str], environment: Mapping[str, str], *, limit_s: float, allowed: Sequence[int]
) -> Watched:
    """Run a command to its end.

    Raises:
        SystemExit: it took longer, or ended with a status that is not allowed.
    """
    begun = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    moments: list[Moment] = []
    watcher = threading.Thread(target=_watch, args=(process, begun, moments))
    watcher.start()
    try:
        output, errors = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as late:
        process.kill()
        raise SystemExit(f"{command} took more than {limit_s:.0f} s") from late
    finally:
        watcher.join()
    if process.returncode not in allowed:
        raise SystemExit(f"{command} ended with {process.returncode}\n{errors[-5_000:]}")
    return Watched(time.monotonic() - begun, output, tuple(moments))


def growth(values: Sequence[float]) -> float:
    """Return how many times the last tenth of a series is its second tenth, by medians; the first is warming up.

    >>> growth([10.0] * 10 + [20.0] * 80 + [22.0] * 10)
    1.1
    """
    tenth = max(1, len(values) // 10)
    early, late = values[tenth : 2 * tenth] or values[:1], values[-tenth:]
    return statistics.median(late) / statistics.median(early)


def _watch(process: subprocess.Popen[str], begun: float, moments: list[Moment]) -> None:
    while process.poll() is None:
        children = [_resident_mib(pid) for pid in _children(process.pid)]
        moments.append(Moment(time.monotonic() - begun, _resident_mib(process.pid), max(children, default=0.0)))
        time.sleep(_EVERY_S)


def _children(parent: int) -> list[int]:
    """Return the processes that a process has started and that have not ended."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            _state, ppid, *_ = path.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if int(ppid) == parent:
            found.append(int(path.parent.name))
    return found


def _resident_mib(pid: int) -> float:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:  # it has ended
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / _KIB / _KIB

"""Watch a command from outside: how much memory its processes have, second by second."""

from __future__ import annotations

import os
import statistics
import subprocess
import tempfile
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


class Said(NamedTuple):
    """A line that a command wrote for people."""

    at_s: float
    line: str


class Watched(NamedTuple):
    """How a command went."""

    wall_s: float
    output: str
    said: tuple[Said, ...]
    moments: tuple[Moment, ...]

    def said_s(self, words: str) -> float:
        """Return when the first line that has these words was said, in seconds since the command was started."""
        return next(one.at_s for one in self.said if words in one.line)

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
    moments: list[Moment] = []
    said: list[Said] = []
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.PIPE, text=True)
        threads = [
            threading.Thread(target=call, args=(process, begun, found))
            for call, found in ((_watch, moments), (_listen, said))
        ]
        for thread in threads:
            thread.start()
        try:
            process.wait(limit_s)
        except subprocess.TimeoutExpired as late:
            process.kill()
            raise SystemExit(f"{command} took more than {limit_s:.0f} s") from late
        finally:
            wall_s = time.monotonic() - begun
            for thread in threads:
                thread.join()
        if process.returncode not in allowed:
            raise SystemExit(f"{command} ended with {process.returncode}\n{''.join(one.line for one in said[-50:])}")
        output.seek(0)
        return Watched(wall_s, output.read(), tuple(said), tuple(moments))


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


def _listen(process: subprocess.Popen[str], begun: float, said: list[Said]) -> None:
    assert process.stderr is not None
    with process.stderr:
        said += (Said(time.monotonic() - begun, line) for line in process.stderr)


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

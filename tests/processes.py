"""Which processes run, for tests of what is left when some of them are killed."""

import contextlib
import os
import signal
import time
from pathlib import Path

import pytest

_PATIENCE_S = 20
needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")


def is_running(pid):
    """Return whether a process is there and no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rsplit(")", 1)[1].split()[0] != "Z"


def marked_with(variable, value):
    """Return the IDs of running processes that were started with a variable of that value, or by one that was."""
    entry = f"{variable}={value}".encode()
    return sorted(int(folder.name) for folder in Path("/proc").glob("[0-9]*") if _has(folder, entry))


def family(pid):
    """Return a process and all that come from it, the oldest first."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                found += map(int, task.read_text().split())
    return found


def kill_family(pid):
    """Kill a process and all that come from it, at once and without a word."""
    for one in family(pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(one, signal.SIGKILL)


def wait_until(is_so, what, patience_s=500):
    """Wait for something that other processes do."""
    deadline = time.monotonic() + patience_s
    while not is_so():
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.2)


def wait_until_gone(*pids):
    """Wait until none of the processes runs."""
    for _ in range(_PATIENCE_S * 20):
        if not any(map(is_running, pids)):
            return
        time.sleep(0.05)
    pytest.fail(f"still running: {[pid for pid in pids if is_running(pid)]}")


def _has(folder, entry):
    try:
        return entry in (folder / "environ").read_bytes().split(b"\0") and is_running(folder.name)
    except (FileNotFoundError, PermissionError, ProcessLookupError):
        return False

"""Start whole runs for measuring: in this process, as a command, and beside a Prefect server of their own."""

from __future__ import annotations

import os
import resource
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from tasks.planning.spec import RunSpec
from tasks.threads import limit_threads

ONE_THREAD: dict[str, str] = dict(os.environ)
limit_threads(1, ONE_THREAD)
_PATIENCE_S = 600


class Spent(NamedTuple):
    """What a call or a command took."""

    wall_s: float
    cpu_s: float


def timed(call: Callable[[], object]) -> Spent:
    """Call and return the wall time and the processor time of this process."""
    wall, cpu = time.perf_counter(), time.process_time()
    call()
    return Spent(time.perf_counter() - wall, time.process_time() - cpu)


def timed_command(
    command: Sequence[str], environment: Mapping[str, str] | None = None, allowed: Container[int] = (0,)
) -> Spent:
    """Run a command and return its wall time and the processor time of its whole family.

    Raises:
        SystemExit: its exit status is none of those allowed.
    """
    wall, cpu = time.perf_counter(), children_cpu_s()
    done = subprocess.run(command, env=environment or ONE_THREAD, capture_output=True, text=True, check=False)
    if done.returncode not in allowed:
        raise SystemExit(f"{command} ended with {done.returncode}\n{done.stderr}")
    return Spent(time.perf_counter() - wall, children_cpu_s() - cpu)


def children_cpu_s() -> float:
    """Return the processor time of all processes that this one started and that have ended."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def peak_mib() -> float:
    """Return the most memory that this process has had resident since it was started.

    The kernel's figure of a program is asked for where there is one: that of ``getrusage`` begins with what the
    process that started it had.
    """
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def voxlake(*arguments: str | Path) -> list[str]:
    """Return the command line of `voxlake` with this interpreter."""
    return [sys.executable, "-c", "from flows.cli import main; main()", *map(str, arguments)]


def make_spec(archive: Path, lake: Path, profile: str, **settings: object) -> RunSpec:
    """Return a new run; settings as in ``docs/settings.md``."""
    from flows.settings import build_spec, load_settings

    return build_spec(load_settings(None, profile=profile, **settings), str(archive), str(lake))


@contextmanager
def prefect_server(home: Path, database_url: str | None = None) -> Iterator[str]:
    """Start a Prefect server that keeps everything in a folder, or in another database; yield its API's address."""
    port = free_port()
    url, server = f"http://127.0.0.1:{port}/api", start_prefect_server(home, port, database_url)
    try:
        wait_for_server(url, server)
        yield url
    finally:
        server.terminate()
        server.wait(_PATIENCE_S)


def free_port() -> int:
    """Return a port that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def start_prefect_server(home: Path, port: int, database_url: str | None = None) -> subprocess.Popen[bytes]:
    """Start a Prefect server, which takes a while until it answers; with SQLite where no database is given."""
    environment = {**ONE_THREAD, "PREFECT_HOME": str(home), "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
    if database_url:
        environment["PREFECT_SERVER_DATABASE_CONNECTION_URL"] = database_url
    start = ["server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    command = [sys.executable, "-m", "prefect", *start]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def wait_for_server(url: str, server: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers under its API's address.

    Raises:
        SystemExit: it ended, or took too long.
    """
    deadline = time.monotonic() + _PATIENCE_S
    while time.monotonic() < deadline and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.25)
    raise SystemExit("the Prefect server did not start")

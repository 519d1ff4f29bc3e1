"""A real Prefect server, and on it work pools with our deployments and workers, as a person makes them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from tests.processes import kill_family

ROOT = Path(__file__).parents[1]
_START_S = 240
_QUICKER = {
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_SERVER_MEMOIZE_BLOCK_AUTO_REGISTRATION": "false",
}


@contextmanager
def prefect_server(home: Path, *, ui: bool = False) -> Iterator[str]:
    """Run a server on a port of its own until the block ends; yields its API's address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    settings = {"PREFECT_HOME": str(home), "PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_UI_API_URL": url, **_QUICKER}
    arguments = ["server", "start", "--host", "127.0.0.1", "--port", str(port), "--ui" if ui else "--no-ui"]
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", *arguments],
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_until_healthy(process, f"{url}/health")
        yield url
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    for _ in range(_START_S * 4):
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.25)
    message = "the server did not start"
    raise TimeoutError(message)


class Site:
    """A pool of each kind on a server, what is deployed to them, and their workers, which end with the block."""

    def __init__(self, server: str, home: Path, *, suffix: str = "", **variables: str) -> None:
        """Make nothing yet.

        Args:
            server: Its API's address.
            home: Where runs start, and workers leave their logs.
            suffix: Makes the names of the pools differ from those of other sites on the server.
            variables: What the workers have in their environment, besides.
        """
        self.server, self.home = server, home
        self.pools = {kind: f"{kind}{suffix}" for kind in ("voxlake", "cpu", "gpu")}
        self.environment = os.environ | {
            "PREFECT_API_URL": server,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "PYTHONPATH": os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH")))),
            "VOXLAKE_HOME": str(home),
            "VOXLAKE_WORK_POOL": self.pools["voxlake"],
            **variables,
        }
        self._workers: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """End the workers and their runs."""
        for worker in self._workers:
            kill_family(worker.pid)
            worker.wait()

    def deploy(self, *names: str) -> None:
        """Make the pools, and the deployments of prefect.yaml in them: all, or those named."""
        self._make_pools()
        text = (ROOT / "prefect.yaml").read_text()
        for kind in ("cpu", "gpu"):
            text = text.replace(f"\n      name: {kind}\n", f"\n      name: {self.pools[kind]}\n")
        file = self.home / "prefect.yaml"
        file.write_text(text)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--prefect-file", str(file)),
                *([f"--name={name}" for name in names] or ["--all"]),
            ],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    def _make_pools(self) -> None:
        """Do what ``prefect work-pool create --type process`` does, without starting Prefect for each."""
        from prefect.client.orchestration import SyncPrefectClient
        from prefect.client.schemas.actions import WorkPoolCreate
        from prefect.workers.process import ProcessWorker

        template = ProcessWorker.get_default_base_job_template()
        with SyncPrefectClient(self.server) as client:
            for name in self.pools.values():
                client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))

    def start_worker(self, kind: str, **variables: str) -> subprocess.Popen[bytes]:
        """Start a worker that asks a pool for work every second, in a process group that its flow runs belong to."""
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", self.pools[kind], "--limit", "1"]
        with (self.home / f"worker {len(self._workers)}.log").open("w") as log:
            worker = subprocess.Popen(
                command,
                env=self.environment | variables,
                cwd=ROOT,
                start_new_session=True,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._workers.append(worker)
        return worker

    def logs(self) -> list[Path]:
        """Return the files into which the workers and their flow runs write."""
        return sorted(self.home.glob("worker *.log"))

    def start_run(self, deployment: str, parameters: Mapping[str, object]) -> Any:
        """Have a deployment run by its pool; return the flow run, which may not have begun."""
        from prefect.client.orchestration import SyncPrefectClient

        with SyncPrefectClient(self.server) as client:
            found = client.read_deployment_by_name(deployment)
            return client.create_flow_run_from_deployment(found.id, parameters=dict(parameters))

    def wait_for_run(self, flow_run_id: Any, *, timeout_s: float = 240) -> Any:
        """Return the flow run when it has ended."""
        from prefect.client.orchestration import SyncPrefectClient

        give_up = time.monotonic() + timeout_s
        with SyncPrefectClient(self.server) as client:
            while time.monotonic() < give_up:
                run = client.read_flow_run(flow_run_id)
                if run.state is not None and run.state.is_final():
                    return run
                time.sleep(0.3)
        message = f"{run.name} is still {run.state and run.state.name}"
        raise TimeoutError(message)

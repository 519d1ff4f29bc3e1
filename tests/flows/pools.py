"""Work pools, workers and deployments of a server, as a person makes them on the command line."""

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Site:
    """A server's address, and a pool of each kind that no other test uses."""

    def __init__(self, server, folder, name):
        self.server, self.folder = server, folder
        self.pools = {kind: f"{kind}-{name}-{uuid.uuid4().hex[:6]}" for kind in ("voxlake", "cpu", "gpu")}
        self.environment = os.environ | {
            "PREFECT_API_URL": server,
            "PREFECT_WORKER_QUERY_SECONDS": "1",
            "PREFECT_RUNNER_POLL_FREQUENCY": "1",
            "VOXLAKE_HOME": str(ROOT),
            "VOXLAKE_WORK_POOL": self.pools["voxlake"],
            "VOXLAKE_PROFILE": "fake",
            "VOXLAKE_SHARD_MINUTES": "0.2",
        }
        self._started = []

    def deploy(self, *names):
        """Make the pools, and the deployments of prefect.yaml in them: all, or those named."""
        self._make_pools()
        text = (ROOT / "prefect.yaml").read_text()
        for kind in ("cpu", "gpu"):
            text = text.replace(f"\n      name: {kind}\n", f"\n      name: {self.pools[kind]}\n")
        file = self.folder / "prefect.yaml"
        file.write_text(text)
        chosen = [f"--name={name}" for name in names] or ["--all"]
        return self.prefect("deploy", "--prefect-file", str(file), *chosen)

    def _make_pools(self):
        """Do what ``prefect work-pool create --type process`` does, without starting Prefect for each."""
        from prefect.client.orchestration import PrefectClient
        from prefect.client.schemas.actions import WorkPoolCreate
        from prefect.workers.process import ProcessWorker

        template = ProcessWorker.get_default_base_job_template()

        async def make():
            async with PrefectClient(self.server) as client:
                for name in self.pools.values():
                    await client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))

        asyncio.run(make())

    def prefect(self, *arguments):
        done = subprocess.run(
            [sys.executable, "-m", "prefect", "--no-prompt", *arguments],
            env=self.environment,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def start_worker(self, kind, **variables):
        """Start a worker of a pool, in a process group that its flow runs belong to as well."""
        command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", self.pools[kind], "--limit", "1"]
        log = self.folder / f"worker {len(self._started)}.log"
        with log.open("w") as file:
            worker = subprocess.Popen(
                command,
                env=self.environment | variables,
                cwd=ROOT,
                start_new_session=True,
                stdout=file,
                stderr=subprocess.STDOUT,
            )
        self._started.append(worker)
        return worker

    def logs(self):
        """Return the files into which the workers and their flow runs write."""
        return sorted(self.folder.glob("worker *.log"))

    def close(self):
        for worker in self._started:
            kill_family(worker.pid)
            worker.wait()


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

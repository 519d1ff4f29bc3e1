"""A real Prefect server, a work pool with our deployments, a worker, and a browser to look at it all."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
POOL = "voxlake"
_START_S = 240
_BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


@contextmanager
def prefect_server(home: Path, *, ui: bool = False) -> Iterator[str]:
    """Run a server on a port of its own until the block ends; yields its API's address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    settings = {"PREFECT_HOME": str(home), "PREFECT_LOGGING_LEVEL": "ERROR", "PREFECT_UI_API_URL": url}
    arguments = ["server", "start", "--host", "127.0.0.1", "--port", str(port), "--ui" if ui else "--no-ui"]
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", *arguments],
        env={**os.environ, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_healthy(process, f"{url}/health")
        yield url
    finally:
        _end(process)


def deploy_all(url: str, home: Path) -> None:
    """Make the work pools and all deployments of prefect.yaml; ``home`` is where their runs start."""
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.workers.process import ProcessWorker

    template = ProcessWorker.get_default_base_job_template()
    with SyncPrefectClient(url) as client:
        for name in (POOL, "cpu", "gpu"):
            client.create_work_pool(WorkPoolCreate(name=name, type="process", base_job_template=template))
    done = subprocess.run(
        [sys.executable, "-m", "prefect", "--no-prompt", "deploy", "--all"],
        env=_environment(url, home),
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@contextmanager
def process_worker(url: str, home: Path, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """Take runs of the pool with a worker process until the block ends; it asks for work every second."""
    process = subprocess.Popen(
        [sys.executable, "-m", "prefect", "worker", "start", "--pool", POOL],
        env=_environment(url, home) | {"PREFECT_WORKER_QUERY_SECONDS": "1"} | variables,
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        _end(process)


def start_run(url: str, deployment: str, parameters: Mapping[str, object]) -> Any:
    """Have a deployment run by the pool; return the flow run, which may not have begun."""
    from prefect.client.orchestration import SyncPrefectClient

    with SyncPrefectClient(url) as client:
        found = client.read_deployment_by_name(deployment)
        return client.create_flow_run_from_deployment(found.id, parameters=dict(parameters))


def wait_for_run(url: str, flow_run_id: Any, *, timeout_s: float = 240) -> Any:
    """Return the flow run when it has ended."""
    from prefect.client.orchestration import SyncPrefectClient

    give_up = time.monotonic() + timeout_s
    with SyncPrefectClient(url) as client:
        while time.monotonic() < give_up:
            run = client.read_flow_run(flow_run_id)
            if run.state is not None and run.state.is_final():
                return run
            time.sleep(0.3)
    message = f"{run.name} is still {run.state and run.state.name}"
    raise TimeoutError(message)


def artifact_path(url: str, key: str) -> str:
    """Return where the UI shows the latest artifact of that key."""
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterKey
    from prefect.client.schemas.sorting import ArtifactSort

    wanted = ArtifactFilter(key=ArtifactFilterKey(any_=[key]))
    with SyncPrefectClient(url) as client:
        latest, *_ = client.read_artifacts(artifact_filter=wanted, sort=ArtifactSort.CREATED_DESC)
    return f"/artifacts/artifact/{latest.id}"


def find_browser() -> str | None:
    """Return the program of a Chromium that is installed here."""
    return next(filter(None, map(shutil.which, _BROWSERS)), None)


@contextmanager
def open_browser(program: str, url: str, *, width: int = 1280, height: int = 800) -> Iterator[Any]:
    """Open a page of a headless Chromium that reaches the server of that API and no other host."""
    from playwright.sync_api import Route, sync_playwright

    origin = url.removesuffix("/api")

    def stay_here(route: Route) -> None:
        if route.request.url.startswith((origin, "data:", "blob:")):
            route.continue_()
        else:
            route.abort()

    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": height})
        page.route("**/*", stay_here)
        page.set_default_timeout(60_000)
        try:
            yield page
        finally:
            browser.close()


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until_healthy(process: subprocess.Popen[bytes], url: str) -> None:
    """Return when the server answers."""
    for _ in range(_START_S * 4):
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.25)
    message = "the server did not start"
    raise TimeoutError(message)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:  # a worker first waits for whatever it is asking
        process.kill()
        process.wait()


def _environment(url: str, home: Path) -> dict[str, str]:
    paths = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    ours = {"PREFECT_API_URL": url, "VOXLAKE_HOME": str(home), "VOXLAKE_WORK_POOL": POOL, "PYTHONPATH": paths}
    return {**os.environ, **ours}

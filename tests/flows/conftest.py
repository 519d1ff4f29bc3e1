"""One Prefect server for all flow tests: starting one takes longer than the tests."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest

_START_S = 240


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Start a real server and return its API's address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    home = str(tmp_path_factory.mktemp("server"))
    environment = {**os.environ, "PREFECT_HOME": home, "PREFECT_LOGGING_LEVEL": "ERROR"}
    arguments = ["server", "start", "--host", "127.0.0.1", "--port", str(port), "--no-ui"]
    command = [sys.executable, "-m", "prefect", *arguments]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_healthy(process, f"{url}/health")
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.fixture
def with_server(server, monkeypatch):
    """Have flows of this process report to the server."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    import flows  # noqa: F401 - before Prefect, which reads its variables when it is imported

    monkeypatch.setenv("PREFECT_API_URL", server)
    with temporary_settings({PREFECT_API_URL: server}):
        yield server


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until_healthy(process, url):
    for _ in range(_START_S * 4):
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.25)
    pytest.fail("the server did not start")

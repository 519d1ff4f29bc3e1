"""The temporary server ends with the process that started it; `tests/resume` has whole runs on it."""

import subprocess
import sys

import pytest

from flows import slots
from flows.temporary_server import TemporaryServer, is_temporary, some_server
from storage.errors import ConfigError
from tests.processes import is_running, needs_proc, wait_until_gone

_START = """
from flows import slots
from flows.temporary_server import TemporaryServer
server = TemporaryServer()
print(server.process.pid, flush=True)
server.process.wait()
"""


@needs_proc
def test_killed_while_the_server_starts_nothing_is_left():
    with subprocess.Popen([sys.executable, "-c", _START], stdout=subprocess.PIPE, text=True) as process:
        server = int(process.stdout.readline())
        assert is_running(server)
        process.kill()
    wait_until_gone(server)


def test_a_server_that_does_not_start_is_an_error_that_says_so(monkeypatch):
    monkeypatch.setattr("flows.temporary_server._COMMAND", "import sys; sys.exit(3)  # {} {}")
    server = TemporaryServer()
    with pytest.raises(ConfigError, match="ended with exit status 3; set PREFECT_API_URL"):
        server.wait(60)


def test_a_server_that_is_too_slow_is_stopped(monkeypatch):
    monkeypatch.setattr("flows.temporary_server._COMMAND", "import os; os.read({1}, 1)  # {0}")
    monkeypatch.setattr("flows.temporary_server._GRACE_S", 0.2)
    server = TemporaryServer()
    with pytest.raises(ConfigError, match=r"did not answer in 0\.5 s"):
        server.wait(0.5)
    assert server.process.poll() is not None


class _NoServer:
    api_url = "http://127.0.0.1:1/api"

    def wait(self, patience_s):
        pass

    def stop(self):
        pass


@pytest.fixture
def no_server(monkeypatch):
    """Have none started."""
    monkeypatch.setattr("flows.temporary_server._started", _NoServer)


def test_no_link_is_told_to_pages_that_it_does_not_have(no_server):
    from prefect.settings import get_current_settings

    with some_server():
        assert is_temporary()
        assert get_current_settings().api.url == _NoServer.api_url
        assert not get_current_settings().ui_url
    assert not is_temporary()


def test_nobody_is_waited_for_on_a_server_that_ends_with_the_run(no_server):
    """Its database keeps slots that a killed run has taken, and no service of a temporary server gives them back."""
    with some_server():
        assert not slots.has_server()
        with slots.lake_slot("lake") as has_waited:
            assert not has_waited


def test_nor_on_the_one_that_prefect_starts_beside_a_flow_that_is_called_without():
    from prefect.client.base import ServerType, determine_server_type
    from prefect.settings import PREFECT_API_URL, temporary_settings

    with temporary_settings(restore_defaults={PREFECT_API_URL}):
        assert determine_server_type() is ServerType.EPHEMERAL
        assert not slots.has_server()

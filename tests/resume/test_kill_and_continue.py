"""Killed at any moment, with or without Prefect, the next run ends in the rows of a run that nobody disturbed."""

import os
import signal
import subprocess
import sys
import time
import uuid
from contextlib import suppress

import pytest

from flows.local import run_local
from flows.temporary_server import TemporaryServer
from storage.lake import Lake
from tests.archives import committed_facts, fake_spec, published_rows, write_archive
from tests.processes import marked_with, wait_until_gone

_LOCAL = (  # what a shell starts in the background ignores interrupts, and so would what the tests start from there
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from flows.cli import main; main()"
)
_PATIENCE_S = 240
_MARK = "VOXLAKE_TEST_RUN"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("resume") / "archive", n_recordings=8)


@pytest.fixture(scope="module")
def undisturbed(archive, tmp_path_factory):
    lake = tmp_path_factory.mktemp("undisturbed") / "lake"
    run_local(fake_spec(archive, lake))
    return published_rows(lake), committed_facts(lake)


@pytest.fixture
def start(archive, tmp_path):
    """Start runs in process groups of their own; kill what is left of them at the end."""
    started = []

    def run(lake, *flags, **variables):
        environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
        environment |= {
            "VOXLAKE_PROFILE": "fake",
            "VOXLAKE_WORKERS": "2",
            "VOXLAKE_SHARD_MINUTES": "0.2",
            "VOXLAKE_TRANSCRIBER__OPTIONS": '{"delay_ms": 300}',
            "PREFECT_HOME": str(tmp_path / "home"),
            _MARK: uuid.uuid4().hex,
            **variables,
        }
        command = [sys.executable, "-c", _LOCAL, "run", str(archive), str(lake), *flags]
        with errors_of(lake).open("w") as errors:
            process = subprocess.Popen(
                command, env=environment, start_new_session=True, stdout=subprocess.DEVNULL, stderr=errors
            )
        process.mark = environment[_MARK]
        started.append(process)
        return process

    yield run
    for process in started:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


@pytest.fixture
def other_server(tmp_path, monkeypatch):
    """A server with a database of its own, which starts while something else happens."""
    with monkeypatch.context() as patch:
        patch.setenv("PREFECT_HOME", str(tmp_path / "other home"))
        server = TemporaryServer()
    yield server
    server.stop()


def errors_of(lake):
    return lake.with_name("errors.txt")


def kill(process):
    """Kill the run alone; its workers, and its server, have to notice."""
    process.kill()
    process.wait()
    wait_until_gone(*marked_with(_MARK, process.mark))


def wait_for(process, is_there, what):
    """Wait for something that the run does on its way."""
    for _ in range(_PATIENCE_S * 20):
        if is_there():
            return
        assert process.poll() is None, f"ended before {what}"
        time.sleep(0.05)
    pytest.fail(f"no {what}")


def commits(lake):
    return [name for name in Lake(str(lake)).store.list("commits") if name.endswith(".json")]


def assert_like(lake, undisturbed):
    assert published_rows(lake) == undisturbed[0]
    assert committed_facts(lake) == undisturbed[1]


@pytest.mark.parametrize("n_commits", [0, 1, 3, 8])
def test_killed_after_so_many_commits(archive, undisturbed, start, tmp_path, n_commits):
    lake = tmp_path / "lake"
    process = start(lake, "--local")
    wait_for(process, lambda: Lake(str(lake)).store.list("plans") and len(commits(lake)) >= n_commits, "commits")
    kill(process)
    run_local(fake_spec(archive, lake))
    assert_like(lake, undisturbed)


def test_killed_between_publication_and_the_end(archive, undisturbed, start, tmp_path):
    lake = tmp_path / "lake"
    process = start(lake, "--local")
    wait_for(process, (lake / "publications").exists, "publication")
    kill(process)
    run_local(fake_spec(archive, lake))
    assert_like(lake, undisturbed)


@pytest.mark.slow
def test_killed_through_prefect_and_continued_without_its_database(undisturbed, start, tmp_path, other_server):
    lake = tmp_path / "lake"
    process = start(lake)
    wait_for(process, lambda: commits(lake), "commits")
    kill(process)
    other_server.wait(_PATIENCE_S)
    process = start(lake, PREFECT_API_URL=other_server.api_url)
    assert process.wait(_PATIENCE_S) == 1, errors_of(lake).read_text()  # the file that is no audio
    assert_like(lake, undisturbed)


def test_killed_again_and_again(archive, undisturbed, start, tmp_path):
    lake = tmp_path / "lake"
    for n_commits in range(1, 4):
        process = start(lake, "--local")
        wait_for(process, lambda n=n_commits: len(commits(lake)) >= n, "commits")
        kill(process)
    run_local(fake_spec(archive, lake))
    assert_like(lake, undisturbed)


def test_two_runs_at_once_end_as_one(archive, undisturbed, start, tmp_path):
    lake = tmp_path / "lake"
    runs = [start(lake, "--local"), start(lake, "--local")]
    for process in runs:
        assert process.wait(_PATIENCE_S) == 1, errors_of(lake).read_text()
    run_local(fake_spec(archive, lake))
    assert_like(lake, undisturbed)


def test_interrupted_it_says_how_to_continue(start, tmp_path):
    lake = tmp_path / "lake"
    process = start(lake, "--local", VOXLAKE_TRANSCRIBER__OPTIONS='{"delay_ms": 6000}')
    wait_for(process, lambda: commits(lake), "commits")
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 130
    errors = errors_of(lake).read_text()
    assert errors.rstrip().endswith("it continues where this one was")
    assert "Traceback" not in errors

"""Shards taken by a Dask cluster, of this machine or one that is there already: the same rows."""

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from flows.local import run_local
from tests.archives import committed_facts, fake_spec, published_rows, write_archive
from tests.flow_runs import logs
from tests.processes import wait_until

pytest.importorskip("prefect_dask")
ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_the_same_rows_on_a_cluster_of_two(with_server, tmp_path, monkeypatch):
    from flows.archive import transcribe_archive

    monkeypatch.setenv("VOXLAKE_SHARD_MINUTES", "0.2")
    archive, lake, alone = write_archive(tmp_path / "archive"), tmp_path / "lake", tmp_path / "alone"
    state = transcribe_archive(str(archive), str(lake), profile="fake", workers=2, runner="dask", return_state=True)
    assert state.is_completed(), state.message
    run_local(fake_spec(archive, alone))
    assert published_rows(lake) == published_rows(alone)
    assert committed_facts(lake) == committed_facts(alone)
    done = [line for line in logs(state.state_details.flow_run_id) if re.search(r"^shard \d+: .* done in ", line)]
    assert len(done) >= 3  # what workers of workers log arrives


@contextlib.contextmanager
def running_cluster(folder):
    """Start a scheduler and a worker with two threads, as on other machines; yield the scheduler's address."""
    told = folder / "scheduler.json"
    scheduler = ["scheduler", "--port", "0", "--no-dashboard", "--host", "127.0.0.1", "--scheduler-file", str(told)]
    worker = ["worker", "--scheduler-file", str(told), "--nworkers", "1", "--nthreads", "2", "--no-dashboard"]
    started = []
    try:
        for arguments in (scheduler, [*worker, "--local-directory", str(folder)]):
            command = [sys.executable, "-m", "dask", *arguments]
            started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL))
            wait_until(told.exists, "address of a scheduler")
        yield json.loads(told.read_text())["address"]
    finally:
        for process in reversed(started):
            process.terminate()
            process.wait()


@pytest.mark.slow
def test_the_same_rows_on_a_cluster_that_is_there_already(with_server, tmp_path, monkeypatch):
    from flows.archive import transcribe_archive

    monkeypatch.setenv("VOXLAKE_SHARD_MINUTES", "0.2")
    archive, lake, alone = write_archive(tmp_path / "archive"), tmp_path / "lake", tmp_path / "alone"
    with running_cluster(tmp_path) as address:
        monkeypatch.setenv("VOXLAKE_DASK_ADDRESS", address)
        state = transcribe_archive(str(archive), str(lake), profile="fake", runner="dask", return_state=True)
    assert state.is_completed(), state.message
    run_local(fake_spec(archive, alone))
    assert published_rows(lake) == published_rows(alone)

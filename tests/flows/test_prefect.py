"""The flows on Prefect: the same rows with and without it, few task runs, names and artifacts that people can read."""

import os
import re
import subprocess
import sys

import pytest

from flows.local import run_local
from storage.errors import ShardsLost, StorageError
from storage.lake import Lake
from tests.archives import committed_facts, fake_spec, n_commits, published_rows, write_archive
from tests.flow_runs import artifacts, task_runs
from tests.processes import marked_with, needs_proc, wait_until_gone


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    return write_archive(tmp_path_factory.mktemp("prefect") / "archive")


@pytest.fixture(scope="module")
def local_lake(archive, tmp_path_factory):
    lake = tmp_path_factory.mktemp("local") / "lake"
    run_local(fake_spec(archive, lake))
    return lake


@pytest.fixture(autouse=True)
def fake_settings(monkeypatch):
    for name, value in {"PROFILE": "fake", "WORKERS": "2", "SHARD_MINUTES": "0.2"}.items():
        monkeypatch.setenv(f"VOXLAKE_{name}", value)


@pytest.fixture
def transcribe(with_server):
    """The flow, and what Prefect knows of each of its runs."""
    from flows.archive import transcribe_archive

    def run(*arguments, **named):
        state = transcribe_archive(*map(str, arguments), return_state=True, **named)
        return state, task_runs(state.state_details.flow_run_id), artifacts(state.state_details.flow_run_id)

    return run


def test_same_rows_as_without_prefect(archive, local_lake, tmp_path, transcribe):
    state, names, shown = transcribe(archive, tmp_path / "lake")
    assert state.is_completed()
    assert published_rows(tmp_path / "lake") == published_rows(local_lake)
    assert committed_facts(tmp_path / "lake") == committed_facts(local_lake)
    shards = [name for name in names if re.fullmatch(r"archive · shard \d+ of \d+ · \d+ recordings? · \d+ min", name)]
    assert len(shards) >= 3
    assert sorted({*names} - {*shards}) == ["link speakers", "publish lake"]
    kinds = {f"archive-{kind}" for kind in ("summary", "recordings", "failures", "progress", "run")}
    assert set(shown) == {*kinds, "lake-speakers"}
    assert "7 recordings" in shown["archive-summary"].description
    assert "broken.mp3" in str(shown["archive-failures"].data)
    assert float(shown["archive-progress"].data) == 100.0


def test_nothing_to_do_is_no_task_run(archive, local_lake, transcribe):
    before = n_commits(local_lake)
    state, names, shown = transcribe(archive, local_lake)
    assert state.is_completed()
    assert names == []
    assert "nothing to do" in shown["archive-summary"].description
    assert n_commits(local_lake) == before


_TWICE = """
import sys
from flows.archive import transcribe_archive
from flows.temporary_server import some_server
for _ in range(2):
    with some_server():
        print(transcribe_archive(*sys.argv[1:]).is_current)
"""


@needs_proc
def test_called_from_python_twice_with_a_temporary_server(archive, local_lake, tmp_path):
    lake, home = tmp_path / "lake", tmp_path / "home"
    environment = {name: value for name, value in os.environ.items() if name != "PREFECT_API_URL"}
    process = subprocess.Popen(
        [sys.executable, "-c", _TWICE, str(archive), str(lake)],
        env={**environment, "PREFECT_HOME": str(home), "VOXLAKE_TEST_RUN": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    told, errors = process.communicate(timeout=300)
    assert told.split() == ["False", "True"], errors
    assert "runs/flow-run" not in errors  # no link to pages that are not there
    assert published_rows(lake) == published_rows(local_lake)
    wait_until_gone(*marked_with("VOXLAKE_TEST_RUN", str(home)))


def test_a_lost_shard_fails_the_run_and_no_other_shard(archive, local_lake, tmp_path, transcribe, monkeypatch):
    monkeypatch.setattr("tasks.stages.take_shard.run_shard", lose_the_first_shard)
    lake = tmp_path / "lake"
    state, names, _ = transcribe(archive, lake)
    assert state.is_failed()
    error = state.result(raise_on_failure=False)
    assert isinstance(error, ShardsLost)
    assert "is gone" in str(error)
    assert "link speakers" in names
    assert 0 < len(published_rows(lake)["recordings"]) < 7
    monkeypatch.undo()
    run_local(fake_spec(archive, lake))
    assert published_rows(lake) == published_rows(local_lake)


def lose_the_first_shard(lake, run_id, shard_index):
    """Stand in for run_shard, in the worker."""
    from tasks.stages.run_shard import run_shard

    if shard_index == 0:
        raise StorageError("lake", "is gone", "bring it back")
    return run_shard(lake, run_id, shard_index)


def test_link_and_publish_on_their_own_change_nothing(archive, tmp_path, with_server):
    from flows.lake import publish_lake
    from flows.speakers import link_speakers

    lake = tmp_path / "lake"
    run_local(fake_spec(archive, lake))
    before, number = published_rows(lake), Lake(str(lake)).latest_publication().number
    state = link_speakers(str(lake), return_state=True)
    assert state.result().n_speakers > 0
    page = artifacts(state.state_details.flow_run_id)["lake-speakers"].data
    assert all(word in page for word in ("| new |", "| grown |", "| merged |", "| split |", "| unlinked |"))
    assert re.search(r"decision ┼─+\n", page)
    assert Lake(str(lake)).latest_publication().number == number
    assert publish_lake(str(lake)).number == number + 1
    assert publish_lake(str(lake)).number == number + 2
    assert published_rows(lake) == before

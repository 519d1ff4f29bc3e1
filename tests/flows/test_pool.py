"""Shards of one run are taken by workers of a work pool; one that is killed costs nothing but time."""

import json
import subprocess
import sys
import threading

import pytest

from flows.local import run_local
from tests.archives import committed_facts, fake_spec, published_rows, write_archive
from tests.flow_runs import task_runs
from tests.prefect_servers import Site
from tests.processes import family, kill_family, wait_until

FAKE = {"VOXLAKE_PROFILE": "fake", "VOXLAKE_SHARD_MINUTES": "0.2"}
_RUN = "from flows.cli import main; main()"
_SLOW = {"VOXLAKE_TRANSCRIBER__OPTIONS": '{"delay_ms": 2500}', "VOXLAKE_CLAIM_SECONDS": "4"}


@pytest.fixture
def site(server, tmp_path):
    with Site(server, tmp_path, suffix="-spread", **FAKE) as opened:
        yield opened


def held(lake):
    """Return the claims that somebody holds just now."""
    found = []
    for file in lake.glob("claims/*/[0-9]*.json"):
        try:
            claim = json.loads(file.read_text())
        except FileNotFoundError:
            continue
        found += [claim] if claim["report"] is None else []
    return found


def paused_run(lake, run):
    """Have no worker of a run begin before all are there: where much else goes on, two would be done by then."""
    wait_until(lambda: list(lake.glob("plans/*.json")) or run.poll() is not None, "plan")
    (plan,) = lake.glob("plans/*.json")
    folder = lake / "claims" / plan.stem
    folder.mkdir(parents=True)
    hold = folder / "paused.json"
    hold.write_text("{}")
    return hold


def has_an_engine(worker):
    """Return whether a worker's flow run has started the process in which its engines are."""
    return len(family(worker.pid)) >= 3


@pytest.mark.slow
def test_three_workers_share_an_archive_and_one_is_killed(site, with_server, tmp_path):
    archive, lake, alone = write_archive(tmp_path / "archive", n_recordings=9), tmp_path / "lake", tmp_path / "alone"
    deploying = threading.Thread(target=site.deploy, args=("cpu",))
    deploying.start()
    run_local(fake_spec(archive, alone))
    deploying.join()
    workers = [site.start_worker("cpu") for _ in range(3)]
    command = [sys.executable, "-c", _RUN, "run", str(archive), str(lake), "--runner", "pool", "--workers", "3"]
    run = subprocess.Popen(
        [*command, "--pool", site.pools["cpu"]],
        env=site.environment | _SLOW,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    hold = paused_run(lake, run)
    wait_until(lambda: all("for flow 'take_shards'" in log.read_text() for log in site.logs()), "three workers ready")
    hold.unlink()
    wait_until(lambda: len(held(lake)) == 3 and any(map(has_an_engine, workers)), "three workers at work")
    victim = next(worker for worker in workers if has_an_engine(worker))
    kill_family(victim.pid)
    told, errors = run.communicate(timeout=200)
    assert run.returncode == 1, errors  # the file that is no audio
    assert json.loads(told)["lost"] == []
    assert published_rows(lake) == published_rows(alone)
    assert committed_facts(lake) == committed_facts(alone)
    logs = "".join(log.read_text() for log in site.logs())
    assert "nothing was heard of its worker" in logs
    assert [file.name for file in lake.glob("claims/*/*")] == ["ended.json"]


def test_a_pool_that_nothing_is_deployed_to_is_said_before_anything_starts(with_server, tmp_path):
    from flows.archive import transcribe_archive
    from storage.errors import ConfigError

    archive = write_archive(tmp_path / "archive", n_recordings=1)
    state = transcribe_archive(
        str(archive), str(tmp_path / "lake"), profile="fake", runner="pool", pool="nobody", return_state=True
    )
    with pytest.raises(ConfigError, match="work pool 'nobody'"):
        state.result()
    assert task_runs(state.state_details.flow_run_id) == []

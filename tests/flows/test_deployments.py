"""The deployments in prefect.yaml: accepted by a server, run by a process worker, paused and cancelled as in the UI."""

import subprocess
import sys
import time
from http import HTTPStatus

import httpx
import pytest
import yaml

from flows.local import run_local
from storage.lake import Lake
from tests.archives import committed_facts, fake_spec, published_rows, write_archive
from tests.flow_runs import state_names
from tests.prefect_servers import ROOT, Site
from tests.processes import family, wait_until

_FLOWS = {"transcribe_archive", "link_speakers", "publish_lake", "evaluate_lake", "maintain_lake", "take_shards"}
_SLOW = {"VOXLAKE_TRANSCRIBER__OPTIONS": '{"delay_ms": 2000}', "VOXLAKE_WORKERS": "1"}


@pytest.fixture(scope="module")
def site(server, tmp_path_factory):
    """Everything deployed, once."""
    fake = {"VOXLAKE_PROFILE": "fake", "VOXLAKE_SHARD_MINUTES": "0.2"}
    with Site(server, tmp_path_factory.mktemp("site"), suffix="-deployed", **fake) as opened:
        opened.deploy()
        yield opened


@pytest.fixture
def api(site):
    """Ask the server what the UI asks it."""
    with httpx.Client(base_url=f"{site.server}/", timeout=60) as client:
        yield client


def deployed(api, site):
    """Return the deployments in the pools of this test, by name."""
    found = api.post("deployments/filter", json={}).json()
    return {one["name"]: one for one in found if one["work_pool_name"] in site.pools.values()}


def test_every_entrypoint_is_a_flow():
    from prefect.flows import load_flow_from_entrypoint

    described = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    loaded = {load_flow_from_entrypoint(one["entrypoint"], use_placeholder_flow=False).name for one in described}
    assert loaded == _FLOWS
    for deployment in described:
        assert deployment["description"]
        assert all(schedule["active"] is False for schedule in deployment.get("schedules", []))


@pytest.mark.slow
def test_one_command_deploys_all_with_forms_that_refuse_what_cannot_be(site, api):
    found = deployed(api, site)
    assert {*found} == {"nightly", "link", "publish", "evaluate", "maintain", "cpu", "gpu"}
    assert {name: one["work_pool_name"] for name, one in found.items() if name in {"cpu", "gpu"}} == {
        kind: site.pools[kind] for kind in ("cpu", "gpu")
    }
    nightly = found["nightly"]
    assert nightly["concurrency_options"]["collision_strategy"] == "ENQUEUE"
    assert nightly["parameter_openapi_schema"]["properties"]["lake"]["title"] == "Lake"
    for wrong, said in (({"workers": 0}, "0"), ({"profile": "bigger"}, "bigger"), ({"archive": ""}, "archive")):
        asked = {"parameters": {"archive": "archive", "lake": "lake", **wrong}}
        refused = api.post(f"deployments/{nightly['id']}/create_flow_run", json=asked)
        assert refused.status_code in {409, 422}
        assert said in refused.text


class Run:
    """A flow run of the nightly deployment, as the UI sees and changes it."""

    def __init__(self, api, deployment, **parameters):
        self.api = api
        asked = {"parameters": {name: str(value) for name, value in parameters.items()}}
        self.id = api.post(f"deployments/{deployment['id']}/create_flow_run", json=asked).json()["id"]

    def set_state(self, **state):
        self._post("set_state", state=state)

    def state(self):
        return self.api.get(f"flow_runs/{self.id}").json()["state"]["name"]

    def resume(self):
        self._post("resume")

    def _post(self, what, **body):
        """Ask as Prefect's clients do, who ask again where the server's database is busy."""
        answers = []

        def is_answered():
            answers.append(self.api.post(f"flow_runs/{self.id}/{what}", json=body))
            return answers[-1].status_code != HTTPStatus.SERVICE_UNAVAILABLE

        wait_until(is_answered, f"answer to {what}")
        answers[-1].raise_for_status()


def rests(lake):
    """Return whether for some seconds no shard was finished."""
    before = n_commits(lake)
    time.sleep(3)
    return n_commits(lake) == before


def n_commits(lake):
    return len([name for name in Lake(str(lake)).store.list("commits") if name.endswith(".json")])


@pytest.mark.slow
def test_paused_and_suspended_it_stops_between_shards_resumed_it_goes_on_and_cancelled_it_leaves_nothing_behind(
    site, api, with_server, tmp_path
):
    archive, lake, alone = write_archive(tmp_path / "archive", n_recordings=10), tmp_path / "lake", tmp_path / "alone"
    worker = site.start_worker("voxlake", **_SLOW)
    run = Run(api, deployed(api, site)["nightly"], archive=archive, lake=lake)

    wait_until(lambda: n_commits(lake) >= 1, "commit")
    run.set_state(type="PAUSED", name="Paused")
    wait_until(lambda: any("paused: no more" in log.read_text() for log in site.logs()), "pause")
    wait_until(lambda: rests(lake), "rest")
    paused_at = n_commits(lake)
    assert run.state() == "Paused"
    assert len(family(worker.pid)) > 1  # the process waits

    run.resume()
    wait_until(lambda: n_commits(lake) > paused_at, "commit after the pause")
    run.set_state(type="PAUSED", name="Suspended", state_details={"pause_reschedule": True})
    wait_until(lambda: len(family(worker.pid)) == 1, "end of the process")
    suspended_at = n_commits(lake)
    assert run.state() == "Suspended"
    assert paused_at < suspended_at < 11

    run.resume()
    wait_until(lambda: n_commits(lake) > suspended_at, "commit after it was resumed")
    run.set_state(type="CANCELLING", name="Cancelling")
    wait_until(lambda: run.state() == "Cancelled", "cancelled run")
    assert len(family(worker.pid)) == 1
    assert state_names(run.id)[-2:] == ["Cancelling", "Cancelled"]

    finished = subprocess.run(
        [sys.executable, "-c", "from flows.cli import main; main()", "run", str(archive), str(lake), "--local"],
        env=site.environment,
        check=False,
        capture_output=True,
    )
    assert finished.returncode == 1, finished.stderr  # the file that is no audio
    run_local(fake_spec(archive, alone))
    assert published_rows(lake) == published_rows(alone)
    assert committed_facts(lake) == committed_facts(alone)

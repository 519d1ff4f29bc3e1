"""The deployments in prefect.yaml: accepted by a server, and one of them run by a process worker."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.archives import published_rows, write_archive

_ROOT = Path(__file__).parents[2]
_FLOWS = {"transcribe_archive", "link_speakers", "publish_lake", "evaluate_lake", "maintain_lake"}


def test_every_entrypoint_is_a_flow():
    from prefect.flows import load_flow_from_entrypoint

    described = yaml.safe_load((_ROOT / "prefect.yaml").read_text())
    loaded = {load_flow_from_entrypoint(one["entrypoint"], use_placeholder_flow=False).name: one
              for one in described["deployments"]}  # fmt: skip
    assert set(loaded) == _FLOWS
    for deployment in loaded.values():
        assert deployment["description"]
        assert all(schedule["active"] is False for schedule in deployment["schedules"])


@pytest.mark.slow
def test_deployed_and_run_by_a_process_worker(server, tmp_path):
    def prefect(*arguments):
        variables = {"PREFECT_API_URL": server, "VOXLAKE_HOME": str(_ROOT), "VOXLAKE_WORK_POOL": "voxlake"}
        command = [sys.executable, "-m", "prefect", "--no-prompt", *arguments]
        done = subprocess.run(
            command, env=os.environ | variables, cwd=_ROOT, capture_output=True, text=True, timeout=240, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    archive, lake = write_archive(tmp_path / "archive", n_recordings=2), tmp_path / "lake"
    prefect("work-pool", "create", "--type", "process", "voxlake")
    deployed = prefect("deploy", "--all")
    assert all(f"{flow}/" in deployed for flow in _FLOWS)
    parameters = [f"archive={archive}", f"lake={lake}", "profile=fake"]
    prefect("deployment", "run", "transcribe_archive/nightly", *(f"--param={one}" for one in parameters))
    prefect("worker", "start", "--pool", "voxlake", "--run-once")
    assert len(published_rows(lake)["recordings"]) == 3

"""Pools in which Prefect starts a container for each run: what prefect.yaml sets fits them, as far as a server checks.

The workers of these pools are not installed. Their templates come with Prefect; a server holds each deployment against
the template of its pool.
"""

import json
import uuid
from importlib.resources import files

import pytest
import yaml

from tests.prefect_servers import ROOT

_TEMPLATES = files("prefect.server.api").joinpath("collections_data", "views", "aggregate-worker-metadata.json")
TYPES = ("docker", "kubernetes")


def template(kind):
    """Return the template of job configurations with which a pool of that type is made."""
    worker = json.loads(_TEMPLATES.read_text())[f"prefect-{kind}"][kind]
    return worker["default_base_job_configuration"]


def job_variables():
    """Return what each deployment of prefect.yaml sets for its pool."""
    described = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    return {one["name"]: one["work_pool"]["job_variables"] for one in described}


@pytest.mark.parametrize("kind", TYPES)
def test_every_variable_is_one_that_the_pool_knows(kind):
    known = template(kind)["variables"]["properties"].keys()
    assert all(set(variables) <= known for variables in job_variables().values())


@pytest.mark.parametrize("kind", TYPES)
def test_a_server_accepts_every_deployment_and_refuses_what_does_not_fit(kind, with_server):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.actions import WorkPoolCreate
    from prefect.exceptions import PrefectHTTPStatusError

    pool = f"{kind}-{uuid.uuid4().hex[:6]}"
    with get_client(sync_client=True) as client:
        client.create_work_pool(WorkPoolCreate(name=pool, type=kind, base_job_template=template(kind)))
        flow_id = client.create_flow_from_name(pool)

        def deploy(name, variables):
            client.create_deployment(flow_id, name, work_pool_name=pool, job_variables=variables)

        for name, variables in job_variables().items():
            deploy(name, variables)
        with pytest.raises(PrefectHTTPStatusError, match="env"):
            deploy("wrong", {"env": "no table of variables"})


def test_what_a_deployment_sets_is_added_to_what_the_pool_sets(with_server):
    """A pool's own variables, an address of the storage, say, reach the runs as well."""
    import asyncio

    from prefect.workers.base import BaseJobConfiguration

    of_pool = template("docker")
    of_pool["variables"]["properties"]["env"]["default"] = {"AWS_ENDPOINT_URL": "http://storage:9000"}
    for variables in job_variables().values():
        made = asyncio.run(BaseJobConfiguration.from_template_and_values(of_pool, variables))
        assert made.env == {"AWS_ENDPOINT_URL": "http://storage:9000", **variables["env"]}


def test_runs_start_where_every_image_has_a_folder():
    (step,) = yaml.safe_load((ROOT / "prefect.yaml").read_text())["pull"]
    (arguments,) = step.values()
    assert arguments == {"directory": "{{ $VOXLAKE_HOME }}"}
    image = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "WORKDIR /voxlake\n" in image
    assert "VOXLAKE_HOME=/voxlake\n" in image

"""The files in deploy/: they hold together with prefect.yaml and each other. No daemon and no cluster is asked."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
POOLS = {"voxlake", "cpu", "gpu"}
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def objects():
    return [one for file in MANIFESTS for one in yaml.safe_load_all(file.read_text())]


def pods():
    """Return the pod templates by the name of what makes the pods."""
    found = [one for one in objects() if one["kind"] in {"Deployment", "Job"}]
    return {one["metadata"]["name"]: one["spec"]["template"]["spec"] for one in found}


def compose():
    return yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text())


def pool_of(command):
    return command[command.index("--pool") + 1]


def strings(value):
    """Return every text in a document."""
    if isinstance(value, dict):
        return [text for item in value.values() for text in strings(item)]
    if isinstance(value, list):
        return [text for item in value for text in strings(item)]
    return [value] if isinstance(value, str) else []


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda file: file.stem)
def test_manifests_say_what_they_are(file):
    for one in yaml.safe_load_all(file.read_text()):
        assert {"apiVersion", "kind", "metadata"} <= one.keys()
        assert one["kind"] == "Namespace" or one["metadata"]["namespace"] == "voxlake"
        if one["kind"] == "Deployment":
            template = one["spec"]["template"]["metadata"]["labels"]
            assert one["spec"]["selector"]["matchLabels"] == one["metadata"]["labels"] == template


def test_every_pool_has_workers_in_both_places():
    commands = [service.get("command", []) for service in compose()["services"].values()]
    assert {pool_of(command) for command in commands if "--pool" in command} == POOLS
    commands = [pod["containers"][0]["command"] for pod in pods().values()]
    assert {pool_of(command) for command in commands if "--pool" in command} == POOLS


def test_only_workers_with_a_gpu_ask_for_one():
    asked = {
        name: pod["containers"][0]["resources"]["limits"].get("nvidia.com/gpu")
        for name, pod in pods().items()
        if name.startswith("voxlake-") and "resources" in pod["containers"][0]
    }
    assert asked == {"voxlake-runs": None, "voxlake-cpu": None, "voxlake-gpu": "1"}
    devices = {name: "deploy" in service for name, service in compose()["services"].items()}
    assert [name for name, has_device in devices.items() if has_device] == ["gpu"]


def test_the_server_is_where_workers_look_for_it():
    (service,) = [one for one in objects() if one["kind"] == "Service"]
    address = f"http://{service['metadata']['name']}:{service['spec']['ports'][0]['port']}/api"
    for name, pod in pods().items():
        variables = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
        assert name == "prefect-server" or variables["PREFECT_API_URL"] == address
    server = next(
        one for one in objects() if one["metadata"]["name"] == "prefect-server" and one["kind"] == "Deployment"
    )
    assert service["spec"]["selector"] == server["spec"]["template"]["metadata"]["labels"]


def test_nobody_is_root_and_no_secret_stands_there():
    for name, pod in pods().items():
        assert name == "prefect-server" or pod["securityContext"]["runAsNonRoot"]
    assert "\nUSER 10001\n" in (DEPLOY / "Dockerfile").read_text()
    texts = [*strings(objects()), *strings(compose())]
    for text in texts:
        for password in re.findall(r"://[^/\s:]+:([^@\s]+)@", text):
            assert password.startswith("${")
    assert compose()["services"]["database"]["environment"]["POSTGRES_PASSWORD"].startswith("${POSTGRES_PASSWORD:?")


def test_the_pools_are_those_that_prefect_yaml_deploys_to():
    described = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert {one["work_pool"]["name"].replace("{{ $VOXLAKE_WORK_POOL }}", "voxlake") for one in described} == POOLS
    deploying = [text for text in [*strings(objects()), *strings(compose())] if "work-pool create" in text]
    assert len(deploying) == 2
    assert all(re.search(r"for pool in voxlake cpu gpu;", text) for text in deploying)


def test_the_image_has_what_it_is_built_from():
    text = (DEPLOY / "Dockerfile").read_text()
    copied = {name for line in re.findall(r"^COPY (.*) \S+$", text, re.MULTILINE) for name in line.split()}
    let_in = set(re.findall(r"^!(.*)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    assert copied == let_in
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.parametrize(
    "check",
    [
        ["hadolint", DEPLOY / "Dockerfile"],
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", DEPLOY / "docker-compose.yaml"],
        ["kubernetes-validate", "--strict", *MANIFESTS],
    ],
    ids=lambda check: check[0],
)
def test_files_keep_the_schemas_of_docker_compose_and_kubernetes(check):
    command = [str(Path(sys.executable).parent / check[0]), *map(str, check[1:])]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr

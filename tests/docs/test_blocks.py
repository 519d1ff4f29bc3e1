"""What the README and the docs show is run: SQL, Python and shell; ``test_settings`` reads TOML."""

import runpy
import subprocess

import duckdb
import pytest

from storage.catalog import open_catalog
from tests.docs.blocks import blocks
from tests.docs.conftest import environment

NOT_RUN = {
    "make demo": "takes minutes",
    "make test": "would run itself",
    "python3 -m venv .venv && . .venv/bin/activate": "needs a registry, and starts a server and a worker",
    "prefect worker start --pool cpu --limit 4": "needs a server; tests/flows start such workers",
    "voxlake run /data/archive /data/lake --runner pool --workers 8": "needs a server; tests/flows run it",
    'pip install ".[dask]"': "needs a registry and a cluster; tests/flows run it",
    "kubectl apply -f deploy/kubernetes/server.yaml": "needs a cluster",
    'pip install ".[embedded]"': "needs a registry",
    'pip install ".[s3]"': "needs a registry and a bucket",
    "voxlake demo --lake demo-lake": "takes minutes",
    "voxlake engines fetch whisper": "needs a model hub; tests/engines fetch from one of their own",
    "voxlake engines fetch whisper weights": "needs a model hub; tests/engines fetch from one of their own",
    "export VOXLAKE_WEIGHTS=$PWD/weights HF_HUB_OFFLINE=1": "needs weights; tests/engines run with their own",
}
"""First lines of shell blocks that are not run, and why."""
LANGUAGES = {"", "csv", "mermaid", "python", "sh", "sql", "text", "toml"}


def named(*languages):
    return pytest.mark.parametrize("block", blocks(*languages), ids=lambda block: block.name)


def test_blocks_are_of_languages_that_somebody_checks():
    assert {block.language for block in blocks()} <= LANGUAGES


@named("sql")
def test_queries_answer(block, place, monkeypatch):
    monkeypatch.chdir(place)
    with open_catalog("lake") as catalog:
        try:
            rows = catalog.execute(block.text).fetchall()
        except duckdb.Error as problem:
            pytest.fail(f"{block.name}: {problem}")
    assert rows or "may-be-empty" in block.marks


@named("python")
def test_python_runs(block, place, monkeypatch, tmp_path, capsys):
    if "plug-in" in block.marks:
        pytest.skip("test_plug_in follows these")
    monkeypatch.chdir(place)
    script = tmp_path / "block.py"
    script.write_text(block.text)
    runpy.run_path(str(script))
    assert "not-printing" in block.marks or capsys.readouterr().out


@named("sh")
def test_commands_run(block, place):
    if "plug-in" in block.marks:
        pytest.skip("test_plug_in follows these")
    if "s3" in block.marks:
        pytest.skip("tests/storage has an S3 server for these")
    first = block.text.splitlines()[0]
    if first in NOT_RUN:
        pytest.skip(NOT_RUN[first])
    script = f"set -euo pipefail\n{block.text}"
    answer = subprocess.run(
        ["bash", "-c", script], cwd=place, env=environment(place), check=False, capture_output=True, text=True
    )
    assert answer.returncode == (1 if "exits-1" in block.marks else 0), (
        f"{block.name}\n{answer.stdout}\n{answer.stderr}"
    )

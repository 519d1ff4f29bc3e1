"""Weights from paths, the hub's cache and a folder that was fetched; and fetching, from a hub on this machine."""

import json
import os
import subprocess
import sys

import pytest

from storage.errors import EngineUnavailable
from tasks.engines.hub import WeightsSource, hub_token, locate, wanted_files
from tasks.engines.weights import weights_digest
from tests.fake_hub import commit_of, fake_hub

REPOSITORIES = {
    "nvidia/x": {"x.nemo": b"abc" * 1000, "README.md": b"hi"},
    "some/whisper": {"model.bin": b"0" * 100, "config.json": b"{}", "notes.txt": b"no"},
    "gated/pipeline": {"config.yaml": b"a: 1", "part/model.bin": b"12"},
}
FILE = WeightsSource(engine="e", model="nvidia/x", filename="x.nemo")
FOLDER = WeightsSource(engine="e", model="some/whisper", patterns=("*.bin", "*.json"), required=("model.bin",))
GATED = WeightsSource(engine="e", model="gated/pipeline", gate_page="https://hf.co/gated/pipeline")


@pytest.fixture(scope="module")
def hub():
    with fake_hub(REPOSITORIES) as address:
        yield address


@pytest.fixture
def ask(hub, tmp_path, monkeypatch):
    """Return what runs lines of Python in a process of its own, where the hub is ours and its cache empty."""
    monkeypatch.delenv("VOXLAKE_WEIGHTS", raising=False)

    def run(lines, **variables):
        environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        script = "\n".join(
            (
                "from pathlib import Path",
                "import tasks.engines.weights as weights",
                "weights._LARGE_BYTES, weights.hashlib.file_digest = 10, None  # so that reading it again would fail",
                f"print(weights.weights_digest([Path({str(file)!r})]))",
            )
        )

    again = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout.strip()
    assert again == first
    file.write_bytes(b"1" * 100)
    assert weights_digest([file]) != first

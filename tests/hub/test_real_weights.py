"""The profiles with their real weights: ``pytest -m hub`` on a machine with internet. Never part of the default run.

Weights come from the model hub into its cache on the first run (some 6 GB in all; pyannote's need ``HF_TOKEN`` and
accepted terms). Heard are half a minute of telephone talk that pyannote.audio ships with its truth, and ``samples/``.
The bounds are what published figures of the models lead to expect, with room for so little audio.
"""

import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

pytestmark = [pytest.mark.hub, pytest.mark.timeout(7200)]

ROOT = Path(__file__).parents[2]
PROFILES = ("whisper", "nemo", "pyannote")
WORST = {"samples": {"WER %": 8.0, "DER %": 15.0}, "telephone": {"WER %": 35.0, "DER %": 30.0}}


def run(*command):
    environment = {name: value for name, value in os.environ.items() if name != "HF_HUB_OFFLINE"}
    done = subprocess.run([sys.executable, *map(str, command)], cwd=ROOT, env=environment, check=False)
    assert done.returncode == 0


@pytest.fixture(scope="module")
def telephone(tmp_path_factory):
    """Return a set for ``benchmarks.accuracy`` of what pyannote.audio ships."""
    folder = tmp_path_factory.mktemp("sets") / "telephone"
    sample = Path(find_spec("pyannote.audio").origin).parent / "sample"
    for suffix, kind in ((".wav", "archive"), (".rttm", "truth"), (".stm", "truth")):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        shutil.copy(sample / f"sample{suffix}", folder / kind)
    return folder


@pytest.mark.parametrize("profile", PROFILES)
def test_real_weights_hear_what_was_said_and_by_whom(profile, telephone, tmp_path):
    run("-c", "from flows.cli import main; main()", "engines", "fetch", profile)
    scores = tmp_path / "scores.json"
    run(
        "-m", "benchmarks.accuracy", ROOT / "samples", telephone, "--profile", profile, "--workers", 1, "--json", scores
    )
    rows = [row for row in json.loads(scores.read_text())["rows"] if row["recording"] == "all"]
    assert {row["set"] for row in rows} == set(WORST)
    for row in rows:
        for score, worst in WORST[row["set"]].items():
            assert row[score] <= worst, row

"""docs/engines/plug-in.md, followed step by step in an empty folder: a package with an engine, installed and used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, blocks
from tests.lakes import conversation, write_wav

PAGE = ROOT / "docs" / "engines" / "plug-in.md"
STEPS = {block.text.splitlines()[0]: block for block in blocks("sh") if block.page == PAGE}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with the files of the page and a small archive; nothing is installed yet."""
    folder = tmp_path_factory.mktemp("plug-in")
    for block in blocks("python", "toml"):
        for mark in block.marks:
            if block.page == PAGE and mark.startswith("file="):
                file = folder / mark.removeprefix("file=")
                file.parent.mkdir(exist_ok=True)
                file.write_text(block.text)
    write_wav(folder / "archive" / "talk.wav", conversation(300, 900))
    return folder


@pytest.fixture(scope="module")
def follow(place):
    """Return what runs a step of the page; step 2 puts the package aside, so that this environment stays as it is."""
    site = place / "site"

    def run(first_line):
        install = f"{sys.executable} -m uv pip install --quiet --no-build-isolation --no-deps --target {site}"
        script = STEPS[first_line].text.replace("pip install", install)
        script = script.replace("python -m pytest", f"{sys.executable} -m pytest --import-mode=importlib -q")
        bins = os.pathsep.join((str(Path(sys.executable).parent), os.environ["PATH"]))
        paths = os.pathsep.join((str(site), str(ROOT)))
        environment = {**os.environ, "PATH": bins, "PYTHONPATH": paths, "VOXLAKE_PROFILE": "fake"}
        done = subprocess.run(
            ["bash", "-euc", script], cwd=place, env=environment, check=False, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("pip install ./humming")
    return run


def test_it_is_listed_and_tried(follow):
    listed = json.loads(follow("voxlake engines"))
    (row,) = [row for row in listed["engines"] if row["engine"] == "humming"]
    assert row["can_run"]
    assert row["summary"] == "hears that somebody speaks, not what"


def test_it_writes_words_into_a_lake(follow):
    shown = follow("voxlake run archive lake --local --set transcriber.name=humming --set transcriber.options.text=mm")
    assert '"text": "mm"' in shown


def test_it_keeps_the_promises(follow):
    assert " passed" in follow("python -m pytest test_humming.py")

"""Weights from paths, the hub's cache and a folder that was fetched; and fetching, from a hub on this machine."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest

from storage.errors import EngineUnavailable
from tasks.engines.hub import WeightsSource, hub_token, locate, wanted_files
from tasks.engines.weights import weights_digest
from tests.fake_hub import TOKEN, commit_of, fake_hub

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
    with fake_hub(REPOSITORIES, gated=("gated",)) as address:
        yield address


@pytest.fixture
def ask(hub, tmp_path, monkeypatch):
    """Return what runs lines of Python in a process of its own, where the hub is ours and its cache empty."""
    monkeypatch.delenv("VOXLAKE_WEIGHTS", raising=False)

    def run(lines, **variables):
        environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
        script = f"from pathlib import Path\nfrom tests.unit.tasks.engines.test_hub import *\n{lines}"
        return _output(script, {**environment, **variables})

    return run


def _output(script, environment):
    command = [sys.executable, "-c", script]
    answer = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    return answer.stdout


SHOW = """
from tasks.engines.hub import fetch
def show(call, *arguments):
    try:
        print(call(*arguments))
    except EngineUnavailable as problem:
        print(problem)
"""


def test_what_is_fetched_is_found_without_the_hub(ask):
    fetched = ask(f"{SHOW}for source in (FILE, FOLDER): show(fetch, source)").split()
    found = ask(f"{SHOW}for source in (FILE, FOLDER): show(locate, source)", HF_ENDPOINT="http://127.0.0.1:1").split()
    assert fetched == found
    assert fetched[0].endswith("x.nemo")
    assert commit_of(REPOSITORIES["some/whisper"]) in fetched[1]


def test_only_what_is_wanted_is_fetched_and_the_digest_is_that_of_the_same_files_elsewhere(ask, tmp_path):
    line = f"{SHOW}fetch(FOLDER)\nprint([p.name for p in wanted_files(FOLDER)], weights_digest([locate(FOLDER)]))"
    names, _, digest = ask(line).strip().rpartition(" ")
    assert names == "['config.json', 'model.bin']"
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("config.json", "model.bin"):
        (copy / name).write_bytes(REPOSITORIES["some/whisper"][name])
    assert weights_digest([copy]) == digest


@pytest.fixture
def place(ask, tmp_path, monkeypatch):
    """Return a folder into which all was fetched, which the environment names."""
    folder = tmp_path / "weights"
    folder.mkdir()
    ask(f"{SHOW}for source in (FILE, FOLDER): fetch(source, Path({str(folder)!r}))")
    monkeypatch.setenv("VOXLAKE_WEIGHTS", str(folder))
    return folder


def test_a_folder_serves_a_machine_without_internet(place):
    assert locate(FILE) == place / "nvidia--x" / "x.nemo"
    assert [path.name for path in wanted_files(FOLDER)] == ["config.json", "model.bin"]
    record = json.loads((place / "weights.json").read_text())["nvidia/x"]
    assert record["commit"] == commit_of(REPOSITORIES["nvidia/x"])


def test_a_bad_copy_is_noticed_before_any_work(place):
    (place / "nvidia--x" / "x.nemo").write_bytes(b"abc")
    with pytest.raises(EngineUnavailable, match=r"nvidia/x: x\.nemo is cut short"):
        locate(FILE)
    (place / "some--whisper" / "model.bin").unlink()
    with pytest.raises(EngineUnavailable, match=r"model\.bin is missing in VOXLAKE_WEIGHTS"):
        locate(FOLDER)


@pytest.mark.usefixtures("place")
def test_another_revision_than_the_one_in_the_folder_is_refused():
    with pytest.raises(EngineUnavailable, match="not at v2"):
        locate(replace(FILE, revision="v2"))
    assert locate(replace(FILE, revision=commit_of(REPOSITORIES["nvidia/x"]))).exists()


def test_a_gate_is_explained_and_opened_by_a_token(ask):
    refusal = ask(f"{SHOW}show(fetch, GATED)", HF_TOKEN="")
    assert "accept them at https://hf.co/gated/pipeline" in refusal
    assert "HF_TOKEN" in refusal
    assert "accept them" in ask(f"{SHOW}show(fetch, GATED)", HF_TOKEN="hf_wrong")
    assert "gated--pipeline" in ask(f"{SHOW}show(fetch, GATED)", HF_TOKEN=TOKEN)


def test_a_token_comes_from_a_file_too_and_the_environment_is_stronger(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HF_TOKEN", raising=False)
    assert hub_token() is None
    (tmp_path / ".env").write_text("HF_TOKEN=hf_file\n")
    assert hub_token() == "hf_file"
    monkeypatch.setenv("HF_TOKEN", "hf_environment")
    assert hub_token() == "hf_environment"


def test_what_the_hub_does_not_have_is_named(ask):
    assert "some/thing is not on the hub" in ask(f"{SHOW}show(fetch, WeightsSource(engine='e', model='some/thing'))")
    missing = "WeightsSource(engine='e', model='nvidia/x', filename='y.nemo')"
    assert "nvidia/x has no file y.nemo" in ask(f"{SHOW}show(fetch, {missing})")


def test_a_hub_out_of_reach_is_said_with_the_way_out(ask):
    answer = ask(f"{SHOW}show(fetch, FILE)", HF_ENDPOINT="http://127.0.0.1:1")
    assert "nvidia/x cannot be fetched" in answer
    assert "voxlake engines fetch" in answer


def test_what_is_not_here_says_how_to_get_it(monkeypatch):
    monkeypatch.delenv("VOXLAKE_WEIGHTS", raising=False)
    with pytest.raises(EngineUnavailable, match="fetch them with: voxlake engines fetch"):
        locate(WeightsSource(engine="e", model="nobody/nothing", filename="nothing.nemo"))
    with pytest.raises(EngineUnavailable, match=r"\./nowhere/x\.nemo does not exist here"):
        locate(WeightsSource(engine="e", model="./nowhere/x.nemo", filename="x.nemo"))


def test_a_path_serves_as_it_is(tmp_path):
    file = tmp_path / "mine.nemo"
    file.write_bytes(b"1")
    assert locate(WeightsSource(engine="e", model=str(file), filename="other.nemo")) == file
    assert locate(WeightsSource(engine="e", model=str(tmp_path), filename="other.nemo")) == file
    (tmp_path / "second.nemo").write_bytes(b"2")
    with pytest.raises(EngineUnavailable, match=r"holds 2 files \.nemo"):
        locate(WeightsSource(engine="e", model=str(tmp_path), filename="other.nemo"))
    with pytest.raises(EngineUnavailable, match=r"has no model\.bin"):
        locate(WeightsSource(engine="e", model=str(tmp_path), required=("model.bin",)))


def test_large_files_are_read_once_and_remembered(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("tasks.engines.weights._LARGE_BYTES", 10)
    file = tmp_path / "large.bin"
    file.write_bytes(b"0" * 100)
    first = weights_digest([file])
    (remembered,) = json.loads((tmp_path / "cache" / "voxlake" / "weights.json").read_text())
    assert str(file) in remembered
    script = "\n".join(
        (
            "from pathlib import Path",
            "import tasks.engines.weights as weights",
            "weights._LARGE_BYTES, weights.hashlib.file_digest = 10, None  # so that reading it again would fail",
            f"print(weights.weights_digest([Path({str(file)!r})]))",
        )
    )
    assert _output(script, os.environ).strip() == first
    file.write_bytes(b"1" * 100)
    assert weights_digest([file]) != first

"""Weights that would run code when they are loaded: refused by every engine that takes pickles or names of classes."""

import io
import os
import tarfile
from pathlib import Path

import pytest
import torch
import yaml

from storage.errors import EngineError, EngineUnavailable
from tasks.engines import ge2e
from tasks.engines.nemo_models import restore_nemo

TITANET = Path(__file__).parents[1] / "models/titanet.nemo"


class Wicked:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.fixture
def trace(tmp_path):
    return tmp_path / "it ran"


def with_parts(path, **replaced):
    """Copy a true .nemo file with some of its parts replaced."""
    with tarfile.open(TITANET) as original, tarfile.open(path, "w") as copy:
        for member in original:
            content = original.extractfile(member).read() if member.isfile() else b""
            content = replaced.pop(Path(member.name).stem, content)
            member.size = len(content)
            copy.addfile(member, io.BytesIO(content))
    return path


def pickled(value):
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("forced", [False, True])
def test_nemo_weights_run_nothing(tmp_path, trace, monkeypatch, forced):
    if forced:
        monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    path = with_parts(tmp_path / "titanet.nemo", model_weights=pickled({"w": torch.zeros(3), "more": Wicked(trace)}))
    with pytest.raises(EngineUnavailable):
        restore_nemo("titanet", "EncDecSpeakerLabelModel", path, "cpu")
    assert not trace.exists()


@pytest.mark.slow
@pytest.mark.parametrize("where", ["preprocessor", "encoder"])
def test_a_nemo_configuration_calls_nothing_but_nemo(tmp_path, trace, where):
    with tarfile.open(TITANET) as archive:
        (member,) = (member for member in archive if member.name.endswith("model_config.yaml"))
        config = yaml.safe_load(archive.extractfile(member))
    config[where] = {"_target_": "os.mkdir", "path": str(trace)}
    path = with_parts(tmp_path / "titanet.nemo", model_config=yaml.safe_dump(config).encode())
    with pytest.raises(EngineUnavailable):
        restore_nemo("titanet", "EncDecSpeakerLabelModel", path, "cpu")
    assert not trace.exists()


@pytest.mark.slow
def test_a_nemo_archive_writes_nowhere_else(tmp_path, trace):
    path = with_parts(tmp_path / "titanet.nemo")
    with tarfile.open(path, "a") as archive:
        for name in (f"../../{trace.parent.name}/{trace.name}", str(trace)):
            member = tarfile.TarInfo(name)
            archive.addfile(member, io.BytesIO(b""))
    restore_nemo("titanet", "EncDecSpeakerLabelModel", path, "cpu")
    assert not trace.exists()


def test_weights_of_the_voice_encoder_run_nothing(tmp_path, trace, monkeypatch):
    weights = tmp_path / "pretrained.pt"
    weights.write_bytes(pickled({"model_state": {}, "more": Wicked(trace)}))
    monkeypatch.setattr(ge2e, "weights_file", lambda: weights)
    with pytest.raises((EngineUnavailable, EngineError)):
        ge2e.VoiceEncoder("cpu")
    assert not trace.exists()

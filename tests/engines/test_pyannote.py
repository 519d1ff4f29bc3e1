"""The pyannote adapter on a small true pipeline (``tests/models/make/train_pyannote.py``)."""

import os
import shutil
import socket
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import yaml

from storage.errors import EngineUnavailable
from storage.records import SAMPLE_RATE_HZ, ClipContext, SpeakerBounds, duration_ms
from tasks.engines.pyannotes import PyannoteDiarizer
from tests import true_speech
from tests.contract.suites import DiarizerContract
from tests.diarization_error import error_time
from tests.tones import all_speech

MODEL = Path(__file__).parent.parent / "models" / "pyannote"
OPTIONS = {"model": str(MODEL)}
NESTED = {"segmentation": "pyannote/segmentation-3.0", "embedding": "pyannote/wespeaker-voxceleb-resnet34-LM"}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def diarizer():
    return PyannoteDiarizer.from_options(OPTIONS, device="cpu")


@pytest.fixture
def copy(tmp_path):
    return shutil.copytree(MODEL, tmp_path / "copy")


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_):
        pytest.fail("asked the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def diarized(engine, clip, **bounds):
    (heard,) = engine.diarize([clip], [ClipContext(speech=all_speech(clip), speakers=SpeakerBounds(**bounds))])
    return heard


def speakers(heard):
    return {turn.speaker for turn in heard.turns}


def error_rate(heard, talks):
    scores = [error_time(one.turns, talk.turns, duration_ms(talk.clip)) for one, talk in zip(heard, talks, strict=True)]
    return sum(wrong for wrong, _ in scores) / sum(spoken for _, spoken in scores)


@pytest.fixture(scope="module")
def heard_pairs(diarizer):
    return [diarized(diarizer, talk.clip) for talk in true_speech.mixtures(2)]


@pytest.fixture(scope="module")
def beginning():
    """Return the first 13 s of a conversation of two."""
    return true_speech.mixtures(2)[0].clip[: 13 * SAMPLE_RATE_HZ]


class TestContract(DiarizerContract):
    engine = PyannoteDiarizer
    options: ClassVar = OPTIONS

    def speech(self):
        return {"two": true_speech.mixtures(2)[1].clip[: 11 * SAMPLE_RATE_HZ], "one": true_speech.sentences()[0].clip}


def test_two_people_who_talk_over_each_other(heard_pairs):
    assert error_rate(heard_pairs, true_speech.mixtures(2)) <= 0.15


@pytest.mark.parametrize(("n_speakers", "limit"), [(3, 0.25), (4, 0.5)])
def test_more_people(diarizer, n_speakers, limit):
    talks = true_speech.mixtures(n_speakers)[:3]
    assert error_rate([diarized(diarizer, talk.clip) for talk in talks], talks) <= limit


def test_overlap_is_in_the_turns_and_not_in_the_exclusive_ones(heard_pairs):
    def talking_ms(turns):
        return sum(turn.end_ms - turn.start_ms for turn in turns)

    assert sum(talking_ms(one.turns) - talking_ms(one.exclusive) for one in heard_pairs) > 1000


def test_speech_shorter_than_a_window(diarizer):
    clip = np.pad(true_speech.sentences()[0].clip[: 2 * SAMPLE_RATE_HZ], (0, SAMPLE_RATE_HZ // 2))
    heard = diarized(diarizer, clip)
    assert len(speakers(heard)) == 1
    assert heard.turns[-1].end_ms <= duration_ms(clip)


@pytest.mark.parametrize("bounds", [{"min_speakers": 9}, {"min_speakers": 6, "max_speakers": 6}])
def test_a_wrong_hint_costs_no_clip(diarizer, beginning, bounds):
    assert diarized(diarizer, true_speech.sentences()[0].clip, **bounds).turns
    assert diarized(diarizer, beginning, **bounds).turns


def test_a_right_hint_is_kept(diarizer):
    clip = true_speech.mixtures(3)[0].clip
    assert len(speakers(diarized(diarizer, clip, min_speakers=3, max_speakers=3))) == 3
    assert len(speakers(diarized(diarizer, clip, max_speakers=2))) <= 2


def test_batches_change_nothing(diarizer, beginning):
    options = {**OPTIONS, "segmentation_batch_size": 1, "embedding_batch_size": 5}
    other = PyannoteDiarizer.from_options(options, device="cpu")
    assert diarized(other, beginning) == diarized(diarizer, beginning)
    assert PyannoteDiarizer.identify(options) == PyannoteDiarizer.identify(OPTIONS)


def test_filled_gaps_join_turns_and_exclusive_turns_stay_exclusive(beginning):
    filling = PyannoteDiarizer.from_options({**OPTIONS, "fill_gaps_ms": 3000}, device="cpu")
    heard = diarized(filling, beginning)
    for speaker in speakers(heard):
        own = [turn for turn in heard.turns if turn.speaker == speaker]
        assert all(after.start_ms - before.end_ms >= 3000 for before, after in pairwise(own))
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(heard.exclusive))


def test_a_threshold_of_the_clustering_can_be_chosen(beginning):
    one_voice = PyannoteDiarizer.from_options({**OPTIONS, "clustering_threshold": 2.0}, device="cpu")
    assert len(speakers(diarized(one_voice, beginning))) == 1
    changed = PyannoteDiarizer.identify({**OPTIONS, "clustering_threshold": 2.0})
    assert changed != PyannoteDiarizer.identify(OPTIONS)


def test_nothing_is_printed_or_reported_and_nobody_is_asked(monkeypatch, no_network, capsys, recwarn):
    from pyannote.audio.telemetry import metrics

    monkeypatch.setenv("PYANNOTE_METRICS_ENABLED", "1")
    monkeypatch.setattr(metrics.exporter, "export", lambda _: pytest.fail("reported"))
    engine = PyannoteDiarizer.from_options(OPTIONS, device="cpu")
    assert not metrics.is_metrics_enabled()
    diarized(engine, true_speech.sentences()[0].clip, min_speakers=3)
    metrics.provider.force_flush()
    assert capsys.readouterr() == ("", "")
    assert not recwarn.list


def test_asking_who_it_is_does_not_load_the_library():
    script = f"""
import sys
from tasks.engines.pyannotes import PyannoteDiarizer
PyannoteDiarizer.identify({OPTIONS})
assert not {{"pyannote.audio", "torch", "lightning"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], check=True, env={**os.environ, "PYTHONPATH": str(Path.cwd())})


@pytest.fixture
def older(tmp_path, monkeypatch):
    """Lay the small models out as ``speaker-diarization-3.1``: three repositories in the hub's cache."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))

    def put(model, name, content):
        repository = tmp_path / f"models--{model.replace('/', '--')}"
        file = repository / "snapshots" / ("a" * 40) / name
        file.parent.mkdir(parents=True)
        file.write_bytes(content)
        (repository / "refs").mkdir()
        (repository / "refs" / "main").write_text("a" * 40)
        return file

    config = {
        "version": "3.1.0",
        "pipeline": {
            "name": "pyannote.audio.pipelines.SpeakerDiarization",
            "params": {**NESTED, "clustering": "AgglomerativeClustering", "embedding_exclude_overlap": True},
        },
        "params": {
            "clustering": {"method": "centroid", "min_cluster_size": 4, "threshold": 0.7},
            "segmentation": {"min_duration_off": 0.0},
        },
    }
    for part, model in NESTED.items():
        put(model, "pytorch_model.bin", (MODEL / part / "pytorch_model.bin").read_bytes())
    put("pyannote/speaker-diarization-3.1", "config.yaml", yaml.safe_dump(config).encode())
    return {"model": "pyannote/speaker-diarization-3.1"}


def test_a_pipeline_whose_models_are_repositories(older, no_network):
    sources = PyannoteDiarizer.weights(older)
    assert [source.model for source in sources] == [older["model"], *NESTED.values()]
    engine = PyannoteDiarizer.from_options(older, device="cpu")
    talks = true_speech.mixtures(2)[:2]
    heard = [diarized(engine, talk.clip, min_speakers=2, max_speakers=2) for talk in talks]
    assert error_rate(heard, talks) <= 0.25
    assert PyannoteDiarizer.identify(older).weights != PyannoteDiarizer.identify(OPTIONS).weights


def test_its_configuration_alone_is_enough_where_the_models_are_in_the_cache(older, tmp_path, no_network):
    folder = tmp_path / "models--pyannote--speaker-diarization-3.1" / "snapshots" / ("a" * 40)
    own = shutil.copytree(folder, tmp_path / "mine")
    here = {"model": str(own)}
    assert PyannoteDiarizer.identify(here) == PyannoteDiarizer.identify(older)
    assert diarized(PyannoteDiarizer.from_options(here, device="cpu"), true_speech.sentences()[0].clip).turns


def test_weights_that_are_not_here_say_what_to_do(tmp_path, monkeypatch, no_network):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    page = r"https://hf\.co/pyannote/speaker-diarization-community-1.*HF_TOKEN.*voxlake engines fetch"
    for load in (PyannoteDiarizer.identify, lambda options: PyannoteDiarizer.from_options(options, device="cpu")):
        with pytest.raises(EngineUnavailable, match=page):
            load({})


@pytest.mark.parametrize("piece", ["segmentation", "embedding"])
def test_a_checkpoint_cut_short_is_said_before_any_work(copy, piece):
    file = copy / piece / "pytorch_model.bin"
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(EngineUnavailable, match=rf"{piece}/pytorch_model\.bin.*cut short.*again"):
        PyannoteDiarizer.from_options({"model": str(copy)}, device="cpu")


def test_a_checkpoint_of_something_else_is_refused(copy):
    import torch

    torch.save({"state_dict": {}}, copy / "embedding" / "pytorch_model.bin")
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        PyannoteDiarizer.from_options({"model": str(copy)}, device="cpu")


def test_code_in_a_checkpoint_runs_only_if_it_is_trusted(copy, capfd):
    import torch

    file = copy / "segmentation" / "pytorch_model.bin"
    checkpoint = torch.load(file, weights_only=False)
    torch.save({**checkpoint, "more": _Wicked()}, file)
    options = {"model": str(copy)}
    with pytest.raises(EngineUnavailable, match=r"would run posix\.system.*trust_weights"):
        PyannoteDiarizer.from_options(options, device="cpu")
    assert capfd.readouterr().out == ""
    PyannoteDiarizer.from_options({**options, "trust_weights": True}, device="cpu")
    assert "wicked" in capfd.readouterr().out


class _Wicked:
    def __reduce__(self):
        return os.system, ("echo wicked",)


@pytest.mark.parametrize(
    "change", [{"name": "pyannote.audio.NoSuchSpeakerDiarization"}, {"params": {"clustering": "X"}}]
)
def test_a_configuration_that_the_library_refuses_is_said(copy, change):
    config = yaml.safe_load((copy / "config.yaml").read_text())
    params = {**config["pipeline"]["params"], **change.get("params", {})}
    config["pipeline"] = {**config["pipeline"], **change, "params": params}
    (copy / "config.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(EngineUnavailable, match="cannot be loaded"):
        PyannoteDiarizer.from_options({"model": str(copy)}, device="cpu")


def test_a_pipeline_of_a_later_library_is_said(copy):
    config = yaml.safe_load((copy / "config.yaml").read_text())
    (copy / "config.yaml").write_text(yaml.safe_dump({**config, "dependencies": {"pyannote.audio": "9.0.0"}}))
    with pytest.raises(EngineUnavailable, match=r"requires pyannote\.audio"):
        PyannoteDiarizer.from_options({"model": str(copy)}, device="cpu")


def test_the_library_giving_nothing_is_said(monkeypatch):
    from pyannote.audio import Pipeline

    monkeypatch.setattr(Pipeline, "from_pretrained", lambda *_, **__: None)
    with pytest.raises(EngineUnavailable, match="gave no pipeline"):
        PyannoteDiarizer.from_options(OPTIONS, device="cpu")


def test_a_parameter_the_pipeline_does_not_have_is_said(diarizer):
    from tasks.engines.pyannote_loading import set_parameters

    with pytest.raises(EngineUnavailable, match=r"no parameter clustering radius; it has .*threshold"):
        set_parameters("pyannote", diarizer._pipeline, {"clustering": {"radius": 1.0}})

"""The Sortformer adapter on a small true Sortformer (``tests/models/make/train_sortformer.py``)."""

import random
import resource
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from storage.errors import EngineUnavailable
from storage.records import SAMPLE_RATE_HZ, SAMPLES_PER_MS, ClipContext, Diarization, SpeakerBounds, duration_ms
from tasks.engines import sortformer, sortformer_net
from tasks.engines.sortformer import SortformerDiarizer
from tests import true_speech
from tests.contract.suites import DiarizerContract
from tests.tones import all_speech

MODEL = Path(__file__).parent.parent / "models" / "sortformer.nemo"
OPTIONS = {"model": str(MODEL)}
STREAMING = {**OPTIONS, "mode": "streaming"}


@pytest.fixture(scope="module")
def offline():
    return SortformerDiarizer.from_options(OPTIONS, device="cpu")


@pytest.fixture(scope="module")
def streaming():
    return SortformerDiarizer.from_options(STREAMING, device="cpu")


@pytest.fixture(scope="module")
def pairs():
    return true_speech.mixtures(2)


class TestOffline(DiarizerContract):
    engine = SortformerDiarizer
    options: ClassVar = OPTIONS

    def speech(self):
        return conversations()


class TestStreaming(DiarizerContract):
    engine = SortformerDiarizer
    options: ClassVar = STREAMING

    def speech(self):
        return conversations()


@pytest.mark.parametrize("mode", ["offline", "streaming"])
def test_two_voices_and_their_overlap(mode, pairs, request):
    found = diarize(request.getfixturevalue(mode), [talk.clip for talk in pairs])
    rates = [error_rate(heard.turns, talk.turns) for heard, talk in zip(found, pairs, strict=True)]
    assert np.mean(rates) <= 0.15
    assert all(heard.flags == () for heard in found)
    crumbs = [turn for heard in found for turn in heard.turns if turn.end_ms - turn.start_ms < 200]
    assert crumbs == []


def test_overlapping_speech_has_two_turns_and_one_exclusive_one(offline, pairs):
    both_ms = heard_ms = 0
    for heard, talk in zip(diarize(offline, [talk.clip for talk in pairs]), pairs, strict=True):
        both = spoken(talk.turns, duration_ms(talk.clip)).sum(axis=1) > 1
        both_ms += both.sum() * 10
        heard_ms += (spoken(heard.turns, duration_ms(talk.clip)).sum(axis=1)[both] > 1).sum() * 10
        assert all(before.end_ms <= after.start_ms for before, after in pairwise(heard.exclusive))
    assert both_ms > 5000
    assert heard_ms > both_ms / 2


def test_confidence_is_higher_where_there_is_no_doubt(offline, pairs):
    turns = [turn for heard in diarize(offline, [talk.clip for talk in pairs]) for turn in heard.turns]
    assert all(0.4 < turn.confidence <= 1 for turn in turns)
    assert np.mean([turn.confidence for turn in turns]) > 0.8


@pytest.mark.parametrize("mode", ["offline", "streaming"])
def test_a_clip_is_heard_the_same_beside_louder_and_longer_ones(mode, pairs, request):
    subject = request.getfixturevalue(mode)
    soft, loud = pairs[0].clip * np.float32(0.02), np.concatenate([pairs[1].clip, pairs[2].clip])
    (alone,) = diarize(subject, [soft])
    assert alone.turns
    for others in ([loud], [loud[: len(soft) + 5000]], [soft[:16_000], loud]):
        assert_alike(diarize(subject, [*others, soft])[-1], alone)


def test_batches_of_a_streaming_model_change_nothing(streaming, pairs):
    one_by_one = SortformerDiarizer.from_options({**STREAMING, "batch_size": 1}, device="cpu")
    clips = [talk.clip[: len(talk.clip) - 3000 * i] for i, talk in enumerate(pairs[:4])]
    for one, other in zip(diarize(one_by_one, clips), diarize(streaming, clips), strict=True):
        assert_alike(one, other)
    assert SortformerDiarizer.identify({**STREAMING, "batch_size": 1}) == SortformerDiarizer.identify(STREAMING)


def test_activities_are_those_of_the_library(offline, streaming, pairs):
    import torch

    clip = pairs[0].clip - pairs[0].clip.mean()
    for subject in (offline, streaming):
        with torch.inference_mode():
            bare = subject._net._model(
                audio_signal=torch.tensor(clip)[None], audio_signal_length=torch.tensor([len(clip)])
            )
        (ours,) = subject._net.activities([clip])
        np.testing.assert_allclose(ours, bare[0, : len(ours)].numpy(), atol=1e-5)


@pytest.mark.parametrize("mode", ["offline", "streaming"])
@pytest.mark.parametrize("length_ms", [100, 300, 1000, 3000, 10_000, 24_000])
def test_short_clips_are_heard_to_their_end(mode, length_ms, pairs, request):
    subject, talk = request.getfixturevalue(mode), pairs[0]
    start_ms = talk.turns[0].start_ms + 200
    clip = talk.clip[start_ms * SAMPLES_PER_MS :][: length_ms * SAMPLES_PER_MS]
    (found,) = diarize(subject, [clip])
    assert all(turn.end_ms <= duration_ms(clip) for turn in found.turns)
    if length_ms >= 3000:  # in less this small model finds no silence to compare with
        heard = spoken(found.turns, duration_ms(clip)).any(axis=1).mean()
        said = spoken(moved(talk.turns, -start_ms), duration_ms(clip)).any(axis=1).mean()
        assert heard > 0.7 * said


@pytest.mark.parametrize("mode", ["offline", "streaming"])
def test_noise_and_hum_are_nobody(mode, request):
    time = np.arange(8 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(3).normal(0, 0.05, len(time)).astype(np.float32)
    hum = (0.1 * np.sin(2 * np.pi * 50 * time) + 0.1 * noise).astype(np.float32)
    for found in diarize(request.getfixturevalue(mode), [noise, hum]):
        assert sum(turn.end_ms - turn.start_ms for turn in found.turns) < 1000


def test_without_detected_speech_nobody_is_looked_for(offline, pairs):
    assert offline.diarize([pairs[0].clip], [ClipContext(speech=())]) == [Diarization()]


def test_bounds_keep_the_most_talkative(offline, pairs):
    talk = pairs[0]
    bounds = SpeakerBounds(max_speakers=1)
    (one,) = offline.diarize([talk.clip], [ClipContext(speech=all_speech(talk.clip), speakers=bounds)])
    (both,) = diarize(offline, [talk.clip])
    assert len({turn.speaker for turn in both.turns}) == 2
    assert len({turn.speaker for turn in one.turns}) == 1
    length_ms = duration_ms(talk.clip)
    assert (spoken(one.turns, length_ms).any(axis=1) == spoken(both.turns, length_ms).any(axis=1)).all()


def test_a_clip_longer_than_the_table_of_positions(streaming, pairs, capfd):
    """26 minutes are 19,500 frames, the encoder's table has 5,000; memory follows the samples, not their square."""
    diarize(streaming, [np.tile(pairs[0].clip, 5)])
    before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (found,) = diarize(streaming, [np.tile(pairs[0].clip, 65)])
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb) / 1024
    assert duration_ms(pairs[0].clip) * 65 > 25 * 60_000
    assert grown_mb < 60 * 24
    assert len({turn.speaker for turn in found.turns}) == 2
    assert len(found.turns) > 65
    assert capfd.readouterr() == ("", "")


def test_long_clips_of_an_offline_model_are_heard_in_pieces(pairs):
    subject = SortformerDiarizer.from_options(
        {**OPTIONS, "longest_offline_ms": 30_000, "overlap_ms": 8000}, device="cpu"
    )
    clip = np.tile(pairs[0].clip, 4)
    (found,) = diarize(subject, [clip])
    length_ms = duration_ms(pairs[0].clip)
    truth = [turn for i in range(4) for turn in moved(pairs[0].turns, i * length_ms)]
    assert error_rate(found.turns, truth) <= 0.2


def test_offline_memory_is_given_back(offline, pairs):
    diarize(offline, [np.tile(pairs[0].clip, 3)])
    encoder = offline._net._model.encoder
    assert encoder.pos_enc.pe.shape[1] <= 2 * encoder.pos_emb_max_len


def test_as_many_speakers_as_the_model_has_outputs(tmp_path, pairs, offline):
    six = {"max_num_of_spks": 6, "streaming_mode": True, "sortformer_modules": {"num_spks": 6}}
    path = built(offline, tmp_path / "six.nemo", **six)
    subject = SortformerDiarizer.from_options({"model": str(path), "onset": 0.45, "offset": 0.4}, device="cpu")
    assert subject._net.is_streaming
    (activity,) = subject._net.activities([pairs[0].clip])
    assert activity.shape == (-(-duration_ms(pairs[0].clip) // 80), 6)
    assert {turn.speaker for turn in diarize(subject, [pairs[0].clip])[0].turns} <= {f"S{i}" for i in range(6)}


@pytest.mark.parametrize(("latency", "chunk_len"), [("very_high", 340), ("high", 124), ("low", 6), ("ultra_low", 3)])
def test_latencies_of_a_streaming_model(latency, chunk_len, pairs):
    subject = SortformerDiarizer.from_options({**STREAMING, "latency": latency}, device="cpu")
    assert subject._net._model.sortformer_modules.chunk_len == chunk_len
    assert subject._net._model.sortformer_modules.spkcache_len == 188
    (found,) = diarize(subject, [pairs[1].clip])
    assert error_rate(found.turns, pairs[1].turns) <= 0.3


def test_an_offline_model_keeps_its_own_settings(offline):
    assert not offline._net.is_streaming
    assert offline._net._model.sortformer_modules.chunk_len == 188


def test_a_cpu_computes_in_float32_whatever_is_asked_for(streaming, pairs):
    import torch

    mixed = SortformerDiarizer.from_options({**STREAMING, "precision": "bfloat16"}, device="cpu")
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (found,) = diarize(mixed, [pairs[0].clip])
    assert_alike(found, diarize(streaming, [pairs[0].clip])[0])


def test_loading_leaves_chance_alone():
    random.seed(1)
    SortformerDiarizer.from_options(OPTIONS, device="cpu")
    after = random.random()
    random.seed(1)
    assert random.random() == after


class TestWrongWeights:
    def test_truncated(self, tmp_path):
        short = tmp_path / "short.nemo"
        short.write_bytes(MODEL.read_bytes()[:200_000])
        with pytest.raises(EngineUnavailable, match=r"short\.nemo"):
            SortformerDiarizer.from_options({"model": str(short)}, device="cpu")

    def test_of_another_kind(self):
        with pytest.raises(EngineUnavailable, match="SortformerEncLabelModel"):
            SortformerDiarizer.from_options({"model": str(MODEL.with_name("titanet.nemo"))}, device="cpu")

    def test_for_another_rate(self, tmp_path, offline):
        telephone = built(offline, tmp_path / "telephone.nemo", preprocessor={"sample_rate": 8000})
        with pytest.raises(EngineUnavailable, match="8000 Hz"):
            SortformerDiarizer.from_options({"model": str(telephone)}, device="cpu")


def test_importing_the_adapter_imports_no_library():
    assert not {"torch", "nemo"} & {*vars(sortformer), *vars(sortformer_net)}


def built(like, path, **changes):
    """Save a model that nobody trained, configured like another but for some changes."""
    from nemo.collections.asr.models import SortformerEncLabelModel
    from omegaconf import OmegaConf

    cfg = OmegaConf.create(OmegaConf.to_container(like._net._model.cfg))
    SortformerEncLabelModel(cfg=OmegaConf.merge(cfg, changes)).save_to(str(path))
    return path


def conversations():
    return {f"{n} voices": true_speech.mixtures(n)[0].clip for n in (2, 3)}


def diarize(subject, clips):
    return subject.diarize(clips, [ClipContext(speech=all_speech(clip)) for clip in clips])


def moved(turns, by_ms):
    return [
        replace(turn, start_ms=max(0, turn.start_ms + by_ms), end_ms=turn.end_ms + by_ms)
        for turn in turns
        if turn.end_ms + by_ms > 0
    ]


def spoken(turns, length_ms):
    """Return who speaks in each whole 10 ms, shape (n, speakers)."""
    names = sorted({turn.speaker for turn in turns})
    active = np.zeros((length_ms // 10, max(1, len(names))), bool)
    for turn in turns:
        active[turn.start_ms // 10 : turn.end_ms // 10, names.index(turn.speaker)] = True
    return active


def error_rate(found, truth):
    """Return the diarization error rate: no collar, overlap counted, best pairing of speakers."""
    length_ms = max(turn.end_ms for turn in (*found, *truth))
    heard, said = spoken(found, length_ms), spoken(truth, length_ms)
    together = heard.T.astype(int) @ said.astype(int)
    right = together[linear_sum_assignment(together, maximize=True)].sum()
    return (np.maximum(heard.sum(axis=1), said.sum(axis=1)).sum() - right) / said.sum()


def assert_alike(one, other):
    for ours, theirs in ((one.turns, other.turns), (one.exclusive, other.exclusive)):
        assert [(t.start_ms, t.end_ms, t.speaker) for t in ours] == [(t.start_ms, t.end_ms, t.speaker) for t in theirs]
        assert [t.confidence for t in ours] == pytest.approx([t.confidence for t in theirs], abs=1e-3)

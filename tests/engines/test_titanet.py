"""The TitaNet adapter on a small true TitaNet (``tests/models/make/train_titanet.py``)."""

import io
import tarfile
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from storage.errors import EngineUnavailable
from storage.records import SAMPLE_RATE_HZ
from tasks.engines import titanet
from tasks.engines.titanet import TitanetEmbedder
from tasks.linking.local import name_local_speakers
from tasks.linking.voices import LabelColumns, prior_of
from tests import true_speech
from tests.contract.suites import EmbedderContract

MODEL = Path(__file__).parent.parent / "models" / "titanet.nemo"
OPTIONS = {"model": str(MODEL)}


@pytest.fixture(scope="module")
def embedder():
    return TitanetEmbedder.from_options(OPTIONS, device="cpu")


@pytest.fixture(scope="module")
def sentences():
    return true_speech.sentences()


@pytest.fixture(scope="module")
def vectors(embedder, sentences):
    return embedder.embed([item.clip for item in sentences])


class TestContract(EmbedderContract):
    engine = TitanetEmbedder
    options: ClassVar = OPTIONS

    def speech(self):
        return {item.voice: item.clip for item in true_speech.sentences()[::9]}


def test_voices_are_told_apart(vectors, sentences):
    voice = np.array([item.voice for item in sentences])
    pairs = np.triu_indices(len(voice), 1)
    cosines, is_same = (vectors @ vectors.T)[pairs], (voice[:, None] == voice[None, :])[pairs]
    assert equal_error_rate(cosines[is_same], cosines[~is_same]) <= 0.05


def test_a_clip_has_the_same_vector_alone_and_beside_others(embedder, sentences, vectors):
    loud_and_long = np.concatenate([item.clip for item in sentences[:6]]) * np.float32(3)
    for item, vector in zip(sentences[:5], vectors, strict=False):
        alone, beside = embedder.embed([item.clip])[0], embedder.embed([item.clip[:9000], loud_and_long, item.clip])[2]
        np.testing.assert_allclose(alone, vector, atol=1e-5)
        np.testing.assert_allclose(alone, beside, atol=1e-5)


def test_long_speech_is_one_vector_near_those_of_its_parts(embedder, sentences, vectors):
    voice = sentences[0].voice
    own = [i for i, item in enumerate(sentences) if item.voice == voice]
    whole = np.concatenate([sentences[i].clip for i in own] * 4)
    assert len(whole) > 20 * SAMPLE_RATE_HZ
    (long,) = embedder.embed([whole])
    assert min(vectors[own] @ long) > 0.7


def test_batches_change_nothing(sentences, vectors):
    one_by_one = TitanetEmbedder.from_options({**OPTIONS, "batch_size": 1}, device="cpu")
    np.testing.assert_allclose(one_by_one.embed([item.clip for item in sentences[:8]]), vectors[:8], atol=1e-5)
    assert TitanetEmbedder.identify({**OPTIONS, "batch_size": 1}) == TitanetEmbedder.identify(OPTIONS)


def test_mixed_precision_of_the_caller_does_not_round_fingerprints(embedder, sentences, vectors):
    import torch

    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = embedder.embed([sentences[0].clip])[0]
    np.testing.assert_allclose(rounded, vectors[0], atol=1e-6)


def test_gain_and_direct_current_change_little(embedder, sentences, vectors):
    clip = sentences[3].clip
    for changed in (clip * np.float32(0.01), clip * np.float32(1.9), clip + np.float32(0.2)):
        assert embedder.embed([changed])[0] @ vectors[3] > 0.99


def test_half_a_second_is_enough_and_less_is_not(embedder, sentences):
    clip = sentences[0].clip[8000:]
    long_enough, too_short = embedder.embed([clip[:8000], clip[:7999]])
    assert np.isfinite(long_enough).all()
    assert np.isnan(too_short).all()


def test_a_few_bad_samples_do_not_cost_the_fingerprint(embedder, sentences, vectors):
    holed = sentences[5].clip.copy()
    holed[[100, 20_000]] = np.nan, np.inf
    assert embedder.embed([holed])[0] @ vectors[5] > 0.9


def test_the_same_voice_in_other_chunks_is_one_local_speaker(vectors, sentences):
    voices = sorted({item.voice for item in sentences})[::3]
    rows = [i for voice in voices for i, item in enumerate(sentences) if item.voice == voice]
    chunk = np.array([[item.voice for item in sentences[:i]].count(sentences[i].voice) for i in rows])
    labels = LabelColumns(
        recording_ids=("r",),
        recording=np.zeros(len(rows), np.int64),
        channel=np.zeros(len(rows), np.int64),
        chunk_index=chunk,
        label=[sentences[i].voice for i in rows],
        start_ms=chunk * 600_000,
        speech_ms=np.full(len(rows), 3000),
        vectors=vectors[rows],
    )
    people = name_local_speakers(labels, prior_of("titanet/0123456789abcdef"))
    by_voice = {
        voice: {int(people.of_label[k]) for k, i in enumerate(rows) if sentences[i].voice == voice} for voice in voices
    }
    assert all(len(found) == 1 for found in by_voice.values()), by_voice
    assert len(people) == len(voices)


class TestWrongWeights:
    def test_no_such_file(self):
        with pytest.raises(EngineUnavailable, match="does not exist"):
            TitanetEmbedder.identify({"model": "/nowhere/titanet.nemo"})

    def test_truncated(self, tmp_path):
        short = tmp_path / "short.nemo"
        short.write_bytes(MODEL.read_bytes()[:200_000])
        with pytest.raises(EngineUnavailable, match=r"short\.nemo"):
            TitanetEmbedder.from_options({"model": str(short)}, device="cpu")

    def test_of_another_kind(self):
        other = MODEL.with_name("sortformer.nemo")
        with pytest.raises(EngineUnavailable, match="EncDecSpeakerLabelModel"):
            TitanetEmbedder.from_options({"model": str(other)}, device="cpu")

    def test_for_another_rate(self, tmp_path):
        telephone = tmp_path / "telephone.nemo"
        with tarfile.open(MODEL) as whole, tarfile.open(telephone, "w") as changed:
            for member in whole:
                content = whole.extractfile(member).read() if member.isfile() else b""
                if member.name.endswith("model_config.yaml"):
                    content = content.replace(b"sample_rate: 16000", b"sample_rate: 8000 ")
                    content = content.replace(b"window_size: 0.025", b"window_size: 0.050")
                changed.addfile(member, io.BytesIO(content))
        with pytest.raises(EngineUnavailable, match="8000 Hz"):
            TitanetEmbedder.from_options({"model": str(telephone)}, device="cpu")


def test_catalogue_names():
    (large,) = TitanetEmbedder.weights({})
    assert (large.model, large.filename) == (
        "nvidia/speakerverification_en_titanet_large",
        "speakerverification_en_titanet_large.nemo",
    )
    with pytest.raises(EngineUnavailable, match="not on the hub"):
        TitanetEmbedder.weights({"model": "ecapa_tdnn"})


def test_importing_the_adapter_imports_no_library():
    assert not {"torch", "nemo"} & set(vars(titanet))


def equal_error_rate(same, different):
    bars = np.linspace(-1, 1, 2001)
    missed = np.array([(same < bar).mean() for bar in bars])
    taken = np.array([(different >= bar).mean() for bar in bars])
    best = np.abs(missed - taken).argmin()
    return (missed[best] + taken[best]) / 2

"""The pyannote adapter over a pipeline that is none: what it is told, and what happens when it fails."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from storage.errors import ConfigError, EngineError, EngineOutOfMemory
from storage.records import ClipContext, Span, SpeakerBounds
from tasks.engines.pyannote_loading import quiet, without_nemo
from tasks.engines.pyannotes import PyannoteDiarizer, PyannoteOptions

CLIP = np.sin(np.arange(32_000, dtype=np.float32))
SPEECH = (Span(start_ms=0, end_ms=2000),)


class Annotation:
    def itertracks(self, *, yield_label):
        assert yield_label
        yield SimpleNamespace(start=0.5, end=1.5), "_", "SPEAKER_00"


class Pipeline:
    """Keeps what it was given; raises what it is told to as long as a call is not to its taste."""

    def __init__(self, error=None, *, until=lambda _, __: True):
        self.error, self.until, self.calls = error, until, []

    def __call__(self, file, **hints):
        self.calls.append((file, hints))
        if self.error is not None and not self.until(self, hints):
            raise self.error
        return SimpleNamespace(speaker_diarization=Annotation(), exclusive_speaker_diarization=Annotation())


def heard(pipeline, clip=CLIP, speech=SPEECH, **bounds):
    engine = PyannoteDiarizer(pipeline, PyannoteOptions(segmentation_batch_size=8, embedding_batch_size=4))
    (result,) = engine.diarize([clip], [ClipContext(speech=speech, speakers=SpeakerBounds(**bounds))])
    return result


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (None, None, {}),
        (2, 2, {"num_speakers": 2}),
        (1, 3, {"min_speakers": 1, "max_speakers": 3}),
        (None, 4, {"max_speakers": 4}),
        (2, None, {"min_speakers": 2}),
    ],
)
def test_only_what_is_known_is_told(low, high, told):
    pipeline = Pipeline()
    heard(pipeline, min_speakers=low, max_speakers=high)
    assert pipeline.calls[0][1] == told


def test_it_hears_an_array_of_its_own():
    pipeline = Pipeline()
    assert heard(pipeline, np.full(32_000, np.nan, np.float32) + CLIP).turns == ()
    clip = CLIP.copy()
    clip[5] = np.inf
    assert [turn.start_ms for turn in heard(pipeline, clip).turns] == [500]
    file = pipeline.calls[0][0]
    assert (tuple(file["waveform"].shape), file["sample_rate"]) == ((1, 32_000), 16_000)
    file["waveform"][:] = 0
    assert np.isinf(clip[5])


@pytest.mark.parametrize("clip", [CLIP[:0], CLIP[:1], CLIP[:15], np.ones(16_000, np.float32), CLIP * 0])
def test_where_nothing_can_be_heard_nothing_is_asked(clip):
    pipeline = Pipeline(RuntimeError("asked"), until=lambda *_: False)
    assert heard(pipeline, clip).turns == ()
    assert heard(pipeline, speech=()).turns == ()


def test_a_hint_that_cannot_be_followed_is_dropped():
    pipeline = Pipeline(ValueError("n_samples=1 should be >= n_clusters=2"), until=lambda _, hints: not hints)
    assert len(heard(pipeline, min_speakers=2).turns) == 1
    assert [hints for _, hints in pipeline.calls] == [{"min_speakers": 2}, {}]


def test_out_of_memory_halves_the_batches_and_goes_on():
    pipeline = Pipeline(MemoryError("batch_size"), until=lambda self, _: self.segmentation_batch_size <= 2)
    assert len(heard(pipeline).turns) == 1
    assert (pipeline.segmentation_batch_size, pipeline.embedding_batch_size) == (2, 1)


def test_out_of_memory_for_one_window_is_said():
    with pytest.raises(EngineOutOfMemory):
        heard(Pipeline(MemoryError("batch_size"), until=lambda *_: False))


@pytest.mark.parametrize("error", [RuntimeError("boom"), ValueError("boom")])
def test_other_errors_become_the_engines(error):
    with pytest.raises(EngineError, match="boom"):
        heard(Pipeline(error, until=lambda *_: False))


@pytest.mark.parametrize(
    "wrong", [{"segmentation_batch_size": 0}, {"clustering_threshold": -0.1}, {"fill_gaps_ms": -1}, {"model": 3}]
)
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        PyannoteDiarizer.weights(wrong)


def test_prints_and_settings_of_the_library_stay_inside(capsys):
    import torch

    before = torch.backends.cudnn.allow_tf32
    with quiet():
        torch.backends.cudnn.allow_tf32 = not before
        print("Found only 1 clusters.")  # noqa: T201 - as the library does
    assert torch.backends.cudnn.allow_tf32 == before
    assert capsys.readouterr().out == ""


def test_nemo_is_not_imported_along(monkeypatch):
    monkeypatch.delitem(sys.modules, "nemo", raising=False)
    with without_nemo(), pytest.raises(ImportError):
        import nemo  # noqa: F401
    assert "nemo" not in sys.modules


def test_nemo_stays_where_somebody_uses_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "nemo", pytest)
    with without_nemo():
        assert sys.modules["nemo"] is pytest
    assert sys.modules["nemo"] is pytest

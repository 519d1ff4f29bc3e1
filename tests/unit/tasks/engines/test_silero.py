import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from storage.errors import ConfigError, EngineUnavailable
from tasks.engines.silero import SileroDetector, SileroOptions, speech_spans

EXACT = SileroOptions(threshold=0.5, min_speech_ms=0, min_silence_ms=0, pad_ms=0)

probabilities = hnp.arrays(np.float32, st.integers(0, 200), elements=st.floats(0, 1, width=32))
options = st.builds(
    SileroOptions,
    threshold=st.floats(0.05, 0.95),
    min_speech_ms=st.integers(0, 500),
    min_silence_ms=st.integers(0, 1000),
    pad_ms=st.integers(0, 300),
)


def spans_of(windows, chosen=EXACT, clip_ms=None):
    values = np.array(windows, dtype=np.float32)
    clip_ms = len(values) * 32 if clip_ms is None else clip_ms
    return [(span.start_ms, span.end_ms) for span in speech_spans(values, chosen, clip_ms)]


@given(probabilities, options, st.integers(0, 31))
def test_spans_are_sorted_disjoint_and_inside_the_clip(values, chosen, short_by_ms):
    clip_ms = max(0, len(values) * 32 - short_by_ms)
    spans = speech_spans(values, chosen, clip_ms)
    times = [time for span in spans for time in (span.start_ms, span.end_ms)]
    assert times == sorted(times)
    assert all(0 <= span.start_ms < span.end_ms <= clip_ms for span in spans)
    gaps = [after.start_ms - before.end_ms for before, after in itertools.pairwise(spans)]
    assert all(gap >= chosen.min_silence_ms - 2 * chosen.pad_ms for gap in gaps)


def test_speech_ends_only_well_below_the_threshold():
    assert spans_of([0.1, 0.6, 0.4, 0.36, 0.34, 0.4, 0.1]) == [(32, 128)]


def test_nothing_begins_between_the_two_thresholds():
    assert spans_of([0.4, 0.45, 0.1, 0.4]) == []


def test_speech_at_both_ends_reaches_the_ends():
    assert spans_of([0.9, 0.1, 0.9]) == [(0, 32), (64, 96)]
    assert spans_of([0.9, 0.1, 0.9], clip_ms=70) == [(0, 32), (64, 70)]


def test_short_silence_is_speech_and_short_speech_is_not():
    windows = [0.9] * 4 + [0] * 3 + [0.9] * 4 + [0] * 20 + [0.9]
    assert spans_of(windows, SileroOptions(min_silence_ms=100, min_speech_ms=64, pad_ms=0)) == [(0, 352)]
    assert spans_of(windows, SileroOptions(min_silence_ms=96, min_speech_ms=0, pad_ms=10)) == [
        (0, 138),
        (214, 362),
        (982, 1024),
    ]


@pytest.mark.parametrize("wrong", [{"threshold": 0}, {"threshold": 1.5}, {"pad_ms": -1}, {"pad_ms": 1.5}, {"pad": 1}])
def test_impossible_options_are_refused(wrong):
    with pytest.raises(ConfigError, match="it knows threshold"):
        SileroDetector.identify(wrong)


def test_identity_follows_the_options():
    assert SileroDetector.identify({"pad_ms": 150}) == SileroDetector.identify({})
    assert SileroDetector.identify({"pad_ms": 10}) != SileroDetector.identify({})


def test_identity_loads_no_library():
    code = (
        "import sys; from tasks.engines.silero import SileroDetector; SileroDetector.identify({}); "
        "print({'onnxruntime', 'faster_whisper', 'torch'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(EngineUnavailable, match=r"voxlake\[embedded\]"):
        SileroDetector.from_options({}, device="cpu")


def test_without_the_weights_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("tasks.engines.silero.find_spec", lambda name: None)
    with pytest.raises(EngineUnavailable, match=r"voxlake\[embedded\]"):
        SileroDetector.identify({})


def test_blocks_hear_what_one_pass_hears():
    pytest.importorskip("faster_whisper")
    from faster_whisper.vad import get_vad_model

    clip = np.random.default_rng(3).normal(0, 0.1, 40 * 16_000 + 123).astype(np.float32)
    clip *= np.linspace(0, 2, len(clip), dtype=np.float32)
    clip = clip.clip(-1, 1)
    ours = SileroDetector.from_options({}, device="cpu").probabilities(clip)
    theirs = get_vad_model()(np.pad(clip, (0, -len(clip) % 512)))
    np.testing.assert_array_equal(ours, theirs)

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from storage.records import SAMPLES_PER_MS, Span
from tasks.engines.speech_edges import tightened


def clip_of(*parts):
    """Noise of given levels: pairs of milliseconds and amplitude."""
    rng = np.random.default_rng(0)
    pieces = [amplitude * rng.standard_normal(ms * SAMPLES_PER_MS) for ms, amplitude in parts]
    return np.concatenate(pieces).astype(np.float32)


def edges(speech, clip):
    return [(span.start_ms, span.end_ms) for span in tightened([Span(start_ms=a, end_ms=b) for a, b in speech], clip)]


@st.composite
def clips_and_spans(draw):
    parts = draw(st.lists(st.tuples(st.integers(1, 400), st.sampled_from([0, 1e-6, 1e-3, 0.1, 1e30])), max_size=6))
    clip = clip_of(*parts) if parts else np.zeros(draw(st.integers(0, 200)), np.float32)
    times = sorted(draw(st.lists(st.integers(0, 2500), max_size=8, unique=True)))
    return clip, list(zip(times[::2], times[1::2], strict=False))


@given(clips_and_spans())
def test_spans_stay_inside_and_never_lose_more_than_150_ms_a_side(case):
    clip, speech = case
    clip_ms = len(clip) // SAMPLES_PER_MS
    expected = [(start, min(end, clip_ms)) for start, end in speech if start < min(end, clip_ms)]
    found = edges(speech, clip)
    assert len(found) == len(expected)
    for (start, end), (wide_start, wide_end) in zip(found, expected, strict=True):
        assert wide_start <= start <= wide_start + 150
        assert wide_end - 150 <= end <= wide_end
        assert start < end


def test_the_padding_of_a_detector_goes():
    clip = clip_of((500, 1e-4), (1000, 0.1), (500, 1e-4))
    assert edges([(400, 1600)], clip) == [(490, 1510)]


def test_quiet_inside_a_span_is_a_pause_and_stays():
    clip = clip_of((500, 1e-4), (300, 0.1), (400, 1e-4), (300, 0.1), (500, 1e-4))
    assert edges([(500, 1500)], clip) == [(500, 1500)]


def test_in_a_loud_room_what_is_as_loud_as_the_room_goes():
    clip = clip_of((1000, 0.01), (1000, 0.1), (1000, 0.01))
    ((start, end),) = edges([(900, 2100)], clip)
    assert 900 < start <= 1000
    assert 2000 <= end < 2100


def test_speech_that_fades_keeps_what_can_be_heard():
    clip = clip_of((1000, 1e-5), (1000, 0.1), (140, 0.005), (1000, 1e-5))
    ((_, end),) = edges([(1000, 2200)], clip)
    assert end >= 2140


def test_even_sound_has_no_edges_to_move():
    assert edges([(100, 900)], clip_of((1000, 0))) == [(100, 900)]

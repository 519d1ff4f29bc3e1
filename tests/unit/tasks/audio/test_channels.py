import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Span
from tasks.audio.channels import choose_channel_mode, mix, own_speech
from tasks.audio.decode import open_recording
from tests.media import noise


def stretches(seconds, spans, seed=0, level=1.0, floor=1e-4):
    """Noise where somebody speaks, and next to nothing elsewhere."""
    sound = noise(seconds, seed=seed)[0]
    gain = np.full(len(sound), floor, np.float32)
    for start, end in spans:
        gain[int(start * 16_000) : int(end * 16_000)] = level
    return sound * gain


CALLER = [(0, 3), (6, 9), (12, 14)]
CALLEE = [(3.2, 5.8), (9.1, 11.5), (14.2, 20)]


def call(crosstalk=0.01):
    caller, callee = stretches(20, CALLER, 1), stretches(20, CALLEE, 2, level=0.3)
    return np.stack([caller + crosstalk * callee, callee + crosstalk * caller])


@pytest.mark.parametrize("crosstalk", [0.0, 0.01, 0.1])
def test_one_speaker_per_channel_is_split(crosstalk):
    assert choose_channel_mode(call(crosstalk)) == "split"


def test_a_call_with_some_talking_over_each_other_is_split():
    both = np.stack([stretches(20, [(0, 5), (8, 13)], 1), stretches(20, [(4.5, 8.5), (13, 20)], 2)])
    assert choose_channel_mode(both) == "split"


def test_a_third_silent_channel_does_not_change_that():
    assert choose_channel_mode(np.concatenate([call(), np.zeros((1, 320_000), np.float32)])) == "split"


@pytest.mark.parametrize(
    "second",
    [
        lambda x: x,
        lambda x: 0.3 * x,
        lambda x: -x,
        lambda x: 0 * x,
        lambda x: 1e-4 * noise(20, seed=5)[0],
        lambda x: 0.8 * x + 0.3 * np.roll(x, 7),
        lambda x: 0.5 * np.roll(x, 40),
    ],
    ids=["equal", "scaled", "inverted", "silent", "hiss", "echo", "spaced microphones"],
)
def test_one_scene_heard_twice_is_mixed(second):
    scene = stretches(20, [(0, 5), (7, 13), (15, 18)], 1)
    assert choose_channel_mode(np.stack([scene, second(scene).astype(np.float32)])) == "mix"


def test_a_room_of_people_near_different_microphones_is_mixed():
    a, b = stretches(20, CALLER, 1), stretches(20, CALLEE, 2)
    assert choose_channel_mode(np.stack([a + 0.5 * b, b + 0.5 * a])) == "mix"


@pytest.mark.parametrize("shape", [(1, 16_000), (2, 16_000), (2, 10), (8, 0), (2, 0), (3, 801)])
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_nothing_to_hear_is_mixed(shape, value):
    samples = np.full(shape, value, np.float32)
    assert choose_channel_mode(samples) == "mix"
    assert mix(samples).shape == shape[1:]
    assert np.isfinite(mix(samples)).all()


def test_the_mix_is_the_mean():
    samples = np.stack([noise(1, seed=1)[0], noise(1, seed=2)[0]])
    np.testing.assert_allclose(mix(samples), samples.mean(axis=0), atol=1e-6)


def test_a_silent_channel_does_not_halve_the_level():
    samples = np.concatenate([noise(1), np.zeros((1, 16_000), np.float32)])
    np.testing.assert_array_equal(mix(samples), samples[0])


def test_an_inverted_channel_does_not_cancel():
    sound = noise(1)[0]
    np.testing.assert_allclose(np.abs(mix(np.stack([sound, -sound]))), np.abs(sound), atol=1e-6)


def test_the_mix_is_a_copy():
    samples = noise(1)
    mix(samples)[:] = 0
    assert samples.any()


def test_borrowed_speech_is_left_to_its_owner():
    samples = call(crosstalk=0.03)
    everywhere = [Span(start_ms=0, end_ms=20_000)]
    for channel, own in enumerate((CALLER, CALLEE)):
        kept = np.zeros(20_000, bool)
        for span in own_speech(everywhere, samples, channel):
            kept[span.start_ms : span.end_ms] = True
        for start, end in own:
            assert kept[int(start * 1000) + 100 : int(end * 1000) - 100].all()
        for start, end in (CALLEE, CALLER)[channel]:
            assert not kept[int(start * 1000) + 400 : int(end * 1000) - 400].any()


def test_two_who_speak_at_once_both_keep_their_speech():
    samples = np.stack([stretches(5, [(1, 4)], 1), stretches(5, [(2, 3)], 2, level=0.4)])
    assert own_speech([Span(start_ms=2000, end_ms=3000)], samples, 1) == [Span(start_ms=2000, end_ms=3000)]
    assert own_speech([Span(start_ms=1000, end_ms=4000)], samples, 0) == [Span(start_ms=1000, end_ms=4000)]


@given(cuts=st.lists(st.integers(0, 20_000), max_size=12, unique=True), channel=st.integers(0, 1))
def test_own_speech_is_part_of_the_speech(cuts, channel):
    edges = sorted(cuts)[: len(cuts) // 2 * 2]
    spans = [Span(start_ms=start, end_ms=end) for start, end in zip(edges[::2], edges[1::2], strict=True)]
    own = own_speech(spans, call(), channel)
    assert own == sorted(own)
    assert all(piece.duration_ms > 0 for piece in own)
    assert all(any(s.start_ms <= p.start_ms and p.end_ms <= s.end_ms for s in spans) for p in own)
    assert all(a.end_ms <= b.start_ms for a, b in pairwise(own))


@pytest.mark.skipif("VOXLAKE_SPEECH" not in os.environ, reason="needs a folder of real speech")
def test_real_headsets_are_split_and_real_stereo_is_mixed():
    folder = Path(os.environ["VOXLAKE_SPEECH"])
    for path in sorted((folder / "ami-headsets").glob("*.flac")):
        with open_recording(str(path.parent), path.name) as recording:
            assert choose_channel_mode(np.concatenate(list(recording.blocks()), axis=1)) == "split"
    for path in [folder / "jfk/jfk-stereo-44k.flac", folder / "containers/p001.flac", folder / "containers/p001.mp3"]:
        with open_recording(str(path.parent), path.name) as recording:
            assert choose_channel_mode(np.concatenate(list(recording.blocks()), axis=1)) == "mix"

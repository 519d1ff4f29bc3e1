from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import SAMPLE_RATE_HZ
from tasks.engines.voice_windows import has_voice, pooled, raised, window_starts


def noise(seconds, level=0.1):
    return np.random.default_rng(3).normal(0, level, round(seconds * SAMPLE_RATE_HZ)).astype(np.float32)


class TestWindows:
    @given(st.integers(1, 5000), st.integers(1, 600))
    def test_cover_the_clip_with_as_few_as_it_takes(self, n_samples, window):
        starts = window_starts(n_samples, window)
        assert starts[0] == 0
        assert starts[-1] == max(0, n_samples - window)
        assert len(starts) == max(1, -(-n_samples // window))
        assert all(later - before <= window for before, later in pairwise(starts))

    def test_a_short_clip_is_one_window(self):
        assert window_starts(7, 100) == [0]


class TestVoice:
    @pytest.mark.parametrize("clip", [noise(0.499), np.zeros(SAMPLE_RATE_HZ, np.float32), noise(1, 1e-6), noise(0)])
    def test_too_short_or_too_quiet(self, clip):
        assert not has_voice(clip)

    def test_a_constant_is_no_sound(self):
        assert not has_voice(np.full(SAMPLE_RATE_HZ, -1, np.float32))

    def test_quiet_speech_is(self):
        assert has_voice(noise(0.5, 1e-4))

    def test_loudness_and_offset_are_taken_out(self):
        clip = noise(1)
        np.testing.assert_allclose(raised(clip * np.float32(0.01) + np.float32(0.3)), raised(clip), atol=1e-4)
        assert raised(clip).std() == pytest.approx(0.05, rel=1e-3)


class TestPooling:
    def test_every_window_counts_alike_however_long_its_vector(self):
        vectors = np.array([[30, 0], [0, 2], [0, -5]], np.float32)
        found = pooled(vectors, [0, 0, 2], 3)
        np.testing.assert_allclose(found[0], [0.5**0.5, 0.5**0.5], atol=1e-6)
        assert np.isnan(found[1]).all()
        np.testing.assert_allclose(found[2], [0, -1])
        assert found.dtype == np.float32

    def test_windows_that_came_to_nothing_do_not_count(self):
        vectors = np.array([[np.nan, 1], [3, 4], [0, 0]], np.float32)
        np.testing.assert_allclose(pooled(vectors, [0, 0, 1], 2)[0], [0.6, 0.8], atol=1e-6)

    def test_voices_that_cancel_out_are_no_voice(self):
        assert np.isnan(pooled(np.array([[1, 0], [-1, 0]], np.float32), [0, 0], 1)).all()

    def test_no_clips(self):
        assert pooled(np.zeros((0, 8), np.float32), [], 0).shape == (0, 8)

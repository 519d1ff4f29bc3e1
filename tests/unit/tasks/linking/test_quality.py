import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.linking.quality import noise_for, noise_of, quality_of, shape_of


def test_speech_is_worth_less_the_more_there_is():
    assert quality_of(np.array([0, 3_000, 27_000])).tolist() == [0.0, 0.5, 0.9]
    assert quality_of(np.array([10**9]))[0] < 1


def test_speech_counts_as_far_as_the_diarizer_is_sure_of_it():
    half, whole, unknown = quality_of(np.array([6_000, 3_000, 3_000]), np.array([0.5, 1.0, np.nan], np.float32))
    assert half == whole == unknown == 0.5
    assert quality_of(np.array([3_000]), np.zeros(1, np.float32))[0] == 0


@given(st.lists(st.floats(0.0, 1e4), min_size=2, max_size=2).map(sorted), st.floats(0.0, 0.9))
def test_more_quality_is_never_more_noise(pair, lasting):
    less, more = noise_of(np.array(pair), 0.7, lasting)
    assert 0 < more <= less <= 50


def test_some_noise_lasts_in_one_recording():
    assert shape_of(np.array([1.0, 1e9]), 0.4).tolist() == pytest.approx([1.0, 0.4])
    assert shape_of(np.array([1.0, 1e9]), 0.0).tolist() == pytest.approx([1.0, 0.0], abs=1e-8)


@given(st.floats(0.05, 0.95), st.floats(0.0, 0.9))
def test_noise_explains_the_cosine_that_it_was_found_for(cosine, lasting):
    noise = noise_for(cosine, lasting) * shape_of(quality_of(np.array([10_000])), lasting)[0]
    assert 1 / (1 + noise) == pytest.approx(cosine)

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.linking import calibrate as calibrating
from tasks.linking.calibrate import calibrate, sample_recordings
from tasks.linking.voices import COMMON_PRIOR
from tests.voices import linked, row
from tests.voices import person as voice_of

NAMES = tuple(f"r{number:04d}" for number in range(2_000))


def names_drawn(sizes):
    """Names of the recordings drawn; ``sizes`` says how many voices each has, by name, in any order."""
    ids = tuple(sizes)
    recording = np.repeat(np.arange(len(ids)), list(sizes.values()))
    chosen = sample_recordings(recording, ids)
    drawn = {ids[place] for place in recording[chosen]}
    assert chosen.sum() == sum(sizes[name] for name in drawn), "recordings are drawn as a whole"
    return drawn


def test_of_few_voices_all_are_looked_at():
    assert names_drawn(dict.fromkeys(NAMES[:500], 2)) == set(NAMES[:500])


def test_of_many_about_as_many_as_are_enough():
    drawn = names_drawn(dict.fromkeys(NAMES, 5))
    assert 5 * len(drawn) == pytest.approx(calibrating._FEWEST_VOICES, abs=5)


@settings(max_examples=10)
@given(seed=st.integers(0, 10_000))
def test_who_is_drawn_follows_from_names_alone(seed):
    order = np.random.default_rng(seed).permutation(NAMES).tolist()
    sizes = {name: 3 + at % 4 for at, name in enumerate(NAMES)}
    assert names_drawn({name: sizes[name] for name in order}) == names_drawn(sizes)


def test_who_was_drawn_is_drawn_again_when_others_come():
    few = names_drawn(dict.fromkeys(NAMES[:1500], 3))
    many = names_drawn(dict.fromkeys(NAMES, 3))
    assert len(few & many) > 0.7 * len(few)


def test_people_heard_nowhere_else_than_in_the_sample_are_found_by_what_it_tells(monkeypatch):
    rows = [row(f"r{number:03d}", "A", voice_of(number % 40)) for number in range(200)]
    whole = linked(rows)[2]
    monkeypatch.setattr(calibrating, "_FEWEST_VOICES", 60)
    assert linked(rows)[2] == whole == [number % 40 for number in range(200)]


def test_a_space_is_found_where_there_is_one_voice():
    space = calibrate(
        voice_of(1)[None, :],
        np.ones(1, np.float32),
        np.zeros(1, np.int64),
        [{0}],
        COMMON_PRIOR,
        same_nats=-1.0,
        together_nats=10.0,
    )
    assert not space.mean.any()
    assert np.isfinite([space.room, space.noise, space.scale.offset, space.scale.dimensions]).all()

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import SpeakerBounds
from tasks.linking.evidence import VoiceGroups
from tasks.linking.known_numbers import merge_within_bounds
from tasks.linking.voices import VoiceScale
from tests.voices import heard, partition


def people(*who, fewest=None, most=None, bar=0.0, objection=lambda *_: 0.0, told=None):
    vectors = np.stack([heard(one, take=take) for take, one in enumerate(who)])
    groups = VoiceGroups(vectors, np.full(len(who), 0.3), VoiceScale(offset=0.0, dimensions=60))
    bounds = SpeakerBounds(min_speakers=fewest, max_speakers=most)
    merged = (lambda *_: None) if told is None else lambda *pair: told.append(pair)
    return merge_within_bounds(groups, np.arange(len(who)), bounds, bar, objection, merged).tolist()


def test_within_the_bounds_voices_decide():
    assert people(1, 2, 1, 3, fewest=1, most=4) == [0, 1, 0, 3]


def test_the_most_alike_become_one_where_there_are_too_many():
    assert people(1, 2, 1, 2, most=2) == [0, 1, 0, 1]
    assert len(set(people(1, 2, 3, 4, most=3))) == 3


def test_the_least_alike_stay_apart_where_there_would_be_too_few():
    assert partition(people(1, 1, 1, 2, fewest=3), range(4)) > {frozenset({3})}
    assert len(set(people(1, 1, 1, 2, fewest=3))) == 3


def test_what_is_objected_to_comes_last():
    def objection(one, other):
        return np.inf if {one, other} == {0, 2} else 0.0

    assert people(1, 2, 1, objection=objection, most=2)[0] != people(1, 2, 1, objection=objection, most=2)[2]
    assert len(set(people(1, 2, 1, objection=objection, most=1))) == 1


def test_more_speakers_than_voices_are_not_made_up():
    assert people(1, 2, fewest=5) == [0, 1]


def test_nobody_is_nobody():
    none = np.empty(0, np.int64)
    groups = VoiceGroups(np.empty((0, 4), np.float32), np.empty(0), VoiceScale(offset=0.0, dimensions=4))
    found = merge_within_bounds(groups, none, SpeakerBounds(max_speakers=1), 0.0, lambda *_: 0.0, lambda *_: None)
    assert found.tolist() == []


@pytest.mark.parametrize("bar", [0.0, 1e6])
@given(who=st.lists(st.integers(0, 3), min_size=1, max_size=8), bounds=st.tuples(st.integers(1, 4), st.integers(0, 4)))
def test_bounds_are_kept(who, bounds, bar):
    fewest, most = bounds[0], sum(bounds)
    told = []
    found = people(*who, fewest=fewest, most=most, bar=bar, told=told)
    assert min(fewest, len(who)) <= len(set(found)) <= most
    assert len(told) == len(who) - len(set(found))

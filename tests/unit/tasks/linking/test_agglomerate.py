import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.linking.agglomerate import Pairs, agglomerate
from tasks.linking.evidence import VoiceGroups
from tasks.linking.voices import VoiceScale
from tests.voices import heard, partition

SCALE = VoiceScale(offset=0.0, dimensions=60)


def groups_of(vectors):
    return VoiceGroups(np.stack(vectors), np.full(len(vectors), 0.3), SCALE)


def people(vectors, *, bar=0.0, objection=lambda *_: 0.0, pairs=None, told=None):
    one, other = np.triu_indices(len(vectors), 1) if pairs is None else np.array(pairs, np.int64).reshape(-1, 2).T
    merged = (lambda *_: None) if told is None else lambda *pair: told.append(pair)
    groups = groups_of(vectors)
    return agglomerate(groups, Pairs(groups, one, other), bar=bar, objection=objection, merged=merged).tolist()


def people_one_pair_at_a_time(vectors, bar):
    groups, part_of = groups_of(vectors), np.arange(len(vectors))
    while True:
        alive = np.unique(part_of)
        one, other = (alive[places] for places in np.triu_indices(len(alive), 1))
        score = groups.between(one, other)
        if not len(score) or score.max() <= bar:
            return part_of.tolist()
        best = int(score.argmax())
        groups.merge(one[[best]], other[[best]])
        part_of[part_of == other[best]] = one[best]


@given(seed=st.integers(0, 10_000), n_people=st.integers(1, 6), count=st.integers(1, 25))
def test_many_merges_a_round_find_what_one_at_a_time_finds(seed, n_people, count):
    who = np.random.default_rng(seed).integers(n_people, size=count).tolist()
    vectors = [heard(1_000 * seed + one, take=take, room_size=0.0) for take, one in enumerate(who)]
    found = partition(people(vectors), range(count))
    assert found == partition(people_one_pair_at_a_time(vectors, 0.0), range(count)) == partition(who, range(count))


@given(seed=st.integers(0, 10_000), data=st.data())
def test_the_order_of_pairs_changes_nothing(seed, data):
    vectors = [heard(number % 3, take=number + seed, noise=1.0) for number in range(9)]
    pairs = [(one, other) for one in range(9) for other in range(one)]
    shuffled = data.draw(st.permutations(pairs))
    assert people(vectors, pairs=shuffled + shuffled[:5]) == people(vectors, pairs=pairs)


@pytest.mark.parametrize("count", [2, 3, 50, 300])
def test_ties_come_to_an_end(count):
    assert len(set(people([heard(1)] * count))) == 1


@pytest.mark.parametrize("count", [3, 50])
def test_ties_that_are_objected_to_come_to_an_end(count):
    half = set(range(count // 2))
    found = people([heard(1)] * count, objection=lambda one, other: np.inf if (one in half) != (other in half) else 0.0)
    assert partition(found, range(count)) <= {frozenset(half), frozenset(range(count)) - half}


def test_only_pairs_are_merged():
    vectors = [heard(1, take=take) for take in range(5)]
    assert people(vectors, pairs=[]) == [0, 1, 2, 3, 4]
    assert partition(people(vectors, pairs=[(3, 1), (1, 1), (0, 4)]), range(5)) == {
        frozenset({0, 4}),
        frozenset({1, 3}),
        frozenset({2}),
    }


def test_a_bar_that_nothing_reaches_keeps_everybody_apart():
    assert people([heard(1)] * 4, bar=1e6) == [0, 1, 2, 3]


def test_what_is_objected_to_has_to_be_outweighed():
    vectors = [heard(1, take=take, noise=0.2) for take in range(2)]
    assert people(vectors, objection=lambda *_: 5.0) == [0, 0]
    assert people(vectors, objection=lambda *_: 500.0) == [0, 1]


@given(seed=st.integers(0, 10_000))
def test_what_is_forbidden_is_not_merged_and_every_merge_is_told(seed):
    rng = np.random.default_rng(seed)
    vectors = [heard(1, take=take) for take in range(10)]
    side = rng.integers(2, size=10)
    sides, told = {row: {int(side[row])} for row in range(10)}, []

    def objection(one, other):
        return np.inf if sides[one] != sides[other] else 0.0

    part_of = people(vectors, objection=objection, told=told)
    assert partition(part_of, range(10)) == partition(side.tolist(), range(10))
    person = list(range(10))
    for kept, gone in told:
        person = [kept if one == gone else one for one in person]
    assert person == part_of


def test_a_large_group_takes_in_only_who_has_chosen_it():
    large, plane = np.eye(2, 64, dtype=np.float32)
    middle, near, twin = (
        np.float32(cosine) * large + np.float32((1 - cosine**2) ** 0.5) * plane for cosine in (0.55, 0.3, 0.28)
    )
    groups = groups_of([large] * 12 + [middle, near, twin])
    groups.merge(np.zeros(11, np.int64), np.arange(1, 12))
    one, other = np.array([0, 12, 13]), np.array([12, 13, 14])
    of_large, of_middle, of_twins = groups.between(one, other)
    assert 0 < of_large < of_middle < of_twins
    told = []
    agglomerate(
        groups,
        Pairs(groups, one, other),
        bar=0.0,
        objection=lambda *_: 0.0,
        merged=lambda *pair: told.append(set(pair)),
    )
    assert told[0] == {13, 14}
    assert 0 not in told[1]

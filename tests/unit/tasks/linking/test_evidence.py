from contextlib import contextmanager

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from tasks.linking import evidence, totals
from tasks.linking.evidence import VoiceGroups
from tasks.linking.voices import VoiceScale

DIM = 5
SEEDS = st.integers(0, 10_000)


@contextmanager
def without_odd_voices(drift=0.0):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "_ODD", 1e-300)
        patch.setattr(totals, "_DRIFT", drift)
        yield


def some_voices(seed, count):
    """Unit vectors of a few people, and their noise."""
    rng = np.random.default_rng(seed)
    people = rng.standard_normal((3, DIM))
    vectors = people[rng.integers(3, size=count)] + 0.7 * rng.standard_normal((count, DIM))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), rng.uniform(0.05, 4.0, count)


def groups_of(seed, *sizes, offset=0.0):
    """Groups of voices of that many each, named by their first voice, with the rows of each."""
    vectors, noise = some_voices(seed, sum(sizes))
    groups = VoiceGroups(vectors, noise, VoiceScale(offset=offset, dimensions=DIM))
    rows = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    for some in rows:
        merge(groups, some)
    return groups, rows


def merge(groups, rows):
    for row in rows[1:]:
        groups.merge(np.array(rows[:1]), np.array([row]))


def between(groups, one, other):
    return float(groups.between(np.array([one]), np.array([other]))[0])


def log_likelihood(vectors, noise, shared):
    """Of Gaussian voices with a covariance between each two, in every direction alone."""
    rows = vectors * np.sqrt(DIM * (1 + noise))[:, None]
    covariance = shared + np.diag(noise)
    return sum(multivariate_normal.logpdf(column, np.zeros(len(noise)), covariance) for column in rows.T)


def ratio_by_brute_force(seed, first, second, drift):
    """One person against two: a voice is its person, what its group drifted by, and noise."""
    vectors, noise = some_voices(seed, first + second)
    group = np.repeat([0, 1], [first, second])
    drifted = drift * (group[:, None] == group)
    one = log_likelihood(vectors, noise, 1 + drifted)
    two = [
        log_likelihood(vectors[some], noise[some], 1 + drifted[np.ix_(some, some)]) for some in (group == 0, group == 1)
    ]
    return one - sum(two)


# ---- what the ratio is


@given(seed=SEEDS, first=st.integers(1, 4), second=st.integers(1, 4), drift=st.sampled_from([0.0, 0.02, 0.5]))
def test_the_ratio_is_that_of_the_gaussian_model(seed, first, second, drift):
    with without_odd_voices(drift):
        groups, (one, other) = groups_of(seed, first, second)
        expected = ratio_by_brute_force(seed, first, second, drift)
        assert between(groups, one[0], other[0]) == pytest.approx(expected, rel=1e-4, abs=1e-3)


@given(seed=SEEDS, offset=st.floats(0.0, 0.9))
def test_what_strangers_share_counts_for_nothing(seed, offset):
    vectors, noise = some_voices(seed, 4)
    shared = np.zeros((4, DIM + 1), np.float32)
    shared[:, :DIM], shared[:, DIM] = np.sqrt(1 - offset) * vectors, np.sqrt(offset)
    pairs = np.triu_indices(4, 1)
    plain = VoiceGroups(vectors, noise, VoiceScale(offset=0.0, dimensions=DIM)).between(*pairs)
    found = VoiceGroups(shared, noise, VoiceScale(offset=offset, dimensions=DIM)).between(*pairs)
    assert found == pytest.approx(plain, rel=1e-3, abs=1e-2)


@given(seed=SEEDS, first=st.integers(1, 4), second=st.integers(1, 4))
def test_the_ratio_is_the_same_either_way(seed, first, second):
    groups, (one, other) = groups_of(seed, first, second)
    assert between(groups, one[0], other[0]) == pytest.approx(between(groups, other[0], one[0]))


def test_blocks_of_pairs_change_nothing(monkeypatch):
    groups, _ = groups_of(1, *[1] * 9)
    pairs = np.triu_indices(9, 1)
    whole = groups.between(*pairs)
    monkeypatch.setattr(evidence, "_BLOCK_PAIRS", 7)
    assert np.array_equal(groups.between(*pairs), whole)


def test_more_speech_says_more():
    vectors = np.eye(DIM, dtype=np.float32)[[0, 0, 1]]
    ratios = [
        VoiceGroups(vectors, np.full(3, noise), VoiceScale(offset=0.0, dimensions=DIM)).between(
            np.array([0, 0]), np.array([1, 2])
        )
        for noise in (2.0, 0.5, 0.1)
    ]
    same, different = np.array(ratios).T
    assert 0 < same[0] < same[1] < same[2]
    assert 0 > different[0] > different[1] > different[2]


def test_a_large_group_is_not_known_without_end():
    vectors = np.eye(DIM, dtype=np.float32)[np.zeros(3_000, int)]
    groups = VoiceGroups(vectors, np.full(3_000, 0.5), VoiceScale(offset=0.0, dimensions=DIM))
    groups.merge(np.zeros(2_998, int), np.arange(1, 2_999))
    hundred = VoiceGroups(vectors, np.full(3_000, 0.5), VoiceScale(offset=0.0, dimensions=DIM))
    hundred.merge(np.zeros(99, int), np.arange(1, 100))
    assert between(groups, 0, 2_999) == pytest.approx(between(hundred, 0, 2_999), rel=0.1)


# ---- merging


@given(seed=SEEDS, order=st.permutations(range(6)))
def test_the_order_of_merges_changes_nothing(seed, order):
    with without_odd_voices():
        (one, _), (other, _) = (groups_of(seed, *[1] * 8) for _ in range(2))
        merge(one, range(6))
        merge(other, order)
        merge(one, [6, 7])
        merge(other, [7, 6])
        assert between(other, order[0], 7) == pytest.approx(between(one, 0, 6), rel=1e-4, abs=1e-3)
        assert other.precision[order[0]] == pytest.approx(one.precision[0])


def test_several_are_merged_at_once():
    with without_odd_voices():
        (one, _), (other, _) = (groups_of(4, *[1] * 6) for _ in range(2))
        one.merge(np.array([3, 0, 0]), np.array([4, 1, 2]))
        merge(other, [0, 1, 2])
        merge(other, [3, 4])
        assert between(one, 0, 3) == pytest.approx(between(other, 0, 3), rel=1e-4)
        assert between(one, 3, 5) == pytest.approx(between(other, 3, 5), rel=1e-4)


def test_an_odd_voice_may_come_to_its_person_and_weighs_less_from_then_on():
    vectors = np.zeros((12, DIM), np.float32)
    vectors[:, 0] = 1
    vectors[11, :2] = 0.6, 0.8
    groups = VoiceGroups(vectors, np.full(12, 0.2), VoiceScale(offset=0.0, dimensions=60))
    merge(groups, range(11))
    before = groups.precision[0]
    with without_odd_voices(drift=0.02):
        assert between(groups, 0, 11) < -1
    assert between(groups, 0, 11) > 0
    groups.merge(np.array([0]), np.array([11]))
    assert groups.is_odd.tolist() == [False] * 11 + [True]
    assert groups.precision[0] - before == pytest.approx(1 / 0.6)


# ---- one voice and a group


@given(seed=SEEDS, size=st.integers(2, 5))
def test_who_would_join_is_compared_as_who_is_there(seed, size):
    groups, (rows, alone) = groups_of(seed, size, 1)
    vectors, noise = some_voices(seed, size + 1)
    joined = groups.joined_by(vectors[alone], noise[alone], rows[:1])
    assert joined[0] == pytest.approx(between(groups, rows[0], alone[0]), rel=1e-4, abs=1e-3)


@given(seed=SEEDS, size=st.integers(2, 5), place=st.integers(0, 4))
def test_a_voice_is_compared_with_the_rest_of_its_group(seed, size, place):
    voice = place % size
    with without_odd_voices(drift=0.02):
        groups, _ = groups_of(seed, size)
        vectors, noise = some_voices(seed, size)
        left = groups.left_by(vectors[[voice]], noise[[voice]], np.array([voice]), np.array([0]))
        rest = VoiceGroups(vectors, noise, groups.scale)
        others = [row for row in range(size) if row != voice]
        merge(rest, others)
        assert left[0] == pytest.approx(between(rest, others[0], voice), rel=1e-3, abs=1e-2)


def test_an_odd_voice_is_compared_as_one():
    vectors, noise = some_voices(3, 6)
    vectors[5] = -vectors[0]
    scale = VoiceScale(offset=0.0, dimensions=DIM)
    groups = VoiceGroups(vectors, noise, scale)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(evidence, "_ODD", 1 - 1e-12)
        groups.merge(np.array([0]), np.array([5]))
    noise[groups.is_odd] *= 3
    assert groups.is_odd.sum() == 1
    (odd,) = np.flatnonzero(groups.is_odd)
    left = groups.left_by(vectors[[odd]], noise[[odd]] / 3, np.array([odd]), np.array([0]))
    with without_odd_voices(drift=0.02):
        expected = between(VoiceGroups(vectors, noise, scale), 0, 5)
    assert left[0] == pytest.approx(expected + np.log(0.1), rel=1e-3, abs=1e-2)


# ---- between runs


@given(seed=SEEDS, n_known=st.integers(1, 4))
def test_what_was_kept_is_as_it_was_and_may_be_added_to(seed, n_known):
    sizes = [1, 3, 2, 1, 1, 1][-2 - n_known :]
    groups, rows = groups_of(seed, *sizes, offset=0.1)
    known, new = [some[0] for some in rows[:-2]], [some[0] for some in rows[-2:]]
    vectors, noise = some_voices(seed, sum(sizes))
    again = VoiceGroups.restored(groups.kept(np.array(known)), groups.scale).extended(vectors[new], noise[new])
    one, other = np.triu_indices(len(rows), 1)
    first = np.array([some[0] for some in rows])
    assert again.between(one, other) == pytest.approx(groups.between(first[one], first[other]), rel=1e-5, abs=1e-4)
    assert len(again) == len(rows)

import numpy as np
import pytest

from tasks.linking import neighbours
from tasks.linking.neighbours import nearest
from tasks.linking.voices import normalised
from tests.voices import DIM, person


@pytest.fixture
def in_cells(monkeypatch):
    monkeypatch.setattr(neighbours, "_EXACT", 0)


def some_voices(count=2_000, n_people=150, seed=0):
    rng = np.random.default_rng(seed)
    people = np.stack([person(who) for who in range(n_people)])
    return normalised(people[rng.integers(n_people, size=count)] + 0.08 * rng.standard_normal((count, DIM)))


def by_brute_force(queries, voices, count):
    dots = queries @ voices.T
    return np.argsort(-dots, axis=1, kind="stable")[:, :count], -np.sort(-dots, axis=1)[:, :count]


def test_few_voices_are_compared_with_all():
    voices = some_voices(200)
    found, dots = nearest(voices[:50], voices, 10)
    expected, expected_dots = by_brute_force(voices[:50], voices, 10)
    assert found.dtype == np.int64
    assert np.array_equal(found, expected)
    assert dots == pytest.approx(expected_dots, abs=1e-6)


def test_of_many_voices_nearly_all_of_the_nearest_are_found(in_cells):
    voices = some_voices()
    found, dots = nearest(voices, voices, 8)
    expected, _ = by_brute_force(voices, voices, 8)
    recall = np.mean([np.isin(one, other).mean() for one, other in zip(expected, found, strict=True)])
    assert recall > 0.9
    assert (found[:, 0] == np.arange(len(voices))).all()
    assert (np.diff(dots, axis=1) <= 0).all()


def test_many_identical_voices_find_each_other(in_cells):
    found, dots = nearest(np.tile(person(1), (500, 1)), np.tile(person(1), (500, 1)), 5)
    assert (found >= 0).all()
    assert dots == pytest.approx(1.0)


@pytest.mark.parametrize("exact", [0, 10**9])
def test_fewer_voices_than_were_asked_for(monkeypatch, exact):
    monkeypatch.setattr(neighbours, "_EXACT", exact)
    voices = some_voices(5)
    found, dots = nearest(voices, voices, 16)
    assert found.shape == dots.shape == (5, 5)
    assert (np.sort(found, axis=1) == np.arange(5)).all()


def test_nobody_is_near_where_nobody_is():
    none = np.empty((0, DIM), np.float32)
    assert nearest(some_voices(3), none, 4)[0].shape == (3, 0)
    assert nearest(none, some_voices(3), 4)[0].shape[0] == 0

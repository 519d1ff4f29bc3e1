import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from storage.records import SpeakerBounds
from tasks.engines.voice_clustering import belonging, group_voices, in_order_of_appearance

LAG = 4
ANYBODY = SpeakerBounds()


def voices(*runs, seed=0, noise=0.65, alike=0.5, dim=256, shared=1):
    """Windows of people who speak in runs of (who, windows); noise and likeness as the network's vectors have.

    A window has sound in common with the next ones of its run, ``shared`` of them counting itself.
    """
    rng = np.random.default_rng(seed)
    common = unit(rng.standard_normal(dim))
    people = [unit(np.sqrt(alike) * common + np.sqrt(1 - alike) * unit(rng.standard_normal(dim))) for _ in range(10)]
    rows = []
    for who, n in runs:
        sounds = rng.standard_normal((n + shared - 1, dim))
        rows += [people[who] + noise * unit(sounds[i : i + shared].sum(axis=0)) for i in range(n)]
    return np.stack([unit(row) for row in rows]).astype(np.float32)


def unit(vector):
    return vector / np.linalg.norm(vector)


def who_spoke(*runs):
    return in_order_of_appearance(np.array([who for who, n in runs for _ in range(n)]))


def pauses(vectors, every=10):
    return np.arange(len(vectors)) % every == 0


@pytest.mark.parametrize("n_windows", [1, 2, 3, 5, 20, 400])
@pytest.mark.parametrize("seed", range(3))
def test_one_person_is_one_voice(n_windows, seed):
    vectors = voices((0, n_windows), seed=seed)
    assert set(group_voices(vectors, pauses(vectors), LAG, ANYBODY)) == {0}


def two_alike(n_windows, n_others, seed, likeness=0.875, noise=0.5):
    """Windows of a voice, and of another of that likeness."""
    rng = np.random.default_rng(seed)
    one, across = np.linalg.qr(rng.standard_normal((256, 2)))[0].T
    other = likeness * one + np.sqrt(1 - likeness**2) * across
    clean = np.repeat([one, other, one], [n_windows, n_others, n_windows], axis=0)
    return np.stack([unit(row + noise * unit(rng.standard_normal(256))) for row in clean]).astype(np.float32)


@pytest.mark.parametrize("seed", range(3))
def test_a_scrap_of_a_well_known_voice_is_that_voice_where_as_much_speech_would_be_another(seed):
    scrap, other = two_alike(150, 12, seed), two_alike(150, 150, seed)
    assert set(group_voices(scrap, pauses(scrap), 1, ANYBODY)) == {0}
    assert set(group_voices(other, pauses(other), 1, ANYBODY)) == {0, 1}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", [0.5, 0.75])
@pytest.mark.parametrize(
    "runs",
    [
        [(0, 20), (1, 20), (0, 10), (1, 30)],
        [(0, 10), (1, 10), (2, 10), (1, 10), (0, 30), (3, 10)],
        [(0, 100), (1, 10), (0, 100)],
    ],
)
def test_people_are_counted_and_told_apart(runs, seed, noise):
    vectors = voices(*runs, seed=seed, noise=noise)
    labels = group_voices(vectors, pauses(vectors), LAG, ANYBODY)
    assert np.array_equal(labels, who_spoke(*runs))


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    "runs",
    [
        [(0, 8), (1, 8), (2, 8), (3, 8), (4, 8)],
        [(0, 8), (1, 8), (2, 8), (1, 8), (3, 8), (0, 8)],
        [(0, 8), (0, 8), (0, 8), (0, 8), (0, 8), (0, 8)],
        [(0, 100), (1, 8), (2, 8), (0, 60)],
    ],
    ids=["strangers", "some return", "one person", "beside a long one"],
)
def test_people_with_little_speech_in_a_room_that_makes_them_alike_are_told_apart(runs, seed):
    vectors = voices(*runs, seed=seed, noise=0.5, alike=0.8, shared=LAG)
    begins = np.cumsum([0, *(n for _, n in runs)])[:-1]
    labels = group_voices(vectors, np.isin(np.arange(len(vectors)), begins), LAG, ANYBODY)
    assert np.array_equal(labels, who_spoke(*runs))


def test_a_stray_window_is_no_voice():
    vectors = voices((0, 20), (1, 2), (0, 20))
    assert set(group_voices(vectors, pauses(vectors), LAG, ANYBODY)) == {0}


@pytest.mark.parametrize("wanted", [1, 2, 3, 4, 6])
def test_a_known_number_of_people_is_kept(wanted):
    vectors = voices((0, 20), (1, 20), (2, 20), (0, 10), (3, 10))
    bounds = SpeakerBounds(min_speakers=wanted, max_speakers=wanted)
    assert len(set(group_voices(vectors, pauses(vectors), LAG, bounds))) == wanted


unit_rows = hnp.arrays(
    np.float32, st.tuples(st.integers(0, 40), st.just(8)), elements=st.floats(2**-6, 1, width=32)
).map(lambda rows: (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32))


@given(unit_rows, st.data())
def test_any_vectors_get_labels_in_order_of_appearance_within_the_bounds(vectors, data):
    low = data.draw(st.none() | st.integers(1, 4))
    high = data.draw(st.none() | st.integers(low or 1, 6))
    breaks = data.draw(hnp.arrays(np.bool_, len(vectors)))
    before = vectors.copy()
    labels = group_voices(vectors, breaks, LAG, SpeakerBounds(min_speakers=low, max_speakers=high))
    assert np.array_equal(labels, in_order_of_appearance(labels))
    assert len(labels) == len(vectors)
    assert len(set(labels)) <= (high or len(vectors))
    assert np.array_equal(vectors, before)
    assert np.array_equal(
        labels, group_voices(vectors, breaks, LAG, SpeakerBounds(min_speakers=low, max_speakers=high))
    )
    scores = belonging(vectors, labels)
    assert scores.shape == labels.shape
    assert ((scores >= 0) & (scores <= 1)).all()


def test_between_two_voices_is_less_sure_than_inside_one():
    vectors = voices((0, 20), (1, 20), noise=0.5)
    labels = who_spoke((0, 20), (1, 20))
    between = unit(vectors[0] + vectors[-1]).astype(np.float32)
    scores = belonging(np.vstack([vectors, between]), np.append(labels, 1))
    assert scores[-1] < 0.7 < scores[:-1].min()


def test_a_single_voice_is_not_beyond_doubt():
    vectors = voices((0, 20), noise=0.5)
    assert (belonging(vectors, np.zeros(20, np.intp)) < 1).all()


def test_a_voice_swallowed_by_another_is_never_sure():
    vectors = voices((0, 20), (1, 3), noise=0.5, alike=0.3)
    scores = belonging(vectors, np.zeros(23, np.intp))
    assert scores[20:].max() < scores[:20].min()


@given(st.lists(st.integers(0, 5), max_size=20))
def test_renumbering_keeps_who_is_who(labels):
    renumbered = in_order_of_appearance(np.array(labels, np.intp))
    firsts = list(dict.fromkeys(labels))
    assert [firsts[label] for label in renumbered] == labels

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.linking.space import fit_space, prior_space
from tasks.linking.voices import COMMON_PRIOR, VoicePrior, normalised, prior_of
from tests.voices import DIM, heard, person

SHARED = np.ones(DIM) / np.sqrt(DIM)
NEAR = VoicePrior(strangers=0.8, roommates=0.82, same=0.95, same_room=0.97, dimensions=60)


def two_in_each(n_recordings, n_people, **options):
    """Vectors of two people in each recording, with the recording and the person of each."""
    rng = np.random.default_rng(n_recordings)
    recording = np.repeat(np.arange(n_recordings), 2)
    people = np.concatenate([rng.choice(n_people, 2, replace=False) for _ in range(n_recordings)])
    people = np.unique(people, return_inverse=True)[1]
    vectors = [heard(int(who), room=int(place), **options) for who, place in zip(people, recording, strict=True)]
    return normalised(np.stack(vectors)), recording, people


def fitted(vectors, recording, people, prior=COMMON_PRIOR):
    return fit_space(vectors, np.ones(len(vectors), np.float32), recording, people, prior)


def mean_cosine(rows, recording, *, together):
    one, other = np.triu_indices(len(rows), 1)
    chosen = (recording[one] == recording[other]) == together
    return float(np.einsum("ij,ij->i", rows[one[chosen]], rows[other[chosen]]).mean())


def test_nothing_is_taken_out_beforehand():
    vectors = normalised(np.stack([heard(who) for who in range(4)]))
    space = prior_space(DIM, COMMON_PRIOR)
    assert space.project(vectors, np.zeros(4, np.int64)) == pytest.approx(vectors)
    assert space.scale.offset == COMMON_PRIOR.strangers


def test_a_single_person_is_not_taken_out_of_the_voices():
    vectors = normalised(np.stack([heard(1, room=number) for number in range(8)]))
    space = fitted(vectors, np.arange(8), np.zeros(8, np.int64))
    assert not space.mean.any()
    rows = space.project(vectors, np.arange(8))
    assert np.einsum("ij,ij->i", rows, vectors).min() > 0.99


def test_what_all_voices_share_is_taken_out():
    vectors = normalised(np.stack([2 * SHARED + heard(who, room=who // 3) for who in range(30)]))
    recording = np.arange(30) // 3
    space = fitted(vectors, recording, np.arange(30), NEAR)
    rows = space.project(vectors, recording)
    assert np.median(vectors @ vectors.T) > 0.7
    assert abs(np.median(rows @ rows.T)) < 0.1
    assert space.scale.offset < 0.1


def test_the_more_people_there_are_the_more_of_the_mean_is_taken_out():
    lengths = []
    for count in (1, 2, 5, 40):
        vectors = normalised(np.stack([2 * SHARED + person(who) for who in range(count)]))
        lengths.append(float(fitted(vectors, np.arange(count), np.arange(count), NEAR).mean @ SHARED))
    assert lengths[0] == 0
    assert lengths == sorted(lengths)
    assert 0.8 < lengths[-1] < 0.95


def test_what_the_voices_of_a_room_share_is_taken_out():
    vectors, recording, people = two_in_each(60, 30, room_size=0.7)
    space = fitted(vectors, recording, people)
    rows = space.project(vectors, recording)
    assert mean_cosine(vectors, recording, together=True) > 0.25
    assert mean_cosine(rows, recording, together=True) < 0.12
    assert abs(mean_cosine(rows, recording, together=False)) < 0.05


def test_rooms_are_believed_to_matter_as_far_as_they_are_seen_to():
    rooms = [fitted(*two_in_each(60, 30, room_size=size)).room for size in (0.0, 0.4, 0.8)]
    assert rooms == sorted(rooms)
    assert rooms[0] < 0.05
    assert rooms[2] > 0.25


def test_a_noisier_archive_is_found_to_be_one():
    noises = [fitted(*two_in_each(80, 20, noise=size)).noise for size in (0.2, 0.6, 1.0)]
    assert noises == sorted(noises)
    assert noises[2] > 2 * noises[0]


def test_strangers_are_found_to_spread_as_they_do():
    space = fitted(*two_in_each(200, 150, room_size=0.0))
    assert DIM * 0.7 < space.scale.dimensions < DIM * 1.4
    assert space.scale.offset < 0.05


def test_nothing_that_is_known_of_two_people_is_believed_much():
    vectors = normalised(np.stack([heard(1), heard(2, room=1)]))
    space = fitted(vectors, np.arange(2), np.arange(2))
    prior = prior_space(DIM, COMMON_PRIOR)
    assert space.scale.dimensions == pytest.approx(prior.scale.dimensions, rel=0.3)
    assert space.noise == pytest.approx(prior.noise, rel=0.3)


def test_a_vector_of_mean_and_room_alone_tells_nothing():
    space = fitted(*two_in_each(20, 10))
    assert not space.project(space.mean[None, :].copy(), np.zeros(1, np.int64)).any()


def of_two_kinds(n_people):
    """Vectors of people of whom every second is of one kind and the others of another, one recording each."""
    kinds = [person(900), person(901)]
    vectors = [1.2 * kinds[who % 2] + heard(who, room=who) for who in range(n_people)]
    return normalised(np.stack(vectors)), np.arange(n_people), np.arange(n_people)


def test_what_a_kind_of_voices_shares_is_taken_out():
    vectors, recording, people = of_two_kinds(80)
    space = fitted(vectors, recording, people)
    rows = space.project(vectors, recording)
    without_cohort = replace(space, cohort=space.cohort[:0]).project(vectors, recording)
    alike = np.equal.outer(people % 2, people % 2) & ~np.eye(80, dtype=bool)
    assert (without_cohort @ without_cohort.T)[alike].mean() > 0.4
    assert (rows @ rows.T)[alike].mean() < 0.15


def test_a_voice_stays_near_itself_in_a_crowd():
    vectors, recording, people = of_two_kinds(80)
    again = normalised(np.stack([1.2 * person(900 + who % 2) + heard(who, room=200 + who) for who in range(80)]))
    space = fitted(vectors, recording, people)
    cosines = space.project(vectors, recording) @ space.project(again, recording).T
    assert (cosines.argmax(axis=1) == people).mean() > 0.95


def test_few_people_are_no_cohort():
    assert not len(fitted(*of_two_kinds(7)).cohort)
    assert len(fitted(*of_two_kinds(8)).cohort)


def test_recordings_are_projected_one_by_one():
    vectors, recording, people = two_in_each(10, 8)
    space = fitted(vectors, recording, people)
    some = np.isin(recording, [2, 7])
    alone = space.project(vectors[some], np.repeat([0, 1], 2))
    assert alone == pytest.approx(space.project(vectors, recording)[some], abs=1e-6)


@given(share=st.floats(0, 1), model=st.sampled_from(["resemblyzer-0.1.4", "titanet_large"]))
def test_a_centred_prior_keeps_its_order(share, model):
    prior = prior_of(model).centred(share)
    assert 0 <= prior.strangers < prior.roommates < prior.same <= prior.same_room <= 1

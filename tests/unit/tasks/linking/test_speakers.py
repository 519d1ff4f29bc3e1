import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from tasks.linking.average_linkage import average_linkage
from tasks.linking.local import name_local_speakers
from tasks.linking.speakers import link_speakers
from tasks.linking.voice_space import fit_space
from tasks.linking.voices import COMMON_PRIOR, VoicePrior, normalised, prior_of
from tests.voices import archive, columns, heard, partition, row


def link(rows, prior=COMMON_PRIOR):
    local = name_local_speakers(columns(rows), prior)
    links = link_speakers(local, prior)
    return local, links, [int(links.speaker[number]) for number in local.of_label]


@given(seed=st.integers(0, 10_000))
def test_people_are_found_across_rooms(seed):
    rows, people = archive(seed)
    _, _, speakers = link(rows)
    assert partition(speakers, range(len(rows))) == partition(people, range(len(rows)))


@given(seed=st.integers(0, 10_000), data=st.data())
def test_order_changes_nothing(seed, data):
    rows, _ = archive(seed)
    shuffled = data.draw(st.permutations(range(len(rows))))
    local, links, speakers = link(rows)
    other_local, other_links, other = link([rows[at] for at in shuffled])
    assert other == [speakers[at] for at in shuffled]
    assert other_local.first_label == local.first_label
    assert np.array_equal(other_links.confidence, links.confidence, equal_nan=True)


@given(seed=st.integers(0, 10_000), noise=st.floats(0.1, 2.0))
def test_who_has_no_speaker_has_a_reason_and_numbers_are_probabilities(seed, noise):
    rng = np.random.default_rng(seed)
    rows = [
        row(f"r{number}", label, heard(1, take=take, room=number, noise=noise), ms=int(rng.integers(100, 5_000)))
        for number in range(5)
        for take, label in enumerate("ABC")
    ]
    _, links, _ = link(rows)
    assert np.nanmin(links.confidence, initial=0.0) >= 0
    assert np.nanmax(links.confidence, initial=0.0) <= 1
    for number, who in enumerate(links.speaker):
        assert (links.reason[number] is None) == (who >= 0)


def test_one_recording_is_left_as_it_is():
    _, links, speakers = link([row("r", "A", heard(1)), row("r", "B", heard(2))])
    assert speakers == [0, 1]
    assert np.isnan(links.confidence).all()


@pytest.mark.parametrize("count", [1, 2, 30])
def test_one_voice_stays_one_person(count):
    _, links, speakers = link([row(f"r{number}", "A", heard(1, room=number)) for number in range(count)])
    assert set(speakers) == {0}
    assert count == 1 or np.nanmin(links.confidence) > 0.5


@pytest.mark.parametrize("count", [2, 9, 700])
def test_identical_vectors_are_one_person(count):
    _, links, speakers = link([row(f"r{number:03d}", "A", heard(1)) for number in range(count)])
    assert set(speakers) == {0}
    assert links.confidence.min() > 0.9


def test_identical_vectors_in_pairs_respect_the_recordings():
    rows = [row(f"r{number}", "A", heard(1)) for number in range(4)]
    rows += [row("r0", "B", heard(1, take=1, noise=1.2))]
    assert len(set(link(rows)[2])) == 2


def test_two_monologues():
    together = [row("r0", "A", heard(1, room=1)), row("r1", "A", heard(1, room=2))]
    apart = [together[0], row("r1", "A", heard(2, room=2))]
    assert link(together)[2] == [0, 0]
    assert link(apart)[2] == [0, 1]


def test_without_fingerprints_nobody_is_linked():
    _, links, speakers = link([row("r", "A", None), row("q", "A", None)])
    assert speakers == [-1, -1]
    assert links.reason == ("no_fingerprint", "no_fingerprint")
    assert np.isnan(links.confidence).all()
    assert np.isnan(links.margin).all()


def test_vectors_without_length_are_no_fingerprints():
    local = name_local_speakers(columns([row("r", "A", None), row("q", "A", None)], dim=0), COMMON_PRIOR)
    assert link_speakers(local, COMMON_PRIOR).reason == ("no_fingerprint", "no_fingerprint")


def test_an_empty_archive():
    _, links, speakers = link([])
    assert speakers == []
    assert links.reason == ()


def test_little_speech_founds_no_speaker_but_joins_one():
    rows = [row(f"r{number}", "A", heard(1, room=number)) for number in range(3)]
    rows += [row("r3", "A", heard(1, room=3), ms=900), row("r3", "B", heard(2, room=3), ms=900)]
    local, links, speakers = link(rows)
    assert speakers == [0, 0, 0, 0, -1]
    assert links.reason[-1] == "too_little_speech"
    assert local.name[-1] == "S1"


def test_one_recording_whose_diarizer_split_a_person_does_not_split_the_archive():
    vectors = np.array([[1.0, 0.1], [1.0, 0.1], [1.0, -0.1], [1.0, -0.1], [1.0, 0.1], [1.0, -0.1]])
    recording = np.array([0, 1, 2, 3, 4, 4])
    assert set(average_linkage(normalised(vectors), np.ones(6), recording, threshold=0.9, overrule=0.9)) == {0}
    in_each = np.array([0, 1, 0, 1, 2, 2])
    assert average_linkage(normalised(vectors), np.ones(6), in_each, threshold=0.9, overrule=0.9).tolist() == [
        0,
        0,
        1,
        1,
        0,
        1,
    ]


def test_two_alike_in_every_recording_are_two_people():
    between = normalised(np.stack([heard(1) + 0.42 * heard(2), heard(2) + 0.42 * heard(1)])).astype(np.float32)
    rows = [row(f"r{number}", label, between[at]) for number in range(6) for at, label in enumerate("AB")]
    assert 0.5 < between[0] @ between[1] < 0.65
    assert partition(link(rows)[2], range(12)) == {frozenset(range(0, 12, 2)), frozenset(range(1, 12, 2))}


def test_confidence_and_margin_follow_the_evidence():
    rows, _ = archive(3)
    doubtful = 0.5 * heard(0, room=7) + 0.5 * heard(1, room=8)
    rows.append(row("doubt", "A", doubtful / np.linalg.norm(doubtful)))
    _, links, _ = link(rows)
    in_doubt = 0  # "doubt" sorts before "r0"
    assert links.margin[in_doubt] == np.nanmin(links.margin)
    assert links.confidence[in_doubt] == np.nanmin(links.confidence)


@given(seed=st.integers(0, 10_000), threshold=st.floats(0.05, 0.9))
def test_average_linkage_is_the_textbook_one(seed, threshold):
    rng = np.random.default_rng(seed)
    rows, owner = normalised(rng.standard_normal((40, 6))), np.arange(40)
    groups = average_linkage(rows, np.ones(40), owner, threshold=threshold, overrule=2.0)
    tree = linkage(squareform(1 - rows @ rows.T, checks=False), method="average")
    expected = fcluster(tree, 1 - threshold, "distance")
    assert partition(groups.tolist(), range(40)) == partition(expected.tolist(), range(40))


def test_average_linkage_keeps_owners_apart():
    groups = average_linkage(np.ones((6, 1)), np.ones(6), np.array([0, 0, 1, 1, 2, 2]), threshold=0.5, overrule=0.5)
    assert sorted(np.bincount(groups)) == [3, 3]
    for first in (0, 2, 4):
        assert groups[first] != groups[first + 1]


def test_average_linkage_weighs_its_rows():
    rows, owner = np.array([[1.0, 0.0], [1.0, 0.0], [0.8, 0.6]]), np.arange(3)
    near = average_linkage(rows, np.array([1.0, 1.0, 1.0]), owner, threshold=0.79, overrule=2.0)
    rows[1] = 0.6, 0.8
    even = average_linkage(rows, np.array([1.0, 1.0, 1.0]), owner, threshold=0.79, overrule=2.0)
    heavy = average_linkage(rows, np.array([9.0, 1.0, 9.0]), owner, threshold=0.79, overrule=2.0)
    assert near.tolist() == [0, 0, 0]
    assert even.tolist() == [0, 1, 1]
    assert heavy.tolist() == [0, 1, 1]


def test_a_single_person_is_not_taken_out_of_the_voices():
    vectors = normalised(np.stack([heard(1, room=number) for number in range(8)]))
    space = fit_space(vectors, np.arange(8), np.zeros(8, dtype=np.int64), 8, COMMON_PRIOR)
    assert space.project(vectors, np.arange(8)) == pytest.approx(vectors)


def test_what_all_voices_share_is_taken_out():
    shared = np.ones(64) / 8
    vectors = normalised(np.stack([2 * shared + heard(who, room=who // 3) for who in range(30)]))
    space = fit_space(vectors, np.arange(30) // 3, np.arange(30), 10, VoicePrior(strangers=0.8, same=0.95))
    before, after = vectors @ vectors.T, space.project(vectors, np.arange(30) // 3)
    assert np.median(before) > 0.7
    assert np.median(after @ after.T) < 0.1
    assert space.prior.strangers < 0.05


def test_priors_are_found_by_the_models_name():
    assert prior_of("resemblyzer-0.1.4").strangers > 0.5
    assert prior_of("titanet_large").strangers < 0.1
    assert prior_of("somebodys-own") is COMMON_PRIOR


@given(share=st.floats(0, 1))
def test_a_centred_prior_keeps_its_order(share):
    prior = prior_of("resemblyzer").centred(share)
    assert 0 <= prior.strangers < prior.same <= 1
    assert prior.affinity(np.array([prior.strangers, prior.same])) == pytest.approx([0, 1])

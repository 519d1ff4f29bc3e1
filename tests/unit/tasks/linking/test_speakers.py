import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.linking.local import name_local_speakers
from tasks.linking.speakers import LinkOptions, link_speakers
from tasks.linking.voices import COMMON_PRIOR
from tests.voices import archive, columns, heard, linked, partition, row

SEEDS = st.integers(0, 10_000)


def speakers_of(rows, **options):
    return linked(rows, **options)[2]


def same_partition(one, other):
    return partition(one, range(len(one))) == partition(other, range(len(other)))


# ---- who is found


@given(seed=SEEDS)
def test_people_are_found_across_rooms(seed):
    rows, people = archive(seed)
    assert same_partition(speakers_of(rows), people)


def test_one_recording_is_left_as_it_is():
    assert speakers_of([row("r", "A", heard(1)), row("r", "B", heard(2))]) == [0, 1]


@pytest.mark.parametrize("count", [1, 2, 30])
def test_one_voice_stays_one_person(count):
    _, links, speakers = linked([row(f"r{number}", "A", heard(1, room=number)) for number in range(count)])
    assert set(speakers) == {0}
    assert count == 1 or links.certainty.confidence.min() > 0.5


@pytest.mark.parametrize("count", [2, 9, 700])
def test_identical_vectors_are_one_person(count):
    _, links, speakers = linked([row(f"r{number:03d}", "A", heard(1)) for number in range(count)])
    assert set(speakers) == {0}
    assert links.certainty.confidence.min() > 0.9


def test_who_is_heard_beside_somebody_is_somebody_else_though_elsewhere_they_would_be_one():
    rows, alike = [row(f"r{number}", "A", heard(1)) for number in range(4)], heard(1, take=1, noise=1.5)
    assert speakers_of([*rows, row("r4", "B", alike)]) == [0, 0, 0, 0, 0]
    assert speakers_of([*rows, row("r0", "B", alike)]) == [0, 0, 0, 0, 1]


def test_two_monologues_are_one_person_or_two():
    first, second = row("r0", "A", heard(1, room=1)), row("r1", "A", heard(1, room=2))
    assert speakers_of([first, second]) == [0, 0]
    assert speakers_of([first, row("r1", "A", heard(2, room=2))]) == [0, 1]


def test_two_who_are_alike_and_heard_together_in_every_recording_are_two_people():
    alike = [heard(1) + 0.35 * heard(2), heard(2) + 0.35 * heard(1)]
    one, other = (vector / np.linalg.norm(vector) for vector in alike)
    rows = [row(f"r{number}", label, vector) for number in range(6) for label, vector in (("A", one), ("B", other))]
    assert speakers_of(rows) == [0, 1] * 6
    assert speakers_of([row("r0", "A", one), row("r1", "A", other)]) == [0, 0]


def test_one_recording_whose_diarizer_split_a_person_does_not_split_the_archive():
    rows = [row(f"r{number}", "A", heard(1, room=number)) for number in range(8)]
    rows += [row("r8", label, heard(1, room=8, take=take)) for take, label in enumerate("AB")]
    speakers = speakers_of(rows)
    assert set(speakers[:8]) == {0}
    assert 0 in speakers[8:]


def test_little_speech_founds_no_speaker_but_joins_one():
    rows = [row(f"r{number}", "A", heard(1, room=number)) for number in range(3)]
    rows += [row("r3", "A", heard(1, room=3), ms=900), row("r3", "B", heard(2, room=3), ms=900)]
    local, links, speakers = linked(rows)
    assert speakers == [0, 0, 0, 0, -1]
    assert links.basis == ("clustered",) * 3 + ("attached", None)
    assert links.reason == (None,) * 4 + ("too_little_speech",)
    assert local.name[-1] == "S1"


def test_of_two_who_come_near_one_person_in_one_chunk_the_likelier_joins():
    rows = [row(f"r{number}", "A", heard(1, room=number)) for number in range(3)]
    near, nearer = heard(1, room=3, noise=1.2), heard(1, room=3, take=1, noise=0.3)
    assert speakers_of([*rows, row("r3", "A", near, ms=900), row("r3", "B", nearer, ms=900)])[3:] == [-1, 0]


def test_more_has_to_speak_for_a_match_if_more_is_asked():
    rows, _ = archive(2)
    n_speakers = [len(set(speakers_of(rows, options=LinkOptions(same_nats=nats)))) for nats in (-1.0, 1_000.0)]
    assert n_speakers == [5, len(linked(rows)[0])]


# ---- nothing to go by


def test_without_fingerprints_nobody_is_linked():
    _, links, speakers = linked([row("r", "A", None), row("q", "A", None)])
    assert speakers == [-1, -1]
    assert links.reason == ("no_fingerprint", "no_fingerprint")
    assert links.found is None
    assert np.isnan(links.certainty.confidence).all()
    assert np.isnan(links.certainty.margin).all()


def test_vectors_without_length_are_no_fingerprints():
    local = name_local_speakers(columns([row("r", "A", None), row("q", "A", None)], dim=0), COMMON_PRIOR)
    assert link_speakers(local, COMMON_PRIOR).reason == ("no_fingerprint", "no_fingerprint")


def test_an_empty_archive():
    local, links, speakers = linked([])
    assert (len(local), speakers, links.reason, links.basis) == (0, [], (), ())


# ---- what is said of it


def test_confidence_and_margin_follow_the_evidence():
    rows, _ = archive(3)
    doubtful = 0.5 * heard(0, room=7) + 0.5 * heard(1, room=8)
    rows.append(row("doubt", "A", doubtful / np.linalg.norm(doubtful)))
    certainty = linked(rows)[1].certainty
    in_doubt = 0  # "doubt" sorts before "r0"
    assert certainty.margin[in_doubt] == np.nanmin(certainty.margin)
    assert certainty.confidence[in_doubt] == np.nanmin(certainty.confidence)


@given(seed=SEEDS, noise=st.floats(0.1, 2.0))
def test_who_has_no_speaker_has_a_reason_and_numbers_are_probabilities(seed, noise):
    rng = np.random.default_rng(seed)
    rows = [
        row(f"r{number}", label, heard(1, take=take, room=number, noise=noise), ms=int(rng.integers(100, 5_000)))
        for number in range(5)
        for take, label in enumerate("ABC")
    ]
    _, links, _ = linked([*rows, row("r0", "D", None)])
    confidence, margin = links.certainty.confidence, links.certainty.margin
    known = confidence[~np.isnan(confidence)]
    assert ((known >= 0) & (known <= 1)).all()
    assert not np.isinf(margin).any()
    assert not np.isinf(links.certainty.own).any()
    for who, reason, basis in zip(links.speaker, links.reason, links.basis, strict=True):
        assert (reason is None) == (basis is not None) == (who >= 0)


# ---- what changes nothing


@given(seed=SEEDS, data=st.data())
def test_the_order_of_labels_changes_nothing(seed, data):
    rows, _ = archive(seed)
    shuffled = data.draw(st.permutations(range(len(rows))))
    local, links, speakers = linked(rows)
    other_local, other_links, other = linked([rows[at] for at in shuffled])
    assert other == [speakers[at] for at in shuffled]
    assert [shuffled[at] for at in other_local.first_label] == local.first_label.tolist()
    for name in ("own", "rival", "confidence"):
        assert np.array_equal(getattr(other_links.certainty, name), getattr(links.certainty, name), equal_nan=True)


@given(seed=SEEDS, data=st.data())
def test_other_names_of_recordings_and_labels_give_the_same_people(seed, data):
    rows, people = archive(seed)
    recordings, labels = (sorted({one[at] for one in rows}) for at in (0, 3))
    recording = dict(zip(recordings, data.draw(st.permutations(recordings)), strict=True))
    label = dict(zip(labels, data.draw(st.permutations(labels)), strict=True))
    renamed = [(recording[one], channel, chunk, label[name], *rest) for one, channel, chunk, name, *rest in rows]
    assert same_partition(speakers_of(renamed), people)


@given(seed=SEEDS, n_copies=st.integers(1, 4), data=st.data())
def test_recordings_that_are_there_several_times_split_and_merge_nobody(seed, n_copies, data):
    rows, people = archive(seed)
    recording = data.draw(st.sampled_from(sorted({name for name, *_ in rows})))
    copied = [at for at, (name, *_) in enumerate(rows) if name == recording]
    copies = [(f"copy {number}", *rows[at][1:]) for number in range(n_copies) for at in copied]
    speakers = speakers_of([*rows, *copies])
    assert same_partition(speakers, people + [people[at] for at in copied] * n_copies)


@given(seed=SEEDS)
def test_a_recording_of_somebody_else_changes_nobody(seed):
    rows, _ = archive(seed)
    more = [*rows, row("stranger", "A", heard(99, room=7_000_000))]
    assert same_partition(speakers_of(more)[: len(rows)], speakers_of(rows))


# ---- ghosts and crowds


def crowd(n_recordings=40, n_people=12):
    """Two of some people in every recording."""
    rng = np.random.default_rng(5)
    return [rng.choice(n_people, 2, replace=False).tolist() for _ in range(n_recordings)]


def test_an_announcer_in_half_of_the_recordings_is_one_person_and_joins_no_others():
    rows, people = [], []
    for number, cast in enumerate(crowd()):
        for label, who in zip("ABC", [*cast, 99] if number % 2 else cast, strict=False):
            rows.append(row(f"r{number:02d}", label, heard(who, room=number)))
            people.append(who)
    assert same_partition(speakers_of(rows), people)


@pytest.mark.parametrize("leak", [0.0, 0.1, 0.2])
def test_a_jingle_that_leaks_into_others_joins_them_to_nobody(leak):
    rows, people = [], []
    jingle = heard(99)
    for number, cast in enumerate(crowd()):
        for label, who in zip("AB", cast, strict=True):
            vector = heard(who, room=number) + leak * jingle * (number % 2)
            rows.append(row(f"r{number:02d}", label, vector / np.linalg.norm(vector)))
            people.append(who)
        if number % 2:
            vector = jingle + 0.01 * heard(98, take=number)
            rows.append(row(f"r{number:02d}", "J", vector / np.linalg.norm(vector), ms=6_000))
            people.append(99)
    assert same_partition(speakers_of(rows), people)

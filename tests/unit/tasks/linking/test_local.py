import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import SpeakerBounds
from tasks.linking.local import name_local_speakers
from tasks.linking.voices import COMMON_PRIOR
from tests.voices import archive, columns, heard, partition, row


def names(rows, bounds=None):
    local = name_local_speakers(columns(rows), COMMON_PRIOR, bounds=bounds)
    return [local.name[number] for number in local.of_label]


def test_a_voice_keeps_its_name_through_the_chunks_whatever_the_diarizer_calls_it():
    rows = [
        row("r", "A", heard(1, take=0), chunk=0),
        row("r", "B", heard(2, take=0), chunk=0),
        row("r", "A", heard(2, take=1), chunk=1),
        row("r", "B", heard(1, take=1), chunk=1),
    ]
    assert names(rows) == ["S0", "S1", "S1", "S0"]


def test_numbers_follow_the_first_appearance_not_the_label():
    rows = [row("r", "B", heard(1)), row("r", "A", heard(2)), row("q", "Z", heard(3))]
    rows_by_time = columns(rows)
    rows_by_time.start_ms[:] = [0, 5_000, 9_000]
    local = name_local_speakers(rows_by_time, COMMON_PRIOR)
    assert [local.name[number] for number in local.of_label] == ["S0", "S1", "S0"]


def test_two_labels_of_one_chunk_are_two_people_though_they_sound_alike():
    alike = [row("r", "A", heard(1, take=0, noise=0.85)), row("r", "B", heard(1, take=1, noise=0.85))]
    apart = [alike[0], row("r", "B", heard(1, take=1, noise=0.85), chunk=1)]
    assert names(alike) == ["S0", "S1"]
    assert names(apart) == ["S0", "S0"]


def test_a_diarizer_that_split_one_person_is_corrected():
    rows = [row("r", "A", heard(1, take=0, noise=0.05)), row("r", "B", heard(1, take=1, noise=0.05))]
    assert names(rows) == ["S0", "S0"]


def test_channels_are_different_people_unless_very_clear():
    rows = [
        row("r", "A", heard(1, take=0, noise=0.85), channel=0, chunk=0),
        row("r", "A", heard(1, take=1, noise=0.85), channel=1, chunk=1),
        row("r", "A", heard(2, take=0, noise=0.05), channel=0, chunk=2),
        row("r", "A", heard(2, take=1, noise=0.05), channel=1, chunk=2),
    ]
    assert names(rows) == ["S0", "S1", "S2", "S2"]


def test_a_label_without_fingerprint_stays_by_itself():
    rows = [row("r", "A", heard(1)), row("r", "B", None, ms=300), row("r", "A", heard(1, take=1), chunk=1)]
    local = name_local_speakers(columns(rows), COMMON_PRIOR)
    assert local.of_label.tolist() == [0, 1, 0]
    assert np.isnan(local.vectors[1]).all()
    assert local.speech_ms.tolist() == [20_000, 300]


@pytest.mark.parametrize("broken", [np.zeros(64), np.full(64, np.inf), np.r_[np.nan, np.ones(63)]])
def test_a_broken_vector_is_no_fingerprint(broken):
    local = name_local_speakers(columns([row("r", "A", broken), row("r", "B", heard(1))]), COMMON_PRIOR)
    assert local.of_label.tolist() == [0, 1]
    assert np.isnan(local.vectors[0]).all()


def test_known_numbers_of_speakers_decide():
    rows = [row("r", label, heard(who), chunk=who) for who, label in enumerate("ABC")]
    rows.append(row("r", "D", None, chunk=3))
    assert names(rows[:3]) == ["S0", "S1", "S2"]
    assert len(set(names(rows[:3], {"r": SpeakerBounds(max_speakers=2)}))) == 2
    assert names(rows, {"r": SpeakerBounds(max_speakers=1)}) == ["S0"] * 4
    same = [row("r", "A", heard(1, take=take), chunk=take) for take in range(3)]
    assert len(set(names(same, {"r": SpeakerBounds(min_speakers=2)}))) == 2
    assert names(same, {"other": SpeakerBounds(min_speakers=2)}) == ["S0"] * 3


def test_bounds_that_the_chunks_contradict_join_the_most_alike():
    rows = [row("r", "A", heard(1)), row("r", "B", heard(2)), row("r", "C", heard(1, take=1, noise=0.4))]
    assert names(rows, {"r": SpeakerBounds(max_speakers=2)}) == ["S0", "S1", "S0"]


def test_pooled_vectors_weigh_by_what_their_speech_is_worth():
    rows = [row("r", "A", heard(1, take=0), chunk=0, ms=27_000), row("r", "A", heard(1, take=1), chunk=1, ms=3_000)]
    local = name_local_speakers(columns(rows), COMMON_PRIOR)
    pooled = 0.9 * heard(1, take=0) + 0.5 * heard(1, take=1)
    assert local.quality.tolist() == pytest.approx([1.4])
    assert local.vectors[0] == pytest.approx(pooled / np.linalg.norm(pooled), abs=1e-6)


def test_nothing_gives_nothing():
    local = name_local_speakers(columns([]), COMMON_PRIOR)
    assert len(local) == 0
    assert local.vectors.shape == (0, 64)


@given(seed=st.integers(0, 10_000), data=st.data())
def test_order_and_other_recordings_change_nothing(seed, data):
    rows, _ = archive(seed)
    shuffled = data.draw(st.permutations(range(len(rows))))
    whole = names(rows)
    assert names([rows[at] for at in shuffled]) == [whole[at] for at in shuffled]
    first = [at for at, (recording, *_) in enumerate(rows) if recording == "r0"]
    assert names([rows[at] for at in first]) == [whole[at] for at in first]


@given(seed=st.integers(0, 10_000))
def test_chunks_of_known_people_are_joined(seed):
    rows, people = archive(seed)
    local = name_local_speakers(columns(rows), COMMON_PRIOR)
    truth = [(recording, who) for (recording, *_), who in zip(rows, people, strict=True)]
    assert partition(local.of_label.tolist(), range(len(rows))) == partition(truth, range(len(rows)))

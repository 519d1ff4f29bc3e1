import pytest
from hypothesis import given

from storage.decisions import VoiceAnchor
from tasks.linking.anchors import NEAR_MS, anchor_of, voice_at, voice_key
from tests.turns import TURNS, turn


def anchor(at_ms, *, channel=0):
    return VoiceAnchor(recording_id="r", channel=channel, at_ms=at_ms, chunk_index=0, label="old", recipe="old")


def label_at(at_ms, *turns, channel=0):
    found = voice_at(anchor(at_ms, channel=channel), turns)
    return found and found[3]


def test_an_anchor_is_the_middle_of_the_longest_turn_alone():
    made = anchor_of(
        [turn(0, 10_000, "A", is_exclusive=False), turn(0, 900, "A"), turn(2_000, 4_000, "A", chunk_index=3)]
    )
    assert made == VoiceAnchor(recording_id="r", channel=0, at_ms=3_000, chunk_index=3, label="A", recipe="new")


def test_of_a_voice_that_is_never_alone_it_is_the_middle_of_its_longest_turn():
    turns = [turn(0, 500, "A", is_exclusive=False), turn(1_000, 3_000, "A", is_exclusive=False)]
    assert anchor_of(turns).at_ms == 2_000


def test_of_equal_turns_the_first_counts():
    assert anchor_of([turn(5_000, 6_000, "A"), turn(1_000, 2_000, "A")]).at_ms == 1_500


@pytest.mark.parametrize(
    ("at_ms", "label"),
    [
        (500, "A"),
        (1_000, "B"),  # the end is not part of a turn
        (1_999, "B"),
        (2_000 + NEAR_MS - 1, "B"),
        (2_000 + NEAR_MS, None),
    ],
)
def test_a_moment_is_of_the_turn_that_covers_it_or_is_near(at_ms, label):
    assert label_at(at_ms, turn(0, 1_000, "A"), turn(1_000, 2_000, "B")) == label


def test_who_talks_alone_comes_before_who_talks_over_them():
    over = turn(0, 5_000, "A", is_exclusive=False)
    assert label_at(2_000, over, turn(1_000, 3_000, "B")) == "B"
    assert label_at(4_000, over, turn(1_000, 3_500, "B")) == "A"


def test_other_channels_are_other_people():
    assert label_at(500, turn(0, 1_000, "A"), channel=1) is None


@given(TURNS)
def test_a_voice_is_found_again_in_its_own_turns(turns):
    exclusive, last_ms = [], 0
    for one in sorted(turns, key=lambda row: row["start_ms"]):
        start_ms = max(one["start_ms"], last_ms)
        if start_ms < one["end_ms"]:
            exclusive.append(one | {"start_ms": start_ms})
            last_ms = one["end_ms"]
    for label in {one["label"] for one in exclusive}:
        own = [one for one in exclusive if one["label"] == label]
        assert voice_at(anchor_of(own), exclusive) == voice_key(own[0])

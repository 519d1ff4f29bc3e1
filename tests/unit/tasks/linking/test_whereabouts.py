from hypothesis import given

from tasks.linking.whereabouts import voices_within
from tests.turns import TURNS, turn


def labels_within(turns, theirs):
    return {(key[2], key[3]) for key in voices_within(turns, theirs)}


def test_a_person_is_found_in_every_chunk_of_other_turns():
    theirs = [turn(0, 20_000, "A"), turn(30_000, 40_000, "A")]
    now = [
        turn(500, 9_000, "X", chunk_index=0),
        turn(10_000, 19_000, "Y", chunk_index=1),
        turn(20_500, 29_000, "Z", chunk_index=1),
        turn(31_000, 42_000, "Z", chunk_index=2),
    ]
    assert labels_within(now, theirs) == {(0, "X"), (1, "Y"), (2, "Z")}


def test_who_only_talks_over_somebody_is_not_them():
    theirs = [turn(0, 10_000, "A", is_exclusive=False), turn(0, 10_000, "A")]
    now = [
        turn(1_000, 9_000, "B", is_exclusive=False),
        turn(12_000, 14_000, "B", is_exclusive=False),
        turn(12_000, 14_000, "B"),
        turn(0, 10_000, "C", channel=1),
    ]
    assert labels_within(now, theirs) == set()


@given(TURNS)
def test_somebody_is_themselves_in_their_own_turns(turns):
    for label in {one["label"] for one in turns}:
        own = [one for one in turns if one["label"] == label]
        assert labels_within(own, own) == {(0, label)}
        others = [one for one in turns if one["label"] != label]
        is_shared = any(
            max(one["start_ms"], other["start_ms"]) < min(one["end_ms"], other["end_ms"])
            for one in own
            for other in others
        )
        assert is_shared or labels_within(others, own) == set()

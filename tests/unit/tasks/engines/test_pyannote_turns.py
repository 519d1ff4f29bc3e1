"""Spans of pyannote's become turns that keep every promise of a diarizer, whatever they are."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from storage.records import Turn
from tasks.engines.pyannote_turns import diarization_of

CLIP_MS = 20_000

spans = st.tuples(st.floats(-1, 25), st.floats(0, 6), st.sampled_from(["SPEAKER_00", "SPEAKER_01", "SPEAKER_02", "9"]))
named = st.lists(spans.map(lambda span: (span[0], span[0] + span[1], span[2])), max_size=25)
limits = st.none() | st.integers(1, 4)


def turn(start_ms, end_ms, speaker):
    return Turn(start_ms=start_ms, end_ms=end_ms, speaker=speaker)


def diarized(full, exclusive=None, clip_ms=CLIP_MS, max_speakers=None):
    return diarization_of(full, full if exclusive is None else exclusive, clip_ms=clip_ms, max_speakers=max_speakers)


def covered_ms(turns):
    return {(ms, item.speaker) for item in turns for ms in range(item.start_ms, item.end_ms)}


@given(named, named, limits)
def test_turns_are_inside_sorted_and_of_one_speaker_never_overlap(full, exclusive, limit):
    heard = diarized(full, exclusive, max_speakers=limit)
    for turns in (heard.turns, heard.exclusive):
        assert all(0 <= item.start_ms < item.end_ms <= CLIP_MS for item in turns)
        order = [(item.start_ms, item.end_ms, item.speaker) for item in turns]
        assert order == sorted(order)
    for speaker in {item.speaker for item in heard.turns}:
        own = [item for item in heard.turns if item.speaker == speaker]
        assert all(before.end_ms < after.start_ms for before, after in pairwise(own))


@given(named, named, limits)
def test_exclusive_turns_never_overlap_and_lie_in_turns(full, exclusive, limit):
    heard = diarized(full, exclusive, max_speakers=limit)
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(heard.exclusive))
    assert covered_ms(heard.exclusive) <= covered_ms(heard.turns)


@given(named, limits)
def test_no_time_that_anybody_has_is_lost(full, limit):
    heard = diarized(full, max_speakers=limit)
    assert {ms for ms, _ in covered_ms(heard.exclusive)} == {ms for ms, _ in covered_ms(heard.turns)}


@given(named, st.integers(1, 4))
def test_no_more_speakers_than_said_and_those_who_speak_most(full, limit):
    everybody, few = diarized(full), diarized(full, max_speakers=limit)
    lengths = [sorted(map(len, by_speaker(heard.turns).values()), reverse=True) for heard in (everybody, few)]
    assert lengths[1] == lengths[0][:limit]


@given(named, named)
def test_speakers_are_numbered_as_they_appear(full, exclusive):
    heard = diarized(full, exclusive)
    assert list(dict.fromkeys(item.speaker for item in heard.turns)) == [
        f"S{i}" for i in range(len(by_speaker(heard.turns)))
    ]


@given(st.permutations([(0.0, 1.0, "b"), (0.5, 2.0, "a"), (3.0, 4.0, "b"), (3.5, 3.6, "c")]))
def test_the_order_of_spans_does_not_matter(full):
    assert diarized(full).turns == (
        turn(0, 1000, "S0"), turn(500, 2000, "S1"), turn(3000, 4000, "S0"), turn(3500, 3600, "S2")
    )  # fmt: skip


def test_padding_beyond_the_end_is_nobody():
    heard = diarized([(0.2, 9.9, "a"), (1.1, 9.9, "b")], clip_ms=1000)
    assert heard.turns == (turn(200, 1000, "S0"),)


def test_touching_and_overlapping_spans_of_one_speaker_are_one_turn():
    assert diarized([(0, 1, "a"), (1.0004, 2, "a"), (1.5, 1.7, "a")]).turns == (turn(0, 2000, "S0"),)


def test_an_answer_inside_a_filled_gap_stays_with_who_gave_it():
    full = [(0, 10, "a"), (4, 6, "b")]
    heard = diarized(full)
    assert heard.turns == (turn(0, 10_000, "S0"), turn(4000, 6000, "S1"))
    assert heard.exclusive == (turn(0, 4000, "S0"), turn(4000, 6000, "S1"), turn(6000, 10_000, "S0"))


def test_exclusive_spans_that_no_turn_knows_are_dropped():
    assert diarized([(0, 1, "a")], [(0, 1, "a"), (2, 3, "ghost")]).exclusive == (turn(0, 1000, "S0"),)


def test_nothing_is_nothing():
    assert diarized([]).turns == ()


def by_speaker(turns):
    found = {}
    for ms, speaker in covered_ms(turns):
        found.setdefault(speaker, set()).add(ms)
    return found

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from storage.records import Span, Turn
from tasks.engines.activity_turns import (
    TurnRules,
    exclusive_turns,
    is_saturated,
    limited,
    speaker_spans,
    turns_of,
)

FRAME_MS = 80
PLAIN = TurnRules(
    onset=0.5, offset=0.5, pad_onset_ms=0, pad_offset_ms=0, min_duration_on_ms=0, min_duration_off_ms=0
)  # fmt: skip

activities = st.tuples(st.integers(0, 40), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
)
rules = st.builds(
    lambda edges, *times: TurnRules(
        onset=max(edges), offset=min(edges), pad_onset_ms=times[0], pad_offset_ms=times[1],
        min_duration_on_ms=times[2], min_duration_off_ms=times[3],
    ),
    st.tuples(st.floats(0.1, 0.9), st.floats(0.1, 0.9)), *[st.integers(0, 400)] * 4,
)  # fmt: skip
cut_ms = st.integers(0, FRAME_MS - 1)


def spans_of(values, **changed):
    given_rules = TurnRules(**{**{name: getattr(PLAIN, name) for name in TurnRules.__slots__}, **changed})
    (found,) = speaker_spans(np.array(values, np.float32)[:, None], FRAME_MS, len(values) * FRAME_MS, given_rules)
    return [(span.start_ms, span.end_ms) for span in found]


def test_frames_above_the_onset_are_a_turn():
    assert spans_of([0, 0.6, 0.9, 0.4, 0.7]) == [(80, 240), (320, 400)]


def test_a_turn_goes_on_until_activity_falls_below_the_offset():
    assert spans_of([0.4, 0.6, 0.4, 0.4, 0.2, 0.4], offset=0.3) == [(80, 320)]


def test_padding_stays_inside_and_joins():
    assert spans_of([1, 0, 0, 1], pad_onset_ms=100, pad_offset_ms=30) == [(0, 110), (140, 320)]
    assert spans_of([1, 0, 0, 1], pad_onset_ms=100, pad_offset_ms=60) == [(0, 320)]


def test_gaps_are_filled_before_crumbs_are_dropped():
    assert spans_of([1, 0, 1, 0, 0, 0, 1], min_duration_off_ms=100, min_duration_on_ms=100) == [(0, 240)]


@given(activities, rules, cut_ms)
def test_spans_are_sorted_disjoint_long_enough_and_inside(activity, rule, cut):
    end_ms = max(0, len(activity) * FRAME_MS - cut)
    for own in speaker_spans(activity, FRAME_MS, end_ms, rule):
        assert all(0 <= span.start_ms < span.end_ms <= end_ms for span in own)
        assert all(span.duration_ms >= rule.min_duration_on_ms for span in own)
        gaps = [after.start_ms - before.end_ms for before, after in pairwise(own)]
        assert all(gap >= max(1, rule.min_duration_off_ms) or rule.min_duration_on_ms for gap in gaps)
        assert all(gap > 0 for gap in gaps)


@given(activities, rules, cut_ms, st.integers(1, 5))
def test_of_any_activity_come_turns_that_keep_what_diarizers_promise(activity, rule, cut, most):
    end_ms = max(0, len(activity) * FRAME_MS - cut)
    every = speaker_spans(activity, FRAME_MS, end_ms, rule)
    spans = limited(every, activity, FRAME_MS, most)
    turns, exclusive = turns_of(spans, activity, FRAME_MS), exclusive_turns(spans, activity, FRAME_MS)
    assert len({turn.speaker for turn in turns}) <= most
    assert [key(turn) for turn in turns] == sorted(key(turn) for turn in turns)
    assert all(0 <= turn.confidence <= 1 for turn in (*turns, *exclusive))
    assert all(before.end_ms <= after.start_ms for before, after in pairwise(exclusive))
    assert covered(exclusive) == covered(turns) == covered(turns_of(every, activity, FRAME_MS))
    for speaker in {turn.speaker for turn in exclusive}:
        assert covered(of(exclusive, speaker)) <= covered(of(turns, speaker))


@given(activities, rules)
def test_a_bound_that_does_not_bind_changes_nothing(activity, rule):
    spans = speaker_spans(activity, FRAME_MS, len(activity) * FRAME_MS, rule)
    assert limited(spans, activity, FRAME_MS, activity.shape[1]) == spans


def test_the_exclusive_turn_is_the_most_active_ones():
    activity = np.array([[0.9, 0.1], [0.9, 0.7], [0.6, 0.8], [0.2, 0.8]], np.float32)
    spans = speaker_spans(activity, FRAME_MS, 320, PLAIN)
    assert [key(turn) for turn in turns_of(spans, activity, FRAME_MS)] == [(0, 240, "S0"), (80, 320, "S1")]
    exclusive = exclusive_turns(spans, activity, FRAME_MS)
    assert [key(turn) for turn in exclusive] == [(0, 160, "S0"), (160, 320, "S1")]
    assert exclusive[0].confidence == pytest.approx(0.9)


def test_confidence_is_the_mean_activity_of_the_turn():
    activity = np.array([[0.0], [0.6], [1.0], [0.8], [0.0]], np.float32)
    (turn,) = turns_of(speaker_spans(activity, FRAME_MS, 400, PLAIN), activity, FRAME_MS)
    assert turn == Turn(start_ms=80, end_ms=320, speaker="S0", confidence=pytest.approx(0.8))


def test_who_is_one_too_many_goes_to_whoever_was_nearly_heard():
    activity = np.array([[1, 0, 0.0]] * 5 + [[0.1, 0.4, 0.6]] * 2 + [[0, 1, 0.0]] * 4, np.float32)
    spans = speaker_spans(activity, FRAME_MS, 880, PLAIN)
    assert limited(spans, activity, FRAME_MS, 2) == [
        [Span(start_ms=0, end_ms=400)], [Span(start_ms=400, end_ms=880)], []
    ]  # fmt: skip


def test_saturated_is_only_who_uses_all_outputs_long_enough():
    one, two = [Span(start_ms=0, end_ms=3000)], [Span(start_ms=0, end_ms=1000), Span(start_ms=5000, end_ms=7000)]
    assert is_saturated([one, two], 3000)
    assert not is_saturated([one, two], 3001)
    assert not is_saturated([one, two, []], 1)


def key(turn):
    return turn.start_ms, turn.end_ms, turn.speaker


def of(turns, speaker):
    return [turn for turn in turns if turn.speaker == speaker]


def covered(turns):
    return {ms for turn in turns for ms in range(turn.start_ms, turn.end_ms)}

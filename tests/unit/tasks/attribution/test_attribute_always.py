"""Words to speakers: what holds for all words and turns, and the same by a plain loop."""

from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.attribution.attribute import REASONS, AttributeOptions, Attribution, attribute
from tasks.attribution.columns import NOBODY
from tests.attributed import attributed, turns_of, words_of

WORDS = st.lists(
    st.tuples(st.integers(0, 120), st.integers(0, 25), st.sampled_from(["a", "b.", ""]), st.integers(0, 1)), max_size=25
).map(lambda rows: [(start, start + length, text, channel) for start, length, text, channel in rows])


@st.composite
def exclusive_turns(draw):
    rows = []
    for channel in (0, 1):
        edges = sorted(draw(st.lists(st.integers(0, 150), unique=True, max_size=12)))
        rows += [(*pair, draw(st.integers(0, 3)), channel) for pair in pairwise(edges) if draw(st.booleans())]
    return rows


OVERLAPPING = st.lists(
    st.tuples(st.integers(0, 120), st.integers(0, 60), st.integers(0, 3), st.integers(0, 1)), max_size=12
).map(lambda rows: [(start, start + length, speaker, channel) for start, length, speaker, channel in rows])


def by_loop(word, turns, max_gap_ms, n_channels):
    """Return (speaker, margin, reason) of one word, without realignment, the slow and plain way."""
    start, end, _, channel = word
    end = max(end, start + 1)
    mine = [turn for turn in turns if turn[3] == channel]
    shares = {}
    for low, high, speaker, _ in mine:
        shares[speaker] = shares.get(speaker, 0) + max(0, min(end, high) - max(start, low))
    ranked = sorted((share for share in shares.values() if share), reverse=True)
    if ranked:
        best = [speaker for speaker, share in shares.items() if share == ranked[0]]
        second = ranked[1] if len(ranked) > 1 else 0
        return (best[0], (ranked[0] - second) / (end - start), None) if len(best) == 1 else (NOBODY, None, "tie")
    gaps = {(max(low - end, start - high), speaker) for low, high, speaker, _ in mine}
    nearest = min((gap for gap, _ in gaps), default=max_gap_ms + 1)
    if nearest > max_gap_ms:
        owners = {turn[2] for turn in mine}
        return (owners.pop(), 0, None) if len(owners) == 1 and n_channels > 1 else (NOBODY, None, "no_turn")
    speakers = {speaker for gap, speaker in gaps if gap == nearest}
    return (speakers.pop(), 0, None) if len(speakers) == 1 else (NOBODY, None, "tie")


@given(WORDS, exclusive_turns(), st.integers(0, 40))
def test_columns_agree_with_a_plain_loop(words, turns, max_gap_ms):
    result = attributed(words, turns, options=AttributeOptions(max_gap_ms=max_gap_ms, weak_margin=0, seam_ms=0))
    n_channels = len({row[3] for row in (*words, *turns)})
    for i, word in enumerate(words):
        speaker, margin, reason = by_loop(word, turns, max_gap_ms, n_channels)
        if reason == "tie" and REASONS[result.reason[i]] is None:
            continue  # settled by its sentence, which this loop does not know
        assert (result.speaker[i], REASONS[result.reason[i]]) == (speaker, reason)
        assert np.isnan(result.margin[i]) if margin is None else result.margin[i] == pytest.approx(margin)


@given(WORDS, exclusive_turns(), OVERLAPPING)
def test_overlap_agrees_with_a_plain_loop(words, exclusive, turns):
    result = attributed(words, exclusive, turns)
    for i, (start, end, _, channel) in enumerate(words):
        busy = [
            {who for low, high, who, where in turns if where == channel and low <= moment < high}
            for moment in range(start, max(end, start + 1))
        ]
        overlapped = any(len(who) > 1 and who - {result.speaker[i]} for who in busy)
        assert result.is_overlapped[i] == overlapped


@given(WORDS, exclusive_turns(), OVERLAPPING, st.randoms(use_true_random=False))
def test_the_order_of_turns_changes_nothing(words, exclusive, turns, random):
    before = attributed(words, exclusive, turns)
    random.shuffle(exclusive)
    random.shuffle(turns)
    assert_same(attributed(words, exclusive, turns), before)


@given(WORDS, exclusive_turns(), OVERLAPPING, st.permutations(range(4)))
def test_other_names_give_the_same_answer_under_other_names(words, exclusive, turns, names):
    def renamed(rows):
        return [(start, end, names[speaker], channel) for start, end, speaker, channel in rows]

    before = attributed(words, exclusive, turns)
    after = attributed(words, renamed(exclusive), renamed(turns))
    new_name = np.array([*names, NOBODY])  # the last stands for nobody, -1
    expected = replace(before, speaker=new_name[before.speaker], other_speaker=new_name[before.other_speaker])
    assert_same(after, expected)


@given(WORDS, exclusive_turns(), OVERLAPPING)
def test_only_weak_words_follow_their_sentence_and_say_so(words, exclusive, turns):
    alone, followed = (
        attributed(words, exclusive, turns, AttributeOptions(weak_margin=weak, seam_ms=0)) for weak in (0, 0.4)
    )
    moved = alone.speaker != followed.speaker
    was_weak = (alone.margin < 0.4) | (alone.reason == REASONS.index("tie"))
    assert was_weak[moved].all()
    assert (followed.margin[moved] == 0).all()
    assert (followed.speaker[moved] != NOBODY).all()
    np.testing.assert_array_equal(alone.margin[~moved], followed.margin[~moved])


@given(WORDS, exclusive_turns(), OVERLAPPING)
def test_every_word_has_a_speaker_or_a_reason(words, exclusive, turns):
    result = attributed(words, exclusive, turns)
    nobody = result.speaker == NOBODY
    assert all(len(getattr(result, column.name)) == len(words) for column in fields(Attribution))
    assert (nobody == (result.reason != 0)).all()
    assert (nobody == np.isnan(result.margin)).all()
    assert (nobody == np.isnan(result.confidence)).all()
    assert ((result.confidence[~nobody] >= 0) & (result.confidence[~nobody] <= 1)).all()
    assert ((result.margin[~nobody] >= 0) & (result.margin[~nobody] <= 1)).all()
    assert (result.other_speaker[~nobody] != result.speaker[~nobody]).all()


@given(WORDS, exclusive_turns(), OVERLAPPING, st.integers(0, 59), st.booleans())
def test_splitting_turns_changes_nothing(words, exclusive, turns, at, both):
    def split(rows):
        return [
            part
            for start, end, speaker, channel in rows
            for part in (
                [(start, start + at, speaker, channel), (start + at, end, speaker, channel)]
                if start < start + at < end
                else [(start, end, speaker, channel)]
            )
        ]

    before = attributed(words, exclusive, turns)
    assert_same(attributed(words, split(exclusive), split(turns) if both else turns), before)


@given(WORDS, exclusive_turns(), OVERLAPPING, st.integers(0, 10**9))
def test_shifting_everything_shifts_nothing_else(words, exclusive, turns, by_ms):
    moved = [[(start + by_ms, end + by_ms, *rest) for start, end, *rest in rows] for rows in (words, exclusive, turns)]
    assert_same(attributed(*moved), attributed(words, exclusive, turns))


@given(WORDS, exclusive_turns(), OVERLAPPING, st.integers(1, 1_000))
def test_time_has_no_scale(words, exclusive, turns, factor):
    """Where sentences do not count: what pauses mean depends on how fast people talk."""

    def stretched(rows, by):
        return [(start * by, end * by, *rest) for start, end, *rest in rows]

    def answer(by):
        options = AttributeOptions(max_gap_ms=20 * by, weak_margin=0, seam_ms=15 * by)
        return attributed(*(stretched(rows, by) for rows in (lasting, exclusive, turns)), options)

    lasting = [(start, max(end, start + 1), "a", channel) for start, end, _, channel in words]
    assert_same(answer(factor), answer(1))


@given(WORDS, exclusive_turns(), OVERLAPPING, st.lists(st.integers(0, 150), max_size=4))
def test_turns_without_length_change_nothing(words, exclusive, turns, moments):
    empty = [(at, at, at % 3, at % 2) for at in moments if any(row[3] == at % 2 for row in [*words, *exclusive])]
    assert_same(attributed(words, [*exclusive, *empty], [*turns, *empty]), attributed(words, exclusive, turns))


@given(WORDS, exclusive_turns(), OVERLAPPING)
def test_words_and_turns_are_left_as_they_are(words, exclusive, turns):
    given_tables = words_of(*words), turns_of(*exclusive), turns_of(*turns)
    for table in given_tables:
        for column in fields(table):
            getattr(table, column.name).flags.writeable = False
    attribute(*given_tables)


def assert_same(left, right):
    for column in fields(Attribution):
        np.testing.assert_array_equal(getattr(left, column.name), getattr(right, column.name), err_msg=column.name)

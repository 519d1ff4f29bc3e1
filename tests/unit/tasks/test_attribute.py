"""Words to speakers: the rule on small cases, and against a plain loop on random ones."""

import math
from dataclasses import fields, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.attribute import REASONS, AttributeOptions, Attribution, attribute
from tasks.columns import NOBODY, TurnTimes, WordTimes
from tasks.orthography import sentence_ends
from tasks.speaker_confidence import FOLLOWED, OUTSIDE

NO_REALIGN = AttributeOptions(weak_margin=0)
A, B, C = range(3)


def words_of(*rows):
    """Return columns of (start_ms, end_ms[, text[, channel]])."""
    full = [(*row, *("word", 0)[len(row) - 2 :]) for row in rows]
    start, end, text, channel = zip(*full, strict=True) if full else ((),) * 4
    return WordTimes(
        start_ms=np.array(start, np.int64),
        end_ms=np.array(end, np.int64),
        channel=np.array(channel, np.int16),
        ends_sentence=sentence_ends(text),
    )


def turns_of(*rows):
    """Return columns of (start_ms, end_ms, speaker[, channel[, confidence]])."""
    full = [(*row, *(0, math.nan)[len(row) - 3 :]) for row in rows]
    start, end, speaker, channel, confidence = zip(*full, strict=True) if full else ((),) * 5
    return TurnTimes(
        start_ms=np.array(start, np.int64),
        end_ms=np.array(end, np.int64),
        speaker=np.array(speaker, np.int64),
        channel=np.array(channel, np.int16),
        confidence=np.array(confidence, np.float32),
    )


def attributed(words, exclusive, turns=None, options=None):
    turns = exclusive if turns is None else turns
    return attribute(words_of(*words), turns_of(*exclusive), turns_of(*turns), options=options)


def reasons(result):
    return [REASONS[code] for code in result.reason]


def test_the_speaker_who_covers_most_gets_the_word():
    result = attributed([(0, 100)], [(0, 70, A), (70, 200, B)], options=NO_REALIGN)
    assert result.speaker.tolist() == [A]
    assert result.margin.tolist() == pytest.approx([0.4])


def test_cover_is_summed_over_a_speakers_turns():
    result = attributed([(0, 100)], [(0, 30, A), (30, 70, B), (70, 100, A)], options=NO_REALIGN)
    assert result.speaker.tolist() == [A]
    assert result.margin.tolist() == pytest.approx([0.2])


def test_uncovered_time_costs_margin():
    assert attributed([(0, 100)], [(75, 200, A)]).margin.tolist() == pytest.approx([0.25])


def test_a_word_without_length_is_a_point():
    result = attributed([(99, 99), (100, 100)], [(0, 100, A), (100, 200, B)])
    assert result.speaker.tolist() == [A, B]
    assert result.margin.tolist() == [1, 1]


@pytest.mark.parametrize(("gap", "speaker", "reason"), [(0, A, None), (500, A, None), (501, NOBODY, "no_turn")])
def test_a_word_outside_goes_to_an_edge_within_reach(gap, speaker, reason):
    result = attributed([(1_000 + gap, 1_100 + gap), (10_000, 10_100)], [(0, 1_000, A)])
    assert (result.speaker[0], reasons(result)[0]) == (speaker, reason)
    assert reasons(result)[1] == "no_turn"
    assert np.isnan(result.margin[0]) if reason else result.margin[0] == 0


def test_the_edge_counts_not_the_middle_of_the_turn():
    result = attributed([(10_100, 10_200)], [(0, 10_000, A), (10_350, 10_400, B)])
    assert result.speaker.tolist() == [A]


@pytest.mark.parametrize(("start", "speaker"), [(1_199, A), (1_201, B)])
def test_the_nearer_edge_wins_by_a_millisecond(start, speaker):
    assert attributed([(start, start + 100)], [(0, 1_000, A), (1_500, 2_000, B)]).speaker.tolist() == [speaker]


def test_reach_works_forward_too():
    assert attributed([(0, 100)], [(300, 900, B)]).speaker.tolist() == [B]


def test_equal_claims_stay_open():
    result = attributed([(50, 150), (1_100, 1_200)], [(0, 100, A), (100, 1_000, B), (1_300, 2_000, A)])
    assert result.speaker.tolist() == [NOBODY, NOBODY]
    assert reasons(result) == ["tie", "tie"]
    assert np.isnan(result.margin).all()


def test_equal_claims_follow_their_sentence():
    result = attributed([(0, 100, "I"), (100, 300, "said"), (300, 500, "so.")], [(0, 400, A), (400, 900, B)])
    assert result.speaker.tolist() == [A, A, A]
    assert result.margin.tolist() == [1, 1, 0]
    assert reasons(result) == [None, None, None]


def test_a_weak_word_follows_its_sentence_by_time_spoken():
    words = [(0, 400, "Nobody"), (400, 800, "ever"), (800, 1_000, "knows."), (1_000, 1_300, "Right?")]
    result = attributed(words, [(0, 890, A), (890, 2_000, B)])
    assert result.speaker.tolist() == [A, A, A, B]
    assert result.margin.tolist() == [1, 1, 0, 1]


FOUR_WORDS = [(0, 400, "Nobody"), (400, 800, "ever"), (800, 1_000, "knows."), (1_000, 1_300, "Right")]


def test_words_that_ran_over_into_the_next_turn_go_back_to_their_sentence():
    result = attributed(FOUR_WORDS, [(0, 800, A), (800, 2_000, B)])
    assert result.speaker.tolist() == [A, A, A, B]
    assert result.margin.tolist() == [1, 1, 0, 1]


def test_words_that_came_too_early_go_forward_to_their_sentence():
    words = [(0, 400, "Oh"), (400, 800, "no."), (800, 1_000, "But"), (1_000, 1_300, "why"), (1_300, 1_600, "not?")]
    assert attributed(words, [(0, 1_000, A), (1_000, 2_000, B)]).speaker.tolist() == [A, A, B, B, B]


@pytest.mark.parametrize(
    ("words", "turns"),
    [
        (FOUR_WORDS[:3], [(0, 800, A), (800, 2_000, B)]),
        ([*FOUR_WORDS[:2], (800, 1_000, "knows"), FOUR_WORDS[3]], [(0, 800, A), (800, 2_000, B)]),
        ([*FOUR_WORDS[:3], (1_000, 1_300, "No.")], [(0, 800, A), (800, 1_000, B), (1_000, 1_300, C)]),
        ([(0, 200, "Nobody"), *FOUR_WORDS[1:]], [(0, 400, A), (400, 2_000, B)]),
        ([*FOUR_WORDS[:2], (2_000, 2_200, "knows."), (2_200, 2_400, "Right")], [(0, 800, A), (1_900, 2_500, B)]),
    ],
    ids=["who says nothing else", "no mark", "a turn of its own", "most of it", "long pause"],
)
def test_a_firm_word_stays_that_did_not_run_over(words, turns):
    before = [A if start < turns[0][1] else B for start, *_ in words]
    after = attributed(words, turns).speaker.tolist()
    assert after == [C if turns[-1][2] == C and i == len(words) - 1 else who for i, who in enumerate(before)]


@pytest.mark.parametrize(("seam_ms", "speakers"), [(251, [A, A, A, B]), (250, [A, A, B, B]), (0, [A, B, B, B])])
def test_only_words_near_the_seam_run_over(seam_ms, speakers):
    words = [(0, 700, "Nobody"), (800, 900, "ever"), (1_050, 1_200, "knows."), (1_200, 1_400, "Right")]
    result = attributed(words, [(0, 800, A), (800, 2_000, B)], options=AttributeOptions(seam_ms=seam_ms))
    assert result.speaker.tolist() == speakers


@pytest.mark.parametrize(("firm_ms", "speaker"), [(200, B), (201, A)])
def test_the_majority_is_more_than_half_of_the_time(firm_ms, speaker):
    words = [(0, firm_ms, "so"), (firm_ms, firm_ms + 100, "then"), (firm_ms + 100, firm_ms + 200, "now")]
    turns = [(0, firm_ms + 40, A), (firm_ms + 40, 1_000, B)]
    assert attributed(words, turns).speaker.tolist() == [A, speaker, B]


def test_a_pause_ends_the_sentence_of_unpunctuated_text():
    near = [(0, 300), (300, 600), (650, 750)]
    far = [(0, 300), (300, 600), (910, 1_010)]
    assert attributed(near, [(0, 690, A), (690, 2_000, B)]).speaker.tolist() == [A, A, A]
    assert attributed(far, [(0, 950, A), (950, 2_000, B)]).speaker.tolist() == [A, A, B]


@pytest.mark.parametrize(("pause", "speaker"), [(50, A), (51, B)])
def test_a_weak_word_stays_on_its_side_of_a_pause(pause, speaker):
    words = [(0, 900), (900 + pause, 1_000 + pause), (1_000 + pause, 1_100 + pause)]
    seam = 940 + pause
    assert attributed(words, [(0, seam, A), (seam, 2_000, B)]).speaker.tolist() == [A, speaker, B]


def test_a_weak_word_among_another_speakers_firm_words_stays():
    words = [(0, 900), (900, 1_000), (1_000, 1_100), (1_100, 1_200)]
    turns = [(0, 900, A), (900, 1_000, B), (1_000, 1_040, C), (1_040, 1_200, B)]
    assert attributed(words, turns).speaker.tolist() == [A, B, B, B]


def test_a_weak_word_does_not_follow_where_people_talk_at_once():
    words, exclusive = [(0, 400), (400, 800), (800, 1_000)], [(0, 890, A), (890, 2_000, B)]
    assert attributed(words, exclusive).speaker.tolist() == [A, A, A]
    assert attributed(words, exclusive, [(0, 900, A), (890, 2_000, B)]).speaker.tolist() == [A, A, B]


@pytest.mark.parametrize(("ends", "speaker"), [(999, A), (909, B), (910, B)])
def test_all_turns_decide_a_weak_word_where_people_talk_at_once(ends, speaker):
    result = attributed([(800, 1_000)], [(0, 890, A), (890, 2_000, B)], [(0, ends, A), (890, 2_000, B)])
    assert (result.speaker.tolist(), result.other_speaker.tolist()) == ([speaker], [A + B - speaker])
    assert result.margin[0] == pytest.approx(0 if speaker == A else 0.1)


def test_exclusive_turns_decide_a_firm_word_where_people_talk_at_once():
    exclusive = [(0, 850, A), (850, 2_000, B)]
    assert attributed([(800, 1_000)], exclusive, [(0, 1_500, A), (840, 2_000, B)]).speaker.tolist() == [B]


def test_a_word_out_of_reach_stays_with_nobody_in_any_sentence():
    words = [(0, 900), (1_000, 1_400), (1_450, 1_500)]
    result = attributed(words, [(0, 900, A)], options=AttributeOptions(max_gap_ms=300))
    assert reasons(result) == [None, None, "no_turn"]


def test_overlap_is_marked_and_names_the_other():
    result = attributed([(0, 100), (100, 200)], [(0, 300, A)], [(0, 300, A), (50, 100, B), (60, 80, C)])
    assert result.is_overlapped.tolist() == [True, False]
    assert result.other_speaker.tolist() == [B, NOBODY]


def test_a_change_of_speaker_inside_a_word_is_no_overlap():
    assert not attributed([(0, 100)], [(0, 70, A), (70, 200, B)]).is_overlapped.any()


def test_several_equal_others_are_nobody_in_particular():
    result = attributed([(0, 100)], [(0, 100, A)], [(0, 100, A), (0, 50, B), (50, 100, C)])
    assert result.is_overlapped.tolist() == [True]
    assert result.other_speaker.tolist() == [NOBODY]


@pytest.mark.parametrize(
    ("word", "confidence"),
    [((300, 400), 1), ((649, 749), 1), ((800, 900), 0.75), ((950, 1_050), 0.5), ((2_100, 2_200), OUTSIDE)],
    ids=["inside", "at arm's length", "nearer", "at the seam", "outside"],
)
def test_a_word_is_as_sure_as_what_lies_around_it_is_its_speakers(word, confidence):
    options = AttributeOptions(weak_margin=0, seam_ms=250)
    result = attributed([(*word, "so"), (100, 200, "then")], [(0, 999, A), (999, 2_000, B)], options=options)
    assert result.confidence[0] == pytest.approx(confidence, abs=0.003)


def test_where_two_talk_at_once_it_may_be_either():
    both = [(0, 2_000, A), (0, 2_000, B)]
    assert attributed([(1_000, 1_100)], [(0, 2_000, A)], both).confidence.tolist() == [0.5]


def test_a_word_that_followed_its_sentence_is_no_less_sure_than_a_coin():
    result = attributed(FOUR_WORDS, [(0, 800, A), (800, 2_000, B)])
    assert result.confidence[2] == FOLLOWED


def test_a_word_is_not_surer_than_its_turn():
    result = attributed([(0, 100), (400, 500)], [(0, 150, A, 0, 0.5), (400, 540, A)])
    assert result.confidence.tolist() == [0.5, 1]


def test_a_channel_sees_its_own_turns_only():
    words = [(0, 100, "one", 0), (0, 100, "two", 1), (0, 100, "three", 2)]
    result = attributed(words, [(0, 100, A, 0), (0, 100, B, 1)])
    assert result.speaker.tolist() == [A, B, NOBODY]
    assert not result.is_overlapped.any()
    assert reasons(result)[2] == "no_turn"


def test_a_channel_of_one_person_is_evidence_where_no_turn_is():
    call = [(0, 100, A, 0), (0, 100, B, 1), (200, 300, C, 1)]
    result = attributed([(60_000, 60_100, "far", 0), (60_000, 60_100, "far", 1)], call)
    assert (result.speaker.tolist(), reasons(result)) == ([A, NOBODY], [None, "no_turn"])
    assert result.margin[0] == 0
    assert result.confidence[0] == pytest.approx(OUTSIDE)


def test_a_recording_of_one_channel_has_no_owner():
    assert attributed([(60_000, 60_100)], [(0, 100, A)]).speaker.tolist() == [NOBODY]


def test_a_voice_heard_on_both_channels_is_kept_on_both():
    """Crosstalk that is loud enough to be transcribed; ``tasks.channels.own_speech`` leaves out what is not."""
    words = [(0, 300, "Hello", 0), (10, 310, "Hello", 1)]
    result = attributed(words, [(0, 400, A, 0), (0, 400, B, 1)])
    assert result.speaker.tolist() == [A, B]
    assert not result.is_overlapped.any()


def test_columns_of_different_length_are_refused():
    words = words_of((0, 1), (1, 2))
    with pytest.raises(ValueError, match="differ in length"):
        replace(words, channel=words.channel[:1])


class TestKnownDefects:
    """Failures seen in other systems; the utterances' half is in test_utterances."""

    def test_a_words_that_no_turn_overlaps_are_kept(self):
        result = attributed([(0, 100), (200, 300)], [])
        assert result.speaker.tolist() == [NOBODY, NOBODY]
        assert reasons(result) == ["no_turn", "no_turn"]

    def test_b_a_turn_inside_another_leaves_both_whole(self):
        turns = [(0, 10_000, A), (3_000, 4_000, B)]
        result = attributed([(2_000, 2_200), (3_400, 3_600), (9_000, 9_200)], [(0, 10_000, A)], turns)
        assert result.speaker.tolist() == [A, A, A]
        assert result.other_speaker.tolist() == [NOBODY, B, NOBODY]

    def test_c_two_far_turns_of_one_speaker_are_not_one(self):
        result = attributed([(500, 600), (1_800_000, 1_800_100)], [(0, 1_000, A), (3_600_000, 3_601_000, A)])
        assert result.speaker.tolist() == [A, NOBODY]

    def test_d_a_last_sentence_without_full_stop_may_change_speaker(self):
        words = [(0, 300, "So."), (300, 600, "And"), (600, 900, "then")]
        assert attributed(words, [(0, 600, A), (600, 900, B)]).speaker.tolist() == [A, A, B]

    def test_e_an_empty_word_is_a_word(self):
        result = attributed([(0, 100, ""), (100, 200, "yes"), (200, 200, "")], [(0, 300, A)])
        assert result.speaker.tolist() == [A, A, A]

    def test_f_one_of_three_is_no_majority(self):
        words = [(0, 100, "one"), (100, 200, "two"), (200, 300, "three.")]
        turns = [(0, 100, A), (100, 140, A), (140, 260, B), (260, 400, C)]
        assert attributed(words, turns).speaker.tolist() == [A, B, B]


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


class TestKnownRequests:
    """What users of other systems ask for, by the numbers of a list of such requests."""

    def test_3_the_last_word_of_a_sentence_stays_with_who_said_it(self):
        assert attributed(FOUR_WORDS, [(0, 810, A), (810, 2_000, B)]).speaker.tolist() == [A, A, A, B]

    def test_3_the_first_word_of_a_sentence_stays_with_who_said_it(self):
        words = [(0, 400, "Oh"), (400, 800, "no."), (850, 1_000, "But"), (1_000, 1_300, "why"), (1_300, 1_600, "not?")]
        assert attributed(words, [(0, 1_010, A), (1_010, 2_000, B)]).speaker.tolist() == [A, A, B, B, B]

    def test_4_a_word_without_a_speaker_says_why(self):
        result = attributed([(0, 100), (60_000, 60_100)], [(0, 100, A)])
        assert reasons(result) == [None, "no_turn"]

    def test_17_a_number_without_length_has_a_speaker(self):
        words = [(0, 300, "in"), (300, 300, "1984"), (300, 600, "then")]
        assert attributed(words, [(0, 1_000, A)]).speaker.tolist() == [A, A, A]

    def test_18_a_word_stretched_over_a_silence_goes_to_who_covers_most_of_it(self):
        result = attributed([(900, 9_000)], [(0, 1_000, A), (8_000, 9_500, B)])
        assert (result.speaker.tolist(), result.margin.tolist()) == ([B], [pytest.approx(900 / 8_100)])

    def test_19_what_is_not_known_is_nan_and_never_1(self):
        result = attributed([(0, 100)], [])
        assert np.isnan([result.margin[0], result.confidence[0]]).all()

    def test_21_one_person_per_channel_is_one_speaker_per_channel(self):
        words = [(0, 300, "Hello", 0), (250, 500, "Hi", 1), (9_000, 9_300, "Bye", 0)]
        assert attributed(words, [(0, 300, A, 0), (200, 500, B, 1)]).speaker.tolist() == [A, B, A]

    def test_22_overlapped_words_stay_and_name_the_other(self):
        result = attributed([(0, 400), (400, 800)], [(0, 800, A)], [(0, 800, A), (300, 800, B)])
        assert (result.speaker.tolist(), result.other_speaker.tolist()) == ([A, A], [B, B])


def assert_same(left, right):
    for column in fields(Attribution):
        np.testing.assert_array_equal(getattr(left, column.name), getattr(right, column.name), err_msg=column.name)

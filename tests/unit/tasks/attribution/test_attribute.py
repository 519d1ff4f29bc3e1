"""Words to speakers: the rule on small cases."""

from dataclasses import replace

import numpy as np
import pytest

from tasks.attribution.attribute import AttributeOptions
from tasks.attribution.columns import NOBODY
from tasks.attribution.speaker_confidence import FOLLOWED, OUTSIDE
from tests.attributed import FOUR_WORDS, A, B, C, attributed, reasons, words_of

NO_REALIGN = AttributeOptions(weak_margin=0)


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
    """Crosstalk that is loud enough to be transcribed; ``tasks.audio.channels.own_speech`` leaves out what is not."""
    words = [(0, 300, "Hello", 0), (10, 310, "Hello", 1)]
    result = attributed(words, [(0, 400, A, 0), (0, 400, B, 1)])
    assert result.speaker.tolist() == [A, B]
    assert not result.is_overlapped.any()


def test_columns_of_different_length_are_refused():
    words = words_of((0, 1), (1, 2))
    with pytest.raises(ValueError, match="differ in length"):
        replace(words, channel=words.channel[:1])

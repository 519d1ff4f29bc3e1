"""Words to speakers: what goes wrong in other systems, and what their users ask for."""

import numpy as np
import pytest

from tasks.attribution.columns import NOBODY
from tests.attributed import FOUR_WORDS, A, B, C, attributed, reasons


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

import math
from itertools import groupby, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from storage.records import Span, Word
from tasks.engines.nemo_words import Token, aligned, collapsed, segment_of, timed_words, words_of_tokens

BLANK = 9


def token(text, start, end, confidence=0.9):
    return Token(text=text, start_frame=start, end_frame=end, confidence=confidence)


def spell_bpe(pieces):
    return "".join(pieces).replace("▁", " ").strip()


def spell_wpe(pieces):
    return " ".join(pieces).replace(" ##", "")


def heard(tokens):
    return words_of_tokens(tokens, "bpe", spell_bpe)


class TestCollapsed:
    def test_a_run_of_one_label_is_one_token_with_its_own_frames(self):
        labels = [BLANK, 4, 4, BLANK, BLANK, 4, 5, BLANK]
        confidences = [1.0, 0.9, 0.5, 1.0, 1.0, 0.8, 0.7, 1.0]
        assert collapsed(labels, confidences, BLANK) == [(4, 1, 3, 0.5), (4, 5, 6, 0.8), (5, 6, 7, 0.7)]

    def test_nothing_said(self):
        assert collapsed([], [], BLANK) == []
        assert collapsed([BLANK] * 3, [1.0] * 3, BLANK) == []

    @given(st.lists(st.sampled_from([0, 1, 2, BLANK])))
    def test_follows_the_rule_of_ctc(self, labels):
        runs = collapsed(labels, [1.0] * len(labels), BLANK)
        assert [run[0] for run in runs] == [label for label, _ in groupby(labels) if label != BLANK]
        assert all(set(labels[start:end]) == {label} for label, start, end, _ in runs)
        assert all(before[2] <= after[1] for before, after in pairwise(runs))
        assert sum(end - start for _, start, end, _ in runs) == sum(label != BLANK for label in labels)


class TestAligned:
    def test_each_token_gets_its_own(self):
        assert aligned([0.25, 1, 0], 3) == [0.25, 1.0, 0.0]

    @pytest.mark.parametrize("values", [None, [], [0.5], [0.5] * 4])
    def test_none_where_it_is_not_certain_whose_they_are(self, values):
        assert aligned(values, 3) == [None] * 3

    @given(st.lists(st.floats() | st.integers(-3, 3), max_size=5))
    def test_probabilities_or_none(self, values):
        for value, confidence in zip(values, aligned(values, len(values)), strict=True):
            assert confidence is None if math.isnan(value) else 0 <= confidence <= 1
            assert confidence is None or type(confidence) is float

    def test_numbers_of_a_library_become_python_s(self):
        numpy = pytest.importorskip("numpy")
        (value,) = aligned(numpy.array([0.5], numpy.float32), 1)
        assert type(value) is float


class TestWords:
    def test_a_word_has_the_frames_and_the_product_of_its_tokens(self):
        (one, other) = heard([token("▁um", 2, 3, 0.5), token("brella", 4, 7, 0.5), token("▁is", 20, 21, 0.8)])
        assert one == token("umbrella", 2, 7, 0.25)
        assert other == token("is", 20, 21, 0.8)

    def test_a_pause_belongs_to_no_word(self):
        before, after = heard([token("▁a", 0, 1), token("▁b", 100, 101)])
        assert (before.end_frame, after.start_frame) == (1, 100)

    def test_one_unknown_confidence_leaves_the_word_s_unknown(self):
        (word,) = heard([token("▁um", 2, 3, 0.5), token("brella", 4, 7, None)])
        assert word.confidence is None

    def test_a_mark_changes_text_but_neither_times_nor_confidence(self):
        (word,) = heard([token("▁yes", 5, 6, 0.9), token(".", 60, 61, 0.1)])
        assert word == token("yes.", 5, 6, 0.9)

    def test_a_mark_alone_goes_to_the_word_before(self):
        words = heard([token("▁yes", 5, 6), token("▁-", 8, 9), token("▁no", 12, 13)])
        assert [word.text for word in words] == ["yes-", "no"]

    def test_an_opening_mark_goes_to_the_word_after(self):
        words = heard([token("▁¿", 0, 1), token("▁qué", 4, 5), token("?", 6, 7)])
        assert words == [token("¿qué?", 4, 5)]

    def test_marks_without_words_are_no_words(self):
        assert heard([token("▁", 0, 1), token(".", 2, 3)]) == []

    def test_an_empty_mark_of_a_word_s_beginning_is_part_of_it(self):
        assert [word.text for word in heard([token("▁", 3, 4), token("x", 5, 6)])] == ["x"]

    def test_pieces_that_are_text_only_together(self):
        together = {("▁", "<0xC3>", "<0xA9>"): "é"}
        (word,) = words_of_tokens(
            [token("▁", 1, 2), token("<0xC3>", 2, 3), token("<0xA9>", 3, 4)],
            "bpe",
            lambda pieces: together.get(tuple(pieces), ""),
        )
        assert (word.text, word.end_frame) == ("é", 4)

    def test_word_pieces_and_characters_say_otherwise_where_words_begin(self):
        pieces = [token("um", 1, 2), token("##brella", 3, 4), token("is", 6, 7)]
        assert [word.text for word in words_of_tokens(pieces, "wpe", spell_wpe)] == ["umbrella", "is"]
        letters = [token(letter, i, i + 1) for i, letter in enumerate("it is")]
        words = words_of_tokens(letters, "char", "".join)
        assert [(word.text, word.start_frame, word.end_frame) for word in words] == [("it", 0, 2), ("is", 3, 5)]

    @given(st.lists(st.sampled_from(["▁a", "b", "▁cd", ".", "▁", "▁¿", ","])))
    def test_no_letter_is_lost_and_words_have_text(self, texts):
        words = heard([token(text, 2 * i, 2 * i + 1) for i, text in enumerate(texts)])
        letters = [character for text in texts for character in text if character.isalpha()]
        assert [character for word in words for character in word.text if character.isalpha()] == letters
        assert all(word.text and word.text == word.text.strip() and " " not in word.text for word in words)
        assert all(before.end_frame <= after.start_frame for before, after in pairwise(words))


class TestTimes:
    SPAN = Span(start_ms=1000, end_ms=2000)

    def test_from_frames_to_clip_time(self):
        (word,) = timed_words([token("a", 3, 5, 0.5)], self.SPAN, 80, 4)
        assert word == Word(start_ms=1240, end_ms=1400, text="a", confidence=0.5, segment_index=4)

    def test_a_word_lasts_a_frame_at_least_but_not_into_the_next(self):
        first, second, third = timed_words([token("a", 3, 3), token("b", 4, 9), token("c", 6, 7)], self.SPAN, 80, 0)
        assert (first.start_ms, first.end_ms) == (1240, 1320)
        assert (second.end_ms, third.start_ms) == (1480, 1480)

    def test_silence_added_after_a_piece_is_not_in_the_clip(self):
        (word,) = timed_words([token("a", 11, 30)], self.SPAN, 80, 0)
        assert (word.start_ms, word.end_ms) == (1880, 2000)

    def test_a_segment_ends_with_a_sentence(self):
        words = [token(text, 2 * i, 2 * i + 1) for i, text in enumerate(("Yes.", "No?", "well", "then"))]
        assert [word.segment_index for word in timed_words(words, self.SPAN, 80, 7)] == [7, 8, 9, 9]

    @given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 9))), st.sampled_from([20, 40, 80]))
    def test_words_are_in_order_and_inside(self, frames, frame_ms):
        words = [token("a", start, start + length) for start, length in sorted(frames)]
        timed = timed_words(words, self.SPAN, frame_ms, 0)
        assert len(timed) == len(words)
        assert all(1000 <= word.start_ms <= word.end_ms <= 2000 for word in timed)
        assert all(before.end_ms <= after.start_ms for before, after in pairwise(timed))


class TestSegment:
    def test_confidence_is_the_geometric_mean(self):
        words = [Word(start_ms=10 * i, end_ms=10 * i + 5, text="a", confidence=c) for i, c in enumerate((0.25, 1.0))]
        segment = segment_of(words, "en", ("odd",))
        assert (segment.start_ms, segment.end_ms, segment.language, segment.flags) == (0, 15, "en", ("odd",))
        assert segment.confidence == pytest.approx(0.5)

    def test_unknown_where_a_word_s_is(self):
        words = [Word(start_ms=0, end_ms=5, text="a", confidence=c) for c in (0.5, None)]
        assert segment_of(words, None, ()).confidence is None

    @given(st.lists(st.floats(0, 1), min_size=1))
    def test_a_probability(self, confidences):
        words = [Word(start_ms=0, end_ms=5, text="a", confidence=confidence) for confidence in confidences]
        assert 0 <= segment_of(words, None, ()).confidence <= 1

"""What the benchmark of attribution rests on: other ways of doing it, turns that err, made-up talk, scores."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.attribution import accuracy_row, both_sides, counted, heard_sets, speed_rows
from benchmarks.heard_turns import Heard, under_true_names
from benchmarks.made_up_talk import made_up, with_missing_marks
from benchmarks.other_attributions import aana, fill_nearest, whisperx
from benchmarks.reliability import ranges, reliability
from benchmarks.sounds import SAMPLES
from benchmarks.spoken_words import Wear, one_at_a_time, read_set, turn_times, word_times, worn
from benchmarks.word_confidence import spoken
from tasks.attribution.columns import NOBODY

A, B, C = range(3)


def words_of(*rows):
    start, end, texts = zip(*rows, strict=True)
    return word_times(start, end, texts)


@pytest.fixture(scope="module")
def talk():
    return made_up(np.random.default_rng(0), 300, 3)


# ---- others


def test_whisperx_sums_what_a_word_shares_with_each_speaker():
    words = words_of((0, 100, "one"), (500, 600, "two"))
    said = whisperx(words, turn_times([(0, 30, A), (30, 70, B), (70, 100, A), (900, 1_000, C)]))
    assert said.tolist() == [A, NOBODY]


def test_fill_nearest_compares_middles():
    words, turns = words_of((10_100, 10_200, "so")), turn_times([(0, 10_000, A), (12_000, 12_100, B)])
    assert fill_nearest(words, turns, np.array([NOBODY])).tolist() == [B]


def test_aana_takes_the_one_turn_that_shares_most_and_fills_from_before():
    words = words_of((0, 100, "one."), (5_000, 5_100, "two."), (0, 100, "three."))
    turns = turn_times([(0, 30, A), (30, 70, B), (70, 95, A)])
    assert aana(words, turns).tolist() == [B, B, B]


def test_aana_fuses_turns_over_any_gap():
    turns = turn_times([(0, 1_000, A), (3_600_000, 3_601_000, A)])
    assert aana(words_of((1_800_000, 1_800_100, "far.")), turns).tolist() == [A]


def test_aana_gives_a_sentence_to_most_of_its_words():
    words = words_of((0, 100, "Nobody"), (100, 200, "ever"), (200, 300, "knows."), (300, 400, "Right."))
    assert aana(words, turn_times([(0, 200, A), (200, 400, B)])).tolist() == [A, A, A, B]


def test_aana_is_mended_where_it_failed():
    words = words_of((0, 100, "So."), (100, 200, ""), (200, 300, "then"))
    assert aana(words, turn_times([(0, 200, A), (200, 300, B)])).tolist() == [A, A, A]
    assert aana(words, turn_times([])).tolist() == [NOBODY] * 3


# ---- words and turns


def test_the_words_of_a_line_fill_it_by_their_letters():
    (office,) = (one for one in read_set(SAMPLES.parent) if one.name == "calls_ferry-office")
    assert office.texts[:2] == ("good", "morning")
    assert office.words.start_ms[0] == 1_000
    assert office.words.end_ms[0] == office.words.start_ms[1] == 1_000 + 3_840 * 5 // 63
    assert len(set(office.person.tolist())) == 2


def test_made_up_talk_has_words_of_its_turns(talk):
    for person in range(3):
        own = talk.turns.speaker == person
        starts, ends = talk.turns.start_ms[own], talk.turns.end_ms[own]
        for word in np.flatnonzero(talk.person == person):
            inside = (starts <= talk.words.start_ms[word]) & (talk.words.end_ms[word] <= ends)
            assert inside.any()
    assert talk.words.ends_sentence.any()
    assert not with_missing_marks(talk, np.random.default_rng(0), 1.1).words.ends_sentence[:-1].all()


def test_turns_err_as_they_are_told_to(talk):
    rng = np.random.default_rng(0)
    same = worn(talk.turns, Wear(jitter_ms=0, missed=0, confused=0), rng)
    np.testing.assert_array_equal(same.start_ms, talk.turns.start_ms)
    np.testing.assert_array_equal(same.speaker, talk.turns.speaker)
    assert len(worn(talk.turns, Wear(missed=1), rng).start_ms) == 0
    assert (worn(talk.turns, Wear(jitter_ms=0, missed=0, confused=1), rng).speaker != talk.turns.speaker).all()


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30), st.integers(0, 2)), min_size=1, max_size=8))
def test_one_at_a_time_leaves_no_overlap_and_no_hole(rows):
    turns = turn_times([(start, start + length, who) for start, length, who in rows])
    alone = one_at_a_time(turns, np.arange(len(rows)))
    held = np.zeros(100, int)
    for start, end in zip(alone.start_ms, alone.end_ms, strict=True):
        held[start:end] += 1
    wanted = np.zeros(100, int)
    for start, end in zip(turns.start_ms, turns.end_ms, strict=True):
        wanted[start:end] = 1
    np.testing.assert_array_equal(held, wanted)


def test_speakers_get_the_names_of_the_truth(talk):
    renamed = replace(talk.turns, speaker=2 - talk.turns.speaker)
    named = under_true_names(Heard(renamed, renamed), talk)
    np.testing.assert_array_equal(named.turns.speaker, talk.turns.speaker)
    stranger = turn_times([(0, 10, A), (100_000_000, 100_000_001, B)])
    assert under_true_names(Heard(stranger, stranger), replace(talk, person=talk.person * 0)).turns.speaker[1] > 0


# ---- scores


def test_perfect_turns_make_perfect_words_where_nobody_talks_over_others():
    talk = made_up(np.random.default_rng(1), 50, 2)
    alone = np.arange(len(talk.texts)) * 1_000
    talk = replace(talk, words=replace(talk.words, start_ms=alone, end_ms=alone + 500))
    turns = turn_times([(at, at + 500, who) for at, who in zip(alone.tolist(), talk.person.tolist(), strict=True)])
    row = accuracy_row("x", "y", [counted(talk, Heard(turns, turns))])
    assert (row["words"], row["voxlake"], row["wrong"], row["whisperx"]) == (len(talk.texts), 100, 0, 100)


def test_who_wins_by_names_alone_wins_once_and_loses_once(talk):
    words = words_of((0, 100, "so"))
    both = turn_times([(0, 100, A), (0, 100, B)])
    one = replace(talk, words=words, texts=("so",), person=np.array([A]), turns=both)
    rng = np.random.default_rng(0)
    sides = list(both_sides(one, Wear(jitter_ms=0, missed=0, confused=0), rng))
    counts = sum((counted(*side) for side in sides), start=counted(*sides[0]) - counted(*sides[0]))
    assert counts["voxlake right"] == counts["whisperx turns right"] == 1


def test_reliability_tells_uncertain_utterances_from_others(talk):
    heard = Heard(talk.turns, one_at_a_time(talk.turns, np.arange(len(talk.turns.start_ms))))
    *parts, all_words = reliability("x", "y", [(talk, heard)])
    assert sum(row["words"] for row in parts) == all_words["words"] == len(talk.texts)
    assert 0 < all_words["uncertain %"] < 50
    assert all_words["right if uncertain"] < all_words["right if not"] <= 1


def test_sets_are_heard_in_each_way(tmp_path):
    found = [(name, how, len(pairs)) for name, how, pairs in heard_sets([SAMPLES.parent], None, tmp_path, 1)]
    assert [name for name, *_ in found] == ["samples"] * 2 + ["made up"] * 2
    assert found[0][1:] == ("edges", 2 * 9)


def test_ranges_by_hand():
    rows = ranges(np.array([0.1, 0.1, 0.97, 0.97]), np.array([True, False, True, True]))
    assert [row["words"] for row in rows] == [2, 2, 4]
    assert rows[0]["gap"] == pytest.approx(0.4)
    assert rows[-1]["calibration error"] == pytest.approx((0.4 + 0.03) / 2)
    assert ranges(np.empty(0), np.empty(0, bool)) == []


def test_a_word_is_right_where_it_lines_up_with_the_truth():
    assert spoken(["a", "x", "b", "b"], ["a", "b"]) == [True, False, True, False]


def test_the_first_row_of_speed_is_what_others_are_compared_with():
    first, *others = speed_rows(40, 1)
    assert first["times as long"] == 1
    assert first["words"] == 100 * others[-1]["words"]
    assert all(row["per million words"] > 0 for row in others)

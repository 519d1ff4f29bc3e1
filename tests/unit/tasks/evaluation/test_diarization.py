"""Turns against turns: by hand, and against pyannote.metrics left to itself."""

import warnings
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.formats.document import DocumentTurn
from storage.records import Span
from tasks.evaluation.counts import JaccardErrors, TurnErrors
from tasks.evaluation.diarization import COLLAR_MS, jaccard_errors, turn_errors
from tasks.evaluation.identity import best_mapping
from tasks.evaluation.regions import each_once, united, within, without_collars
from tasks.evaluation.sharing import shared_ms, speaker_time
from tests.diarization_error import error_time

LONG_MS = 20_000
ALL = (Span(start_ms=0, end_ms=LONG_MS),)


def turn(start_ms, end_ms, speaker):
    return DocumentTurn(start_ms=start_ms, end_ms=end_ms, speaker=speaker)


def span(start_ms, end_ms):
    return Span(start_ms=start_ms, end_ms=end_ms)


def turns_of(speakers):
    one = st.builds(
        lambda start, length, who: turn(start * 10, min(LONG_MS, (start + length) * 10), who),
        *(st.integers(0, 1900), st.integers(1, 500), st.sampled_from(speakers)),
    )
    return st.lists(one, max_size=12).map(each_once)


# ---- diarization error


def test_errors_by_hand():
    truth = [turn(0, 4000, "ann"), turn(3000, 6000, "bob"), turn(8000, 9000, "ann")]
    found = [turn(0, 3000, "S0"), turn(3000, 6000, "S1"), turn(6000, 6500, "S1"), turn(8000, 9000, "S1")]
    errors = turn_errors(truth, found, ALL)
    assert errors == TurnErrors(missed_ms=1000, false_ms=500, confused_ms=1000, speech_ms=8000)
    assert errors.rate == pytest.approx(2500 / 8000)


def test_a_collar_is_on_both_sides_of_each_edge():
    truth, found = [turn(1000, 3000, "ann")], [turn(800, 3300, "S0")]
    assert turn_errors(truth, found, ALL).false_ms == 500
    assert turn_errors(truth, found, ALL, collar_ms=COLLAR_MS) == TurnErrors(false_ms=50, speech_ms=1500)


def test_only_regions_are_scored():
    truth, found = [turn(0, 10_000, "ann")], [turn(5_000, 20_000, "S0")]
    assert turn_errors(truth, found, [span(4_000, 6_000), span(9_000, 11_000)]) == TurnErrors(
        missed_ms=1000, false_ms=1000, speech_ms=3000
    )
    assert turn_errors(truth, found, []) == TurnErrors()


def test_who_overlaps_with_themselves_talks_once():
    assert turn_errors([turn(0, 2000, "ann"), turn(1000, 3000, "ann")], [turn(0, 3000, "S0")], ALL) == TurnErrors(
        speech_ms=3000
    )


@settings(max_examples=30)
@given(turns_of("ab"), turns_of("xyz"), st.sampled_from([0, 250]), st.sampled_from([3_333, LONG_MS]))
def test_as_pyannote_metrics_counts_in_one_piece_with_its_own_collars(truth, found, collar_ms, piece_ms):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from pyannote.core import Annotation, Segment, Timeline
        from pyannote.metrics.diarization import DiarizationErrorRate

        def annotation(turns):
            made = Annotation()
            for track, one in enumerate(turns):
                made[Segment(one.start_ms / 1000, one.end_ms / 1000), track] = one.speaker
            return made

        metric = DiarizationErrorRate(collar=2 * collar_ms / 1000)  # theirs is the length of both sides
        uem = Timeline([Segment(0, LONG_MS / 1000)])
        counted = metric(annotation(truth), annotation(found), uem=uem, detailed=True)
    with mock.patch("tasks.evaluation.diarization._PIECE_MS", piece_ms):
        errors = turn_errors(truth, found, ALL, collar_ms=collar_ms)
    assert errors.speech_ms == pytest.approx(counted["total"] * 1000, abs=1)
    wrong_s = counted["missed detection"] + counted["false alarm"] + counted["confusion"]
    assert errors.wrong_ms == pytest.approx(wrong_s * 1000, abs=2)


@settings(max_examples=30)
@given(turns_of("ab"), turns_of("xyz"))
def test_one_sweep_and_frames_count_what_pyannote_metrics_counts(truth, found):
    errors, time = turn_errors(truth, found, ALL), speaker_time(truth, found)
    assert time.errors(best_mapping(time.pairs)) == errors
    assert error_time(found, truth, LONG_MS) == (errors.wrong_ms // 10, errors.speech_ms // 10)


@settings(max_examples=30)
@given(turns_of("abc"))
def test_what_is_right_costs_nothing_under_any_names(truth):
    renamed = [turn(one.start_ms, one.end_ms, {"a": "S2", "b": "S0", "c": "S1"}[one.speaker]) for one in truth]
    assert turn_errors(truth, renamed, ALL).wrong_ms == 0
    assert jaccard_errors(truth, renamed, ALL).errors == pytest.approx(0)


# ---- Jaccard error


def test_jaccard_error_by_hand():
    truth = [turn(0, 4000, "ann"), turn(4000, 6000, "bob"), turn(6000, 7000, "cat")]
    found = [turn(0, 3000, "S0"), turn(3000, 6000, "S1")]
    # ann: 1 of 4 s missed; bob: 1 s too much of 3; nobody is left for cat
    assert jaccard_errors(truth, found, ALL) == JaccardErrors(errors=pytest.approx(1 / 4 + 1 / 3 + 1), n_speakers=3)


# ---- regions


def test_regions_without_collars_by_hand():
    reference = [turn(0, 1000, "ann"), turn(1400, 3000, "bob")]
    assert without_collars([span(0, 2000), span(2500, 5000)], reference, 250) == (
        *(span(250, 750), span(1650, 2000), span(2500, 2750), span(3250, 5000)),
    )
    assert without_collars([], reference, 250) == ()


spans = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)).map(lambda t: span(t[0], t[0] + t[1])), max_size=6)


def milliseconds(some):
    return {at for one in some for at in range(one.start_ms, one.end_ms)}


@given(spans)
def test_united_spans_cover_the_same_and_do_not_overlap(some):
    joined = united(some)
    assert milliseconds(joined) == milliseconds(some)
    assert sum(one.duration_ms for one in joined) == len(milliseconds(some))


@given(spans, spans)
def test_turns_within_regions_are_what_both_cover(regions, talks):
    turns = [turn(one.start_ms, one.end_ms, "a") for one in united(talks)]
    assert milliseconds(within(turns, united(regions))) == milliseconds(talks) & milliseconds(regions)


@given(spans, spans)
def test_collars_are_cut_out_of_regions(regions, talks):
    turns = [turn(one.start_ms, one.end_ms, "a") for one in talks]
    edges = {edge for one in turns for edge in (one.start_ms, one.end_ms)}
    holes = {at for edge in edges for at in range(edge - 3, edge + 3)}
    assert milliseconds(without_collars(united(regions), turns, 3)) == milliseconds(regions) - holes


# ---- who is heard as whom


def test_shared_time_leaves_out_overlap_and_silence_on_either_side():
    truth = [turn(0, 1000, "ann"), turn(800, 2000, "bob"), turn(5000, 6000, "ann")]
    found = [turn(100, 1500, "X"), turn(1500, 2500, "Y")]
    assert shared_ms(truth, found) == {("ann", "X"): 700, ("bob", "X"): 500, ("bob", "Y"): 500}


def test_two_turns_of_one_speaker_that_touch_count_once():
    assert shared_ms([turn(0, 10, "a"), turn(5, 15, "a")], [turn(0, 15, "X")]) == {("a", "X"): 15}

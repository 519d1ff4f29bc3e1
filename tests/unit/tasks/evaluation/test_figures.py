"""Recordings summed up: pooled rates, intervals, one mapping of persons for all."""

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from storage.errors import ConfigError
from storage.formats.document import DocumentTurn, DocumentUtterance
from storage.records import Span
from tasks.evaluation.bootstrap import draws, interval
from tasks.evaluation.counts import JaccardErrors, TurnErrors, WordEdits
from tasks.evaluation.figures import Figure, ScoredRecording, figures_of
from tasks.evaluation.gate import Limits, broken
from tasks.evaluation.heard import Heard
from tasks.evaluation.references import Reference
from tasks.evaluation.report import TITLES
from tasks.evaluation.score import Score, TurnScore, score

TURNS = tuple(
    DocumentTurn(start_ms=start_ms, end_ms=start_ms + 4000, speaker=speaker)
    for start_ms, speaker in ((0, "ann"), (5000, "bob"))
)
WORDS = tuple(
    DocumentUtterance(start_ms=start_ms, end_ms=start_ms + 500, speaker=speaker, text=text)
    for start_ms, speaker, text in ((0, "ann", "Good"), (1000, "ann", "day,"), (5000, "bob", "and to you."))
)
TRUTH = Reference(turns=TURNS, utterances=WORDS, has_speakers=True)
NAMES = {"S0": "ann", "S1": "bob"}


def heard(ids, *, labels=("S0", "S1"), duration_ms=10_000):
    """Return what a perfect lake says, given the IDs of its two local speakers."""
    local = dict(zip(("ann", "bob"), labels, strict=True))
    turns = tuple(DocumentTurn(start_ms=t.start_ms, end_ms=t.end_ms, speaker=local[t.speaker]) for t in TURNS)
    words = tuple(
        DocumentUtterance(start_ms=w.start_ms, end_ms=w.end_ms, speaker=local[w.speaker], text=w.text) for w in WORDS
    )
    ids = dict(zip(labels, ids, strict=True))
    return Heard(duration_ms=duration_ms, words=words, turns=turns, exclusive=turns, ids=ids)


def scored(*scores, collections=None):
    return [
        ScoredRecording(
            recording_id=f"id{index}",
            source=f"talk {index}.wav",
            collection=collections[index] if collections else None,
            status="done",
            duration_ms=10_000,
            score=one,
        )
        for index, one in enumerate(scores)
    ]


def of_all(recordings):
    return {one.figure: one for one in figures_of(recordings) if one.scope == "all"}


def whole(reference, found, *, are_shared=True):
    return score(reference, found, None, are_shared=are_shared)


# ---- what must hold


@pytest.mark.parametrize("labels", [("S0", "S1"), ("S1", "S0"), ("Z", "A")])
def test_a_perfect_lake_has_no_errors_under_any_names(labels):
    found = of_all(scored(whole(TRUTH, heard(("spk_1", "spk_2"), labels=labels))))
    errors = {name: one.value for name, one in found.items() if not name.startswith("bcubed")}
    assert found.keys() == TITLES.keys()
    assert errors == dict.fromkeys(errors, 0.0)
    assert [found[name].value for name in ("bcubed", "bcubed_precision", "bcubed_recall")] == [1.0] * 3


def test_ids_swapped_between_recordings_cost_only_who_is_who():
    right, swapped = heard(("spk_1", "spk_2")), heard(("spk_2", "spk_1"))
    found = of_all(scored(whole(TRUTH, right), whole(TRUTH, right), whole(TRUTH, swapped)))
    assert found["archive_der"].value == pytest.approx(1 / 3)
    assert found["bcubed"].value == pytest.approx(5 / 9)
    within = {"der", "der_collar", "jer", "wer", "cpwer", "tcpwer", "wder"}
    assert {found[name].value for name in within} == {0.0}


def test_names_that_mean_nothing_elsewhere_give_no_figures_of_identity():
    found = of_all(scored(whole(TRUTH, heard(("spk_1", "spk_2")), are_shared=False)))
    assert not {"archive_der", "bcubed"} & found.keys()
    assert "der" in found


def test_a_recording_that_failed_is_all_missed():
    found = of_all(scored(whole(TRUTH, Heard())))
    assert found["der_missed"].value == found["wer_deletions"].value == found["cpwer"].value == 1.0
    assert found["wder"].value is None


def test_what_the_reference_does_not_tell_is_no_figure():
    nobody = Reference(utterances=WORDS, has_speakers=False)
    found = of_all(scored(whole(nobody, heard(("spk_1", "spk_2")))))
    assert found.keys() == {"wer", "wer_insertions", "wer_deletions", "wer_substitutions"}


def test_only_the_middle_of_what_is_said_must_be_scored():
    found = score(TRUTH, heard(("spk_1", "spk_2")), [Span(start_ms=500, end_ms=2000)], are_shared=True)
    assert found.words == WordEdits(n_words=1)
    assert found.turns.errors == TurnErrors(speech_ms=1500)
    assert found.identity.time.speech_ms == 1500


# ---- sums

turn_errors = st.builds(
    TurnErrors, **dict.fromkeys(("missed_ms", "false_ms", "confused_ms", "speech_ms"), st.integers(0, 99))
)
word_errors = st.builds(
    WordEdits, **dict.fromkeys(("insertions", "deletions", "substitutions", "n_words"), st.integers(0, 99))
)
scores = st.builds(
    Score,
    turns=st.none() | st.builds(TurnScore, errors=turn_errors, collared=turn_errors, jaccard=st.just(JaccardErrors())),
    words=st.none() | word_errors,
)


@settings(max_examples=30)
@given(st.lists(st.tuples(scores, st.sampled_from(["radio", "calls", None])), min_size=1, max_size=6))
def test_recordings_add_up_to_collections_and_to_all(drawn):
    figures = figures_of(scored(*(one for one, _ in drawn), collections=[name for _, name in drawn]))
    for pooled in (one for one in figures if one.scope != "recording"):
        own = [
            one
            for one in figures
            if one.scope == "recording" and one.figure == pooled.figure and pooled.collection in {None, one.collection}
        ]
        assert (pooled.wrong, pooled.total) == (sum(one.wrong for one in own), sum(one.total for one in own))
        assert pooled.n_recordings == len(own)
        assert pooled.value == (pytest.approx(pooled.wrong / pooled.total) if pooled.total else None)
        assert pooled.low is None or pooled.low <= pooled.high


# ---- intervals


def words_of(*errors):
    return [Score(words=WordEdits(substitutions=wrong, n_words=100)) for wrong in errors]


def test_an_interval_is_that_of_the_mean_where_all_are_of_one_size():
    errors = np.random.default_rng(1).binomial(100, 0.2, 200)
    found = of_all(scored(*words_of(*errors.tolist())))["wer"]
    deviation = errors.std() / 100 / np.sqrt(200)
    assert found.low == pytest.approx(found.value - 1.96 * deviation, abs=deviation / 4)
    assert found.high == pytest.approx(found.value + 1.96 * deviation, abs=deviation / 4)


def test_one_recording_tells_nothing_of_others():
    assert of_all(scored(*words_of(10)))["wer"].low is None
    assert of_all(scored(*words_of(10), Score()))["wer"].low is None
    assert of_all(scored(*words_of(10, 10)))["wer"].low == pytest.approx(0.1)


def test_draws_are_of_as_many_recordings_as_there_are_and_the_same_each_time():
    assert (draws(7).sum(axis=1) == 7).all()
    assert (draws(7) == draws(7)).all()
    assert interval(np.array([np.nan, np.nan]), 5) is None


# ---- the gate


def figure(name, value, scope="all"):
    return Figure(scope=scope, figure=name, value=value, unit="ms", n_recordings=3)


def test_the_gate_says_what_is_beyond_which_limit():
    figures = [figure("der", 0.2), figure("bcubed", 0.7), figure("wer", 0.1), figure("der", 0.9, scope="recording")]
    kept = Limits(max_der=0.2, max_wer=0.11, min_bcubed=0.7, max_missing=2)
    assert broken(kept, figures, 2) == ()
    assert broken(Limits(max_der=0.15, max_wer=0.1, min_bcubed=0.75, max_missing=1), figures, 2) == (
        "der is 0.2, above the limit of 0.15",
        "bcubed is 0.7, below the limit of 0.75",
        "missing is 2, above the limit of 1",
    )


def test_what_cannot_be_told_keeps_no_limit():
    lines = broken(Limits(max_der=0.15, max_wer=0.5), [figure("der", None)], 0)
    assert [line.partition(" ")[0] for line in lines] == ["der", "wer"]
    assert all("cannot be told" in line for line in lines)


def test_there_is_a_figure_for_every_limit():
    limited = {limit.name.partition("_")[2] for limit in fields(Limits)}
    assert limited - TITLES.keys() == {"missing"}


@pytest.mark.parametrize("limits", [{"max_der": 15}, {"min_bcubed": -0.1}, {"max_missing": -1}])
def test_limits_that_make_no_sense_are_refused(limits):
    with pytest.raises(ConfigError, match=next(iter(limits))):
        Limits(**limits)

"""The benchmarks' pure parts: scores against counts by hand, tables, ratios, arguments."""

import importlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.accuracy import audio_and_truth, read_truth, truth_name
from benchmarks.orchestration import extrapolated
from benchmarks.output import markdown_table, ratio_row
from benchmarks.scoring import (
    Identity,
    TurnErrors,
    WordErrors,
    b_cubed,
    by_speaker,
    on_one_clock,
    plain_words,
    shared_ms,
    speaker_word_errors,
    turn_errors,
    word_errors,
)
from benchmarks.sounds import SAMPLES, repeated
from storage.formats.document import DocumentTurn, DocumentUtterance

shares = st.dictionaries(
    st.tuples(st.sampled_from("ABCD"), st.sampled_from("wxyz")), st.integers(1, 10_000), min_size=1
)


def turn(start_ms, end_ms, speaker):
    return DocumentTurn(start_ms=start_ms, end_ms=end_ms, speaker=speaker)


# ---- words


def test_words_lose_case_and_punctuation_but_keep_apostrophes_and_accents():
    assert plain_words("“Don’t!”, SAID Zoë — 42 times…") == ["don't", "said", "zoë", "42", "times"]


def test_word_errors_are_counted_as_edits():
    assert word_errors(["a", "b", "c", "d"], ["a", "x", "d", "e"]) == WordErrors(errors=3, n_words=4)
    assert word_errors(["a"], []) == WordErrors(errors=1, n_words=1)
    assert word_errors([], ["a", "b"]) == WordErrors(errors=2, n_words=0)


def test_words_of_the_wrong_speaker_are_wrong_but_names_do_not_matter():
    truth = {"ann": ["a", "b"], "bob": ["c"]}
    assert speaker_word_errors(truth, {"S1": ["c"], "S0": ["a", "b"]}).errors == 0
    assert speaker_word_errors(truth, {"S0": ["a"], "S1": ["b", "c"]}).errors == 2


def test_the_words_of_a_speaker_come_in_order_of_time():
    said = [
        DocumentUtterance(start_ms=10, end_ms=20, text="Two.", speaker="ann"),
        DocumentUtterance(start_ms=0, end_ms=5, text="One", speaker="ann"),
        DocumentUtterance(start_ms=3, end_ms=6, text="uno", speaker=None),
    ]
    assert by_speaker(said) == {"ann": ["one", "two"], "None": ["uno"]}


def test_rates_of_sums():
    assert (WordErrors(errors=1, n_words=2) + WordErrors(errors=2, n_words=4)).rate == pytest.approx(0.5)
    assert WordErrors().rate == TurnErrors().rate == 0


# ---- turns


def test_turn_errors_have_no_collar_and_score_overlap():
    truth = [turn(0, 4000, "ann"), turn(3000, 6000, "bob"), turn(8000, 9000, "ann")]
    found = [turn(0, 3000, "S0"), turn(3000, 6000, "S1"), turn(6000, 6500, "S1"), turn(8000, 9000, "S1")]
    errors = turn_errors(truth, found, 10_000)
    assert errors == TurnErrors(missed_ms=1000, false_ms=500, confused_ms=1000, speech_ms=8000)
    assert errors.rate == pytest.approx(2500 / 8000)


def test_recordings_on_one_clock_do_not_overlap():
    joined = on_one_clock([([turn(0, 10, "a")], 100), ([], 50), ([turn(5, 7, "b")], 20)])
    assert joined == [turn(0, 10, "a"), turn(155, 157, "b")]


# ---- identity


def test_shared_time_leaves_out_overlap_and_silence_on_either_side():
    truth = [turn(0, 1000, "ann"), turn(800, 2000, "bob"), turn(5000, 6000, "ann")]
    found = [turn(100, 1500, "X"), turn(1500, 2500, "Y")]
    assert shared_ms(truth, found) == {("ann", "X"): 700, ("bob", "X"): 500, ("bob", "Y"): 500}


def test_two_turns_of_one_speaker_that_touch_count_once():
    assert shared_ms([turn(0, 10, "a"), turn(5, 15, "a")], [turn(0, 15, "X")]) == {("a", "X"): 15}


def test_b_cubed_by_hand():
    identity = b_cubed({("ann", "X"): 3, ("bob", "X"): 1, ("bob", "Y"): 4})
    assert identity.precision == pytest.approx((9 / 4 + 1 / 4 + 4) / 8)
    assert identity.recall == pytest.approx((3 + 1 / 5 + 16 / 5) / 8)
    assert identity.f1 == pytest.approx(2 * identity.precision * identity.recall / sum_of(identity))


def sum_of(identity: Identity) -> float:
    return identity.precision + identity.recall


@given(shares)
def test_swapping_persons_and_ids_swaps_precision_and_recall(shared):
    forth, back = b_cubed(shared), b_cubed({(b, a): ms for (a, b), ms in shared.items()})
    assert forth.precision == pytest.approx(back.recall)
    assert 0 < forth.f1 <= 1 + 1e-9


@given(shares)
def test_one_id_for_all_recalls_everything(shared):
    everybody = {}
    for (person, _), ms in shared.items():
        everybody[person, "X"] = everybody.get((person, "X"), 0) + ms
    assert b_cubed(everybody).recall == pytest.approx(1)


@given(st.dictionaries(st.sampled_from("ABCD"), st.integers(1, 100)))
def test_who_has_an_id_alone_is_perfect(spoken):
    identity = b_cubed({(person, person.lower()): ms for person, ms in spoken.items()})
    assert (identity.precision, identity.recall) == (pytest.approx(1), pytest.approx(1))


# ---- sets


def test_a_set_has_recordings_and_truth(tmp_path):
    (tmp_path / "audio").mkdir()
    with pytest.raises(SystemExit, match="truth/ or refs/"):
        audio_and_truth(tmp_path)
    (tmp_path / "refs").mkdir()
    assert audio_and_truth(tmp_path) == (tmp_path / "audio", tmp_path / "refs")


def test_the_truth_of_the_samples_is_found_by_source():
    archive, folder = audio_and_truth(SAMPLES.parent)
    truth = read_truth(folder)
    sources = {truth_name(str(path.relative_to(archive))) for path in archive.glob("*/*")}
    assert truth.keys() < sources
    assert sources - truth.keys() == {"memoirs_night-shift"}
    assert all(known.turns and known.utterances for known in truth.values())


# ---- output


def test_a_table_lines_up_and_leaves_out_empty_columns():
    table = markdown_table(
        [{"what": "a", "n": 12345.678, "none": None}, {"what": "long", "n": 0.5}], ["what", "none", "n"]
    )
    assert table.splitlines() == [
        "| what | n         |",
        "| ---- | --------- |",
        "| a    | 1.235e+04 |",
        "| long | 0.5       |",
    ]


def test_the_ratio_is_that_of_neighbours():
    row = ratio_row("x", [2.0, 30.0, 4.0], [1.0, 10.0, 4.0], "≤ 1")
    assert (row["ratio"], row["lowest"], row["highest"], row["n"]) == (2.0, 1.0, 3.0, 3)


def test_a_fixed_cost_vanishes_over_an_hour_and_a_share_stays():
    fixed = extrapolated("x", {"plain": [10.0], "x": [15.0]}, {"plain": [100.0], "x": [105.0]})
    share = extrapolated("x", {"plain": [10.0], "x": [11.0]}, {"plain": [100.0], "x": [110.0]})
    noise = extrapolated("x", {"plain": [10.0], "x": [17.0]}, {"plain": [100.0], "x": [105.0]})
    assert fixed["ratio"] == pytest.approx(1 + 5 / 3600)
    assert noise["ratio"] == pytest.approx(1 + 7 / 3600)
    assert share["ratio"] == pytest.approx(1.1)


def test_speech_is_repeated_to_the_sample():
    blocks = list(repeated(np.arange(7, dtype=np.int16), 11))
    assert [len(block) for block in blocks] == [160_000, 16_000]
    assert np.array_equal(np.concatenate(blocks), np.arange(176_000) % 7)


# ---- arguments


@pytest.mark.parametrize(
    "name",
    [
        "accuracy",
        "attribution",
        "decode",
        "engines",
        "export",
        "memory",
        "opinions",
        "orchestration",
        "rerun",
        "stages",
        "word_confidence",
        "workers",
    ],
)
def test_arguments(name, tmp_path, capsys):
    benchmark = importlib.import_module(f"benchmarks.{name}")
    needed = [str(SAMPLES)] if name == "accuracy" else []
    assert benchmark.parse_arguments([*needed, "--json", str(tmp_path / "out")]).json == tmp_path / "out"
    with pytest.raises(SystemExit):
        benchmark.parse_arguments([*needed, "--no-such-option"])
    assert "no-such-option" in capsys.readouterr().err

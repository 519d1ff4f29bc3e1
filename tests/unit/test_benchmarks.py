"""The benchmarks' pure parts: scores against counts by hand, tables, ratios, arguments."""

import importlib
import random
from collections import Counter

import numpy as np
import pytest

from benchmarks.accuracy import audio_and_truth, read_truth, truth_name
from benchmarks.chunks import Agreement, agreement
from benchmarks.kill_targets import names_below, phase_of, striker_of
from benchmarks.killed_lakes import lost_work, with_speakers_renamed
from benchmarks.orchestration import extrapolated
from benchmarks.output import markdown_table, ratio_row
from benchmarks.scoring import on_one_clock
from benchmarks.sounds import SAMPLES, repeated
from storage.formats.document import DocumentTurn, DocumentUtterance
from tasks.engines.fake_journal import Noted


def turn(start_ms, end_ms, speaker):
    return DocumentTurn(start_ms=start_ms, end_ms=end_ms, speaker=speaker)


# ---- recordings on one clock


def test_recordings_on_one_clock_do_not_overlap():
    joined = on_one_clock([([turn(0, 10, "a")], 100), ([], 50), ([turn(5, 7, "b")], 20)])
    assert joined == [turn(0, 10, "a"), turn(155, 157, "b")]


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


def test_words_are_the_same_that_overlap_read_the_same_and_keep_their_speaker():
    def word(start_ms, text, speaker):
        return DocumentUtterance(start_ms=start_ms, end_ms=start_ms + 100, text=text, speaker=speaker)

    whole = [word(0, "one", "S0"), word(200, "two", "S1"), word(400, "two", "S1"), word(600, "six", "S0")]
    cut = [word(50, "one", "S4"), word(200, "two", "S0"), word(250, "two", "S0"), word(610, "six", "S0")]
    assert agreement(whole, whole) == Agreement(n_ours=4, n_theirs=4, n_same_text=4, n_same_speaker=4)
    assert agreement(cut, whole) == Agreement(n_ours=4, n_theirs=4, n_same_text=3, n_same_speaker=2)
    assert agreement([], whole).n_same_speaker == 0


# ---- kills


def test_work_is_lost_by_whoever_did_it_before_it_was_done_again():
    journal = [Noted(1, 10, "a"), Noted(2, 20, "b"), Noted(3, 10, "a"), Noted(4, 10, "a"), Noted(4, 5, "c")]
    assert lost_work(journal, Counter("abc")) == {1: 10, 3: 10}
    assert lost_work(journal[:2], Counter("abc")) == {}


def test_renamed_speakers_are_called_by_their_first_voice():
    def rows(ada, bea, gone):
        voices = [("r1", "S0", ada), ("r1", "S1", bea), ("r2", "S0", ada), ("r2", "S1", None)]
        links = [{"recording_id": one, "local_speaker": local, "speaker_id": who} for one, local, who in voices]
        speakers = [{"speaker_id": one, "merged_into": None} for one in sorted({ada, bea})]
        return {"links": links, "speakers": [*speakers, *({"speaker_id": one, "merged_into": ada} for one in gone)]}

    first, second = rows("x", "y", []), rows("y", "z", ["x"])
    assert with_speakers_renamed(first)["links"] == with_speakers_renamed(second)["links"]
    assert with_speakers_renamed(second)["links"][3]["speaker_id"] is None
    by_id = [sorted(map(repr, with_speakers_renamed(one)["speakers"])) for one in (first, second)]
    assert by_id[0] == by_id[1] == sorted(repr({"speaker_id": f"r1/S{i}", "merged_into": None}) for i in (0, 1))
    assert with_speakers_renamed(rows("x", "x", []))["links"] != with_speakers_renamed(first)["links"]


def test_phases_follow_from_what_is_new(tmp_path):
    def write(name):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()

    write("facts/words/old.parquet")
    write("commits/old.json")
    before = names_below(tmp_path)
    assert phase_of(tmp_path, before) == ("before the plan", False)
    write("plans/.tmp-1")
    assert phase_of(tmp_path, before) == ("before the plan", True)
    write("plans/1.json")
    assert phase_of(tmp_path, before)[0] == "plan written"
    write("facts/words/new.parquet")
    assert phase_of(tmp_path, before)[0] == "facts without a commit"
    write("published/words/1.parquet")
    assert phase_of(tmp_path, before)[0] == "tables without a publication"


def test_a_victim_that_is_not_there_is_waited_for(monkeypatch):
    monkeypatch.setattr("benchmarks.kill_targets.marked", lambda mark: {7: b"python -c something else"})
    assert not striker_of("worker", "mark", random.Random(1))(7)


# ---- arguments


@pytest.mark.parametrize(
    "name",
    [
        "accuracy",
        "attribution",
        "chunks",
        "decode",
        "engines",
        "export",
        "false_flags",
        "kills",
        "media_faults",
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
    needed = [str(SAMPLES)] if name in {"accuracy", "chunks", "false_flags"} else []
    assert benchmark.parse_arguments([*needed, "--json", str(tmp_path / "out")]).json == tmp_path / "out"
    with pytest.raises(SystemExit):
        benchmark.parse_arguments([*needed, "--no-such-option"])
    assert "no-such-option" in capsys.readouterr().err

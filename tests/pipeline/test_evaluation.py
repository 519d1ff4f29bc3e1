"""A lake evaluated, from its archive to the figures, beside MeetEval's command line on what the lake exports."""

import contextlib
import io
import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
from cyclopts import App

from flows.cli_evaluate import evaluate
from storage.errors import ConfigError
from storage.schemas import EVALUATION
from tasks.evaluation.evaluate import evaluate_lake
from tasks.evaluation.report import evaluation_page
from tasks.reading.export import export_lake
from tests.lakes import conversation, fake_spec, query, run_whole, write_wav

MANIFEST = "source,collection\ncalls/one.wav,calls\ncalls/two.wav,calls\n"


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """Three recordings, of which two are a collection, and one that is no audio."""
    root = tmp_path_factory.mktemp("evaluated")
    for name, voices in {"calls/one": (300, 900, 300), "calls/two": (900, 1500), "talk": (1500, 300)}.items():
        write_wav(root / "archive" / f"{name}.wav", conversation(*voices))
    (root / "archive" / "broken.mp3").write_bytes(b"no audio at all " * 16)
    (root / "archive" / "manifest.csv").write_text(MANIFEST)
    run_whole(fake_spec(root / "archive", root / "lake", manifest=str(root / "archive" / "manifest.csv")))
    return root / "lake"


@pytest.fixture
def references(lake, tmp_path):
    """What the lake itself says, as if it were the truth."""
    for form in ("rttm", "stm"):
        export_lake(str(lake), str(tmp_path / "references"), form)
    return tmp_path / "references"


def spoil(path, old, new, count=-1):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, count))


def of_all(lake, references, **options):
    return {
        one.figure: one for one in evaluate_lake(str(lake), str(references), **options).figures if one.scope == "all"
    }


def test_what_the_lake_says_is_right_by_itself(lake, references):
    found = of_all(lake, references)
    errors = {name: one.value for name, one in found.items() if not name.startswith("bcubed")}
    assert errors == dict.fromkeys(errors, 0.0)
    assert found["bcubed"].value == 1.0
    assert found["der"].n_recordings == 3


def test_who_is_who_is_asked_only_of_names_that_are_shared(lake, references):
    (person,) = query(lake, "SELECT speaker_id FROM turns WHERE source = 'talk.wav' ORDER BY start_ms LIMIT 1")[0]
    spoil(references / "talk.wav.rttm", person, "somebody_else")
    shared, local = of_all(lake, references), of_all(lake, references, names="local")
    assert shared["der"].value == local["der"].value == 0.0
    assert shared["archive_der"].value > 0
    assert shared["bcubed_precision"].value < 1
    assert not {"archive_der", "bcubed"} & local.keys()


def test_only_what_a_uem_file_names_is_scored(lake, references, tmp_path):
    whole = of_all(lake, references)
    (tmp_path / "some.uem").write_text("calls/one 1 0 2\nelsewhere 1 0 2\n")
    some = of_all(lake, references, uem_url=str(tmp_path / "some.uem"))
    assert some["der"].total < whole["der"].total
    assert some["wer"].total < whole["wer"].total


def test_what_could_not_be_compared_is_told(lake, references):
    (references / "calls" / "two.wav.rttm").unlink()
    (references / "calls" / "two.wav.stm").unlink()
    (references / "gone.rttm").write_text("SPEAKER gone 1 0 1 <NA> <NA> ann <NA> <NA>\n")
    (references / "notes.md").write_text("#")
    found = evaluate_lake(str(lake), str(references))
    assert [one.source for one in found.recordings] == ["calls/one.wav", "talk.wav"]
    assert [(one.name, one.path) for one in found.missing] == [("gone", "gone.rttm")]
    assert found.extra == ("broken.mp3", "calls/two.wav")
    assert found.ignored == ("notes.md",)
    page = evaluation_page(found, ["der is high"])
    assert all(word in page for word in ("der is high", "| DER |", "gone.rttm", "calls/two.wav", "notes.md"))


def test_a_recording_that_failed_counts_as_silence(lake, references):
    (references / "broken.rttm").write_text("SPEAKER broken 1 0 4 <NA> <NA> ann <NA> <NA>\n")
    found = evaluate_lake(str(lake), str(references))
    (own,) = [one for one in found.figures if one.source == "broken.mp3" and one.figure == "der_missed"]
    assert (own.wrong, own.total) == (4000, 4000)
    assert "failed, and counted as silence: 1" in evaluation_page(found, [])


def test_references_of_something_else_are_refused(lake, tmp_path):
    (tmp_path / "other.rttm").write_text("SPEAKER other 1 0 1 <NA> <NA> ann <NA> <NA>\n")
    with pytest.raises(ConfigError, match=r"none of 1 is about a recording of the lake, as 'other'"):
        evaluate_lake(str(lake), str(tmp_path))


def test_a_missing_scorer_says_what_to_install(lake, references, monkeypatch):
    monkeypatch.setattr("tasks.evaluation.libraries.find_spec", lambda module: None if module == "meeteval" else 1)
    with pytest.raises(ConfigError, match=r'MeetEval: is not installed; pip install "voxlake\[evaluate\]"'):
        evaluate_lake(str(lake), str(references))


def test_as_meeteval_counts_on_what_the_lake_exports(lake, references, tmp_path):
    spoil(references / "calls" / "one.wav.stm", " v300x4", " so v300x4", 2)
    spoil(references / "talk.wav.stm", " v300x4", " ", 3)
    found = of_all(lake, references)
    export_lake(str(lake), str(tmp_path / "found"), "stm")
    sides = [[str(path) for path in sorted(folder.rglob("*.stm"))] for folder in (references, tmp_path / "found")]
    out = tmp_path / "average.json"
    for metric, options in {"cpwer": [], "tcpwer": ["--collar", "5"]}.items():
        command = [sys.executable, "-m", "meeteval.wer", metric, "-r", *sides[0], "-h", *sides[1], *options]
        outs = ["--average-out", str(out), "--per-reco-out", str(tmp_path / "each.json")]
        done = subprocess.run([*command, *outs], check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        theirs = json.loads(out.read_text())
        assert (found[metric].wrong, found[metric].total) == (theirs["errors"], theirs["length"])
        assert found[metric].value == pytest.approx(theirs["error_rate"])
        assert found[metric].value > 0


# ---- the command line


def voxlake(*arguments):
    """Return the exit code and what was printed."""
    app = App(result_action="return_value")
    app.command(evaluate)
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as told:
        code = app(["evaluate", *map(str, arguments)], exit_on_error=False)
    return code, out.getvalue(), told.getvalue()


def test_tables_for_people(lake, references):
    code, out, told = voxlake(lake, references, "--no-json")
    assert code == 0
    assert all(
        word in out for word in ("recordings with references: 3", "DER, archive-wide", "by collection", "calls/one.wav")
    )
    assert "recordings without a reference: 1 (broken.mp3)" in told


def test_json_and_files_for_programs(lake, references, tmp_path):
    code, out, _ = voxlake(lake, references, "--json", "--out", tmp_path / "figures.parquet")
    told = json.loads(out)
    assert code == 0
    assert {one["scope"] for one in told["figures"]} == {"all", "collection", "recording"}
    assert {one["collection"] for one in told["figures"] if one["scope"] == "collection"} == {"calls"}
    table = pq.read_table(tmp_path / "figures.parquet")
    assert table.schema.equals(EVALUATION)
    assert table.to_pylist() == [{name: one[name] for name in EVALUATION.names} for one in told["figures"]]
    voxlake(lake, references, "--out", tmp_path / "all.json")
    assert json.loads((tmp_path / "all.json").read_text()) == told
    with pytest.raises(ConfigError, match=r"neither \.json nor \.parquet"):
        voxlake(lake, references, "--out", tmp_path / "figures.csv")


def test_the_gate_decides_the_exit_code(lake, references):
    spoil(references / "talk.wav.stm", " v300x4", " no")
    assert voxlake(lake, references, "--max-der", "0.1", "--min-bcubed", "0.9")[0] == 0
    code, _, told = voxlake(lake, references, "--max-der", "0.1", "--max-wer", "0.001", "--max-cpwer", "0.001")
    assert code == 1
    lines = told.splitlines()[-2:]
    assert [line.partition(" ")[0] for line in lines] == ["wer", "cpwer"]
    assert all(line.endswith("above the limit of 0.001") for line in lines)

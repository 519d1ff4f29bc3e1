"""The command line as a person or a script meets it."""

import csv
import importlib.metadata
import io
import json
import os
import shutil
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout

import pyarrow.parquet as pq
import pytest

from flows.cli import main
from flows.local import run_local
from tests.archives import conversation, fake_spec, write_archive
from tests.lakes import write_wav

pytestmark = pytest.mark.filterwarnings("ignore:Cyclopts application invoked without tokens")
_MAIN = "from flows.cli import main; main()"


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    root = tmp_path_factory.mktemp("command line")
    write_archive(root / "archive", n_recordings=3)
    run_local(fake_spec(root / "archive", root / "lake"))
    return root / "lake"


@pytest.fixture
def process(tmp_path):
    """Return what gives a command to a process of its own."""

    def run(*arguments, **variables):
        environment = {"VOXLAKE_PROFILE": "fake", **os.environ, **variables}
        command = [sys.executable, "-c", _MAIN, *map(str, arguments)]
        return subprocess.run(
            command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120
        )

    return run


@pytest.fixture
def voxlake(tmp_path, monkeypatch):
    """Return what gives a command to this process, which takes a tenth of the time."""

    def run(*arguments):
        told, errors = (io.TextIOWrapper(io.BytesIO(), write_through=True) for _ in range(2))
        with monkeypatch.context() as patch, redirect_stdout(told), redirect_stderr(errors):
            patch.chdir(tmp_path)
            patch.setenv("VOXLAKE_PROFILE", "fake")
            patch.setattr(sys, "argv", ["voxlake", *map(str, arguments)])
            with pytest.raises(SystemExit) as ended:
                main()
        texts = (stream.buffer.getvalue().decode() for stream in (told, errors))
        return subprocess.CompletedProcess(arguments, ended.value.code, *texts)

    return run


def test_help_imports_nothing_heavy():
    heavy = ["prefect", "torch", "duckdb", "pyarrow", "numpy", "pydantic", "av", "scipy"]
    code = (
        "import sys\nfrom flows.cli import app\napp(['run', '--help'], exit_on_error=False)\n"
        f"print(sorted(set({heavy}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.rstrip().endswith("[]")
    assert "--retry-failed" in done.stdout


def test_the_version_is_the_package_s(process):
    assert process("--version").stdout.strip() == importlib.metadata.version("voxlake")


def test_a_second_run_does_nothing_and_still_says_what_failed(process, lake):
    done = process("run", lake.parent / "archive", lake, "--local")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["is_current"]
    assert told["failed"] == ["broken.mp3"]
    assert "nothing to do" in done.stderr


def test_nothing_to_do_needs_no_prefect_server(process, lake):
    done = process("run", lake.parent / "archive", lake, PREFECT_API_URL="")
    assert json.loads(done.stdout)["is_current"]
    assert "server" not in done.stderr


def test_plan_says_hours_shards_engines_time_and_memory(voxlake, lake, tmp_path):
    done = voxlake("plan", lake.parent / "archive", tmp_path / "new")
    told = json.loads(done.stdout)
    assert done.returncode == 0
    assert (told["recordings"], told["to do"], told["transcriber"]) == (4, 4, "fake")
    assert told["expected minutes"] >= 0
    assert told["expected memory (MB)"] > 0
    assert not (tmp_path / "new").exists()


def test_status_counts_and_lists_failures(voxlake, lake):
    done = voxlake("status", lake)
    told = json.loads(done.stdout)
    assert done.returncode == 1
    assert told["counts"]["done"].startswith("3 recordings")
    assert told["counts"]["pending"].startswith("0 recordings")
    assert [failure["source"] for failure in told["failures"]] == ["broken.mp3"]
    assert told["runs"][0]["status"] == "done_with_failures"


def test_status_for_people(voxlake, lake):
    done = voxlake("status", lake, "--no-json")
    assert "latest runs" in done.stdout
    assert "broken.mp3" in done.stdout


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
def test_sql_in_every_form(voxlake, lake, tmp_path, form):
    out = tmp_path / "answer"
    done = voxlake("sql", lake, "SELECT source, duration_ms, [1, 2] AS l FROM recordings ORDER BY 1",
                   "--format", form, "--out", out)  # fmt: skip
    assert done.returncode == 0, done.stderr
    read = {
        "csv": lambda: [row["source"] for row in csv.DictReader(io.StringIO(out.read_text()))],
        "json": lambda: [row["source"] for row in json.loads(out.read_text())],
        "parquet": lambda: list(map(str, pq.read_table(out)["source"])),
    }
    assert read[form]() == ["broken.mp3", "folder 0/talk 0.wav", "folder 0/talk 2.wav", "folder 1/talk 1.wav"]


def test_sql_for_people_and_its_errors(voxlake, lake):
    assert "talk 0.wav" in voxlake("sql", lake, "FROM recordings", "--format", "table").stdout
    wrong = voxlake("sql", lake, "SELECT nothing FROM recordings")
    assert wrong.returncode == 3
    assert wrong.stderr.count("\n") == 1
    assert voxlake("sql", lake, "FROM recordings", "--format", "parquet").returncode == 3


def test_sums_are_numbers_in_json(voxlake, lake):
    (row,) = json.loads(voxlake("sql", lake, "SELECT sum(duration_ms) AS total FROM recordings").stdout)
    assert row == {"total": 39_000}


def test_export_writes_a_file_per_recording(voxlake, lake, tmp_path):
    done = voxlake("export", lake, tmp_path / "out", "--format", "srt")
    assert done.returncode == 0, done.stderr
    assert "-->" in (tmp_path / "out" / "folder 0" / "talk 0.wav.srt").read_text()


def test_naming_a_speaker_reaches_the_transcripts(voxlake, lake):
    speaker = json.loads(voxlake("speakers", "list", lake).stdout)[0]["speaker_id"]
    assert voxlake("speakers", "name", lake, speaker, "Ada").returncode == 0
    rows = json.loads(
        voxlake("sql", lake, "SELECT DISTINCT speaker_name AS n FROM transcripts", "--format", "json").stdout
    )
    assert {"n": "Ada"} in rows
    assert voxlake("speakers", "name", lake, speaker).returncode == 0
    assert voxlake("speakers", "name", lake, "spk_nobody", "Ada").returncode == 3


@pytest.fixture
def copied(lake, tmp_path):
    return shutil.copytree(lake, tmp_path / "copied")


def ids(voxlake, lake):
    return [row["speaker_id"] for row in json.loads(voxlake("speakers", "list", lake).stdout)]


def test_a_decision_is_made_seen_and_taken_back(voxlake, copied):
    one, other = ids(voxlake, copied)[:2]
    assert voxlake("speakers", "name", copied, one, "Ada").returncode == 0
    done = voxlake("speakers", "forbid", copied, "Ada", other, "--later")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (told["kind"], told["is_published"], told["changes"]) == ("forbid", False, [])
    (row,) = json.loads(voxlake("speakers", "decisions", copied).stdout)
    assert (row["decision_id"], row["speaker_id"], row["other_id"]) == (told["decision_id"], one, other)
    refused = voxlake("speakers", "merge", copied, one, other)
    assert refused.returncode == 3
    assert f"voxlake speakers undo LAKE {told['decision_id']}" in refused.stderr
    assert voxlake("speakers", "undo", copied, told["decision_id"]).returncode == 0
    shown = json.loads(voxlake("speakers", "show", copied, "Ada").stdout)
    assert shown["speaker"]["speaker_id"] == one
    assert shown["decisions"][0]["is_undone"]
    assert "is_undone" in voxlake("speakers", "show", copied, one, "--no-json").stdout
    assert "forbid" in voxlake("speakers", "decisions", copied, "--no-json").stdout


def test_a_decision_counts_at_once(voxlake, copied):
    one, other = ids(voxlake, copied)[:2]
    (number,) = json.loads(voxlake("sql", copied, "SELECT max(since) AS n FROM speakers").stdout)
    done = voxlake("speakers", "forbid", copied, one, other)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["is_published"]
    assert len(list((copied / "publications").iterdir())) == number["n"] + 1


def test_forgetting_asks_first(voxlake, copied):
    somebody = ids(voxlake, copied)[0]
    refused = voxlake("speakers", "forget", copied, somebody)
    assert refused.returncode == 3
    assert "--yes" in refused.stderr
    done = voxlake("speakers", "forget", copied, somebody, "--yes")
    assert done.returncode == 0, done.stderr
    assert "removed " in done.stderr
    assert somebody not in ids(voxlake, copied)
    told = json.loads(done.stdout)
    assert told["removed"]["n_fingerprints"] > 0
    (change,) = told["changes"]
    assert (change["speaker_id"], change["recordings"], change["minutes"]) == (somebody, 0, 0)
    listed = json.loads(voxlake("speakers", "list", copied, "--all").stdout)
    assert somebody in [row["speaker_id"] for row in listed]


def test_enrolling_says_who_it_is_and_what_was_left_out(voxlake, copied, tmp_path):
    write_wav(tmp_path / "clip.wav", conversation(0, seconds=20))
    done = voxlake("speakers", "enroll", copied, "Ada Miller", tmp_path / "clip.wav", "none.wav", "--later")
    assert done.returncode == 0, done.stderr
    assert "left out: none.wav" in done.stderr
    assert "is Ada Miller, by 1 of 2 clips" in done.stderr
    assert len(json.loads(done.stdout)["left_out"]) == 1
    assert voxlake("speakers", "show", copied, "Ada Miller").returncode == 0
    assert voxlake("speakers", "enroll", copied, "Nobody", "none.wav").returncode == 3


def test_engines_and_doctor(voxlake, tmp_path):
    told = json.loads(voxlake("engines").stdout)
    assert {"silero", "pocketsphinx", "resemblyzer"} <= {row["engine"] for row in told["engines"]}
    assert "fake" not in {row["profile"] for row in told["profiles"]}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run"], 2),
        (["run", "a", "b", "--nonsense"], 2),
        (["export", "a", "b", "--format", "doc"], 2),
        (["nonsense"], 2),
        (["run", "no such archive", "lake", "--local"], 3),
        (["run", "no such archive", "lake", "--local", "--profile", "none"], 3),
        (["status", "no such lake"], 3),
        (["run", "s3://user:secret@bucket/a", "lake", "--local"], 3),
    ],
)
def test_exit_codes(voxlake, arguments, code):
    done = voxlake(*arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert "secret" not in done.stderr


def test_debugging_shows_where(process):
    quiet = process("status", "no such lake")
    assert (quiet.returncode, quiet.stderr.count("\n")) == (3, 1)
    assert "Traceback" in process("status", "no such lake", VOXLAKE_DEBUG="1").stderr

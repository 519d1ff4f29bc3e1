"""A run whose libraries quote secrets when they fail: not a byte of the lake, a log or an artifact has one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.archives import write_archive
from tests.flow_runs import artifacts
from tests.lakes import query

CANARY = "canary7e1"
SECRETS = {
    "AWS_ACCESS_KEY_ID": f"id-{CANARY}",
    "AWS_SECRET_ACCESS_KEY": f"aws/{CANARY}+secret",
    "AWS_SESSION_TOKEN": f"session-{CANARY}==",
    "HF_TOKEN": f"hf_{CANARY}",
    "PREFECT_API_KEY": f"pnu_{CANARY}",
}
_QUOTED = f"403 for https://me:{CANARY}@host/a?X-Amz-Credential={CANARY}&X-Amz-Signature={CANARY}&sig={CANARY} "
_TALKATIVE = f"""
import os
from tasks.audio import media
from tasks.engines import fake

said = {_QUOTED!r} + " ".join(os.environ.get(name, "") for name in {list(SECRETS)!r})
locate, transcribe = media.locate_source, fake.FakeTranscriber.transcribe

def locate_or_fail(archive, source):
    if source.endswith("talk 0.wav"):
        raise OSError(said)
    return locate(archive, source)

def transcribe_or_fail(self, clips, contexts):
    if any(len(clip) < 14 * 16_000 for clip in clips):
        raise RuntimeError(said) from ValueError(said)
    return transcribe(self, clips, contexts)

media.locate_source = locate_or_fail
fake.FakeTranscriber.transcribe = transcribe_or_fail
"""
_RUN = "from flows.cli import main; main()"


@pytest.fixture
def talkative(tmp_path, monkeypatch):
    """Have every process that is started from here on fail on two recordings, with secrets in the error."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site/sitecustomize.py").write_text(_TALKATIVE)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path / 'site'}:{Path.cwd()}")
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    for name, value in {"PROFILE": "fake", "WORKERS": "1"}.items():
        monkeypatch.setenv(f"VOXLAKE_{name}", value)
    return write_archive(tmp_path / "archive", n_recordings=3)


def assert_hidden(lake, *said):
    failures = dict(query(lake, "SELECT source, message FROM failures WHERE message LIKE '%403 for%'"))
    assert len(failures) == 2
    assert all("https://***@host/a?X-Amz-Credential=***&X-Amz-Signature=***" in text for text in failures.values())
    holding = [path for path in lake.rglob("*") if path.is_file() and CANARY.encode() in path.read_bytes()]
    assert holding == []
    for text in said:
        assert CANARY not in text


def test_no_secret_comes_into_the_lake_or_what_a_run_prints(talkative, tmp_path):
    command = [sys.executable, "-c", _RUN, "run", str(talkative), str(tmp_path / "lake"), "--local"]
    done = subprocess.run(command, env=os.environ, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 1, done.stderr
    assert "403 for" in done.stderr
    assert_hidden(tmp_path / "lake", done.stdout, done.stderr)


@pytest.mark.slow
def test_no_secret_comes_into_prefect(talkative, tmp_path, with_server, monkeypatch):
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import LogFilter, LogFilterFlowRunId

    from flows.archive import transcribe_archive

    monkeypatch.delenv("PREFECT_API_KEY")
    state = transcribe_archive(str(talkative), str(tmp_path / "lake"), return_state=True)
    flow_run_id = state.state_details.flow_run_id
    wanted = LogFilter(flow_run_id=LogFilterFlowRunId(any_=[flow_run_id]))
    with get_client(sync_client=True) as client:
        logs = [log.message for log in client.read_logs(wanted, limit=200)]
    shown = artifacts(flow_run_id)
    assert "403 for" in str(shown["archive-failures"].data)
    assert_hidden(tmp_path / "lake", *logs, *(str(artifact.data) for artifact in shown.values()), str(state))


def test_an_option_that_looks_like_a_secret_is_refused(tmp_path):
    command = [
        sys.executable,
        "-c",
        _RUN,
        "run",
        str(write_archive(tmp_path / "a", 1)),
        str(tmp_path / "lake"),
        "--local",
    ]
    option = f'{{"api_key": "{CANARY}"}}'
    environment = {**os.environ, "VOXLAKE_PROFILE": "fake", "VOXLAKE_TRANSCRIBER__OPTIONS": option}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=100)
    assert done.returncode == 3
    assert "'api_key' of transcriber" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert not (tmp_path / "lake").exists()
